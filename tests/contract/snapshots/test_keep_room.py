"""`keep-room` around real programs on a disk that is really filled: it holds the last, and is not to be seen else."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from runner.agent.host import room as rooms
from runner.agent.host.room import Room, free, last
from tests.contract.site import until
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Said, execute
from tests.lowest import Lowest
from tests.mounts import need_loops, need_mounts

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
MIB = 1 << 20


def keep(folder: Path, *argv: str, given: bytes = b"") -> Said:
    return execute((*PROGRAM, "keep-room", str(folder), "--", *argv), given)


def being_made(store: Path, name: str) -> None:
    """Let it be a store in which that snapshot is."""
    for folder in (f".partial/{name}", ".runner"):
        (store / folder).mkdir(parents=True)
    (store / ".runner/lock").touch()


class Disk(NamedTuple):
    """A small filesystem, and the last of it."""

    folder: Path
    last: Room

    def free(self) -> Room:
        return free(os.statvfs(self.folder))


@pytest.fixture(params=["ext3", "tmpfs"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    folder, image = tmp_path / "disk", tmp_path / "disk.img"
    folder.mkdir()
    argv: tuple[str | Path, ...] = ("mount", "-t", "tmpfs", "-o", "size=24m,nr_inodes=2048", "tmpfs", folder)
    if request.param == "ext3":
        with image.open("wb") as stream:
            stream.truncate(24 * MIB)
        subprocess.run(("mke2fs", "-q", "-t", "ext3", "-b", "4096", "-I", "256", "-N", "2048", image), check=True)
        argv = ("mount", "-o", "loop", image, folder)
    (need_loops if request.param == "ext3" else need_mounts)()
    subprocess.run(argv, check=True)
    try:
        yield Disk(folder, last(os.statvfs(folder), system=False))
    finally:
        subprocess.run(("umount", folder), check=True)


@root_only
@pytest.mark.alone
@pytest.mark.parametrize("scarce", ["bytes", "inodes"])
def test_rsync_is_ended_before_it_takes_the_last_and_nobody_writes_any_more(
    disk: Disk, tmp_path: Path, scarce: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    if scarce == "bytes":
        (source / "large").write_bytes(random.Random(1).randbytes(20 * MIB))
        (disk.folder / "others").write_bytes(bytes(disk.free().bytes - disk.last.bytes - 3 * MIB))
    for number in range(0 if scarce == "bytes" else 600):
        (source / f"{number}").write_bytes(bytes(2048))
        for other in range(disk.free().inodes - disk.last.inodes - 60 if not number else 0):
            (disk.folder / f"other{other}").touch()
    # So slowly that the last of so small a disk takes a third of a second: this machine has more to do than to end it.
    slowly = "--bwlimit=4m" if scarce == "bytes" else "--bwlimit=200k"
    with Lowest(disk.folder) as lowest:
        ended = keep(disk.folder, "rsync", "-a", slowly, "--", f"{source}/", f"{disk.folder}/copy/")
    assert ended.code == 78, ended
    assert b"no space left" in ended.err
    assert lowest.seen.bytes >= disk.last.bytes
    assert lowest.seen.inodes >= disk.last.inodes
    before = disk.free()
    time.sleep(0.05)
    assert disk.free() == before


@root_only
def test_where_not_even_the_last_is_free_nothing_is_begun(disk: Disk) -> None:
    (disk.folder / "others").write_bytes(bytes(disk.free().bytes - disk.last.bytes))
    assert keep(disk.folder, "touch", f"{disk.folder}/begun").code == 78
    assert not (disk.folder / "begun").exists()
    looked = execute((*PROGRAM, "room", str(disk.folder)))
    assert looked.code == 1 and looked.answer["again"] is True and looked.answer["cause"] == "full"
    assert looked.answer["error"].startswith("no space left for ")
    assert looked.answer["last_bytes"] == disk.last.bytes
    (disk.folder / "others").unlink()
    assert keep(disk.folder, "touch", f"{disk.folder}/begun").code == 0
    looked = execute((*PROGRAM, "room", str(disk.folder)))
    assert (looked.code, looked.answer["error"], looked.answer["system"]) == (0, "", "")


@root_only
@pytest.mark.parametrize("disk", ["tmpfs"], indirect=True)
def test_what_was_free_when_it_was_ended_is_told_and_what_is_free_since_is_what_a_plan_goes_by(disk: Disk) -> None:
    name = "2026-11-23T081500Z"
    begun = disk.folder / f".partial/{name}.json"
    being_made(disk.folder, name)
    begun.write_text(json.dumps({"name": name}))
    # As rsync does with the draft of a file that it was not told to keep.
    script = f"trap 'rm {disk.folder}/draft; exit 20' TERM; head -c 30m /dev/zero >{disk.folder}/draft; sleep 60"
    ended = execute((*PROGRAM, "keep-room", str(disk.folder), f"--partial={name}", "--", "sh", "-c", script))
    noted = json.loads(begun.read_text())["ended"]
    assert (ended.code, noted["full"]) == (78, True)
    assert noted["seen"]["bytes"] < 2 * disk.last.bytes and noted["free"]["bytes"] > 20 * MIB
    assert f"{noted['seen']['bytes']:,} bytes and ".encode() in ended.err and b"inodes were free" in ended.err
    looked = execute((*PROGRAM, "room", str(disk.folder), f"--partial={name}"))
    assert (looked.code, looked.answer["free_bytes"]) == (1, noted["seen"]["bytes"])
    assert f"{noted['seen']['bytes']:,} bytes and " in looked.answer["error"] and "were free" in looked.answer["error"]


def test_the_system_s_filesystem_is_known_and_a_person_may_go_further() -> None:
    shared = execute((*PROGRAM, "room", "/")).answer
    by_hand = execute((*PROGRAM, "room", "/", "--by-hand")).answer
    assert (shared["system"], by_hand["system"]) == ("/", "")
    assert shared["last_bytes"] > by_hand["last_bytes"] > 0


@pytest.mark.parametrize(
    ("script", "code", "out"),
    [
        ("cat; echo err >&2", 0, b"given\0\n"),
        ("exit 23", 23, b""),
        ("kill -9 $$", -9, b""),
        ("kill -TERM $$", -15, b""),
        ("umask; exec cat /dev/null", 0, b"0022\n"),
    ],
)
def test_it_is_not_to_be_seen_between_a_program_and_whoever_called(
    tmp_path: Path, script: str, code: int, out: bytes
) -> None:
    said = keep(tmp_path, "sh", "-c", script, given=b"given\0\n")
    assert (said.code, said.out) == (code, out)
    assert said.err == (b"err\n" if "err" in script else b"")


def test_signals_are_as_they_were() -> None:
    lines = Path("/proc/self/status").read_text().splitlines()
    argv = ("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
    own = [line for line in lines if line.startswith("SigBlk")]
    plain, kept = execute(argv).out.splitlines(), keep(Path("/"), *argv).out.splitlines()
    assert plain == kept and own[0].encode() == kept[0]


@pytest.mark.parametrize(
    ("argv", "code", "why"), [(("/nonesuch/rsync",), 127, b"could not be started"), ((), 1, b"no command is named")]
)
def test_what_cannot_be_begun_is_told_where_no_protocol_is_spoken(
    tmp_path: Path, argv: tuple[str, ...], code: int, why: bytes
) -> None:
    said = keep(tmp_path, *argv)
    assert (said.code, said.out) == (code, b"")
    assert said.err.startswith(b"runner-agent keep-room: ") and why in said.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_whoever_ends_it_ends_what_it_runs(tmp_path: Path, number: signal.Signals) -> None:
    script = f"echo $$ > {tmp_path}/pid; exec sleep 60"
    argv = (*PROGRAM, "keep-room", str(tmp_path), "--", "sh", "-c", script)
    # Shells ignore this for what they begin in the background, and so may whoever runs the tests.
    reset = lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)  # noqa: E731
    with subprocess.Popen(argv, env=ENVIRONMENT, preexec_fn=reset) as process:  # noqa: PLW1509
        pid = _begun(tmp_path)
        process.send_signal(number)
        assert process.wait(20) == -number
    until(lambda: not _alive(pid))


def test_who_stops_it_and_lets_it_go_on_ends_nothing(tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid; while ! test -e {tmp_path}/over; do sleep 0.02; done; echo whole"
    argv = (*PROGRAM, "keep-room", str(tmp_path), "--", "sh", "-c", script)
    with subprocess.Popen(argv, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        _begun(tmp_path)
        for _ in range(2):
            process.send_signal(signal.SIGSTOP)
            # Longer than it ever waits: its deadline is over when it goes on.
            time.sleep(rooms.SELDOM + 0.1)
            process.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        (tmp_path / "over").touch()
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, b"whole\n", b"")


def deaf(folder: Path, more: str) -> str:
    """Lines of sh that begin what does not hear TERM, note it in `pid`, and then `more`."""
    return f"trap '' TERM; sleep 60 <&- >&- 2>&- & echo $! > {folder}/new; mv {folder}/new {folder}/pid; {more}"


@pytest.mark.parametrize(
    ("room_for", "more", "code"),
    [(10**6, "exit 12", 12), (10**6, "kill -9 $$", -9), (1, "sleep 60", 78), (10**6, "exit 0", 0)],
    ids=["failed", "killed", "for room", "whole"],
)
def test_what_is_left_behind_is_ended_but_by_what_ended_well(
    tmp_path: Path, room_for: int, more: str, code: int
) -> None:
    script = f"""
import itertools, sys, time
from pathlib import Path
from runner.agent.host.room import GIB, Guard, Room, Seen
from runner.agent.snapshots import keep_room
looks = itertools.count()
def look(guard):
    if next(looks) < {room_for}:
        return Seen(Room(GIB, 1000), Room(0, 0))
    while not Path("{tmp_path}/pid").exists():
        time.sleep(0.01)
    return Seen(Room(0, 0), Room(1, 1))
Guard.look = look
keep_room.GRACE = keep_room.PARTING = 0.3
sys.exit(keep_room.keep_room(["{tmp_path}", "--", "sh", "-c", sys.argv[1]]))
"""
    ended = execute((*PROGRAM[:2], "-c", script, deaf(tmp_path, more)))
    assert ended.code == code, ended
    pid = int((tmp_path / "pid").read_text())
    # An ssh that keeps its connection for the next is left alone.
    assert _alive(pid) == (code == 0)
    if code == 0:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("system", [True, False])
def test_a_filesystem_that_counts_beyond_all_is_one_with_much_room(system: bool) -> None:
    beyond = 2**64 - 1
    # f_bavail is less: what is reserved is beyond all too.
    space = os.statvfs_result((4096, 4096, beyond, beyond, 0, beyond, beyond, beyond, 0, 255))
    seen = rooms.Guard(Path("/"), "/" if system else "").seen(space)
    assert all(0 < number < 2**63 for number in (*seen.free, *seen.last, *seen.least))
    assert seen.left


def _begun(folder: Path) -> int:
    """The process that has said there that it runs."""
    return int(until(lambda: (folder / "pid").read_text().strip() if (folder / "pid").exists() else None))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def test_how_a_transfer_ended_is_noted_with_its_partial(tmp_path: Path) -> None:
    name, store = "2026-11-23T081500Z", tmp_path / "store"
    begun = store / f".partial/{name}.json"
    being_made(store, name)
    there = free(os.statvfs(store))
    begun.write_text(json.dumps({"name": name, "free": {"bytes": there.bytes + (1 << 40), "inodes": there.inodes}}))
    argv = (*PROGRAM, "keep-room", str(store), f"--partial={name}", "--", "sh", "-c")
    assert execute((*argv, "exit 0")).code == 0
    assert "ended" not in json.loads(begun.read_text())
    assert execute((*argv, "exit 12")).code == 12
    ended = json.loads(begun.read_text())["ended"]
    assert ended["full"] is False
    assert abs(ended["sent"]["bytes"] - (1 << 40)) < 1 << 36, "others write to this filesystem meanwhile"
    looked = execute((*PROGRAM, "room", str(store), f"--partial={name}"))
    assert looked.code == 0 and looked.answer["sent"] == ended["sent"]["bytes"]
    # Since then some of it has been given back.
    begun.write_text(json.dumps({"name": name, "ended": {**ended, "full": True, "free": {"bytes": 5000, "inodes": 7}}}))
    looked = execute((*PROGRAM, "room", str(store), f"--partial={name}"))
    assert (looked.code, looked.answer["free_bytes"], looked.answer["free_inodes"]) == (1, 5000, 7)
    assert "5,000 bytes and 7 inodes were free" in looked.answer["error"]
    begun.unlink()
    assert execute((*argv, "exit 12")).code == 12
    assert not begun.exists(), "a partial that is gone is not begun again"


@root_only
@pytest.mark.parametrize("disk", ["tmpfs"], indirect=True)
def test_what_is_replaced_is_kept_on_a_filesystem_that_is_guarded_too(disk: Disk, tmp_path: Path) -> None:
    source, target, aside = tmp_path / "source", tmp_path / "target", disk.folder / "replaced"
    for folder in (source, target, aside):
        folder.mkdir()
    # What is kept is copied as fast as the disk takes it: in parts that are no longer than what is left for that.
    for number in range(64):
        (target / f"{number}").write_bytes(bytes(MIB // 2))
        (source / f"{number}").write_bytes(bytes(MIB // 16))
    rsync = ("rsync", "-a", "--bwlimit=1m", "--backup", f"--backup-dir={aside}", "--", f"{source}/", f"{target}/")
    words = ("keep-room", str(target), "--by-hand", f"--writes={aside}")
    ended = execute((*PROGRAM, *words, "--", *rsync))
    assert ended.code == 78 and f"no space left for {os.fspath(aside)!a}: ".encode() in ended.err, ended
    assert disk.free().bytes >= disk.last.bytes
    # And what is not there yet is where the nearest folder above it is.
    assert execute((*PROGRAM, *words[:-1], f"--writes={aside}/a/b", "--", "true")).code == 78


def test_a_person_may_go_further_in_the_folder_that_he_named_alone(tmp_path: Path) -> None:
    (one,) = rooms.guards(Path("/"), (), by_hand=True)
    named, *others = rooms.guards(Path("/"), (f"{tmp_path}/a", "/proc", "/var"), by_hand=True)
    assert named == one and named.system == "" and "/proc" in [each.name for each in others]
    assert [each.system for each in rooms.guards(Path("/proc"), ("/",), by_hand=True)] == ["", "/"]
