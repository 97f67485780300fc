"""What people are told of a reboot or a halt: how long it took, what is missing, what was seen last."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.jobs.power.report import away, power_report
from runner.model.plan import PlannedJob
from runner.model.run import JobReport, Outcome, State, Verdict
from tests.unit import parts
from tests.unit.parts import NOW

JOB = PlannedJob(name="reboot-server", kind="reboot")
HALT = PlannedJob(name="halt-server", kind="halt", headline="the round button\x1b")


def outcome(name: str, begun: float, ended: float, state: State = State.DONE, **changes: Any) -> Outcome:
    values: dict[str, Any] = {
        "step": name, "job": name.partition("/")[0], "state": state, "started": NOW + timedelta(seconds=begun),
        "ended": NOW + timedelta(seconds=ended), "exit": 0, **parts.role(name),
    }  # fmt: skip
    return Outcome(**{**values, **changes})


def rebooted(*after: Outcome, back: State = State.DONE, **changes: Any) -> JobReport:
    steps = [
        outcome("reboot-server/idle", 0, 1),
        outcome("reboot-server/reboot", 10, 12),
        outcome("reboot-server/back", 12, 202, back, **changes),
    ]
    report = power_report(JOB, (*steps, *after))
    assert report is not None
    return report


def test_a_host_that_is_back_is_told_with_the_time_it_was_away() -> None:
    report = rebooted(
        outcome("reboot-server/settled", 202, 250),
        outcome("reboot-server/kernel", 250, 251, result={"returned": True, "running": "6.1.0-56-amd64"}),
        outcome("reboot-server/disk-disk", 251, 252),
    )
    assert report.verdict == Verdict.DONE
    assert report.headline == "is back after 3 min 12 s; 3 things looked at, all as before"
    assert report.details == (
        "down at 2026-11-23 08:15:10 UTC, up at 2026-11-23 08:18:22 UTC",
        "its boot was over after 4 min", "it runs kernel 6.1.0-56-amd64",
    )  # fmt: skip


def test_everything_that_is_missing_is_named_at_once() -> None:
    report = rebooted(
        outcome("reboot-server/settled", 202, 250),
        outcome("reboot-server/kernel", 250, 251, State.FAILED, note="the kernel that runs is a, not b -> look",
                result={"error": "the kernel that runs is a, not b", "do": "look at grub"}),
        outcome("reboot-server/disk-disk", 251, 252, State.FAILED,
                result={"error": "nothing is mounted at /srv/backups/papio", "do": "see dmesg"}),
        outcome("reboot-server/units", 252, 253),
        outcome("reboot-server/page", 253, 260, State.FAILED, note="given up after 10 min"),
    )  # fmt: skip
    assert report.verdict == Verdict.FAILED
    assert report.headline == (
        "is back after 3 min 12 s, but not as it was: the kernel that runs is a, not b; "
        "nothing is mounted at /srv/backups/papio; given up after 10 min"
    )
    assert "kernel: look at grub" in report.details
    assert "disk-disk: see dmesg" in report.details


def test_a_host_that_does_not_come_back_is_told_with_what_was_seen_last() -> None:
    report = rebooted(
        outcome("reboot-server/settled", 0, 0, State.NOT_REACHED),
        back=State.FAILED, note="given up after 30 min", result={"error": "it answers, but is still in the boot before"},
    )  # fmt: skip
    assert report.verdict == Verdict.FAILED
    assert report.headline == (
        "did not come back within 3 min 12 s: ask somebody on the spot what its screen shows; "
        "a disk check must not be cut off"
    )
    assert "given up after 30 min" in report.details
    assert "seen last" not in " ".join(report.details), "what was seen last stands in the note, and nowhere else"
    unsaid = rebooted(back=State.FAILED, result={"error": "it answers, but is still in the boot before"})
    assert "seen last: it answers, but is still in the boot before" in unsaid.details
    silent = rebooted(back=State.FAILED)
    assert "seen last: it has not answered since" in silent.details


CHECKS: list[Any] = [
    {"device": "/dev/disk/by-label/papio", "mount": "/srv/papio", "uuid": "aa", "seconds": 9.1},
    {"device": "/dev/sda2", "mount": "/home\n", "uuid": "", "seconds": 4000},
    {"device": "/dev/sda3", "mount": ""},
]  # fmt: skip


def test_each_disk_that_the_boot_checked_is_told_by_its_name_with_how_long_that_took() -> None:
    report = rebooted(
        outcome("reboot-server/settled", 202, 250, result={"returned": True, "checks": CHECKS}),
        outcome("reboot-server/disk-usb", 250, 251, result={"returned": True, "uuid": "aa"}),
    )
    assert report.verdict == Verdict.DONE
    assert report.details[2:] == (
        "disk usb was checked in 9.1 s", "filesystem /home\\n was checked in 1 h 6 min",
        "filesystem /dev/sda3 was checked",
    )  # fmt: skip


def test_a_host_that_does_not_say_what_it_checked_is_told_as_any_other() -> None:
    for odd in ("x", None, {"a": 1}, 7, [*CHECKS, "nonsense"], [{**CHECKS[0], "seconds": "long"}]):
        settled = outcome("reboot-server/settled", 202, 250, result={"checks": odd})
        assert len(rebooted(settled).details) == 2


def early(code: int) -> Outcome:
    log = ["papio: Inode 12, i_blocks is 8, should be 0.  FIXED.", "papio: 12/65536 files"]
    result = {"detached": True, "exit": code, "seconds": 75.0, "log": log}
    return outcome("reboot-server/check-usb", -90, -10, exit=code, result=result)


def test_errors_that_a_check_before_the_reboot_put_right_are_said_and_shown() -> None:
    report = rebooted(early(1))
    assert report.verdict == Verdict.ATTENTION
    assert report.headline.endswith("; errors on disk usb were put right")
    assert "disk usb was checked in 1 min 15 s before the host went down: errors were put right" in report.details
    assert "e2fsck: papio: Inode 12, i_blocks is 8, should be 0.  FIXED." in report.details
    assert any("errors were put right" in line for line in rebooted(early(1), back=State.FAILED).details)


@pytest.mark.parametrize("result", [{}, {"detached": "yes"}, {"detached": True, "log": 7}])
def test_errors_that_were_put_right_are_said_although_the_answer_makes_no_sense(result: dict[str, Any]) -> None:
    report = rebooted(replace(early(1), result=result))
    assert report.verdict == Verdict.ATTENTION
    assert report.headline.endswith("; errors on disk usb were put right")
    assert "disk usb was checked before the host went down: errors were put right" in report.details
    assert any("at the cable of disk usb" in line for line in report.details)


def test_a_check_before_the_reboot_that_found_nothing_is_one_line() -> None:
    report = rebooted(early(0))
    assert report.verdict == Verdict.DONE
    (line,) = [detail for detail in report.details if "usb" in detail]
    assert line == "disk usb was checked in 1 min 15 s before the host went down: no error was found"


def test_a_reboot_that_was_never_begun_is_told_as_any_other_step_that_failed() -> None:
    for state in (State.FAILED, State.STALE, State.NOT_REACHED):
        steps = (outcome("reboot-server/idle", 0, 1), outcome("reboot-server/reboot", 1, 2, state))
        assert power_report(JOB, steps) is None


def test_while_it_is_down_nobody_says_that_it_is_back() -> None:
    report = rebooted(back=State.NOT_REACHED)
    assert report.verdict == Verdict.ATTENTION
    assert "whether it came back is not known yet" in report.headline


def test_a_step_of_a_hook_that_was_skipped_counts_for_nothing() -> None:
    report = rebooted(outcome("reboot-server/settled", 202, 250), outcome("reboot-server/x", 0, 0, State.NOT_NEEDED))
    assert report.headline.startswith("is back after 3 min 12 s; 1 thing looked at")


def halted(*last: Outcome) -> JobReport | None:
    return power_report(HALT, (
        outcome("halt-server/idle", 0, 1), outcome("halt-server/sync", 1, 3),
        outcome("halt-server/release-papio", 3, 4), outcome("halt-server/unmount-disk", 4, 5), *last,
    ))  # fmt: skip


def test_a_host_that_is_off_is_told_with_what_was_unmounted_and_what_to_press() -> None:
    report = halted(outcome("halt-server/poweroff", 5, 6), outcome("halt-server/gone", 6, 50))
    assert report is not None
    assert report.verdict == Verdict.DONE
    assert report.headline == (
        "is going off, and has not answered since 2026-11-23 08:15:50 UTC: unplug it when its lights are out"
    )
    assert report.details == (
        "written to its disks at 2026-11-23 08:15:03 UTC", "disk disk unmounted at 2026-11-23 08:15:05 UTC",
        "to start it again: the round button\\x1b",
    )  # fmt: skip


def test_a_host_that_still_answers_must_not_be_unplugged() -> None:
    report = halted(
        outcome("halt-server/poweroff", 5, 6), outcome("halt-server/gone", 6, 50, State.FAILED, note="given up")
    )
    assert report is not None
    assert report.verdict == Verdict.FAILED
    assert "do not unplug it" in report.headline


def test_where_nobody_waited_to_the_end_it_is_not_said_to_be_on_or_off() -> None:
    report = halted(
        outcome("halt-server/poweroff", 5, 6),
        outcome("halt-server/gone", 6, 9, State.INTERRUPTED, note="stopped while it ran"),
    )
    assert report is not None
    assert report.verdict == Verdict.FAILED
    assert "nobody saw whether it did" in report.headline and "answers" not in report.headline


def test_what_could_not_be_put_right_at_a_host_that_is_away_is_named() -> None:
    report = rebooted(
        outcome("reboot-server/put-on-disk", 202, 203, State.FAILED, note="ssh: no route to host"),
        back=State.FAILED, note="given up after 30 min",
    )  # fmt: skip
    assert "also not done: put-on-disk: ssh: no route to host" in report.details


def test_a_clock_that_was_put_back_makes_no_duration() -> None:
    steps = (outcome("reboot-server/reboot", 3600, 3602), outcome("reboot-server/back", 3602, 200))
    report = power_report(JOB, steps)
    assert report is not None
    assert report.headline.startswith("is back after some time")


def test_the_runners_own_host_says_that_it_was_told_to_go() -> None:
    report = halted(outcome("halt-server/poweroff", 5, 6))
    assert report is not None
    assert "look at its lights" in report.headline


def test_a_halt_that_did_not_come_so_far_is_told_as_any_other_step_that_failed() -> None:
    assert halted(outcome("halt-server/poweroff", 5, 6, State.STALE)) is None


def test_a_run_that_was_stopped_says_what_it_had_told_the_host_and_what_to_do() -> None:
    report = rebooted(back=State.INTERRUPTED, note="stopped while it ran; waited 3 min, last seen: no answer")
    assert report.verdict == Verdict.FAILED
    assert report.headline == (
        "was told to restart and was not seen again: the run was stopped after 3 min 12 s; "
        "plan reboot-server again to see how it is"
    )
    assert "told to restart at 2026-11-23 08:15:10 UTC" in report.details
    assert "stopped while it ran; waited 3 min, last seen: no answer" in report.details


def test_a_run_that_was_stopped_after_the_host_was_back_says_what_was_not_looked_at() -> None:
    report = rebooted(
        outcome("reboot-server/settled", 202, 250, State.INTERRUPTED, note="stopped while it ran"),
        outcome("reboot-server/page", 250, 250, State.INTERRUPTED, note="stopped before it began"),
    )
    assert report.verdict == Verdict.ATTENTION
    assert report.headline.startswith(
        "is back after 3 min 12 s, but the run was stopped before it had looked at settled, page: "
    )
    assert "plan reboot-server again to see how it is" in report.headline


def test_a_run_that_was_stopped_while_it_gave_the_order_does_not_say_that_nothing_happened() -> None:
    (cut,) = (outcome("reboot-server/reboot", 1, 2, State.INTERRUPTED, exit=-15),)
    report = power_report(JOB, (cut,))
    assert report is not None and "stopped while the host was told to restart" in report.headline
    assert power_report(JOB, (replace(cut, exit=None),)) is None, "it was stopped before the order"


def test_a_host_that_was_up_before_anybody_looked_says_itself_how_long_it_was_away() -> None:
    # The runner went down with it, and was started again by cron some hours later.
    def seconds(after: float) -> int:
        return int((NOW + timedelta(seconds=after)).timestamp())

    down = outcome("reboot-server/reboot", 10, 12)
    back = outcome("reboot-server/back", 9000, 9001, result={"returned": True, "booted": seconds(50)})
    settled = outcome("reboot-server/settled", 9001, 9002, result={"returned": True, "up": seconds(70)})
    report = power_report(JOB, (down, back, settled))
    assert report is not None
    assert report.headline.startswith("is back after 1 min;")
    assert report.details == ("down at 2026-11-23 08:15:10 UTC, up at 2026-11-23 08:16:10 UTC",)
    assert away(down, back, settled) == 60 and away(down, back, None) == 40
    watched = replace(back, started=down.ended)
    assert away(down, watched, settled) == 8991, "who watched saw more than that"
