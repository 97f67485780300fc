"""The host that is pulled from lies: nothing is written outside of where it is received, and it ends in one line or so."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runner.tools import rsync
from tests.compare import fingerprint
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Said, execute
from tests.trees import make_tree

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to confine anything")
NAME = "2026-11-23T081500Z"
LIAR = Path(__file__).with_name("hostile_sender.py")
SLASH, UP = b"~\xf5~", b"~\xf6~"


class World:
    """A fake root: a store in which a snapshot is received, things around it, and what a liar has to send."""

    def __init__(self, folder: Path) -> None:
        self.root, self.source = folder / "root", folder / "hostile"
        self.store, self.outside = self.root / "store", self.root / "outside"
        for place in (f".incoming/{NAME}/0", f".incoming/{NAME}/parts", f".partial/{NAME}", "old", ".runner"):
            (self.store / place).mkdir(parents=True)
        (self.store / ".runner/lock").touch()
        self.outside.mkdir()
        (self.outside / "victim").write_text("untouched")
        (self.store / "old/sealed").write_text("sealed")
        self.source.mkdir()
        self.before = self.seen()

    def seen(self) -> object:
        """All that is there beside what is received."""
        here = f"store/.incoming/{NAME}/".encode()
        return {name: entry for name, entry in fingerprint(self.root).items() if not (name + b"/").startswith(here)}

    def argv(self, mode: str, seed: int, way: str = "copy") -> tuple[str, ...]:
        reads = tuple(f"--reads={each}" for each in (self.store / "old", self.source, LIAR))
        keep = (*PROGRAM, "keep-room", str(self.store), f"--partial={NAME}", "--confined", *reads, "--")
        ends = rsync.Ends(
            source=f"liar:{self.source}/",
            target=f"{self.store}/.incoming/{NAME}/0/",
            rsh=("python3", "-IS", str(LIAR), mode, str(seed)),
            keep=keep,
            confined=True,
            trusts=True,
            looks=(*PROGRAM, "confine", f"--reads={self.received_in}", *reads, "--"),
        )
        if way == "copy":
            return rsync.send(ends, exclude=(), keep_parts=f"{self.store}/.incoming/{NAME}/parts")
        if way == "look":
            return rsync.look(ends, exclude=())
        return rsync.verify(replace(ends, source=f"liar:{self.source}/./."), parents=True)

    def pull(self, mode: str, seed: int = 0, way: str = "copy") -> Said:
        received = fingerprint(self.received_in)
        said = execute(self.argv(mode, seed, way))
        assert b"Traceback" not in said.err, said.err
        assert self.seen() == self.before
        # What looks has changed nothing at all.
        assert way == "copy" or fingerprint(self.received_in) == received
        return said

    @property
    def received_in(self) -> Path:
        return self.store / f".incoming/{NAME}/0"

    @property
    def received(self) -> list[str]:
        return sorted(str(path.relative_to(self.received_in)) for path in self.received_in.rglob("*"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def put(world: World, name: bytes, text: bytes = b"planted") -> None:
    Path(os.fsdecode(os.fsencode(world.source) + b"/" + name)).write_bytes(text)


WAYS = pytest.mark.parametrize("way", ["copy", "look", "verify"])


@WAYS
def test_names_that_lead_out_are_written_nowhere(world: World, way: str) -> None:
    out = os.fsencode(world.outside)
    for name in (
        UP + b"escaped", UP * 2 + b"escaped", UP * 5 + b"outside~\xf5~victim", UP * 4 + b"old~\xf5~sealed",
        out.replace(b"/", SLASH) + SLASH + b"victim", b"in~\xf5~" + UP + UP + b"escaped", UP[:-1],
    ):  # fmt: skip
        if len(name) < 256:
            put(world, name)
    said = world.pull("names", way=way)
    assert said.code and said.err


@WAYS
def test_a_link_and_then_a_file_through_it_stays_inside(world: World, way: str) -> None:
    (world.source / "lnk").symlink_to(world.outside)
    (world.source / "old").symlink_to(world.store / "old")
    put(world, b"lnk" + SLASH + b"victim")
    put(world, b"old" + SLASH + b"sealed")
    world.pull("names", way=way)
    if way != "copy":
        # As a copy would have left them.
        (world.received_in / "lnk").symlink_to(world.outside)
    (world.source / "lnk").unlink()
    (world.source / "lnk").mkdir()
    put(world, b"lnk/victim")
    world.pull("names", way=way)


@WAYS
def test_devices_and_programs_for_everybody_come_as_they_are_and_do_nothing(world: World, way: str) -> None:
    os.mknod(world.source / "disk", 0o60666, os.makedev(7, 200))
    put(world, b"program")
    (world.source / "program").chmod(0o4755)
    assert world.pull("names", way=way).code == 0
    assert world.received == (["disk", "program"] if way == "copy" else [])


@WAYS
@pytest.mark.parametrize("long", [3_800, 5_000, 70_000, 4_000_000])
def test_a_name_of_any_length_is_refused_or_said_not_to_fit(world: World, way: str, long: int) -> None:
    deep = world.source.joinpath(*["d" * 240] * 5)
    deep.mkdir(parents=True)
    (deep / "another").touch()
    (deep / "the-long-one").touch()
    said = world.pull("long", long, way)
    # 12: the other end, which asks for what it did not say, gives up.
    assert (said.code or way != "copy") and said.code in (0, 12, 22, 23) and len(said.err) < 20_000, said
    if said.code:
        assert said.err and said.err.count(b"\n") < 9, said


@WAYS
@pytest.mark.parametrize("size", [-1, -(1 << 63), (1 << 63) - 1, 1 << 50])
def test_a_file_of_any_size_takes_no_room_but_what_is_sent(world: World, way: str, size: int) -> None:
    (world.source / "the-sized-one").write_bytes(b"x" * 1000)
    said = world.pull("size", size, way)
    assert said.err.count(b"\n") < 9, said
    taken = sum(path.lstat().st_blocks for path in world.received_in.rglob("*"))
    assert taken < 100, (taken, said)


@WAYS
def test_a_list_that_never_ends_is_ended_for_memory_and_said_so(world: World, way: str) -> None:
    for number in range(1, 10):
        put(world, b"n000000%d" % number, b"")
        os.utime(world.source / f"n000000{number}", (1_600_000_000, 1_600_000_000))
    # Of so little memory, that the test does not take the machine's.
    code = """
import sys
from runner.agent.__main__ import main
from runner.agent.confined import receiver
receiver.memory = lambda: 300 << 20
main()
"""
    words = world.argv("endless", 1 << 10, way)[len(PROGRAM) :]
    said = execute((PROGRAM[0], "-B", "-c", code, *words))
    assert said.code == 22, said
    assert b"wanted more than 314,572,800 bytes of memory" in said.err and b"Traceback" not in said.err
    assert world.seen() == world.before


def test_who_falls_silent_in_the_middle_is_not_waited_for(world: World) -> None:
    make_tree(world.source / "tree", seed=1, files=20)
    begun = time.monotonic()
    said = world.pull("silent", 2000)
    assert said.code == 12 and time.monotonic() - begun < 60


def lie(world: World, seeds: range, *ways: str) -> None:
    """Streams that are wrong in some bytes: whatever of it is received, it is received in its place."""
    make_tree(world.source / "tree", seed=1, files=8)
    for number, seed in enumerate(seeds):
        done = subprocess.run(
            world.argv("mutate", seed, ways[number % len(ways)]),
            env=ENVIRONMENT,
            capture_output=True,
            check=False,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        assert b"Traceback" not in done.stderr, (seed, done.stderr)
        assert done.returncode in (0, 22, -11, -6) or done.stderr, (seed, done)
        assert "copy" in ways or not world.received, seed
        if number % 20 == 19:
            assert world.seen() == world.before, seed
            subprocess.run(("rm", "-rf", world.store / f".incoming/{NAME}/0"), check=True)
            (world.store / f".incoming/{NAME}/0").mkdir()
    assert world.seen() == world.before


@pytest.mark.long
def test_streams_that_are_wrong_in_some_bytes(world: World) -> None:
    lie(world, range(25), "copy")


@pytest.mark.long
def test_streams_that_are_wrong_in_some_bytes_only_looked_at(world: World) -> None:
    lie(world, range(60, 70), "look", "verify")


@pytest.mark.soak
def test_two_thousand_of_them(world: World) -> None:
    lie(world, range(1000, 3000), "copy")


@pytest.mark.soak
def test_two_thousand_of_them_only_looked_at(world: World) -> None:
    lie(world, range(3000, 5000), "look", "verify")
