"""What the fsck hook says of a disk, from what tune2fs said of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hooks.fsck import Fsck, plugin
from runner.jobs.power import agent_checks
from runner.model.facts import Announced, Facts, HostFacts, Reading
from runner.model.plan import Command, Effect, Finding, Insertion, Plan, PlannedJob, Step
from runner.model.role import Role
from runner.model.site import Disk, Host, Job, Site

CAPTURES = Path(__file__).parents[1] / "captures" / "tune2fs"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DISK = Disk(name="usb", host="backup-server1", device="/dev/usb", mount="/srv", fsck_every=timedelta(days=120))
FREE = replace(DISK, fsck_every=None)
PLAN = Plan(id="p", made_at=NOW, site="babase", live=True)
REBOOT = Step(
    id="r/reboot",
    role=Role.DOWN,
    job="r",
    host="backup-server1",
    action=Command(argv=("reboot",)),
    effect=Effect.INTERRUPT,
    why="kernel",
    needs=("power",),
)
REBOOTING = replace(PLAN, steps=(REBOOT,))


def site(*disks: Disk, **changes: Any) -> Site:
    """A live site with these disks."""
    return Site(
        name="babase", controller="papio", folder="/", state="/", sandbox="/", digest="", disks=disks, live=True,
        hosts=(Host(name="backup-server1", address=""), Host(name="papio", address="")), **changes,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The hook, asked about one site as a run asks it."""

    fsck: Fsck
    site: Site

    def add_steps(self, job: PlannedJob, steps: tuple[Step, ...], facts: Facts) -> Sequence[Insertion]:
        return self.fsck.add_steps(self.site, job, steps, facts)

    def check_plan(self, plan: Plan, facts: Facts) -> Sequence[Finding]:
        return self.fsck.check_plan(self.site, plan, facts)


def hook(*disks: Disk, when_due: str = "tell", **changes: Any) -> Asked:
    """The hook for a site with these disks."""
    made, where = plugin({"when_due": when_due}), site(*disks, **changes)
    assert [probe.needs for probe in made.declare_probes(where)] == [("device",)] * bool(disks)
    return Asked(fsck=made, site=where)


def extfs(reading: Reading, **changes: Any) -> dict[str, Any]:
    """A filesystem as the program at the host tells it: what tune2fs said, and all is well but for `changes`."""
    values = {
        "device": "/dev/sdb1", "devices": ["/dev/usb"], "mount": "/srv", "superblock": reading.out,
        "exit": reading.exit, "error": reading.err, "used": None, "inodes_used": None, "table": None,
        "directories": None, "extents": None, "rotates": True, "speed": None, "pass": 2, "at": "/srv",
        "noauto": False, "nofail": True, "checks": [],
    }  # fmt: skip
    return {**values, **changes}


def facts(*filesystems: dict[str, Any], at: datetime = NOW, **changes: Any) -> Facts:
    """What backup-server1 says of these filesystems, by a clock that is right but for `changes`."""
    values = {
        "clock": at.isoformat(), "kernel": [], "files": [], "memory": 8 << 30, "filesystems": list(filesystems),
        **changes,
    }  # fmt: skip
    readings = {"fsck": Reading(exit=0, out=json.dumps(values))}
    return Facts(at=at, hosts={DISK.host: HostFacts(name=DISK.host, readings=readings)})


def findings(reading: Reading, *, disk: Disk = DISK, plan: Plan = PLAN, **changes: Any) -> list[Finding]:
    return list(hook(disk).check_plan(plan, facts(extfs(reading, **changes))))


def captured(name: str) -> Reading:
    return Reading(exit=0, out=(CAPTURES / f"{name}.stdout").read_text(encoding="utf-8"))


def test_a_disk_in_order_is_a_note_with_the_day_of_its_next_check() -> None:
    (only,) = findings(captured("120d"))
    assert (only.severity, only.source) == ("note", "hooks.fsck")
    assert only.text == "a boot checks disk usb (/dev/usb of backup-server1) from 2027-03-23 on"


def test_a_due_check_is_a_note_and_for_a_person_only_when_the_host_goes_off_and_the_plan_does_not_bring_it_back() -> (
    None
):
    (quiet,) = findings(captured("due"))
    (seen,) = findings(captured("due"), plan=REBOOTING)
    (left,) = findings(captured("due"), plan=replace(PLAN, steps=(replace(REBOOT, id="r/poweroff", role=Role.OFF),)))
    assert [finding.severity for finding in (quiet, seen, left)] == ["note", "note", "attention"]
    assert all("the next boot checks disk usb" in finding.text for finding in (quiet, seen, left))
    assert quiet.do == ""
    for finding in (seen, left):
        assert finding.do.startswith("leave ")
        assert "the disk is not there" in finding.do


def test_a_check_that_is_switched_off_against_jobs_toml_comes_with_the_command_that_mends_it() -> None:
    (only,) = findings(captured("default"))
    assert only.severity == "attention"
    assert only.text.endswith("is never checked, jobs.toml says every 120 days")
    assert only.advice == "on backup-server1 run: tune2fs -i 120d -c 0 -- /dev/usb"


def test_another_interval_than_jobs_toml_says_is_told() -> None:
    month = replace(DISK, fsck_every=timedelta(days=30))
    noted, finding = findings(captured("120d"), disk=month)
    assert noted.severity == "note"
    assert finding.text.endswith("is checked every 120 days, jobs.toml says every 30 days")


def test_a_check_that_jobs_toml_does_not_ask_for_may_be_off() -> None:
    assert findings(captured("default"), disk=FREE) == []


def test_mounts_left_are_counted() -> None:
    (only,) = findings(captured("mounted-first"), disk=FREE)
    assert only.text.endswith("after 2 more mounts")


@pytest.mark.parametrize("name", ["errors", "clean-with-errors", "not-clean", "error-count"])
def test_damage_is_for_a_person_even_if_no_check_follows(name: str) -> None:
    first = findings(captured(name))[0]
    assert first.severity == "attention"
    assert "may be damaged" in first.text
    assert first.advice.endswith("run: e2fsck -f -- /dev/usb")


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (Reading(exit=1, err="dumpe2fs 1.47.0 (5-Feb-2023)\ndumpe2fs: No such file\n"), "dumpe2fs: No such file"),
        (Reading(exit=0, err="dumpe2fs 1.47.0 (5-Feb-2023)\n"), "dumpe2fs ended with 0"),
        (Reading(exit=None, err="timed out"), "timed out"),
    ],
)
def test_a_disk_that_cannot_be_read_is_for_a_person(reading: Reading, why: str) -> None:
    (only,) = findings(reading)
    assert only.severity == "attention"
    assert only.text.endswith(f"cannot be read: {why}")


def test_a_disk_whose_host_did_not_answer_is_unknown() -> None:
    nothing = Facts(at=NOW, hosts={DISK.host: HostFacts(name=DISK.host)})
    (only,) = hook(DISK).check_plan(PLAN, nothing)
    assert (only.severity, only.text.endswith("its next check is not known")) == ("note", True)


@pytest.mark.parametrize("text", ["", "{}", "[]", "Traceback", '{"clock": "now"}', '{"filesystems": 3}'])
def test_an_answer_that_makes_no_sense_is_none(text: str) -> None:
    odd = HostFacts(name=DISK.host, readings={"fsck": Reading(exit=1, out=text)})
    (only,) = hook(DISK).check_plan(REBOOTING, Facts(at=NOW, hosts={DISK.host: odd}))
    assert only.text.endswith("its next check is not known")
    assert only.severity == "attention"


def test_in_the_sandbox_no_disk_is_asked_and_one_note_says_so() -> None:
    sandbox = Plan(id="p", made_at=NOW, site="babase", live=False)
    (only,) = hook(DISK, DISK).check_plan(sandbox, Facts(at=NOW, hosts={}))
    assert only.text == "the sandbox has no disks to check"


@pytest.mark.parametrize("live", [True, False])
def test_a_plan_of_no_job_of_the_site_had_no_disk_read_and_hears_nothing(live: bool) -> None:
    known = site(DISK, jobs=(Job(name="prune-a", kind="prune", host=DISK.host, options=None),))
    nothing = Facts(at=NOW, hosts={DISK.host: HostFacts(name=DISK.host)})
    pin, prune = (PlannedJob(name=name, kind="k") for name in ("pin-a", "prune-a"))
    of_a_pin, of_a_job = (replace(PLAN, live=live, jobs=jobs) for jobs in ((pin,), (pin, prune)))
    asked = Asked(fsck=plugin({}), site=known)
    assert asked.check_plan(of_a_pin, nothing) == ()
    assert len(asked.check_plan(of_a_job, nothing)) == 1


def test_a_site_without_disks_hears_nothing() -> None:
    assert hook().check_plan(PLAN, Facts(at=NOW, hosts={})) == ()


def test_a_reboot_is_told_why_how_long_and_by_what_that_is_known() -> None:
    begun = "2026-01-01T00:00:00.500000Z"
    last = {"device": "/dev/usb", "started": begun, "seconds": 600.0, "inodes": 11, "blocks": 26752}
    other = {**last, "started": "2025-06-01T00:00:00Z", "seconds": 5.0}
    (only,) = findings(captured("due"), plan=REBOOTING, checks=[other, last], used=26_000_000, inodes_used=11)
    assert only.text == (
        "the next boot checks disk usb (/dev/usb of backup-server1): its last check was on 2026-01-01, and it is "
        "checked every 120 days; that takes 6 min to 16 min 2 s (the last check here took 10 min)"
    )
    assert only.do.startswith("leave 16 min 2 s for it: until the check ends, the disk is not there")


def test_without_nofail_the_host_itself_is_away_until_the_check_ends() -> None:
    (only,) = findings(captured("due"), plan=REBOOTING, nofail=False)
    assert "the host is not back" in only.do


def test_it_is_the_time_of_the_announced_reboot_that_counts() -> None:
    known = facts(extfs(captured("120d")))
    later = Announced(at=datetime(2027, 4, 1, tzinfo=UTC), notified=NOW)
    (now,) = hook(DISK).check_plan(REBOOTING, known)
    (then,) = hook(DISK).check_plan(REBOOTING, replace(known, announced={"r": later}))
    assert (now.text[:7], then.text[:22]) == ("a boot ", "the next boot checks d")


def test_it_is_the_clock_of_the_host_that_counts() -> None:
    known = facts(extfs(captured("120d")), clock="2027-04-01T00:00:00Z")
    (only,) = hook(DISK).check_plan(REBOOTING, known)
    assert only.text.startswith("the next boot checks disk usb")
    behind = facts(extfs(captured("120d")), clock="2020-01-01T00:00:00Z")
    (only,) = hook(DISK).check_plan(REBOOTING, behind)
    assert "the clock was wrong" in only.text


def test_a_check_that_is_near_is_told_before_a_reboot() -> None:
    at = datetime(2027, 3, 20, tzinfo=UTC)
    (near,) = hook(DISK).check_plan(REBOOTING, facts(extfs(captured("120d")), at=at))
    assert near.severity == "note"
    assert "from 2027-03-23 on, which is near; that takes" in near.text
    (mounts,) = findings(captured("mounted-first"), disk=FREE, plan=REBOOTING)
    assert "after 2 more mounts, which is near" in mounts.text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pass": 0}, "the last column of its line in fstab is 0"),
        ({"pass": None}, "fstab has no line for it"),
        ({"noauto": True}, "fstab says noauto"),
    ],
)
def test_a_due_disk_that_no_boot_looks_at_is_told_so(changes: dict[str, Any], why: str) -> None:
    (only,) = findings(captured("due"), plan=REBOOTING, **changes)
    assert (only.severity, only.text.endswith(f"would be checked, but no boot does it: {why}")) == ("note", True)


def test_a_kernel_that_is_told_to_check_checks_what_is_not_due() -> None:
    known = facts(extfs(captured("120d")), kernel=["fsck.mode=force"])
    (only,) = hook(DISK).check_plan(REBOOTING, known)
    assert "fsck.mode=force forces a check of all filesystems" in only.text


def test_the_root_is_told_of_before_a_reboot_and_left_alone_otherwise() -> None:
    root = extfs(captured("due"), device="/dev/sda1", devices=[], mount="/", at="/", nofail=False, **{"pass": 0})
    known = facts(extfs(captured("120d")), root)
    assert len(hook(DISK).check_plan(PLAN, known)) == 1
    disk, finding = hook(DISK).check_plan(REBOOTING, known)
    assert finding.text.startswith("the next boot checks filesystem / (/dev/sda1 of backup-server1): its last check")
    assert "a boot checks disk usb" in disk.text


def test_a_filesystem_in_order_that_is_no_disk_of_ours_is_not_worth_a_word() -> None:
    home = extfs(captured("120d"), device="/dev/sda2", devices=[], mount="/home", at="/home")
    assert len(hook(DISK).check_plan(REBOOTING, facts(extfs(captured("120d")), home))) == 1


def test_a_check_that_may_not_fit_into_memory_is_told() -> None:
    known = facts(extfs(captured("due"), directories=10**8), memory=1 << 30)
    _, memory = hook(DISK).check_plan(REBOOTING, known)
    assert memory.severity == "attention"
    assert "of memory, and backup-server1 has 1.0 GiB" in memory.text


def test_a_mount_point_with_a_line_end_stays_one_line() -> None:
    odd = extfs(captured("due"), devices=[], mount="/a\nb", at="")
    made = hook(DISK).check_plan(REBOOTING, facts(extfs(captured("120d")), odd))
    assert all("\n" not in finding.text for finding in made)


def test_hosts_without_disks_are_asked_where_a_job_reboots_them() -> None:
    job = Job(name="reboot-papio", kind="reboot", host="papio", options=None)
    (probe,) = plugin({}).declare_probes(site(jobs=(job,)))
    assert (probe.id, probe.host, probe.argv) == ("fsck", "papio", ("runner-agent", "boot-checks", "--speed", "--"))
    (probe,) = plugin({}).declare_probes(site(DISK))
    assert probe.argv == ("runner-agent", "boot-checks", "--", "/dev/usb")


def test_a_kind_that_reboots_asks_the_same_question_and_measures_the_disk() -> None:
    probe = agent_checks.probe("backup-server1", ["/dev/usb"])
    (own,) = plugin({}).declare_probes(site(DISK, jobs=(Job(name="r", kind="reboot", host=DISK.host, options=None),)))
    assert own == probe
