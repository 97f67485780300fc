"""What tune2fs prints, captured from real disks, and whether e2fsck would check them at the next boot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.jobs.disks import tune2fs
from runner.jobs.disks.tune2fs import Superblock, parse_superblock, will_check

CAPTURES = Path(__file__).parents[1] / "captures" / "tune2fs"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
AGE = timedelta(days=120)


def captured(name: str) -> Superblock:
    return parse_superblock((CAPTURES / f"{name}.stdout").read_text(encoding="utf-8"))


# What e2fsck -p did with each of these disks when they were captured.
DECIDED = {
    "120d": None,
    "default": None,
    "mounted-first": None,
    "power-cut": None,
    "error-count": None,
    "due": "its last check was on 2026-01-01, and it is checked every 120 days",
    "mounted-third": "it was mounted 3 times, and is checked after 3",
    "not-clean": "it is not marked clean",
    "errors": "errors were found on it",
    "clean-with-errors": "errors were found on it",
}


@pytest.mark.parametrize("name", DECIDED)
def test_the_forecast_is_what_e2fsck_did(name: str) -> None:
    assert will_check(captured(name), NOW) == DECIDED[name]


def test_every_field_is_read() -> None:
    block = captured("120d")
    assert block == Superblock(
        state="clean",
        mounts=0,
        max_mounts=None,
        last_checked=datetime(2026, 11, 23, 3, 45, 39, tzinfo=UTC),
        interval=AGE,
        journal=True,
    )
    assert captured("mounted-first").last_mounted is not None
    assert block.next_check == datetime(2027, 3, 23, 3, 45, 39, tzinfo=UTC)
    assert captured("error-count").errors == 3
    assert captured("mounted-first").max_mounts == 3


def test_a_disk_as_mke2fs_makes_it_today_is_never_checked() -> None:
    block = captured("default")
    assert (block.max_mounts, block.interval, block.next_check) == (None, None, None)


def test_a_label_that_holds_a_line_end_says_nothing_about_the_disk() -> None:
    text = (CAPTURES / "label-with-a-line-end.stdout").read_text(encoding="utf-8")
    assert "\nMount count: 9\n" in text
    assert parse_superblock(text).mounts == 0


@pytest.mark.parametrize("text", ["", "dumpe2fs 1.47.0 (5-Feb-2023)\n", "Mount count: many\nLast checked: n/a\n:\n"])
def test_what_is_no_superblock_has_no_state(text: str) -> None:
    assert parse_superblock(text) == Superblock()
    assert will_check(parse_superblock(text), NOW) is None


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (NOW - AGE, True),
        (NOW - AGE + timedelta(seconds=1), False),
        (NOW + timedelta(seconds=1), False),
        (NOW + timedelta(days=1), False),
        (NOW + timedelta(days=1, seconds=1), True),
        (NOW, False),
    ],
)
def test_a_check_is_due_from_the_second_it_is_old_enough_or_when_the_clock_was_wrong(last: datetime, due: bool) -> None:
    assert (will_check(Superblock(state="clean", last_checked=last, interval=AGE), NOW) is not None) == due


@pytest.mark.parametrize("field", ["last_mounted", "last_written"])
def test_a_use_in_the_future_has_it_checked_where_it_is_checked_by_age_at_all(field: str) -> None:
    wrong = {field: NOW + timedelta(days=2)}
    block = Superblock(state="clean", last_checked=NOW, interval=AGE, **wrong)  # type: ignore[arg-type]
    assert "is in the future" in (will_check(block, NOW) or "")
    assert will_check(replace(block, interval=None), NOW) is None
    assert will_check(block, NOW + timedelta(days=1)) is None


def test_what_only_the_journal_and_the_copy_know_has_it_checked() -> None:
    clean = Superblock(state="clean", journal=True)
    assert "its journal notes an error (-5)" in (will_check(replace(clean, journal_error=-5), NOW) or "")
    assert "nothing says is to be replayed" in (will_check(replace(clean, journal_start=1), NOW) or "")
    assert will_check(replace(clean, journal_start=1, replay=True), NOW) is None
    assert "copy of its superblock" in (will_check(replace(clean, backup_differs=True), NOW) or "")


@pytest.mark.parametrize(("field", "due"), [("replay", False), ("mounted", False), ("journal", True)])
def test_what_is_written_before_e2fsck_looks_has_the_date_of_then(field: str, due: bool) -> None:
    block = Superblock(state="clean", last_checked=NOW, interval=AGE, last_written=NOW + timedelta(days=2))
    assert (will_check(replace(block, **{field: True}), NOW) is not None) == due  # type: ignore[arg-type]


def test_without_a_journal_it_is_never_marked_clean_while_it_is_mounted() -> None:
    block = Superblock(state="not clean", mounted=True)
    assert will_check(block, NOW) is None
    assert will_check(replace(block, journal=True), NOW) == will_check(replace(block, mounted=False), NOW)
    assert will_check(replace(block, state="not clean with errors"), NOW) == "errors were found on it"


def test_what_dumpe2fs_says_of_the_journal_is_read() -> None:
    text = "Filesystem magic number:  0xEF53\nFilesystem features:      has_journal needs_recovery\n"
    block = parse_superblock(
        f"\n{text}Filesystem state:         clean\nJournal start:            7\nJournal errno:            -5\n"
    )
    assert block == Superblock(state="clean", journal=True, replay=True, journal_start=7, journal_error=-5)


def test_a_check_that_is_put_off_comes_back_as_it_was() -> None:
    odd = Superblock(state="clean", interval=timedelta(seconds=10_368_001), max_mounts=7)
    assert tune2fs.switch_off("/dev/x") == ("tune2fs", "-i", "0", "-c", "0", "--", "/dev/x")
    assert tune2fs.switch_on("/dev/x", odd) == ("tune2fs", "-i", "10368001s", "-c", "7", "--", "/dev/x")


@pytest.mark.parametrize(("interval", "days"), [(AGE, "120d"), (timedelta(hours=30), "2d"), (timedelta(hours=1), "1d")])
def test_the_command_that_mends_the_interval_counts_whole_days(interval: timedelta, days: str) -> None:
    assert tune2fs.check_every("/dev/x", interval) == ("tune2fs", "-i", days, "-c", "0", "--", "/dev/x")
