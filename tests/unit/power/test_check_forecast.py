"""Which boots check a filesystem whatever its superblock says, and how long a whole check takes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from runner.jobs.power.check_forecast import AtBoot, Content, Drive, FsckForecast, Measured, forced, forecast, never

CAPTURES = Path(__file__).parents[1] / "captures" / "e2fsck"
DATA = AtBoot(root=False, passno=2)
ROOT = AtBoot(root=True, passno=1)
UNKNOWN = Drive()


@pytest.mark.parametrize(
    ("boot", "why"),
    [
        (DATA, None),
        (AtBoot(root=False, passno=1), None),
        (AtBoot(root=False, passno=0), "the last column of its line in fstab is 0"),
        (AtBoot(root=False, passno=None), "fstab has no line for it"),
        (AtBoot(root=False, passno=2, noauto=True), "fstab says noauto"),
        (replace(DATA, words=("fsck.mode=skip",)), "checks are switched off by fsck.mode=skip"),
        (replace(DATA, words=("/fastboot",)), "checks are switched off by /fastboot"),
        # systemd-fsck looks at the first before the second, the initramfs the other way round.
        (replace(DATA, words=("fsck.mode=force", "fsck.mode=skip")), None),
        (replace(ROOT, words=("fsck.mode=force", "fsck.mode=skip")), "checks are switched off by fsck.mode=skip"),
        # Where fstab is does not matter to the initramfs, which has checked the root before it can be read.
        (AtBoot(root=True, passno=0), None),
        (AtBoot(root=True, passno=None), None),
    ],
)  # fmt: skip
def test_some_filesystems_are_looked_at_by_no_boot(boot: AtBoot, why: str | None) -> None:
    assert never(boot) == why


@pytest.mark.parametrize("word", ["fsck.mode=force", "forcefsck", "/forcefsck"])
def test_a_boot_that_is_told_to_checks_everything(word: str) -> None:
    assert forced(DATA) is None
    assert forced(replace(DATA, words=(word,))) == f"{word} forces a check of all filesystems"


def captured(name: str) -> tuple[Content, int]:
    """What was on a filesystem that was checked, by its shape and e2fsck's counts; and the bytes it read."""
    text = (CAPTURES / f"time-{name}.stdout").read_text("utf-8")
    size = int(name.split("-")[1].removesuffix("G")) << 30
    inodes = int(re.findall(r"out of ([0-9]+)\)", text)[0])
    used = int(re.findall(r"([0-9]+) inodes used", text)[0])
    folders = int(re.findall(r"([0-9]+) director(?:y|ies)$", text, re.MULTILINE)[-1])
    blocks = int(re.findall(r"([0-9]+) blocks used", text)[0])
    content = Content(
        # As its group table says: ext4 knows which part of the tables was never used.
        table=(inodes if name.startswith("ext3") else used) * 256,
        blocks=size // 4096, block=4096, inodes=inodes, inodes_used=used, used=blocks * 4096,
        directories=folders, extents=name.startswith("ext4"),
    )  # fmt: skip
    return content, int(re.findall(r"I/O read: ([0-9]+)MB", text)[-1]) * 2**20


@pytest.mark.parametrize("name", sorted(path.stem.removeprefix("time-") for path in CAPTURES.glob("time-*")))
def test_what_a_check_reads_is_known_from_the_inode_tables_and_the_folders(name: str) -> None:
    content, read = captured(name)
    assert abs(content.bytes - read) < 0.03 * read + 10 * 2**20


NOTHING = Content(table=0, blocks=0, block=4096, inodes=0, inodes_used=0, used=0, directories=0)


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (NOTHING, 0),
        # A bit for each block and each inode: 8 TiB, and an inode for 16 KiB.
        (replace(NOTHING, blocks=2**31, inodes=2**29, extents=True), 2**28 + 2**26),
        (replace(NOTHING, blocks=2**31, inodes=2**29), 2**28 + 2**26),
        # Without extents a block of addresses for each 4 MiB of files.
        (replace(NOTHING, used=2**40), 2**30),
        (replace(NOTHING, directories=1000), 1000 * 4096),
        # Where nobody counted the folders every second inode may be one.
        (replace(NOTHING, inodes_used=2000, directories=None), 1000 * 4096),
    ],
)
def test_a_check_reads_every_map_folder_and_block_of_addresses_once(content: Content, read: int) -> None:
    assert content.bytes == read


def test_a_check_of_twelve_million_folders_needs_more_memory_than_a_small_machine_has() -> None:
    assert replace(NOTHING, directories=12 * 10**6).memory == 720 * 10**6
    assert replace(NOTHING, inodes_used=60 * 10**6).memory == 1440 * 10**6
    assert replace(NOTHING, blocks=240 * 10**6, inodes=240 * 10**6).memory == 240 * 10**6


def test_a_check_needs_no_more_memory_than_foretold() -> None:
    content, _ = captured("ext3-16G-100k-x41-hardlinks")
    # e2fsck said 912k/4288k at its peak.
    assert 5_200_000 < content.memory < 30_000_000


def test_the_guides_disk_of_a_terabyte_takes_minutes_at_least_and_a_day_at_most() -> None:
    inodes = 10**12 // 4096
    disk = Content(
        table=inodes * 256, blocks=10**12 // 4096, block=4096, inodes=inodes, inodes_used=60_000_000,
        used=8 * 10**11, directories=12_000_000,
    )  # fmt: skip
    whole = forecast("old", disk, Drive(rotates=True))
    assert whole.least is not None
    assert whole.most is not None
    assert 4 * 60 < whole.least < 35 * 60
    assert 20 * 3600 < whole.most < 48 * 3600
    assert "127.9 GB to read" in whole.source
    slow = forecast("old", disk, Drive(rotates=True, speed=30e6))
    assert slow.least is not None
    assert slow.least > whole.least
    assert "30 MB/s" in slow.source
    # Twelve million folders need more memory than a small machine has.
    assert disk.memory > 2 * 10**9


SMALL = captured("ext3-4G-100k")[0]


def test_the_last_check_here_is_the_best_measure() -> None:
    last = Measured(seconds=600.0, inodes_used=SMALL.inodes_used, used=SMALL.used)
    whole = forecast("old", SMALL, UNKNOWN, (last, Measured(seconds=1.0)))
    assert (whole.least, whole.most) == (360.0, 963.0)
    assert whole.source == "the last check here took 10 min"


def test_a_disk_that_grew_since_takes_longer() -> None:
    last = Measured(seconds=100.0, inodes_used=SMALL.inodes_used // 4, used=SMALL.used // 4)
    whole = forecast("old", SMALL, UNKNOWN, (last,))
    same = forecast("old", SMALL, UNKNOWN, (replace(last, inodes_used=SMALL.inodes_used, used=SMALL.used),))
    assert whole.most is not None
    assert same.most is not None
    assert whole.most > same.most
    assert "as much to do now" in whole.source


def test_a_folder_counts_as_what_the_disk_reads_while_its_heads_move() -> None:
    # Beside 1,000 folders, each of 204 kB so counted, as much again of tables: with half of the folders it was 3 to 4.
    disk = replace(NOTHING, table=204_096_000, inodes_used=2000, directories=1000, extents=True)
    whole = forecast("old", disk, UNKNOWN, (Measured(seconds=300.0, inodes_used=1000, used=0),))
    assert whole.source == "the last check here took 5 min, and there is 1.3 times as much to do now"
    assert (whole.least, whole.most) == (pytest.approx(240), pytest.approx(643))


def test_a_check_without_counts_leaves_more_open() -> None:
    whole = forecast("old", None, UNKNOWN, (Measured(seconds=100.0),))
    assert (whole.least, whole.most) == (60.0, 253.0)


@pytest.mark.parametrize(
    ("content", "last"),
    [
        (None, Measured(seconds=100.0, inodes_used=1000, used=0)),
        (SMALL, Measured(seconds=100.0, inodes_used=None, used=0)),
        (SMALL, Measured(seconds=100.0, inodes_used=1000, used=None)),
        (replace(SMALL, inodes_used=0), Measured(seconds=100.0, inodes_used=1000, used=0)),
        (replace(NOTHING, inodes_used=1), Measured(seconds=100.0, inodes_used=1, used=0)),
    ],
)
def test_where_then_cannot_be_compared_with_now_more_is_left_open_too(content: Content | None, last: Measured) -> None:
    whole = forecast("old", content, UNKNOWN, (last,))
    assert (whole.least, whole.most) == (60.0, 253.0)
    assert whole.source == "the last check here took 2 min"


@pytest.mark.parametrize(("seconds", "words"), [(99.9, "99.9 s"), (100.0, "2 min"), (100.5, "2 min")])
def test_a_short_check_is_told_in_seconds(seconds: float, words: str) -> None:
    assert forecast(None, None, UNKNOWN, (Measured(seconds=seconds),)).source == f"the last check here took {words}"


@pytest.mark.parametrize(("table", "words"), [(999_000_000, "999 MB"), (10**9, "1.0 GB")])
def test_what_there_is_to_read_is_told_in_gigabytes(table: int, words: str) -> None:
    source = forecast(None, replace(NOTHING, table=table), UNKNOWN).source
    assert source == f"it has {words} to read; the speed of its disk was not measured"


def test_a_disk_that_was_measured_may_be_a_third_as_fast_or_four_times() -> None:
    whole = forecast(None, replace(NOTHING, table=7_200_000_000), Drive(speed=60e6))
    assert (whole.least, whole.most) == (30.0, 363.0)


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert forecast("old", None, UNKNOWN) == FsckForecast(why="old", source="nothing is known about it")


def test_flash_needs_no_way_of_the_heads() -> None:
    folders = replace(SMALL, directories=1_000_000)
    turning, flash = (forecast(None, folders, Drive(rotates=rotates)) for rotates in (True, False))
    assert turning.most is not None
    assert flash.most is not None
    assert turning.most > 8000 > flash.most


def test_folders_that_nobody_counted_count_for_the_longest_time_only() -> None:
    blind, seeing = (forecast(None, replace(SMALL, directories=count), UNKNOWN) for count in (None, 1004))
    assert blind.least is not None
    assert seeing.least is not None
    assert blind.least <= seeing.least
    assert (blind.most or 0) > (seeing.most or 0)
    assert blind.least < seeing.least
    assert blind.least == forecast(None, replace(SMALL, directories=0), UNKNOWN).least
