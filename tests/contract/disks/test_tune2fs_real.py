"""The forecast of the next check against e2fsck itself, on real filesystems in files."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hooks.fsck import plugin
from runner.jobs.disks import tune2fs
from runner.model.plan import Plan
from runner.model.site import Disk
from tests.contract.fsck_parts import fsck_facts, fsck_site

CASES = {
    "as it was made": (),
    "mounted often enough": ("-c", "3", "-C", "3"),
    "one mount short of it": ("-c", "3", "-C", "2"),
    "old": ("-i", "120d", "-T", "20260101"),
    "checked in the future": ("-i", "120d", "-T", "20350101"),
    "old, but never checked by age": ("-i", "0", "-T", "20260101"),
    "errors": ("-E", "force_fsck"),
}


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)


@pytest.fixture
def disk(tmp_path: Path) -> str:
    path = tmp_path / "-disk img"
    with path.open("wb") as file:
        file.truncate(16 * 2**20)
    # A label that looks like tune2fs's own words must change nothing.
    made = run("mke2fs", "-q", "-t", "ext3", "-L", "\nMount count: 9", "--", str(path))
    assert made.returncode == 0, made.stderr
    return str(path)


@pytest.mark.parametrize("case", CASES)
def test_e2fsck_checks_when_the_forecast_says_so(case: str, disk: str) -> None:
    assert run("tune2fs", *CASES[case], "--", disk).returncode in (0, 1)
    block = tune2fs.parse_superblock(run(*tune2fs.superblock(disk)).stdout)
    assert block.state
    forecast = tune2fs.will_check(block, datetime.now(tz=UTC))
    checked = "check forced" in run("e2fsck", "-p", "--", disk).stdout
    assert checked == (forecast is not None), forecast


def test_the_command_in_the_finding_mends_what_was_found(disk: str) -> None:
    hook = plugin({})
    usb = Disk(name="usb", host="papio", device=disk, mount="/srv", fsck_every=timedelta(days=120))
    plan = Plan(id="p", made_at=datetime.now(tz=UTC), site="babase", live=True)

    def commands() -> list[str]:
        findings = hook.check_plan(fsck_site(usb), plan, fsck_facts(usb))
        return [finding.command for finding in findings if finding.severity == "attention"]

    (command,) = commands()
    assert run(*shlex.split(command)).returncode == 0
    assert commands() == []


def test_a_check_that_was_put_off_is_due_again_afterwards(disk: str) -> None:
    assert run("tune2fs", "-i", "10368001s", "-c", "3", "-C", "3", "-T", "20260101", "--", disk).returncode == 0
    before = tune2fs.parse_superblock(run(*tune2fs.superblock(disk)).stdout)
    assert run(*tune2fs.switch_off(disk)).returncode == 0
    assert "clean," in run("e2fsck", "-p", "--", disk).stdout
    assert run(*tune2fs.switch_on(disk, before)).returncode == 0
    after = tune2fs.parse_superblock(run(*tune2fs.superblock(disk)).stdout)
    assert replace(after, last_written=None) == replace(before, last_written=None)
