"""What the fsck hook puts around a reboot when a disk is due: a check before it, or one boot without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from runner.jobs.power import boot_checks
from runner.model.facts import Facts
from runner.model.plan import Check, Command, Effect, Finding, Insertion, Lock, Plan, PlannedJob, Step
from runner.model.site import Job, Store
from tests.unit import parts
from tests.unit.hooks.test_fsck_hook import DISK, NOW, captured, extfs, facts, hook, site

HOST = "backup-server1"
STORE = Store(name="papio", host=HOST, path="/srv/papio", disk="usb")
PROGRAM = "/usr/local/sbin/runner-agent"
PLAN = "20261123T080000.000Z"
LOCK = Lock(resource="store papio", host=HOST, argv=("hold",), until="reboot-it/release-papio")
JOB = PlannedJob(name="reboot-it", kind="reboot", locks=(LOCK,))


def step(name: str, effect: Effect = Effect.READ) -> Step:
    return Step(
        id=f"reboot-it/{name}", job="reboot-it", host=HOST, action=Command(argv=(name,)), effect=effect, why="",
        needs=("power",), **parts.role(f"reboot-it/{name}"),
    )  # fmt: skip


STEPS = (step("idle"), step("reboot", Effect.INTERRUPT), step("back"), step("settled"), step("mounted"))
DUE = facts(extfs(captured("due")))


def wishes(
    when_due: str, known: Facts = DUE, job: PlannedJob = JOB, steps: tuple[Step, ...] = STEPS
) -> Sequence[Insertion]:
    return hook(DISK, when_due=when_due, stores=(STORE,)).add_steps(job, steps, known)


def shown(wish: Insertion) -> tuple[str, str, str]:
    return (wish.step.id.removeprefix("reboot-it/"), wish.where, wish.anchor.removeprefix("reboot-it/"))


def argv(wish: Insertion) -> tuple[str, ...]:
    assert isinstance(wish.step.action, Command)
    return wish.step.action.argv


def test_by_default_nothing_is_done_about_it() -> None:
    assert wishes("tell") == ()


def test_a_disk_that_is_due_is_let_go_unmounted_and_checked_before_the_reboot() -> None:
    given = wishes("forward")
    assert [shown(wish) for wish in given] == [
        ("release-papio", "before", "reboot"),
        ("unmount-usb", "before", "reboot"),
        ("check-usb", "before", "reboot"),
        ("mount-usb", "after", "mounted"),
    ]
    lets, unmount, check, mount = given
    assert argv(lets) == (PROGRAM, "release", "/srv/papio", f"--plan={PLAN}")
    assert argv(unmount) == ("umount", "--", "/srv")
    assert argv(check)[-5:] == ("e2fsck", "-p", "-f", "--", "/dev/usb")
    assert argv(check)[1:4] == ("detach", f"--plan={PLAN}", "--step=reboot-it/check-usb")
    assert argv(mount) == ("mount", "--", "/srv")
    assert (check.step.ok_codes, check.step.detached) == ((0, 1), True)
    assert [wish.step.effect for wish in given] == [Effect.WRITE, Effect.INTERRUPT, Effect.WRITE, Effect.WRITE]


def test_nothing_is_taken_from_whoever_uses_the_disk() -> None:
    guard = wishes("forward")[0].step.guard
    assert guard == Check(
        host=HOST, field="users", relation="==", value=0, why="nobody uses /srv",
        argv=(PROGRAM, "in-use", f"--plan={PLAN}", "--store=/srv/papio", "--", "/srv"),
    )  # fmt: skip
    unlocked = wishes("forward", job=replace(JOB, locks=()))
    assert [shown(wish)[0] for wish in unlocked] == ["unmount-usb", "check-usb", "mount-usb"]
    assert unlocked[0].step.guard is not None


def test_the_disk_is_mounted_again_if_there_was_no_boot_unless_errors_are_left() -> None:
    mount = wishes("forward")[-1].step
    assert isinstance(mount.unless, Check)
    assert (mount.unless.field, mount.unless.value) == ("mounted", True)
    assert mount.guard is not None
    assert (mount.guard.field, mount.guard.value) == ("sound", True)
    assert mount.despite == tuple(
        f"reboot-it/{name}"
        for name in ("release-papio", "unmount-usb", "check-usb", "reboot", "back", "settled", "mounted")
    )


def test_a_disk_that_is_not_mounted_is_only_checked() -> None:
    away = facts(extfs(captured("due"), mount=""))
    assert [shown(wish)[0] for wish in wishes("forward", away)] == ["check-usb"]


def test_a_store_that_the_job_holds_until_the_reboot_keeps_its_disk_where_it_is() -> None:
    longer = replace(JOB, locks=(replace(LOCK, until="reboot-it/reboot"),))
    assert wishes("forward", job=longer) == ()


def test_this_boot_passes_without_the_check_and_the_next_ones_do_not() -> None:
    off, on = wishes("defer")
    assert (shown(off), shown(on)) == (("put-off-usb", "before", "reboot"), ("put-on-usb", "after", "mounted"))
    assert argv(off) == ("tune2fs", "-i", "0", "-c", "0", "--", "/dev/usb")
    assert argv(on) == ("tune2fs", "-i", "10368000s", "-c", "0", "--", "/dev/usb")
    # It comes back whatever became of the boot.
    assert on.step.despite == tuple(
        f"reboot-it/{name}" for name in ("put-off-usb", "reboot", "back", "settled", "mounted")
    )
    # But not while it goes down, as where the run is stopped then: that boot would check after all.
    assert on.step.guard and (on.step.guard.field, on.step.guard.relation, on.step.guard.value) == (
        "system",
        "!=",
        "stopping",
    )


@pytest.mark.parametrize("when_due", ["forward", "defer"])
@pytest.mark.parametrize(
    "known",
    [
        facts(extfs(captured("120d"))),
        facts(extfs(captured("due"), **{"pass": 0})),
        facts(extfs(captured("not-clean"))),
        facts(extfs(captured("errors"))),
        facts(extfs(captured("due")), kernel=["fsck.mode=force"]),
        facts(extfs(captured("due"), mount="/elsewhere")),
        facts(extfs(captured("due"), devices=[], mount="/", at="/")),
        facts(),
        facts(extfs(captured("due"), exit=1, error="no such device")),
    ],
    ids=["not due", "pass 0", "not clean", "errors", "forced", "elsewhere", "the root", "no answer", "unreadable"],
)  # fmt: skip
def test_what_is_not_due_or_damaged_or_not_ours_is_left_to_the_boot(when_due: str, known: Facts) -> None:
    assert wishes(when_due, known) == ()


def test_a_job_that_reboots_nothing_is_left_alone() -> None:
    assert wishes("forward", steps=(step("idle"), step("poweroff", Effect.INTERRUPT))) == ()
    assert wishes("defer", steps=(step("reboot"),)) == ()


def test_of_two_reboots_the_first_counts() -> None:
    twice = (step("first/reboot", Effect.INTERRUPT), step("first/back"), *STEPS)
    assert [shown(wish) for wish in wishes("defer", steps=twice)] == [
        ("put-off-usb", "before", "first/reboot"), ("put-on-usb", "after", "mounted"),
    ]  # fmt: skip


@pytest.mark.parametrize("when_due", ["forward", "defer", "tell"])
def test_the_kind_and_the_hook_agree_on_what_is_brought_forward(when_due: str) -> None:
    from runner.model.site import Hook

    job = Job(name="reboot-it", kind="reboot", host=HOST, options=None)
    used = Hook(name="fsck", module="hooks.fsck", settings={"when_due": when_due})
    known = site(DISK, hooks=(used,), stores=(STORE,))
    early = [disk.name for disk, _ in boot_checks.brought_forward(known, DUE, job)]
    assert early == (["usb"] if when_due == "forward" else [])
    assert any(shown(wish)[0] == "check-usb" for wish in wishes(when_due)) == bool(early)


def findings(when_due: str, *steps: Step, known: Facts = DUE) -> list[Finding]:
    plan = Plan(id="p", made_at=NOW, site="babase", live=True, steps=steps)
    return list(hook(DISK, when_due=when_due, stores=(STORE,)).check_plan(plan, known))


def test_a_check_before_the_reboot_is_a_note_with_how_long_it_takes() -> None:
    (only,) = findings("forward", *(wish.step for wish in wishes("forward")), *STEPS)
    assert only.severity == "note"
    assert "is checked before the host goes down, since its last check was on 2026-01-01" in only.text
    assert "that takes" in only.text


def test_a_check_that_is_put_off_is_a_note() -> None:
    (only,) = findings("defer", *(wish.step for wish in wishes("defer")), *STEPS)
    assert (only.severity, only.text.endswith("; the next one does")) == ("note", True)


def test_what_could_not_be_done_as_asked_is_for_a_person() -> None:
    (only,) = findings("forward", *STEPS)
    assert only.severity == "attention"
    assert 'this job cannot do what when_due = "forward" asks' in only.text
    damaged = findings("forward", *STEPS, known=facts(extfs(captured("not-clean"))))
    assert any("damage is never put off" in wish.text for wish in damaged)
    (forced,) = findings("defer", *STEPS, known=facts(extfs(captured("120d")), kernel=["fsck.mode=force"]))
    assert "that cannot be put off" in forced.text


def test_a_check_gets_days_before_it_is_given_up() -> None:
    timeouts = [wish.step.timeout for wish in wishes("forward") if shown(wish)[0] == "check-usb"]
    assert timeouts == [int(timedelta(days=2).total_seconds())]
