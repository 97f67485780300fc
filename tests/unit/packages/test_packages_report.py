"""What people are told after packages were installed: the guide's messages, and what they left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.jobs.packages.report import packages_report
from runner.model.plan import PlannedJob
from runner.model.run import JobReport, Outcome, State, Verdict
from tests.unit import parts
from tests.unit.upkeep_parts import NOW, done

JOB = PlannedJob(name="upgrade-server", kind="upgrade", headline="no update to install", about="apt")


def detached(**changes: Any) -> dict[str, Any]:
    """What `detach` answers after a good run; `packages` in `changes` are merged in."""
    packages = {"upgraded": [["libssl3", "3.0.14-1", "3.0.15-1"]], "installed": [], "removed": [], "unfinished": []}
    paths = {
        "detached": True, "exit": 0, "seconds": 12.5, "log": ["Setting up libssl3 (3.0.15-1) ..."], "lines": 1,
        "conffiles": [], "services": [], "pid1": False, "reboot": [], "note": "", "problem": "",
    }  # fmt: skip
    return {**paths, **changes, "packages": {**packages, **changes.get("packages", {})}}


def failed(step: str, state: State = State.FAILED, note: str = "ended 100", answer: Any = None) -> Outcome:
    return Outcome(
        step=f"upgrade-server/{step}",
        **parts.role(f"upgrade-server/{step}"),
        job="upgrade-server",
        state=state,
        exit=100,
        result=answer or {},
        note=note,
    )


def report_of(*outcomes: Outcome, packages: str = "apt") -> JobReport:
    report = packages_report(replace(JOB, about=packages), outcomes)
    assert report is not None
    return report


def test_nothing_to_do_is_said_in_one_line() -> None:
    report = report_of(done("whole"), done("look", services=[]))
    assert (report.verdict, report.headline, report.details) == (Verdict.NOTHING, "no update to install", ())


def test_an_old_kernel_that_makes_room_for_the_next_is_no_removal() -> None:
    kernels = {"installed": [["kernel-core", "5.14.0-100.el9"]], "removed": [["kernel-core", "5.14.0-70.el9"]]}
    report = report_of(done("install", **detached(packages=kernels)))
    assert (report.verdict, report.headline) == (Verdict.DONE, "1 package upgraded, 1 package newly installed")
    assert "kernel-core 5.14.0-70.el9, which made room for it" in report.details
    lost = report_of(done("install", **detached(packages={"removed": [["kernel-core", "5.14.0-70.el9"]]})))
    assert lost.verdict == Verdict.ATTENTION
    assert "1 package removed, which nobody asked for" in lost.headline


def test_a_plan_that_is_stale_says_that_nothing_was_done_or_where_it_stopped() -> None:
    note = "libc6 is 2 now, and 1 was installed when this was planned -> plan again, read it, apply it"
    report = report_of(failed("hold-first", State.STALE, note))
    assert (report.verdict, report.headline) == (Verdict.FAILED, f"nothing was done: {note}")
    late = report_of(done("others", **detached()), failed("upgrade", State.STALE, note))
    assert late.headline == f"stopped before upgrade: {note}; 1 package upgraded all the same"
    assert "libssl3 3.0.14-1 -> 3.0.15-1" in late.details


def test_updates_that_wait_are_listed_below_the_notice() -> None:
    job = PlannedJob(
        name="u", kind="updates", headline="2 updates wait", details=("bind-libs.x86_64  1", "bind-utils.x86_64  1")
    )
    report = packages_report(job, (done("look"),))
    assert report is not None
    assert report.headline == "2 updates wait"
    assert report.details == ("bind-libs.x86_64  1", "bind-utils.x86_64  1")


def test_what_was_installed_is_told_with_old_and_new_versions_and_what_was_restarted() -> None:
    answer = detached(services=["ssh.service", "cron.service"], packages={"installed": [["libfoo", "1"]]})
    report = report_of(done("refresh"), done("install", **answer), done("restart-ssh.service"), done("look"))
    assert report.verdict == Verdict.DONE
    assert report.headline == "1 package upgraded, 1 package newly installed"
    assert report.details[:2] == ("libssl3 3.0.14-1 -> 3.0.15-1", "libfoo 1, newly installed")
    assert "restarted ssh.service" in report.details
    assert any(line.startswith("still running replaced files: cron.service;") for line in report.details)


def test_a_reboot_conffiles_and_removals_need_a_person() -> None:
    answer = detached(
        reboot=["process 1 runs files that were replaced"], conffiles=["/etc/demo.conf.dpkg-dist"],
        packages={"removed": [["demo", "1"]]},
    )  # fmt: skip
    report = report_of(done("install", **answer))
    assert report.verdict == Verdict.ATTENTION
    assert "a reboot is needed: process 1 runs files that were replaced" in report.headline
    assert "/etc/demo.conf stays; compare it with /etc/demo.conf.dpkg-dist" in report.headline
    assert "1 package removed, which nobody asked for" in report.headline


def test_a_failed_installation_names_what_was_upgraded_all_the_same_and_shows_the_last_lines() -> None:
    answer = detached(exit=100, log=["dpkg: error processing package bad", "E: it broke"],
                     packages={"upgraded": [["bad", "1", "2"], ["good", "1", "2"]],
                               "unfinished": [["bad", "half-configured"]]})  # fmt: skip
    report = report_of(done("refresh"), failed("install", answer=answer))
    assert report.verdict == Verdict.FAILED
    assert report.headline == (
        "install failed: bad could not be set up: see its last lines below, mend that, then, at the host: "
        "dpkg --configure -a; 1 package upgraded all the same"
    )
    assert report.details[:2] == ("bad 1 -> 2, and it is half-configured", "good 1 -> 2")
    assert not any(line.startswith("odd: ") for line in report.details)
    assert report.details[-2:] == ("dpkg: error processing package bad", "E: it broke")


@pytest.mark.parametrize(
    ("unfinished", "blame", "headline"),
    [
        ([], [["bad", "no"]], "bad could not be installed and stays as it was (no): see its last lines below, mend that"),
        (
            [["good", "unpacked"], ["other", "unpacked"]], [["bad", "no"], ["bad", "again"]],
            "bad could not be installed and stays as it was (no): see its last lines below, mend that, then, at the host: "
            "dpkg --configure -a; good, other wait for that",
        ),
        (
            [["bad", "half-configured"], ["good", "unpacked"]], [["bad", "exit 1"], ["good", "it needs bad"]],
            "bad could not be set up: see its last lines below, mend that, then, at the host: dpkg --configure -a; "
            "good waits for that",
        ),
        (
            [["good", "unpacked"]], [["good", "it needs what is not there"]],
            "good could not be set up: see its last lines below, mend that, then, at the host: dpkg --configure -a",
        ),
    ],
)  # fmt: skip
def test_who_failed_is_blamed_and_not_who_waits(
    unfinished: list[list[str]], blame: list[list[str]], headline: str
) -> None:
    answer = detached(exit=100, failed=blame, packages={"upgraded": [], "unfinished": unfinished})
    report = report_of(done("refresh"), failed("install", answer=answer))
    assert report.headline == f"install failed: {headline}"


def test_a_package_that_is_not_set_up_is_a_failure_whatever_the_exit_code_says() -> None:
    report = report_of(done("install", **detached(packages={"unfinished": [["bad", "unpacked"]]})))
    assert report.verdict == Verdict.FAILED
    assert "1 package not set up" in report.headline


def test_a_scriptlet_that_failed_with_exit_0_and_odd_lines_are_told_and_the_known_noise_is_not() -> None:
    noise = ["run-parts: executing /etc/kernel/postinst.d/zz-update-grub 6.1.0-50", "error: out of partition"]
    assert report_of(done("install", **detached(log=noise))).verdict == Verdict.DONE
    odd = report_of(done("install", **detached(log=["error: out of partition"])))
    assert odd.verdict == Verdict.ATTENTION
    assert "odd: error: out of partition" in odd.details
    log = ["Error in POSTIN scriptlet in rpm package httpd"]
    script = report_of(done("install", **detached(log=log)), packages="dnf")
    assert script.verdict == Verdict.ATTENTION
    assert "scripts of packages failed: httpd (postin)" in script.headline


def test_lists_that_cannot_be_fetched_are_told_with_the_reason_where_the_plan_did_not_know_it() -> None:
    log = "E: Release file for http://a/InRelease is expired (invalid since 3d). Updates will not be applied."
    late = report_of(replace(failed("refresh"), log=log))
    words = "the package lists could not be fetched, so no update was installed"
    assert late.headline.startswith(f"{words}: Release file for http://a/InRelease is expired")
    assert "if date shows a wrong day" in late.headline
    assert report_of(replace(failed("refresh-first"), log=log)).headline == words


def test_what_was_installed_while_an_archive_was_away_needs_a_person() -> None:
    job = PlannedJob(name="updates-server", kind="updates", headline="no update for server", partly=True)
    report = packages_report(job, [done("refresh"), done("install", **detached())])
    assert report is not None
    assert report.verdict == Verdict.ATTENTION
    assert report.headline.endswith("; not every archive answered")
    broken = packages_report(job, [done("install", **detached(exit=100))])
    assert broken is not None
    assert broken.verdict == Verdict.FAILED


def test_a_kernel_that_cannot_be_booted_is_told_in_words_that_keep_people_from_rebooting() -> None:
    report = report_of(done("upgrade", **detached()), failed("initrd", note="initrd is False; the plan wants == True"))
    assert report.headline.startswith("the newest kernel has no initrd to boot from: do not reboot;")
    assert report.headline.endswith(
        "; see df /boot, then, at the host: update-initramfs -c -k all; 1 package upgraded all the same"
    )
    assert "False" not in report.headline
    red = report_of(failed("initrd"), packages="dnf")
    assert red.headline.endswith("; see df /boot, then, at the host: dracut --regenerate-all --force")
    assert report_of(failed("entry")).headline.endswith(": do not reboot; at the host: update-grub")
    assert report_of(failed("initrd"), packages="").headline.endswith(": do not reboot; see df /boot")


def test_the_log_of_dnf_is_read_with_its_own_remedies_and_one_of_an_unknown_program_hides_no_error() -> None:
    log = ["Error: GPG check FAILED", "No space is mentioned here"]
    signed = report_of(failed("install", answer=detached(exit=1, log=log, packages={"upgraded": []})), packages="yum")
    assert signed.headline.startswith("install failed: Error: GPG check FAILED: look at the repository's gpgkey")
    older_plan = report_of(done("install", **detached(log=["error: out of partition", "fine"])), packages="")
    assert older_plan.verdict == Verdict.ATTENTION
    assert "odd: error: out of partition" in older_plan.details


def test_a_failure_is_told_by_the_line_that_tells_of_it_and_not_by_the_last() -> None:
    log = ["libc6 was already not on hold.", "Reading package lists...",
           "E: Packages were downgraded and -y was used without --allow-downgrades.", "held: libc6"]  # fmt: skip
    report = report_of(failed("upgrade", answer=detached(exit=100, log=log, packages={"upgraded": []})))
    assert report.headline == (
        "upgrade failed: Packages were downgraded and -y was used without --allow-downgrades: somebody installed "
        "a newer version since the plan was made: plan again"
    )
    assert report.details[-2:] == (log[2], "held: libc6")


def test_an_answer_that_cannot_be_read_is_no_success() -> None:
    report = report_of(done("install", detached=True, exit=0, packages={"upgraded": "x"}), done("look"))
    assert (report.verdict, report.headline) == (Verdict.FAILED, "install has an answer that makes no sense")
    assert report_of(done("upgrade"), done("look")).headline == "upgrade has an answer that makes no sense"
    later = report_of(done("upgrade"), failed("whole"))
    assert later.verdict == Verdict.FAILED
    assert "upgrade has an answer that makes no sense" in later.details
    again = report_of(done("attach-1", detached=True, exit=0, services=7), done("install", **detached()))
    assert again.verdict == Verdict.FAILED
    assert "what an earlier run began has an answer that makes no sense" in again.headline


def test_where_nothing_was_left_to_install_that_is_said() -> None:
    none = detached(packages={"upgraded": []})
    assert report_of(done("upgrade", **none)).headline == "everything was installed already"
    mended = report_of(done("repair", **none), done("look"))
    assert (mended.headline, mended.details) == ("an interrupted installation was finished", ())


def test_a_lost_connection_says_that_the_host_goes_on_by_itself() -> None:
    report = report_of(done("refresh"), failed("upgrade", State.INTERRUPTED, "the connection was lost"))
    assert report.verdict == Verdict.FAILED
    assert "goes on there by itself" in report.headline
    assert "the connection was lost" in report.headline


def test_what_an_earlier_run_had_begun_is_told_by_the_next_however_it_ended() -> None:
    good = report_of(done("attach-1", **detached()), done("attach-1-seen"), done("look"))
    assert good.verdict == Verdict.DONE
    assert good.headline == "1 package upgraded, by a command that was cut off before and went on at the host"
    assert good.details[0] == "libssl3 3.0.14-1 -> 3.0.15-1"
    bad = report_of(done("attach-1", **detached(exit=100)), done("look"))
    assert bad.verdict == Verdict.FAILED
    assert "what an earlier run began ended 100" in bad.headline
    unseen = report_of(done("attach-1", **detached(exit=None, note="the machine was restarted in the middle")))
    assert "the machine was restarted in the middle" in unseen.headline


def test_a_mended_hold_alone_is_no_longer_nothing_done() -> None:
    report = report_of(done("hold"), done("look"))
    assert report.verdict == Verdict.DONE
    assert report.details == ("held what jobs.toml wants held",)


def test_after_the_reboot_the_downtime_is_told_and_the_need_for_it_no_more() -> None:
    down = Outcome(
        step="upgrade-server/reboot",
        **parts.role("upgrade-server/reboot"),
        job="upgrade-server",
        state=State.DONE,
        exit=0,
        started=NOW,
    )
    back = Outcome(
        step="upgrade-server/back",
        **parts.role("upgrade-server/back"),
        job="upgrade-server",
        state=State.DONE,
        ended=NOW + timedelta(seconds=95),
    )
    answer = detached(reboot=["kernel 6.1.0-49 runs, 6.1.0-50 is installed"])
    report = report_of(done("upgrade", **answer), down, back, done("kernel", running="6.1.0-50"))
    assert report.verdict == Verdict.DONE
    assert report.headline.startswith("1 package upgraded; the host is back after 1 min 35 s")
    assert "a reboot is needed" not in report.headline
    late = report_of(done("upgrade", **answer), down, failed("back", note="given up"))
    assert late.verdict == Verdict.FAILED
    assert "the host did not come back" in late.headline
    assert "libssl3 3.0.14-1 -> 3.0.15-1" in late.details


def test_the_reboot_before_an_upgrade_says_that_the_upgrade_is_still_to_come() -> None:
    job = PlannedJob(
        name="upgrade-server", kind="upgrade", headline="rebooted; the upgrade itself comes next: run u again"
    )
    down = Outcome(
        step="upgrade-server/before/reboot",
        **parts.role("upgrade-server/before/reboot"),
        job="upgrade-server",
        state=State.DONE,
        exit=0,
        started=NOW,
    )
    back = Outcome(
        step="upgrade-server/before/back",
        **parts.role("upgrade-server/before/back"),
        job="upgrade-server",
        state=State.DONE,
        ended=NOW,
    )
    report = packages_report(job, (down, back))
    assert report is not None
    assert report.verdict == Verdict.ATTENTION
    assert report.headline.endswith("rebooted; the upgrade itself comes next: run u again")


def test_other_kinds_and_a_busy_host_are_told_elsewhere() -> None:
    assert packages_report(JOB, (failed("refresh", State.BUSY),)) is None
    assert packages_report(JOB, (failed("whole"),)) is None
