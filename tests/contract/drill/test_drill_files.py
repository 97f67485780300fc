"""Files of a drill: what is sound comes back and is proven, and whatever is not is named."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.agent import tree
from runner.agent.drill import compare
from runner.agent.drill.sample import run as draw
from runner.model.run import Verdict
from runner.model.site import Amount
from tests.contract.drill_parts import Drilled, World, copied, world
from tests.contract.retention.test_audit import flip
from tests.contract.site import until
from tests.contract.storehouse import frame

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="owners come back to root only"),
    pytest.mark.skipif(shutil.which("xxhsum") is None, reason="needs xxhsum"),
]
ONE, TWO, THREE = (f"2026-11-2{day}T010000Z" for day in range(3))
HOSTILE = os.fsdecode(b"new\nline \\#012 \xff -rf")


@pytest.fixture(scope="module")
def ready() -> Iterator[World]:
    """Three snapshots of a host with all sorts of names; `day` is another file each day."""
    with world() as here:
        data = here.source / "data"
        (data / "folder").mkdir(parents=True)
        for name in ("old", "other", HOSTILE, "#comment", ";comment", "-dash"):
            (data / "folder" / name).write_text(f"text of {name!a}")
        (data / "folder/twin").hardlink_to(data / "folder/old")
        (data / "link").symlink_to("folder/old")
        os.mkfifo(data / "fifo")
        os.mknod(data / "null", 0o20666, os.makedev(1, 3))
        (data / "owned").write_text("owned")
        os.chown(data / "owned", 1234, 4321)
        (data / "owned").chmod(0o4750)
        subprocess.run(("setfacl", "-m", "u:nobody:rwx", data / "folder", data / "folder/other"), check=True)
        os.setxattr(data / "folder/old", "user.note", b"a note")
        for before, name in (("", ONE), (ONE, TWO), (TWO, THREE)):
            (data / "day").write_text(name)
            assert here.house.snapshot(name, before).code == 0
        yield here


@pytest.fixture
def here(ready: World) -> Iterator[World]:
    """The same, to be damaged."""
    with world() as place:
        damaged = copied(ready, place.base)
        # As the folder of a drill is: only its owner may enter.
        place.base.chmod(0o700)
        yield damaged


def wrong(drilled: Drilled) -> list[tuple[str, str, str]]:
    return [(each["snapshot"], each["path"], each["what"]) for each in drilled.result("compare")["wrong"]]


def test_what_is_sound_comes_back_is_proven_and_leaves_nothing_behind(here: World) -> None:
    drilled = here.drill(canaries=("/data/owned", "/data/folder"))
    assert set(drilled.states.values()) == {"done"}
    assert drilled.report.verdict == Verdict.DONE
    assert drilled.report.headline.endswith(" and 2 canaries of 3 snapshots came back as sealed")
    assert "the same sample again: seed a seed" in drilled.report.details
    answer = drilled.result("compare")
    assert answer["wrong"] == [] and answer["recorded"] >= 6 and answer["unchecked"] == 0 and answer["source"] > 6
    assert (here.proven["files"]["snapshot"], here.proven["files"]["canaries"]) == (THREE, 2)
    assert list(here.scratch.iterdir()) == []


def test_the_same_seed_draws_the_same_and_another_seed_another(here: World) -> None:
    def drawn(seed: str) -> list[object]:
        output = here.house.call("sample", str(here.house.root), f"--seed={seed}", "--files=6", "--most=1000000",
                              "--", ONE, TWO, THREE)  # fmt: skip
        assert output.code == 0, output.out
        return [(each["snapshot"], each["path"]) for each in output.lines if each.get("main")]

    first = drawn("1")
    assert len(first) == 6
    assert drawn("1") == first
    assert len({str(drawn(str(seed))) for seed in range(8)}) > 4


def test_no_more_bytes_are_drawn_than_are_asked_for(here: World) -> None:
    (here.source / "data/large").write_bytes(os.urandom(200_000))
    assert here.house.snapshot("2026-11-23T010000Z", THREE).code == 0
    drilled = here.drill(most=Amount(bytes=5000))
    assert drilled.report.verdict == Verdict.DONE
    assert 0 < drilled.result("compare")["bytes"] <= 5000


def chown(path: Path) -> None:
    before = path.lstat()
    os.lchown(path, 77, 88)
    if not path.is_symlink():
        path.chmod(before.st_mode & 0o7777)


def acl(path: Path) -> None:
    subprocess.run(("setfacl", "-m", "u:daemon:rwx", path), check=True)


def note(path: Path) -> None:
    os.setxattr(path, "user.note", b"another")


def older(path: Path) -> None:
    os.utime(path, ns=(1, 10**18))


def cut(path: Path) -> None:
    before = path.stat()
    os.truncate(path, before.st_size - 3)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CONTENT = "its content is not what was sealed"
ATTRIBUTES = "its mode, owner, time, ACL or other attributes are not what was sealed"


@pytest.mark.parametrize(
    ("damage", "name", "what"),
    [
        (flip, "data/folder/old", CONTENT),
        (flip, f"data/folder/{HOSTILE}", CONTENT),
        (cut, "data/folder/other", CONTENT),
        (chown, "data/owned", ATTRIBUTES),
        (chown, "data/link", ATTRIBUTES),
        (acl, "data/folder/other", ATTRIBUTES),
        (acl, "data/folder", ATTRIBUTES),
        (note, "data/folder/old", ATTRIBUTES),
        (older, "data/owned", ATTRIBUTES),
    ],
    ids=lambda each: getattr(each, "__name__", None) or ascii(each)[:24],
)
def test_what_was_changed_in_the_store_fails_the_drill_and_is_named(
    here: World, damage: Callable[[Path], None], name: str, what: str
) -> None:
    here.audit()
    damage(here.at(TWO, name))
    drilled = here.drill(canaries=("/data",))
    assert (drilled.states["compare"], drilled.states["proven-files"]) == ("failed", "not reached")
    assert {(f"/{name}", what)} & {(path, text) for _, path, text in wrong(drilled)}, wrong(drilled)
    assert drilled.report.verdict == Verdict.FAILED
    assert drilled.report.headline.startswith("what came back is not what it was: ")
    assert here.proven == {}
    assert list(here.scratch.iterdir()) == []


def test_what_differs_from_an_unchanged_source_is_named(ready: World, here: World) -> None:
    # The copy's own files are new: what has not changed since the snapshot is the first world's source.
    for path in (here.house.root / ".runner/records").glob("*.gz"):
        path.unlink()
    flip(here.at(THREE, "data/folder/old"))
    chown(here.at(THREE, "data/folder/other"))
    sample = here.house.call("sample", str(here.house.root), "--seed=1", "--files=1", "--most=1000",
                            "--canary=/data", "--", THREE)  # fmt: skip
    given = frame("drill/sample", sample)
    shutil.copytree(
        here.house.root / THREE,
        here.base / "back" / THREE,
        symlinks=True,
        ignore=shutil.ignore_patterns("fifo", "null"),
    )
    output = here.house.call("compare-drill", str(here.base / "back"), f"--source={ready.source}", given=given)
    problems = {(each["path"], each["what"]) for each in output.answer["wrong"]}
    assert output.code == 1
    assert (
        "/data/folder/old",
        "its content differs from that of the source, which has the same size and time",
    ) in problems
    assert any(path == "/data/folder/other" and "the owner (0:0, not 77:88) differs from that of the source" in text
               for path, text in problems), problems  # fmt: skip


def test_a_file_that_has_gone_from_the_store_is_missed(here: World) -> None:
    here.at(THREE, "data/day").unlink()
    drilled = here.drill(canaries=("/data/day",))
    assert ("/data/day", "this canary is missing from the snapshot") in {
        (path, what) for _, path, what in wrong(drilled)
    }
    assert (THREE, "/data/day", "it was sealed, and is not there any more") in wrong(drilled)


def test_a_canary_that_nobody_can_look_at_is_not_called_missing(
    here: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = tree.status

    def status(parent: int, name: bytes) -> os.stat_result:
        if name == b"day":
            raise OSError(errno.EIO, "Input/output error")
        return real(parent, name)

    monkeypatch.setattr(tree, "status", status)
    words = ("--seed=1", "--files=0", "--most=1000", "--canary=/data/day", "--canary=/data/never", "--", THREE)
    assert draw((str(here.house.root), *words)) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {(each["path"], each["what"]) for each in summary["wrong"]} == {
        ("/data/day", "it cannot be read: Input/output error"),
        ("/data/never", "this canary is missing from the snapshot"),
    }
    assert summary["tried"]["canaries"] == 2


def test_records_that_cannot_be_read_are_a_failure_of_their_own(here: World) -> None:
    here.audit()
    for name, ending in ((ONE, "sums"), (TWO, "names")):
        path = here.house.root / f".runner/records/{name}.{ending}.gz"
        path.write_bytes(path.read_bytes()[:-20])
    drilled = here.drill()
    assert drilled.report.verdict == Verdict.FAILED
    assert {path for snapshot, path, _ in wrong(drilled) if not snapshot} == {
        f".runner/records/{ONE}.sums.gz", f".runner/records/{TWO}.names.gz",
    }  # fmt: skip


def test_what_does_not_come_back_whole_is_named(here: World) -> None:
    """As rsync would leave it: a file cut, one with another owner, one that is not there."""
    output = here.house.call("sample", str(here.house.root), "--seed=1", "--files=1", "--most=1000",
                          "--canary=/data/folder", "--", THREE)  # fmt: skip
    back = here.base / "back"
    back.mkdir()
    subprocess.run(("cp", "-a", here.house.root / THREE, back), check=True)
    folder = back / THREE / "data/folder"
    cut(folder / "old")
    os.chown(folder / "#comment", 5, 5)
    (folder / "-dash").unlink()
    compared = here.house.call("compare-drill", str(back), "--source=/none", given=frame("drill/sample", output))
    problems = {(Path(each["path"]).name, each["what"]) for each in compared.answer["wrong"]}
    assert ("-dash", "it did not come back") in problems
    assert ("#comment", "it came back with a different owner (5:5, not 0:0)") in problems
    assert any(name in ("old", "twin") and "a different size" in what for name, what in problems)


def test_what_came_back_and_cannot_be_read_is_named_in_words(
    here: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = here.house.call("sample", str(here.house.root), "--seed=1", "--files=0", "--most=1000",
                             "--canary=/data/day", "--", THREE)  # fmt: skip
    (here.base / "back").mkdir()
    subprocess.run(("cp", "-a", here.house.root / THREE, here.base / "back"), check=True)

    def digest(descriptor: int) -> str:
        raise OSError(errno.EIO, "Input/output error", str(descriptor))

    monkeypatch.setattr(compare, "digest", digest)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(frame("drill/sample", sample))))
    assert compare.run((str(here.base / "back"), "--source=/none")) == 1
    (problem,) = json.loads(capsys.readouterr().out)["wrong"]
    assert (problem["path"], problem["what"]) == ("/data/day", "it cannot be read back: Input/output error")


def test_a_sample_that_is_cut_off_proves_nothing(here: World) -> None:
    sample = here.house.call("sample", str(here.house.root), "--seed=1", "--files=3", "--most=1000", "--", THREE)
    half = b"".join(sample.out.splitlines(keepends=True)[:-1])
    head = json.dumps({"from": "drill/sample", "state": "done", "exit": 0, "bytes": len(half)}).encode()
    (here.base / "back").mkdir()
    output = here.house.call("compare-drill", str(here.base / "back"), given=head + b"\n" + half + b"\n")
    assert (output.code, output.answer["error"]) == (1, "the sample is cut off")


def test_what_an_earlier_drill_left_is_removed_and_nothing_else(here: World) -> None:
    left = here.scratch / "20261101T000000.000Z/files/secret"
    left.mkdir(parents=True)
    (here.scratch / "of-people").mkdir()
    assert here.drill().report.verdict == Verdict.DONE
    assert [each.name for each in here.scratch.iterdir()] == ["of-people"]


def test_a_drill_that_is_stopped_removes_what_it_restored(here: World) -> None:
    (here.source / "data/large").write_bytes(os.urandom(30_000_000))
    assert here.house.snapshot("2026-11-23T010000Z", THREE).code == 0
    stop = threading.Event()
    plan = here.plan(canaries=("/data/large",))

    def stopper() -> None:
        until(lambda: any(here.scratch.glob("*/files/*")))
        stop.set()

    watch = threading.Thread(target=stopper)
    watch.start()
    drilled = here.run(plan, stop)
    watch.join()
    assert drilled.states["clear"] == "done"
    assert list(here.scratch.iterdir()) == []


def test_a_file_that_grew_between_the_scan_and_its_turn_is_as_it_was_sealed(here: World) -> None:
    for path in (here.house.root / ".runner/records").glob("*.sums.gz"):
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        # rsync tells the size of its scan with the checksum of what it sent.
        grown = [line.replace(b" 5 data/owned", b" 0 data/owned") for line in lines]
        path.write_bytes(gzip.compress(b"".join(grown)))
        assert path.name[:-8] != ONE or grown != lines
    drilled = here.drill(canaries=("/data/owned",))
    assert (wrong(drilled), drilled.report.verdict) == ([], Verdict.DONE)


def test_without_room_nothing_is_restored(here: World) -> None:
    """What must fit is what was drawn, not what might have been; canaries come on top of `most`."""
    (here.source / "data/large").write_bytes(os.urandom(3 << 20))
    assert here.house.snapshot("2026-11-23T010000Z", THREE).code == 0
    here.scratch.mkdir(parents=True)
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "none", str(here.scratch)), check=True)
    try:
        small = here.drill(most=Amount(bytes=5000))
        drilled = here.drill(most=Amount(bytes=5000), canaries=("/data/large",))
    finally:
        subprocess.run(("umount", str(here.scratch)), check=True)
    assert small.report.verdict == Verdict.DONE
    states = [drilled.states[step] for step in ("room", "files-room", "copy", "clear")]
    assert states == ["done", "failed", "not reached", "done"]
    assert "MiB are free, the last 1 MiB must stay free, and the drill needs 4 MiB" in drilled.report.headline
    assert "put `scratch` on a larger disk" in drilled.report.headline


def test_two_drills_on_one_host_do_not_meet(here: World) -> None:
    plan = here.plan()
    (lock,) = (each for each in plan.jobs[-1].locks if each.resource.startswith("drill"))
    with subprocess.Popen(
        (*lock.argv[:3], "--plan=other", "--who=another", *lock.argv[5:]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin and holder.stdout and b"true" in holder.stdout.readline()
        drilled = here.run(plan)
        holder.stdin.close()
    assert drilled.states["room"] == "busy"
    assert here.run(here.plan()).report.verdict == Verdict.DONE


def test_an_old_list_of_checksums_counts_for_what_newer_snapshots_share(here: World) -> None:
    """`other` came with the first snapshot: that its content is right in the third is known from there."""
    names = gzip.decompress((here.house.root / f".runner/records/{THREE}.sums.gz").read_bytes())
    assert b"folder/other" not in names
    output = here.house.call("sample", str(here.house.root), "--seed=1", "--files=1", "--most=0",
                          "--canary=/data/folder/other", "--", THREE)  # fmt: skip
    assert output.answer["recorded"] == 1


def test_where_nothing_can_be_drawn_nothing_is_proven(here: World) -> None:
    for name in (ONE, TWO, THREE):
        for path in here.house.root.joinpath(name).iterdir():
            shutil.rmtree(path)
    for path in (here.house.root / ".runner/records").glob("*.gz"):
        path.unlink()
    drilled = here.drill()
    assert drilled.report.headline == (
        "compare failed: there is nothing in these snapshots to restore -> see what the store holds"
    )
    assert here.proven == {}


def test_a_canary_that_is_no_path_is_said_in_words(here: World) -> None:
    drilled = here.drill(canaries=("/data/../etc",))
    assert drilled.states["sample"] == "failed"
    assert "sample failed: not an absolute path" in drilled.report.headline
    assert list(here.scratch.iterdir()) == []
