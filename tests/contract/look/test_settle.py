"""`settle`: what changed, went or was not sent is said and listed again; what cannot be judged is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.agent.answer import Refused
from runner.agent.look.listing import path_of
from tests.contract.look.looks import (
    COPY,
    NO_RECORD,
    ONE,
    THREE,
    TWO,
    Looked,
    called,
    copied,
    last,
    listing_of,
    lstats,
    names,
    send,
)  # fmt: skip
from tests.contract.storehouse import ENVIRONMENT, Said, frame
from tests.mounts import need_mounts


@pytest.fixture
def house(tmp_path: Path) -> Looked:
    (tmp_path / "source/folder").mkdir(parents=True)
    for name in ("a", "b", "folder/c"):
        (tmp_path / "source" / name).write_text("text")
    return Looked(source=tmp_path / "source", scans=tmp_path / "scans")


def _touch_all(house: Looked) -> None:
    for name in ("a", "b", "folder/c"):
        (house.source / name).chmod(0o640)


def _gone(said: Said) -> list[str]:
    return [line["gone"] for line in said.lines[:-1] if "gone" in line]


def _causes(said: Said) -> list[tuple[Any, ...]]:
    assert said.code == 0, said
    *every, answer = said.lines
    lines = [line for line in every if "cause" in line]
    causes: dict[str, int] = {}
    for line in lines:
        causes[line["cause"]] = causes.get(line["cause"], 0) + 1
    assert answer["counts"] == causes
    return [(line["path"], line["cause"]) for line in lines]


def test_what_changed_or_went_since_the_look_is_said_and_listed_again(house: Looked) -> None:
    house.first()
    _touch_all(house)
    looked = house.look(TWO, ONE)
    (house.source / "a").write_text("more")
    (house.source / "b").unlink()
    (house.source / "new").touch()
    settled = house.settle(TWO, looked)
    assert _causes(settled) == [("a", "changed"), ("b", "vanished")]
    assert (last(settled)["listed"], last(settled)["gone"], last(settled)["names"]) == (3, 0, 5)
    assert set(house.next(THREE, TWO)) == {b"a", b"b", b"new"}


def test_what_was_gone_at_the_look_is_no_surprise(house: Looked) -> None:
    house.first()
    shutil.rmtree(house.source / "folder")
    (house.source / "a").unlink()
    looked = house.look(TWO, ONE)
    assert names(looked) == [b"a", b"folder"]
    settled = house.settle(TWO, looked)
    assert (_causes(settled), _gone(settled)) == ([], ["a", "folder"])
    assert (last(settled)["listed"], last(settled)["gone"], last(settled)["names"]) == (2, 2, 2)


def test_what_came_since_the_look_in_the_place_of_what_was_gone_is_changed(house: Looked) -> None:
    house.first()
    (house.source / "a").unlink()
    looked = house.look(TWO, ONE)
    (house.source / "a").touch()
    settled = house.settle(TWO, looked)
    assert (_causes(settled), _gone(settled)) == ([("a", "changed")], ["a"])
    assert last(settled)["gone"] == 1
    assert house.next(THREE, TWO) == [b"a"]


def test_what_may_have_been_there_again_for_a_moment_is_listed_again_once(house: Looked) -> None:
    house.first()
    (house.source / "a").unlink()
    looked = house.look(TWO, ONE)
    for _ in range(2):
        (house.source / "a").touch()
        (house.source / "a").unlink()
    assert _causes(house.settle(TWO, looked)) == []
    looked = house.look(THREE, TWO)
    assert names(looked) == [b"a"]
    (house.source / "folder/c").chmod(0o640)
    (house.source / "more").touch()
    assert _causes(house.settle(THREE, looked)) == []
    assert house.next(ONE, THREE) == [b"more", b"folder/c"]


def test_what_is_in_a_folder_that_was_a_link_for_a_moment_is_listed_again(house: Looked, tmp_path: Path) -> None:
    # rsync reads what it is told through a link, and of the files nothing shows that it did.
    (house.source / "folder/inner").mkdir()
    for name in ("folder/inner/d", "folder/inner/e"):
        (house.source / name).touch()
    house.first()
    _touch_all(house)
    (house.source / "folder/inner/d").chmod(0o640)
    looked = house.look(TWO, ONE)
    (house.source / "folder").rename(tmp_path / "away")
    (house.source / "folder").symlink_to(tmp_path)
    (house.source / "folder").unlink()
    (tmp_path / "away").rename(house.source / "folder")
    # Nor does anything show of one that was not sent since its folder was away.
    told = [("folder/c", "changed"), ("folder/inner/d", "changed")]
    assert [each for each in _causes(house.settle(TWO, looked)) if each[0] != "folder"] == told
    assert set(house.next(THREE, TWO)) == {b"folder", b"folder/c", b"folder/inner/d"}


def _told(said: Said, kind: str) -> list[str]:
    return [line[kind] for line in said.lines[:-1] if kind in line]


def _edit_all(house: Looked) -> None:
    """What is listed: all files, the folders in which something is made, and what is new."""
    for name in ("folder/inner/d", "fresh/deep/e"):
        (house.source / name).parent.mkdir(parents=True, exist_ok=True)
        (house.source / name).touch()
    _touch_all(house)


MOVED: dict[str, tuple[str, str, list[str], list[str], list[str]]] = {
    # Which folder is moved, where it is at the end, "" for away; then what stays, what is gone, and what changed or vanished.
    "away": (
        "folder", "", ["folder"], ["folder/c", "folder/inner", "folder/inner/d"],
        ["folder", "folder/c", "folder/inner", "folder/inner/d"],
    ),
    "and back": ("folder", "folder", ["folder"], [], ["folder", "folder/c", "folder/inner", "folder/inner/d"]),
    "a new one": ("fresh", "", [], ["fresh", "fresh/deep", "fresh/deep/e"], ["fresh", "fresh/deep", "fresh/deep/e"]),
    "a new one and back": ("fresh", "fresh", [], [], ["fresh", "fresh/deep", "fresh/deep/e"]),
    "one in it": ("folder/inner", "", ["folder"], ["folder/inner", "folder/inner/d"],
                  ["folder", "folder/inner", "folder/inner/d"]),
}  # fmt: skip


@pytest.mark.parametrize("case", MOVED)
def test_what_may_have_been_away_is_said_and_a_folder_of_the_basis_stays(
    house: Looked, tmp_path: Path, case: str
) -> None:
    moved, end, stays, gone, differ = MOVED[case]
    house.first()
    _edit_all(house)
    looked = house.look(TWO, ONE)
    away = (house.source / moved).rename(tmp_path / "away")
    if end:
        away.rename(house.source / end)
    settled = house.settle(TWO, looked)
    assert (_told(settled, "stays"), _told(settled, "gone")) == (stays, gone)
    assert [path for path, _ in _causes(settled)] == differ
    assert {os.fsencode(each) for each in differ if (house.source / each).exists()} <= set(house.next(THREE, TWO))


def test_what_is_in_a_folder_in_which_something_is_made_has_not_changed_for_that(house: Looked) -> None:
    house.first()
    _edit_all(house)
    looked = house.look(TWO, ONE)
    (house.source / "folder/made").touch()
    settled = house.settle(TWO, looked)
    assert (_causes(settled), _told(settled, "stays"), _gone(settled)) == ([("folder", "changed")], ["folder"], [])


@pytest.mark.parametrize("end", ["file", "folder", "gone"])
def test_what_took_the_place_of_a_folder_is_said_however_it_is_now(house: Looked, tmp_path: Path, end: str) -> None:
    # It may be that folder that was sent, and of what is in it nothing was listed.
    house.first()
    (house.source / "folder").rename(tmp_path / "away")
    (house.source / "folder").touch()
    looked = house.look(TWO, ONE)
    assert names(looked) == [b"folder"]
    if end != "file":
        (house.source / "folder").unlink()
    if end == "folder":
        (tmp_path / "away").rename(house.source / "folder")
    settled = house.settle(TWO, looked)
    assert (_told(settled, "replaced"), _told(settled, "stays")) == (["folder"], [])
    assert _gone(settled) == (["folder"] if end == "gone" else [])


def test_what_was_not_sent_is_judged_and_listed_again_whatever_the_record_says(house: Looked, tmp_path: Path) -> None:
    house.first()
    _touch_all(house)
    looked = house.look(TWO, ONE)
    sent = tmp_path / "sent"
    send(looked.out, house.source, tmp_path, sent)
    (sent / "a").unlink()
    (sent / "folder/c").chmod(0o600)
    (house.source / "b").unlink()
    argv = (*COPY, "-n", "-i", "--files-from=-", "--from0", "--ignore-missing-args", "--out-format=%i|%n//%L")
    again = subprocess.run(
        (*argv, "--", f"{house.source}/", f"{sent}/"),
        input=looked.out,
        capture_output=True,
        env=ENVIRONMENT,
        check=False,
    )
    comparison = Said(code=again.returncode, out=again.stdout)
    settled = house.settle(TWO, looked, comparison)
    assert _causes(settled) == [("a", "unexplained"), ("b", "vanished"), ("folder/c", "attributes")]
    assert set(house.next(THREE, TWO)) == {b"a", b"b", b"folder/c"}
    assert house.next(ONE, THREE) == []


def test_a_name_that_cannot_be_read_is_that_and_not_changed(house: Looked) -> None:
    house.first()
    (house.source / "folder/c").chmod(0o640)
    looked = house.look(TWO, ONE)
    shutil.rmtree(house.source / "folder")
    (house.source / "folder").symlink_to(house.source)
    (house.source / "c").write_text("no link on the way is followed")
    comparison = Said(code=23, out=b">f..t......|folder/c//\n")
    assert _causes(house.settle(TWO, looked, comparison)) == [("folder/c", "vanished")]


def _cut(said: Said) -> Said:
    return Said(code=said.code, out=said.out[:-1])


REFUSED: dict[str, tuple[Callable[[Said], bytes], str]] = {
    "cut off": (lambda said: frame("look", _cut(said)), "cut off"),
    "a name less": (lambda said: frame("look", Said(code=0, out=said.out[said.out.index(b"\0") + 1 :])), "cut off"),
    "a name more": (lambda said: frame("look", Said(code=0, out=said.out + b"./zz\0")), "cut off"),
    "no end": (lambda said: frame("look", Said(code=0, out=b"./" + b"a" * 9000)), "cut off"),
    "failed": (lambda said: frame("look", Said(code=1, out=said.out)), "list did not end"),
    "not done": (lambda said: frame("look", said, "failed"), "list did not end"),
    "not there": (lambda _: b"", "0 lists"),
    "twice": (lambda said: 2 * frame("look", said), "2 lists"),
    "without a record": (lambda _: frame("look", Said(code=NO_RECORD, out=b"")), "0 lists"),
    "hostile": (lambda _: frame("look", Said(code=0, out=b"./../x\0")), "has a name that is none"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_list_that_is_not_that_of_the_look_is_refused(house: Looked, case: str) -> None:
    house.first()
    _touch_all(house)
    make, why = REFUSED[case]
    given = make(house.look(TWO, ONE))
    words = (str(house.source), f"--scans={house.scans}", f"--name={TWO}", "--listed=look")
    refused = called("settle", *words, given=given)
    assert refused.code == 1 and why in refused.answer["error"], refused
    # Nothing is settled, so the record is no basis.
    assert house.look(THREE, TWO).code == NO_RECORD


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", "0 comparisons"),
        (frame("compare", Said(code=12, out=b"")), "did not end"),
        (frame("compare", Said(code=0, out=b""), "failed"), "did not end"),
        (frame("compare", Said(code=0, out=b">f+++++++++|../x//\n")), "a name that is none"),
        (frame("compare", Said(code=0, out=b""))[:-3], "not made of frames"),
        (frame("compare", Said(code=0, out=b"abc"))[:-3], "cut off"),
    ],
)
def test_a_comparison_that_cannot_be_believed_is_refused(house: Looked, given: bytes, why: str) -> None:
    house.first()
    looked = house.look(TWO, ONE)
    words = (str(house.source), f"--scans={house.scans}", f"--name={TWO}", "--listed=look", "--looked=compare")
    refused = called("settle", *words, given=frame("look", looked) + given)
    assert refused.code == 1 and why in refused.answer["error"], refused
    fine = frame("look", looked) + frame("compare", Said(code=0, out=b""), "not needed").replace(
        b'"exit": 0', b'"exit": null'
    )
    assert called("settle", *words, given=fine).code == 0


def test_without_the_record_of_the_look_nothing_is_settled(house: Looked) -> None:
    refused = house.settle(TWO)
    assert refused.code == 1 and "there is none" in refused.answer["error"]
    house.first()
    _touch_all(house)
    house.look(TWO, ONE)
    assert "list of what differs is missing" in house.settle(TWO).answer["error"]


def test_a_line_that_cannot_be_read_is_unexplained(house: Looked) -> None:
    house.first()
    looked = house.look(TWO, ONE)
    settled = house.settle(TWO, looked, Said(code=23, out=b">f+++++++++|cut"))
    assert _causes(settled) == [("", "unexplained")]


@pytest.mark.parametrize("line", [b"./", b"x", b"./a/../b", b"././a", b"./a//b", b"/a", b"./a/", b"./.", b"./.."])
def test_a_name_in_a_list_is_below_the_top(line: bytes) -> None:
    assert path_of(b"./...") == b"..."
    with pytest.raises(Refused):
        path_of(line)


def test_what_is_not_entered_any_more_is_listed_as_gone_and_new_when_it_is_again(house: Looked, tmp_path: Path) -> None:
    (house.source / "folder/deep/er").mkdir(parents=True)
    house.first()
    looked = house.look(TWO, ONE, f"--emptied={house.source}/folder")
    assert names(looked) == [b"folder/c", b"folder/deep"]
    # It is at the source, and the look did not look.
    assert _causes(house.settle(TWO, looked)) == []
    settled = last(house.settle(TWO, looked))
    assert (settled["listed"], settled["gone"], settled["names"], settled["folders"]) == (2, 2, 4, 2)
    assert house.next(THREE, TWO) == [b"folder/c", b"folder/deep", b"folder/deep/er"]
    looked = house.look(ONE, THREE, f"--left-out={house.source}/folder")
    assert names(looked) == [b"folder"]
    assert _causes(house.settle(ONE, looked)) == []


def test_another_filesystem_in_the_way_takes_what_was_there(house: Looked) -> None:
    need_mounts()
    house.first()
    argv = ("mount", "-t", "tmpfs", "tmpfs", str(house.source / "folder"))
    subprocess.run(argv, check=True)
    try:
        (house.source / "folder/other").touch()
        looked = house.look(TWO, ONE)
        # The folder is another one now, and of the old one there is nothing.
        assert names(looked) == [b"folder", b"folder/c"]
        assert _causes(house.settle(TWO, looked)) == []
    finally:
        subprocess.run(("umount", house.source / "folder"), check=True)
    assert house.next(THREE, TWO) == [b"folder", b"folder/c"]


def test_a_folder_that_cannot_be_entered_is_named(house: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.agent import tree

    house.first()
    real = tree.folder

    def closed(parent: int, name: bytes) -> int:
        if name == b"folder":
            raise PermissionError(13, "Permission denied")
        return real(parent, name)

    with monkeypatch.context() as patch:
        patch.setattr(tree, "folder", closed)
        looked = house.look(TWO, ONE)
    assert names(looked) == [b"folder/c"]
    settled = house.settle(TWO, looked)
    assert _causes(settled) == [("folder", "unreadable")]
    assert house.next(THREE, TWO) == [b"folder/c"]


def test_too_deep_folders_are_named_and_not_listed(house: Looked) -> None:
    from tests.trees import deep

    deep(house.source / "folder", 1100, file="f")
    looked = house.look(ONE)
    assert looked.code == NO_RECORD
    settled = house.settle(ONE)
    causes = _causes(settled)
    assert causes and {cause for _, cause in causes} == {"too deep"}
    assert last(settled)["names"] < 2200
    assert house.next(TWO, ONE) == []
    # No recursive function gets so deep, and whoever clears up is one.
    subprocess.run(("rm", "-rf", "--", house.source / "folder"), check=True)


def test_the_top_has_its_attributes_and_is_never_listed(house: Looked, tmp_path: Path) -> None:
    house.first()
    os.setxattr(house.source, "user.note", b"\xff")
    house.source.chmod(0o2750)
    copied(house.source, tmp_path / "copy")
    house.source.chmod(0o2751)
    looked = house.look(TWO, ONE)
    assert names(looked) == []
    top = last(house.settle(TWO, looked))["top"]
    status = house.source.stat()
    assert (top["mode"], top["uid"], top["gid"]) == (0o2751, status.st_uid, status.st_gid)
    assert (top["mtime_ns"], top["extended"]["user.note"]) == (status.st_mtime_ns, "/w==")
    comparison = Said(code=0, out=b".d..t......|.///\n")
    assert house.compared(THREE, TWO, comparison).out == b""


def test_names_that_went_with_their_folder_are_listed_where_it_was_not_sent(house: Looked) -> None:
    house.first()
    _touch_all(house)
    looked = house.look(TWO, ONE)
    shutil.rmtree(house.source / "folder")
    assert _causes(house.settle(TWO, looked)) == [("folder/c", "vanished")]
    # With a folder that is gone goes what was in it.
    assert house.next(THREE, TWO) == [b"folder"]
    assert listing_of([b"folder"]) == b"./folder\0" and b"folder" not in lstats(house.source)
