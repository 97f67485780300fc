"""What `compose` refuses, and what it says; the store as a run has it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.compare import differences, fingerprint
from tests.contract.compose.world import NEW, World, joined, made, seal_basis
from tests.contract.storehouse import Said, frame


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = made(tmp_path)
    for name in ("gone", "kept", "changed"):
        (world.source / name).write_text(name)
    seal_basis(world)
    (world.source / "gone").unlink()
    (world.source / "changed").write_text("other")
    (world.source / "new").mkdir()
    (world.source / "new/file").write_text("text")
    return world


def test_it_says_what_it_did_and_does_it_once(world: World) -> None:
    names = world.prepare([b"kept"])
    begun = world.begun
    done = world.compose(world.given(names))
    assert done.answer == {
        "filesystems": [{"mount": "/", "names": 5, "placed": 3, "kept": 1, "removed": 2, "missing": 1}]
    }
    assert differences(world.source, world.place) == []
    assert world.begun == {**begun, "composed": {"/": 5}, "left": [], "shared": 0}
    again = world.compose(world.given(names))
    assert (again.code, again.answer["again"]) == (1, True)
    assert differences(world.source, world.place) == []


def test_an_empty_list_is_a_list(world: World) -> None:
    world.prepare()
    (world.place / "keeps").write_text("text")
    done = world.compose(world.given([], names=4, gone=0))
    assert done.answer["filesystems"][0] == {
        "mount": "/",
        "names": 4,
        "placed": 0,
        "kept": 0,
        "removed": 0,
        "missing": 0,
    }


@pytest.mark.parametrize(
    ("names", "other", "words"),
    [
        ([], {"names": 6}, "has 5 names, and at the source there were 6"),
        # Listed twice: the second time nothing is left of what was sent.
        ([b"changed"], {}, "1 names of '/' were at the source and were not sent, such as /gone"),
    ],
)  # fmt: skip
def test_a_count_that_does_not_hold_is_refused(
    world: World, names: list[bytes], other: dict[str, object], words: str
) -> None:
    before = fingerprint(world.basis)
    known = world.prepare()
    done = world.compose(world.given([*known, *names], **{"gone": 1, **other}))
    assert words in done.answer["error"], done.out
    assert (done.code, done.answer["again"]) == (1, True)
    assert fingerprint(world.basis) == before
    # Nobody takes it for a clone, or for composed.
    assert {"cloned", "composed"}.isdisjoint(world.begun)
    assert world.compose(world.given(known)).code == 1


def test_what_went_meanwhile_is_accounted_for(world: World) -> None:
    (world.source / "went").write_text("text")
    names = world.prepare()
    (world.incoming / "went").unlink()
    done = world.compose(world.given(names, counts={"vanished": 1}))
    assert done.answer["filesystems"][0]["missing"] == 2, done.out


@pytest.mark.parametrize(
    "cut", [b"./changed\0./new\0./new/fil", b"./changed\0\0./new\0", b"./changed\0/nonexistent/file\0"]
)
def test_a_list_that_is_cut_off_or_odd_is_refused(world: World, cut: bytes) -> None:
    names = world.prepare()
    done = world.compose(world.given(names, raw=cut))
    assert done.code == 1
    assert "composed" not in world.begun


def test_outputs_that_are_not_those_of_the_plan(world: World) -> None:
    names = world.prepare()
    given, listing = world.given(names), Said(code=0, out=joined(names))
    torn = frame("settle", Said(code=0, out=b'{"names": 3'))
    begun = world.begun
    both = ("--listed=look=/", "--listed=compared=/", "--settled=settle=/")
    with world.house.held():
        for options in (
            ("--listed=look=/home", "--settled=settle=/home"),
            ("--listed=look=/",),
            (*both, "--plan=other"),
        ):
            assert world.call(given, *options).code != 0
        assert world.begun == begun
        for outputs in (
            frame("look", listing) + torn,
            given[:-30],
            given + frame("compared", listing),
            given.replace(b'"state": "done"', b'"state": "lost"', 1),
        ):
            world.write_begun(**begun)
            assert world.call(outputs, *both).code == 1
            assert "composed" not in world.begun


def test_the_second_list_counts_where_the_look_had_no_record(world: World) -> None:
    names = world.prepare()
    given = frame("look", Said(code=80, out=b"")) + world.given(names).replace(b'"look"', b'"compared"')
    done = world.compose(given, "--listed=look=/", "--listed=compared=/", "--settled=settle=/")
    assert done.code == 0, done.out
    assert differences(world.source, world.place) == []


def test_a_filesystem_without_a_basis_is_moved_whole(world: World) -> None:
    names = world.prepare()
    world.write_begun(**{**world.begun, "filesystems": ["/", "/home"]})
    whole, place = world.incoming.parent / "1", world.place.parent / "1"
    (whole / "inner").mkdir(parents=True)
    (whole / "inner/file").write_text("text")
    os.utime(whole, ns=(1, 1))
    # What an interrupted one left there.
    (place / "stale/inner").mkdir(parents=True)
    before = fingerprint(whole)
    done = world.compose(world.given(names))
    assert [each["mount"] for each in done.answer["filesystems"]] == ["/"]
    assert fingerprint(place) == before
    assert world.begun["composed"] == {"/": 5}


def test_a_folder_of_the_store_that_is_a_link_is_not_followed(world: World, tmp_path: Path) -> None:
    names = world.prepare()
    for place in (world.incoming, world.place):
        place.rename(tmp_path / "elsewhere")
        place.symlink_to(tmp_path / "elsewhere")
        before = fingerprint(tmp_path / "elsewhere")
        assert world.compose(world.given(names)).code == 1
        assert fingerprint(tmp_path / "elsewhere") == before
        place.unlink()
        (tmp_path / "elsewhere").rename(place)
        world.begin(clone_names=4)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to let a call fail")
@pytest.mark.parametrize("call", ["mkdirat", "renameat"])
def test_a_disk_that_is_full_is_said_to_be_that_and_the_partial_is_kept(world: World, call: str) -> None:
    before = fingerprint(world.basis)
    names = world.prepare()
    house, options = world.house, ("--listed=look=/", "--settled=settle=/")
    around = ("strace", "-qq", "-f", "-o", "/dev/null", f"--trace={call}", f"--inject={call}:error=ENOSPC:when=1+")
    with house.held():
        done = house.call(
            "compose", str(house.root), NEW, "--plan", house.plan, *options, given=world.given(names), around=around
        )  # fmt: skip
    assert (done.answer["cause"], done.answer["again"]) == ("full", True)
    assert {"cloned", "composed"}.isdisjoint(world.begun)
    assert fingerprint(world.basis) == before
    names = world.prepare()
    assert world.compose(world.given(names)).code == 0
    assert differences(world.source, world.place) == []
