"""What is foretold of a boot's check against e2fsck -p itself, over a grid of superblocks."""

from __future__ import annotations

import itertools
import os
import random
import struct
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.agent.power import boot_checks
from runner.jobs.disks import tune2fs

pytestmark = pytest.mark.long

DAY = 86400
NOW = int(datetime(2026, 11, 23, 8, 15, tzinfo=UTC).timestamp())
AGE = 120 * DAY
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
# Where struct ext2_super_block keeps them.
FIELDS = {
    "mounted": (0x2C, "<I"), "written": (0x30, "<I"), "mounts": (0x34, "<H"), "most": (0x36, "<h"),
    "state": (0x3A, "<H"), "checked": (0x40, "<I"), "interval": (0x44, "<I"), "errors": (0x194, "<I"),
}  # fmt: skip
# The same of journal_superblock_t, and of the features.
JOURNAL = {"start": (0x1C, ">I"), "errno": (0x20, ">i")}
INCOMPATIBLE, REPLAY = 0x60, 0x4
CLEAN, NOT_CLEAN, ERRORS, CLEAN_WITH_ERRORS, ORPHANS = 1, 0, 2, 3, 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """The fields of a superblock that may matter, and the clock by which it is looked at."""

    clock: int = NOW
    state: int = CLEAN
    mounts: int = 1
    most: int = -1
    interval: int = 0
    checked: int = NOW - DAY
    mounted: int = NOW - DAY
    written: int = NOW - DAY
    errors: int = 0
    replay: bool = False
    start: int = 0
    errno: int = 0
    # In the copies of the superblock: a place, and the bits that are other ones there.
    copy: tuple[int, int] = (0, 0)


def edges() -> Iterator[Block]:
    """Every reason by itself and at its edge, and what could hide it."""
    for state, most, interval in itertools.product(
        (CLEAN, NOT_CLEAN, ERRORS, CLEAN_WITH_ERRORS, ORPHANS), (-1, 0, 3), (0, AGE)
    ):
        for mounts in (0, 2, 3, 4):
            yield Block(state=state, most=most, interval=interval, mounts=mounts)
    for interval in (1, DAY, AGE, 10 * 365 * DAY):
        for age in (0, 1, interval - 1, interval, interval + 1, 2 * interval, NOW):
            yield Block(interval=interval, checked=NOW - age)
        for ahead in (1, 3600, DAY - 1, DAY, DAY + 1, 2 * DAY, 9 * 365 * DAY):
            for one in (interval, 0):
                yield Block(interval=one, checked=NOW + ahead)
                yield Block(interval=one, mounted=NOW + ahead)
                yield Block(interval=one, written=NOW + ahead)
                yield Block(interval=one, mounted=NOW + ahead, most=3, mounts=3)
    for clock in (NOW - 400 * DAY, NOW - 2 * DAY, NOW - DAY, NOW - 3600, NOW + AGE - DAY, NOW + AGE, NOW + 8 * AGE):
        for most, interval in itertools.product((-1, 1, 3), (0, AGE)):
            yield Block(clock=clock, most=most, interval=interval)
    for most in (1, 32767):
        for mounts in (0, 1, 32766, 32767, 32768, 65535):
            yield Block(most=most, mounts=mounts)
    yield Block(errors=7)
    yield Block(errors=7, interval=AGE, checked=NOW - AGE)


def anything(count: int) -> Iterator[Block]:
    """Fields in any combination, half of them near an edge."""
    draw = random.Random(20261123)
    for _ in range(count):
        interval = draw.choice((0, 1, 3600, DAY, 30 * DAY, AGE, draw.randrange(3 * AGE)))
        most = draw.choice((-1, 0, 1, 2, 20, draw.randrange(32768)))
        clock = NOW + draw.choice((0, draw.randrange(-30 * DAY, 5 * AGE)))
        near = (0, 1, -1, DAY, DAY + 1, -interval, 1 - interval, -interval - 1, draw.randrange(-3 * AGE, 3 * DAY))
        yield Block(
            clock=clock, interval=interval, most=most, errors=draw.choice((0, 0, 3)),
            state=draw.choice((CLEAN, CLEAN, CLEAN, CLEAN, CLEAN, NOT_CLEAN, ERRORS, CLEAN_WITH_ERRORS, ORPHANS)),
            mounts=max(0, draw.choice((0, most, most - 1, most + 1, draw.randrange(65536)))),
            checked=clock + draw.choice(near), mounted=clock + draw.choice(near), written=clock + draw.choice(near),
        )  # fmt: skip


# What is in the copies: compatible, incompatible and read-only features, blocks, inodes, uuid, the magic number.
COPIES = (
    *((0x5C, bit) for bit in (0x8, 0x20, 0x1000)), *((0x60, bit) for bit in (0x2, 0x4, 0x40, 0x200)),
    *((0x64, bit) for bit in (0x1, 0x2, 0x8, 0x20, 0x10000)), (0x04, 1), (0x150, 1), (0x00, 8), (0x68, 255), (0x74, 1),
    (0x38, 1), (0x4C, 8), (0x18, 64), (0x30, 255), (0x3A, 2), (0x44, 1), (0xFC, 9),
)  # fmt: skip


def journals() -> Iterator[Block]:
    """What only the journal, or a copy of the superblock, has, alone and with what may hide it."""
    for replay, errno, interval in itertools.product((False, True), (0, -5, -30, 22), (0, AGE)):
        for written, mounted in itertools.product((NOW - DAY, NOW + 3600, NOW + 2 * DAY, NOW + 9 * AGE), (0, 2 * DAY)):
            yield Block(replay=replay, errno=errno, interval=interval, written=written, mounted=NOW + mounted)
        for state in (CLEAN, NOT_CLEAN, ERRORS, ORPHANS):
            yield Block(replay=replay, errno=errno, interval=interval, state=state, most=3, mounts=2)
        yield Block(replay=replay, errno=errno, interval=interval, checked=NOW - AGE)
    yield Block(start=1)
    yield Block(start=1, interval=AGE, written=NOW + 2 * DAY)
    for copy, replay in itertools.product(COPIES, (False, True)):
        yield Block(copy=copy, replay=replay)
        yield Block(copy=copy, replay=replay, interval=AGE, written=NOW + 2 * DAY)


GRID = tuple(dict.fromkeys((*edges(), *anything(400))))
JOURNALS = tuple(journals())


def made(path: Path, kind: str) -> bytes:
    with path.open("wb") as file:
        # As small as they can be: 1 MiB, and 4 with a journal.
        file.truncate((1 if kind == "ext2" else 4) * 2**20)
    # With four groups, of which the second has a copy of the superblock.
    size = () if kind == "ext2" else ("-J", "size=1", "-g", "1024")
    run("mke2fs", "-q", "-F", "-t", kind, *size, "-b", "1024", "-N", "32", str(path), codes=(0,))
    return path.read_bytes()


def run(*argv: str, clock: int | None = None, codes: tuple[int, ...] = (0, 1)) -> str:
    environment = ENVIRONMENT if clock is None else {**ENVIRONMENT, "E2FSCK_TIME": str(clock)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30, env=environment)
    assert done.returncode in codes, done
    return done.stdout


def put(image: bytes, block: Block, path: Path) -> None:
    changed = bytearray(image)
    for name, (place, form) in FIELDS.items():
        struct.pack_into(form, changed, 1024 + place, getattr(block, name))
    if block.replay:
        changed[1024 + INCOMPATIBLE] |= REPLAY
    if journal := changed.find(b"\xc0\x3b\x39\x98") + 1:
        for name, (place, form) in JOURNAL.items():
            struct.pack_into(form, changed, journal - 1 + place, getattr(block, name))
    place, bits = block.copy
    for start in (1025 * 1024, 3073 * 1024) if bits else ():
        (old,) = struct.unpack_from("<I", changed, start + place)
        struct.pack_into("<I", changed, start + place, old ^ bits)
    path.write_bytes(changed)


def foretold_and_done(image: bytes, block: Block, path: Path) -> tuple[bool, bool]:
    """Whether a whole check was foretold, and whether e2fsck made one."""
    put(image, block, path)
    found = tune2fs.parse_superblock(run(*tune2fs.superblock(str(path))))
    assert found.state, block
    found = replace(found, backup_differs=boot_checks.backup_differs(path) is True)
    foretold = tune2fs.will_check(found, datetime.fromtimestamp(block.clock, UTC)) is not None
    # 4: it began one, and left what it found to a person.
    done = run("e2fsck", "-p", "--", str(path), clock=block.clock, codes=(0, 1, 4))
    return foretold, ": clean," not in done


@pytest.mark.parametrize(("kind", "grid"), [("ext2", GRID), ("ext3", GRID[::4]), ("ext3", JOURNALS)])
def test_e2fsck_checks_when_it_was_foretold_and_never_else(kind: str, grid: tuple[Block, ...], tmp_path: Path) -> None:
    image = made(tmp_path / "made.img", kind)

    def wrong(part: int) -> list[tuple[Block, bool, bool]]:
        path = tmp_path / f"{part}.img"
        found = [(block, *foretold_and_done(image, block, path)) for block in grid[part::2]]
        return [one for one in found if one[1] != one[2]]

    with ThreadPoolExecutor(max_workers=2) as pool:
        assert [one for part in pool.map(wrong, range(2)) for one in part] == []


def test_the_grid_is_big_and_has_both_answers_in_plenty(tmp_path: Path) -> None:
    assert len(set(GRID)) > 700
    image = made(tmp_path / "made.img", "ext2")
    done = [foretold_and_done(image, block, tmp_path / "one.img")[1] for block in GRID[::16]]
    assert len(done) // 5 < sum(done) < len(done) * 4 // 5


@pytest.mark.parametrize(
    ("about", "fields"),
    [
        ("a block of more bytes than there are", {0x18: 0xFFFFFFFF}),
        ("a copy beyond what a file can be", {0x14: 0xFFFFFFFF, 0x18: 6, 0x150: 0xFFFFFFFF, 0x20: 0xFFFFFFFF, 0x60: 0x80,
                                              0x5C: 0x200, 0x24C: 0xFFFFFFF0}),
        ("groups without a block", {0x20: 0}),
    ],
)  # fmt: skip
def test_a_superblock_that_says_what_cannot_be_is_known_for_nothing(
    about: str, fields: dict[int, int], tmp_path: Path
) -> None:
    changed = bytearray(made(path := tmp_path / "made.img", "ext2"))
    for place, value in fields.items():
        struct.pack_into("<I", changed, 1024 + place, value)
    path.write_bytes(changed)
    assert (boot_checks.backup_differs(path), boot_checks.groups(path)) == (None, None), about
