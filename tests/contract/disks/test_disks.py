"""The disk is the disk: mounted, the declared one, writable; on real filesystems in files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.agent.clock import now
from tests.compare import fingerprint
from tests.contract.site import until
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Said, Storehouse, frame
from tests.mounts import need_loops

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")

ONE, TWO, THREE = "2026-11-21T010000Z", "2026-11-22T010000Z", "2026-11-23T010000Z"
UUID = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"


@contextlib.contextmanager
def disk(folder: Path, *options: str, uuid: str = UUID) -> Iterator[Path]:
    """A small ext3 filesystem, mounted at `folder/mnt`."""
    image, mount = folder / f"{uuid}.img", folder / "mnt"
    mount.mkdir(exist_ok=True)
    if not image.exists():
        with image.open("wb") as stream:
            stream.truncate(16 << 20)
        subprocess.run(("mke2fs", "-q", "-t", "ext3", "-m", "0", "-U", uuid, *options, image), check=True)
    need_loops()
    subprocess.run(("mount", "-o", "loop", image, mount), check=True)
    try:
        yield mount
    finally:
        subprocess.run(("umount", mount), check=True)


def on(folder: Path, mount: Path, uuid: str = UUID) -> Storehouse:
    (folder / "source").mkdir(exist_ok=True)
    options = ("--mount", str(mount), "--uuid", uuid)
    return Storehouse(root=mount / "papio", source=folder / "source", disk=options)


def probed(house: Storehouse, mount: Path, uuid: str = UUID) -> dict[str, Any]:
    store = {"name": "s", "path": str(house.root), "mount": str(mount), "uuid": uuid}
    given = json.dumps({"host": "h", "stores": [store]}).encode()
    return dict(house.call("probe", given=given).answer["stores"]["s"])


def refused(house: Storehouse) -> str:
    argv = ("hold", str(house.root), "--plan", "p", "--who", "w", *house.disk)
    call = house.call(*argv)
    assert call.code == 1
    assert house.call("check-disk", str(house.root), *house.disk).code == 1
    return str(call.answer["error"])


def test_the_declared_disk_is_used_and_marked_as_this_stores(tmp_path: Path) -> None:
    with disk(tmp_path, "-I", "256") as mount:
        house = on(tmp_path, mount)
        assert house.snapshot(ONE).code == 0
        assert json.loads((house.root / ".runner/disk.json").read_bytes())["uuid"] == UUID
        state = probed(house, mount)
        assert (state["uuid"], state["mounted"], state["problem"], state["whole_seconds"]) == (UUID, True, "", False)
        assert state["device"].startswith("/dev/loop")
        assert house.call("check-disk", str(house.root), *house.disk).answer == {"ok": True, "uuid": UUID}
        marked = (house.root / ".runner/disk.json").read_bytes()
        assert house.snapshot(TWO, ONE).code == 0
        assert (house.root / ".runner/disk.json").read_bytes() == marked


def test_a_store_that_is_deeper_on_its_disk_is_marked_and_keeps_its_mark(tmp_path: Path) -> None:
    with disk(tmp_path) as mount:
        house = on(tmp_path, mount)
        place = mount / "backups/papio"
        for since in ("2026-11-21T010000Z", "2026-11-22T010000Z"):
            marked = house.call("mark-disk", str(place), f"--uuid={UUID}", f"--since={since}")
            assert (marked.code, marked.answer) == (0, {"uuid": UUID})
        assert json.loads((place / ".runner/disk.json").read_bytes()) == {"uuid": UUID, "since": "2026-11-21T010000Z"}
        assert {path.stat().st_mode & 0o7777 for path in (place.parent, place, place / ".runner")} == {0o700}
        (place / ".runner/disk.json").write_text(json.dumps({"uuid": OTHER.upper()}))
        kept = house.call("mark-disk", str(place), f"--uuid={UUID}", "--since=2026-11-23T010000Z")
        assert kept.answer == {"uuid": OTHER}
        (place / ".runner/disk.json").write_text('{"since": "2026-11-21T010000Z"}')
        assert house.call("mark-disk", str(place), f"--uuid={UUID}", "--since=2026-11-23T010000Z").code == 0
        assert json.loads((place / ".runner/disk.json").read_bytes())["uuid"] == UUID


def test_a_disk_that_is_not_mounted_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    mount = tmp_path / "mnt"
    mount.mkdir()
    house = on(tmp_path, mount)
    assert "not mounted" in refused(house)
    assert "not mounted" in probed(house, mount)["problem"]
    assert list(mount.iterdir()) == []


def test_another_disk_is_refused_by_declaration_and_by_the_stores_own_mark(tmp_path: Path) -> None:
    with disk(tmp_path) as mount:
        house = on(tmp_path, mount, OTHER)
        assert "another disk" in refused(house)
        assert list(mount.glob("papio")) == []
        ours = on(tmp_path, mount)
        ours.snapshot(ONE)
    with disk(tmp_path, uuid=OTHER) as mount:
        subprocess.run(("cp", "-a", "/dev/null", mount / "null"), check=True)
        (mount / "papio/.runner").mkdir(parents=True)
        (mount / "papio/.runner/disk.json").write_text(json.dumps({"uuid": UUID}))
        undeclared = on(tmp_path, mount, "")
        assert "made on disk" in refused(undeclared)
        assert "made on disk" in probed(undeclared, mount, "")["problem"]


WRITING = {
    "begin": (THREE, f"--basis={TWO}", f"--resume={THREE}", f"--share={TWO}", "--", "/"),
    "clone": (THREE, f"--basis={TWO}=/", f"--recycle={ONE}", "--min=1"),
    "compose": (THREE, "--listed=list=/", "--settled=settle=/"),
    "seal": (THREE, "--transfer=send=/", "--walked=walk=/"),
    "expire": (ONE, "--min=1"),
    "reap": (),
    "set-aside": (ONE,),
    "bring-back": (ONE,),
    "drop-aside": (ONE,),
    "drop-partials": ("--", THREE),
    "floor": ("1",),
    "pin": (ONE, "--until=2099-01-01T00:00:00Z", "--why=w"),
    "unpin": (TWO,),
    "audit": ("--bytes=1000", "--seconds=10", "--every=1"),
    "freed": ("--save",),
    "keep-about": (ONE, "--about=about", "--site=site", f"--site-sha256={'0' * 64}"),
    "proven": ("files", ONE, "--at=2026-11-25T02:00:00Z"),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    """Two snapshots, of which the second is pinned, a partial, and something in the trash."""
    place = tmp_path_factory.mktemp("stored")
    (place / "source").mkdir()
    (place / "source/file").write_text("of all of them")
    house = Storehouse(root=place / "store", source=place / "source")
    assert (house.snapshot(ONE).code, house.snapshot(TWO, ONE).code) == (0, 0)
    (house.root / ".trash/old").write_text("old")
    with house.held():
        assert written(house, "pin", TWO, "--until=2099-01-01T00:00:00Z", "--why=w").code == 0
        assert house.begin(THREE, TWO).code == 0
    return house


def written(house: Storehouse, verb: str, *argv: str) -> Said:
    owner = () if verb == "proven" else (f"--plan={house.plan}",)
    return house.call(verb, str(house.root), *owner, *argv)


@pytest.mark.parametrize("verb", WRITING)
def test_no_verb_writes_on_another_disk(stored: Storehouse, verb: str) -> None:
    """Each asks for itself: the disk may have been changed since somebody took the lock."""
    with stored.held():
        before = fingerprint(stored.root)
        call = written(stored, verb, f"--uuid={OTHER}", *WRITING[verb])
        assert (call.code, "another disk is mounted" in call.answer["error"]) == (1, True)
        assert fingerprint(stored.root) == before


def test_a_read_only_disk_is_refused(tmp_path: Path) -> None:
    with disk(tmp_path) as mount:
        house = on(tmp_path, mount)
        house.snapshot(ONE)
        subprocess.run(("mount", "-o", "remount,ro", mount), check=True)
        assert "read-only" in refused(house)
        assert probed(house, mount)["writable"] is False


def test_a_disk_taken_away_during_the_transfer_is_not_sealed(tmp_path: Path) -> None:
    with disk(tmp_path) as mount, disk(tmp_path, uuid=OTHER):
        assert mount.is_dir()
        house = on(tmp_path, mount, OTHER)
        with house.held():
            house.begin(ONE)
            sent = house.send(ONE)
            subprocess.run(("umount", "--lazy", mount), check=True)
            call = house.seal(ONE, frame("send", sent))
            assert call.code == 1
            subprocess.run(("mount", "-o", "loop", tmp_path / f"{OTHER}.img", mount), check=True)
        assert not (house.root / ONE).exists()


def stopped(log: Path) -> int:
    """The process that strace says is stopped."""
    told = re.compile(r"^(\d+) .*--- stopped by SIGSTOP", re.MULTILINE)
    return int(until(lambda: told.search(log.read_text() if log.exists() else ""))[1])


def test_a_disk_changed_while_checksums_are_inherited_loses_no_snapshot(tmp_path: Path) -> None:
    """Both disks have the same snapshots: the one beneath keeps its own."""
    for uuid in (OTHER, UUID):
        with disk(tmp_path, uuid=uuid) as mount:
            house = on(tmp_path, mount, uuid)
            assert (house.snapshot(ONE).code, house.snapshot(TWO, ONE).code) == (0, 0)
    with disk(tmp_path) as mount, disk(tmp_path, uuid=OTHER):
        house = on(tmp_path, mount, OTHER)
        # It is stopped where it begins to read the checksums that go on to the next snapshot.
        sums = house.root / f".runner/records/{ONE}.sums.gz"
        log = tmp_path / "strace"
        stop = ("strace", "-f", "-o", log, "-P", sums, "-e", "inject=openat:signal=STOP:when=1")
        argv = (*stop, *PROGRAM, "expire", str(house.root), ONE, "--min=1", f"--plan={house.plan}", *house.disk)
        with house.held(), subprocess.Popen(argv, stdout=subprocess.PIPE, env=ENVIRONMENT) as traced:
            verb = stopped(log)
            subprocess.run(("umount", "--lazy", mount), check=True)
            os.kill(verb, signal.SIGCONT)
            assert traced.stdout
            answer = json.loads(traced.stdout.read())
        assert "another disk is mounted" in answer["error"]
        assert [path.name for path in sorted(house.root.iterdir()) if path.name.startswith("2")] == [ONE, TWO]
        subprocess.run(("mount", "-o", "loop", tmp_path / f"{OTHER}.img", mount), check=True)
        assert (house.root / ONE).is_dir()


def test_a_disk_with_small_inodes_keeps_whole_seconds_and_says_so(tmp_path: Path) -> None:
    with disk(tmp_path, "-I", "128") as mount:
        house = on(tmp_path, mount)
        with house.held():
            assert house.begin(ONE).answer["whole_seconds"] is True
        assert probed(house, mount)["whole_seconds"] is True


def test_a_disk_without_inodes_or_room_is_never_sealed_but_can_be_held_and_reaped(tmp_path: Path) -> None:
    with disk(tmp_path, "-N", "64") as mount:
        house = on(tmp_path, mount)
        for number in range(80):
            (house.source / f"{number}").write_text("text")
        (house.source / "until").write_text("now")
        since = "2100-01-01T00:00:00Z"
        with house.held():
            assert house.begin(ONE).code == 0
            sent = house.send(ONE)
            assert sent.code == 23
            explained = house.explain(house.differ(ONE, f".incoming/{ONE}/0"), since)
            assert explained.answer["counts"]["unexplained"] > 0
            call = house.seal(ONE, frame("send", sent) + frame("x", explained), "--explained", "x=/")
            assert (call.code, call.answer["again"]) == (1, True)
            # For the folder of the records, and for the list of checksums the one of the folder that is moved onto.
            min((house.root / ".incoming" / ONE / "0").iterdir()).unlink()
            call = house.seal(ONE, frame("send", sent) + frame("x", explained), "--explained", "x=/")
            assert call.answer["error"].endswith("; the disk has 0 inodes left")
            (house.root / ".partial" / ONE).rename(house.root / ".partial/parts/moved")
            reaped = house.call("reap", str(house.root), "--plan", house.plan, *house.disk)
            assert reaped.answer["removed"] > 30


def test_a_disk_without_room_is_said_to_be_full_where_names_are_missing(tmp_path: Path) -> None:
    with disk(tmp_path, "-b", "1024") as mount:
        house = on(tmp_path, mount)
        (house.source / "file").write_text("text")
        since = now()
        with house.held():
            assert house.begin(ONE).code == 0
            sent = house.send(ONE)
            (house.root / ".incoming" / ONE / "0/file").unlink()
            explained = house.explain(house.differ(ONE, f".incoming/{ONE}/0"), since)
            filler = mount / "filler"
            with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
                while stream.write(bytes(4096)):
                    pass
            os.truncate(filler, filler.stat().st_size - 8192)
            given = frame("send", Said(code=23, out=sent.out)) + frame("x", explained)
            refused = house.seal(ONE, given, "--explained", "x=/").answer
        left = re.search(r"; the disk has ([0-9]+) bytes left$", refused["error"])
        assert left and 0 < int(left[1]) <= 16384
        assert refused["again"] is True
