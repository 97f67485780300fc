"""What the fsck hook says of a disk, from what tune2fs said of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hooks.fsck import Fsck, plugin
from runner.model.facts import Facts, HostFacts, Reading
from runner.model.plan import Command, Effect, Finding, Plan, Step
from runner.model.site import Disk, Host, Site

CAPTURES = Path(__file__).parent / "captures" / "tune2fs"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DISK = Disk(
    name="usb", host="backup-server1", device="/dev/usb", mount="/srv", fsck_every=timedelta(days=120)
)
PLAN = Plan(id="p", made_at=NOW, site="babase", live=True)
REBOOT = Step(
    id="r",
    job="r",
    host="backup-server1",
    action=Command(argv=("reboot",)),
    effect=Effect.INTERRUPT,
    why="kernel",
)


def hook(*disks: Disk) -> Fsck:
    """The hook of a site with these disks, told about them as a run tells it."""
    made = plugin({})
    site = Site(
        name="babase", controller="papio", folder="/", state="/", sandbox="/", digest="", disks=disks,
        hosts=(Host(name="backup-server1", address=""),),
    )  # fmt: skip
    assert [probe.needs for probe in made.declare_probes(site)] == [("device",)] * len(disks)
    return made


def findings(reading: Reading | None, *, disk: Disk = DISK, plan: Plan = PLAN) -> list[Finding]:
    readings = {f"fsck.{disk.name}": reading} if reading else {}
    facts = Facts(at=NOW, hosts={disk.host: HostFacts(name=disk.host, readings=readings)})
    return list(hook(disk).check_plan(plan, facts))


def captured(name: str) -> Reading:
    return Reading(exit=0, out=(CAPTURES / f"{name}.stdout").read_text(encoding="utf-8"))


def test_a_disk_in_order_is_a_note_with_the_day_of_its_next_check() -> None:
    (only,) = findings(captured("120d"))
    assert (only.severity, only.source) == ("note", "hooks.fsck")
    assert only.text == "a boot checks disk usb (/dev/usb of backup-server1) from 2027-03-23 on"


def test_a_due_check_is_a_note_and_attention_when_the_plan_reboots_that_host() -> None:
    (quiet,) = findings(captured("due"))
    (loud,) = findings(captured("due"), plan=Plan(id="p", made_at=NOW, site="b", live=True, steps=(REBOOT,)))
    assert (quiet.severity, loud.severity) == ("note", "attention")
    assert "the next boot checks disk usb" in quiet.text
    assert "hours" in loud.do


def test_a_check_that_is_switched_off_against_jobs_toml_comes_with_the_command_that_mends_it() -> None:
    (only,) = findings(captured("default"))
    assert only.severity == "attention"
    assert only.text.endswith("is never checked, jobs.toml says every 120 days")
    assert only.do == "on backup-server1 run: tune2fs -i 120d -c 0 -- /dev/usb"


def test_another_interval_than_jobs_toml_says_is_told() -> None:
    month = Disk(
        name="usb", host="backup-server1", device="/dev/usb", mount="/srv", fsck_every=timedelta(days=30)
    )
    noted, told = findings(captured("120d"), disk=month)
    assert noted.severity == "note"
    assert told.text.endswith("is checked every 120 days, jobs.toml says every 30 days")


def test_a_check_that_jobs_toml_does_not_ask_for_may_be_off() -> None:
    free = Disk(name="usb", host="backup-server1", device="/dev/usb", mount="/srv")
    assert findings(captured("default"), disk=free) == []


def test_mounts_left_are_counted() -> None:
    free = Disk(name="usb", host="backup-server1", device="/dev/usb", mount="/srv")
    (only,) = findings(captured("mounted-first"), disk=free)
    assert only.text.endswith("after 2 more mounts")


@pytest.mark.parametrize("name", ["errors", "clean-with-errors", "not-clean", "error-count"])
def test_damage_is_for_a_person_even_if_no_check_follows(name: str) -> None:
    first = findings(captured(name))[0]
    assert first.severity == "attention"
    assert "may be damaged" in first.text
    assert first.do.endswith("run: e2fsck -f -- /dev/usb")


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (
            Reading(exit=1, out="tune2fs 1.47.0 (5-Feb-2023)\n", err="tune2fs: No such file\n"),
            "tune2fs: No such file",
        ),
        (Reading(exit=0, out="tune2fs 1.47.0 (5-Feb-2023)\n"), "tune2fs ended with 0"),
        (Reading(exit=None, err="timed out"), "timed out"),
    ],
)
def test_a_disk_that_cannot_be_read_is_for_a_person(reading: Reading, said: str) -> None:
    (only,) = findings(reading)
    assert only.severity == "attention"
    assert only.text.endswith(f"cannot be read: {said}")


def test_a_disk_whose_host_did_not_answer_is_unknown() -> None:
    (only,) = findings(None)
    assert (only.severity, only.text.endswith("its next check is not known")) == ("note", True)


def test_in_the_sandbox_no_disk_is_asked_and_one_note_says_so() -> None:
    sandbox = Plan(id="p", made_at=NOW, site="babase", live=False)
    (only,) = hook(DISK, DISK).check_plan(sandbox, Facts(at=NOW, hosts={}))
    assert only.text == "the sandbox has no disks, so none is looked at"


def test_a_site_without_disks_hears_nothing() -> None:
    assert hook().check_plan(PLAN, Facts(at=NOW, hosts={})) == ()
