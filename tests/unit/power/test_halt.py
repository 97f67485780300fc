"""Kind `halt`: what is planned before a host loses its power, and what forbids it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.jobs.power.halt import HaltKind, HaltOptions
from runner.model.facts import Facts
from runner.model.kind import Draft
from runner.model.plan import Command, Effect, Ended, Step, WaitFor
from runner.model.run import Outcome, State
from runner.model.site import Disk, Job, Store
from runner.planning import planner, review
from runner.planning.passes import rest
from tests.unit.parts import NOW, PAPIO, SERVER, plan
from tests.unit.power_parts import facts, host_readings, site

PROGRAM = "/usr/local/sbin/runner-agent"
PLAN = "20261123T081500.000Z"
OTHER = "20261123T031500.000Z"
HOLDER = {"plan": OTHER, "who": "backup of papio", "pid": 7, "since": NOW}
BUSY = {"idle": {"idle": False, "error": "rsync (process 7 of user 0) is at work"}}


def job(host: str = SERVER, **options: Any) -> Job:
    values = {"start": "the round button", **options}
    return Job(name="halt-server", kind="halt", host=host, options=HaltOptions(**values))


def draft(own: Job, known: Facts, **changes: Any) -> Draft:
    return HaltKind().draft(site(own, **changes), own, known, known.at)


def steps(drawn: Draft) -> dict[str, Step]:
    return {step.id.partition("/")[2]: step for step in drawn.steps}


def argv(step: Step) -> tuple[str, ...]:
    return step.action.argv if isinstance(step.action, Command) else step.action.until.argv  # type: ignore[union-attr]


def test_everything_is_written_and_unmounted_before_the_power_goes() -> None:
    drawn = draft(job(), facts())
    planned = steps(drawn)
    assert list(planned) == ["idle", "sync", "release-papio", "unmount-disk", "poweroff", "gone", "mount-disk"]
    assert argv(planned["release-papio"]) == (PROGRAM, "release", "/srv/backups/papio", f"--plan={PLAN}")
    assert argv(planned["unmount-disk"]) == ("umount", "--", "/srv/backups/papio")
    assert argv(planned["poweroff"]) == ("systemctl", "poweroff", "--check-inhibitors=yes")
    gone = planned["gone"].action
    assert isinstance(gone, WaitFor)
    assert gone.gone
    assert all(step.despite == () for step in drawn.steps[:-1])
    assert drawn.planned is not None
    assert drawn.planned.headline == "the round button"


def test_a_look_at_a_disk_at_its_limit_has_the_time_that_its_sync_has() -> None:
    planned = steps(draft(job(), facts()))
    assert {planned[name].timeout for name in ("idle", "sync", "release-papio", "unmount-disk")} == {3600}


def test_a_disk_that_was_unmounted_for_nothing_is_mounted_again_and_no_other() -> None:
    two = (
        Disk(name="disk", host=SERVER, device="/dev/sdb1", mount="/srv/backups/papio"),
        Disk(name="home", host=SERVER, device="/dev/sdc1", mount="/home"),
    )
    read = facts()
    here = read.hosts[SERVER]
    home = replace(here.filesystems[-1], mount="/home", source="/dev/sdc1", dev=99)
    here = replace(here, filesystems=(*here.filesystems, home))
    known = steps(draft(job(), replace(read, hosts={**read.hosts, SERVER: here}), disks=two))
    assert list(known)[-7:] == [
        "release-papio", "unmount-disk", "unmount-home", "poweroff", "gone", "mount-home", "mount-disk",
    ]  # fmt: skip
    assert argv(known["mount-disk"]) == ("mount", "--", "/srv/backups/papio")
    assert known["mount-disk"].unless == Ended(step="halt-server/poweroff", codes=(0, 255))
    # Not where its own unmounting failed: it is mounted then. Nor where the host still answers: it goes down.
    assert known["mount-home"].despite == ("halt-server/poweroff",)
    assert known["mount-disk"].despite == tuple(
        f"halt-server/{name}" for name in ("unmount-home", "poweroff", "mount-home")
    )


def test_after_the_controller_was_off_nothing_of_the_plan_is_left() -> None:
    disk = Disk(name="own", host=PAPIO, device="/dev/sdz1", mount="/home")
    own = job(host=PAPIO)
    known = facts(host=PAPIO)
    drawn = draft(own, known, disks=(*site(own).disks, disk))
    assert "mount-own" in steps(drawn)
    assert drawn.planned is not None
    whole = plan(*drawn.steps, jobs=(drawn.planned,))
    done = tuple(
        Outcome(step=step.id, role=step.role, subject=step.subject, job=step.job, state=State.DONE, exit=0)
        for step in drawn.steps
        if step.id != "halt-server/mount-own"
    )
    assert rest(whole, done, PAPIO) is None


def test_the_disk_is_let_go_only_when_nobody_else_uses_it() -> None:
    guard = steps(draft(job(), facts()))["release-papio"].guard
    assert guard is not None
    assert (guard.field, guard.relation, guard.value) == ("users", "==", 0)
    assert "--store=/srv/backups/papio" in guard.argv


def test_the_power_goes_only_in_the_boot_that_was_planned_for_and_when_nothing_is_written() -> None:
    guard = steps(draft(job(), facts()))["poweroff"].guard
    assert guard is not None
    assert guard.argv == (PROGRAM, "idle", "--boot=boot")


def test_a_machine_that_is_up_again_is_never_switched_off_by_what_was_left_of_the_plan() -> None:
    # What is gone on with after a boot is what comes behind a step that takes the power away.
    planned = steps(draft(job(), facts()))
    taking = [name for name, step in planned.items() if step.effect == Effect.INTERRUPT and "power" in step.needs]
    assert taking == ["poweroff"]


def test_locks_are_held_until_the_disk_goes_or_the_host() -> None:
    drawn = draft(job(), facts())
    assert drawn.planned is not None
    until = {lock.resource: lock.until for lock in drawn.planned.locks}
    assert until == {
        "packages of server": "halt-server/poweroff", "power of server": "halt-server/poweroff",
        "dumps of server": "halt-server/poweroff", "drill on server": "halt-server/poweroff",
        "restores of databases on server": "halt-server/poweroff",
        "store papio": "halt-server/release-papio", "store server": "halt-server/poweroff",
    }  # fmt: skip


def test_while_something_is_being_written_it_is_not_switched_off() -> None:
    held = facts(changes={SERVER: {"store": {"holder": HOLDER}}})
    for known in (facts(host_readings(**BUSY)), held):
        drawn = draft(job(), known)
        assert drawn.planned is None
        assert [finding.severity for finding in drawn.findings if finding.severity != "note"] == ["refusal"]


def test_told_to_stop_writers_it_takes_the_store_from_the_plan_that_it_saw_and_from_no_other() -> None:
    drawn = draft(job(stop_writers=True), facts(host_readings(**BUSY), changes={SERVER: {"store": {"holder": HOLDER}}}))
    assert drawn.planned is not None
    last = drawn.planned.locks[-1]
    assert last.resource == "store papio"
    assert last.argv == (
        PROGRAM, "take-over", "/srv/backups/papio", f"--from={OTHER}", f"--plan={PLAN}", "--who=halt-server of papio",
        "--mount=/srv/backups/papio", "--uuid=11111111-2222-3333-4444-555555555555",
    )  # fmt: skip
    still = steps(drawn)["idle"].action
    assert isinstance(still, WaitFor)
    (cut,) = [finding for finding in drawn.findings if "is cut off" in finding.text]
    assert cut.severity == "note", "the next run sees to it, and nobody else has to"
    assert "what backup of papio" in cut.text
    assert "the next run goes on with it" in cut.text


def test_a_writer_without_a_store_is_not_stopped() -> None:
    drawn = draft(job(stop_writers=True), facts(host_readings(**BUSY)))
    assert drawn.planned is None


def test_a_restore_is_never_cut_off() -> None:
    sealed = [{"name": "2026-11-22T081500Z", "being_read": True}]
    store = {"sealed": sealed, "holder": HOLDER}
    drawn = draft(job(stop_writers=True), facts(changes={SERVER: {"store": store}}))
    assert drawn.planned is None


def test_a_disk_that_is_not_mounted_is_not_unmounted() -> None:
    root = [{"mount": "/", "source": "/dev/sda1", "dev": 1, "type": "ext4", "size": 1}]
    changes = {SERVER: {"filesystems": root, "store": {"problem": "the disk is not mounted"}}}
    assert list(steps(draft(job(), facts(changes=changes)))) == ["idle", "sync", "poweroff", "gone"]


def test_a_disk_below_another_is_unmounted_first() -> None:
    disks = (
        Disk(name="outer", host=SERVER, device="/dev/sdb1", mount="/srv/backups/papio"),
        Disk(name="inner", host=SERVER, device="/dev/sdc1", mount="/srv/backups/papio/old"),
    )
    mounts = ["/", "/srv/backups/papio", "/srv/backups/papio/old"]
    filesystems = [
        {"mount": mount, "source": "/dev/sdx", "dev": number, "type": "ext4", "size": 1}
        for number, mount in enumerate(mounts)
    ]
    stores = (Store(name="papio", host=SERVER, path="/srv/backups/papio"),)
    drawn = draft(job(), facts(changes={SERVER: {"filesystems": filesystems}}), disks=disks, stores=stores)
    assert list(steps(drawn)) == [
        "idle", "sync", "unmount-inner", "release-papio", "unmount-outer", "poweroff", "gone", "mount-outer",
        "mount-inner",
    ]  # fmt: skip


def test_when_the_runner_is_on_the_host_nobody_is_left_to_see_that_it_is_off() -> None:
    drawn = draft(job(host=PAPIO), facts(host=PAPIO))
    assert list(steps(drawn))[-1] == "poweroff"


def test_what_must_be_pressed_is_in_the_plan() -> None:
    notes = [finding.text for finding in draft(job(), facts()).findings]
    assert "to start server again: the round button" in notes


@pytest.mark.parametrize(
    ("systemd", "wanted"),
    [(True, ("systemctl", "poweroff", "--check-inhibitors=yes")), (False, ("shutdown", "-h", "-P", "now"))],
)
def test_the_power_really_goes(systemd: bool, wanted: tuple[str, ...]) -> None:
    planned = steps(draft(job(), facts(host_readings(up={"systemd": systemd}))))
    assert argv(planned["poweroff"]) == wanted


def test_the_sandbox_is_not_switched_off() -> None:
    drawn = draft(job(), facts(), live=False)
    assert drawn.skip is not None
    assert drawn.skip.reason == "the sandbox cannot be switched off"


def test_the_plan_holds_together_and_needs_a_person() -> None:
    own = job()
    plan = planner.draft(site(own), (own,), facts(), {"halt": HaltKind()}, {})
    assert plan.effect == Effect.INTERRUPT
    assert [finding for finding in review.check(plan) if finding.severity == "refusal"] == []
