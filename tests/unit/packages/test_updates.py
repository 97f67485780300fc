"""Kind `updates`: what is planned for each state of a host, and what a person is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from runner.jobs.catalogue import KINDS
from runner.jobs.packages.findings import without_lists
from runner.jobs.packages.report import packages_report
from runner.jobs.packages.updates import UpdatesKind
from runner.model.facts import Reading
from runner.model.packages import Trouble
from runner.model.plan import Check, Effect
from runner.model.run import JobReport, Verdict
from runner.model.site import Host, Job, Site
from runner.planning import planner, review
from runner.report.line import plain
from runner.report.plan import finding_lines
from runner.report.todo import to_do
from tests.unit.upkeep_parts import (
    KERNEL,
    META,
    NEXT,
    NOW,
    PROGRAM,
    REBOOT,
    SERVER,
    SITE,
    UPDATES,
    UPGRADE,
    argv,
    begun,
    by_name,
    drafted,
    facts,
    names,
    partly,
    red_hat,
    texts,
    with_options,
)

PAPIO = replace(UPDATES, name="updates-papio", host="papio")
PLAN = "20261123T081500.000Z"


def test_security_updates_are_installed_in_exactly_the_versions_of_the_plan() -> None:
    draft = drafted(UPDATES, facts("waiting"))
    assert names(draft) == ["refresh", "install", "install-seen", "whole", "look"]
    steps = by_name(draft)
    assert "--error-on=any" in argv(steps["refresh"])
    install = argv(steps["install"])
    assert install[:5] == (
        PROGRAM, "detach", f"--plan={PLAN}", "--step=updates-server/install", "--packages=dpkg",
    )  # fmt: skip
    assert install[-2:] == ("demo-extra=1.0", "demo-lib=1.1")
    assert "--no-remove" in install
    assert "demo-feature=1.1" not in install
    assert steps["install"].detached
    assert max(step.effect for step in draft.steps) == Effect.WRITE
    assert all(step.needs == ("packages",) for step in draft.steps)
    assert draft.planned is not None
    (lock,) = draft.planned.locks
    assert lock.argv == (
        PROGRAM, "hold-host", "packages", f"--plan={PLAN}", "--who=updates-server of papio",
    )  # fmt: skip
    assert "to install: demo-lib 1.0 -> 1.1, a security update" in texts(draft, "note")
    assert "to fetch: 1.8 KiB at most" in texts(draft, "note")


def test_nothing_is_begun_where_somebody_changed_the_packages_since_they_were_read() -> None:
    steps = by_name(drafted(UPDATES, facts("waiting")))
    first, last = steps["refresh"].guard, steps["install"].guard
    assert isinstance(first, Check)
    assert isinstance(last, Check)
    assert first.argv == (
        PROGRAM, "as-planned", "--packages=dpkg", "--", "demo-extra==1.0", "demo-lib=1.0=1.1",
    )  # fmt: skip
    assert (last.field, last.relation, last.value) == ("as_planned", "==", True)
    assert last.argv == (*first.argv[:3], "--to-be-had", *first.argv[3:])
    attached = by_name(drafted(UPDATES, facts("drift", begun("updates-server/install", alive=False))))
    assert isinstance(attached["hold"].guard, Check)
    assert isinstance(attached["attach-1-seen"].guard, Check)
    assert "as-planned" not in attached["attach-1-seen"].guard.argv
    red = by_name(drafted(with_options(PAPIO, install="all"), red_hat("updates")))["refresh"].guard
    assert isinstance(red, Check)
    assert "kernel-core.x86_64=5.14.0-70.el9=5.14.0-100.el9" in red.argv


def test_all_updates_are_installed_where_jobs_toml_says_so_but_none_that_is_held() -> None:
    install = argv(by_name(drafted(with_options(UPDATES, install="all"), facts("waiting")))["install"])
    assert install[-3:] == ("demo-extra=1.0", "demo-feature=1.1", "demo-lib=1.1")


def test_each_hold_that_keeps_something_back_is_told_with_the_command_that_upgrades_it() -> None:
    lines = texts(drafted(UPDATES, facts("waiting")), "attention")
    assert lines == [
        "held back: libc-demo 1.0 -> 1.1, a security update; it also keeps back demo-app 1.0 -> 1.1, a security "
        "update -> when it suits people, run: runner run upgrade-server --package libc-demo --yes",
        f"held back: {META} 1 -> 2, a security update; with it comes {NEXT} 1.0, not installed before -> "
        f"when it suits people, run: runner run upgrade-server --package {META} --yes",
    ]


def test_without_an_upgrade_job_the_message_says_that_one_is_needed() -> None:
    lines = texts(drafted(UPDATES, facts("waiting"), replace(SITE, jobs=(UPDATES,))), "attention")
    assert lines[0].endswith(f'jobs.toml has no job of kind "upgrade" for {SERVER}: add one, and run it')


def test_a_lost_hold_is_put_back_before_anything_is_installed_and_is_told() -> None:
    draft = drafted(UPDATES, facts("drift", last={UPDATES.name: NOW}))
    assert names(draft)[:3] == ["hold", "refresh", "install"]
    assert set(argv(by_name(draft)["hold"])[-3:]) == {"libc-demo", KERNEL, META}
    assert not {KERNEL, META, NEXT, "libc-demo"} & {word.partition("=")[0] for word in argv(by_name(draft)["install"])}
    assert any("not held, although jobs.toml wants it" in text for text in texts(draft, "attention"))


def test_before_the_first_run_nobody_can_have_let_go_of_a_hold() -> None:
    draft = drafted(UPDATES, facts("drift"))
    assert any(text.startswith("held from now on, as jobs.toml wants it: ") for text in texts(draft, "note"))
    assert not any("find out who" in text for text in texts(draft, "attention"))


def test_what_the_host_holds_by_itself_is_told_with_both_ways_to_let_go_of_it() -> None:
    bare = replace(SITE, hosts=(SITE.hosts[0], replace(SITE.hosts[1], hold=("linux-image-*",))))
    (text,) = texts(drafted(UPDATES, facts("nothing"), bare), "note")
    assert text.startswith("held at the host, although jobs.toml does not say so: libc-demo -> ")
    assert "apt-mark unhold libc-demo; " in text
    assert "aptitude --schedule-only unhold libc-demo" in text


def test_a_hold_that_fits_no_package_is_told_since_it_may_be_misspelt() -> None:
    hold = ("linux-imgae-*", "linux-image-*", "libc-demo", "$(x)")
    bare = replace(SITE, hosts=(SITE.hosts[0], replace(SITE.hosts[1], hold=hold)))
    (only,) = texts(drafted(UPDATES, facts("nothing"), bare), "note")
    assert "has patterns that fit no installed package: linux-imgae-*, $(x) -> check the spelling; " in only
    stale = drafted(UPDATES, facts("unreachable"), bare)
    assert not any("fit no installed package" in text for text in texts(stale, "note"))


def test_where_there_is_nothing_to_do_nothing_is_changed_and_no_lock_is_taken() -> None:
    draft = drafted(UPDATES, facts("nothing"))
    assert draft.planned is not None
    assert draft.planned.locks == ()
    assert {step.effect for step in draft.steps} == {Effect.READ}
    assert draft.planned.headline == "no security update for server, by package lists fetched just now"
    assert draft.findings == ()


def test_held_updates_alone_install_nothing_and_still_need_a_person() -> None:
    draft = drafted(UPDATES, facts("held-only"))
    assert names(draft) == ["whole", "look"]
    assert draft.planned is not None
    assert draft.planned.headline == (
        "no security update for server, by package lists fetched just now; 4 updates wait for a person, "
        "4 of them for security"
    )
    assert len(texts(draft, "attention")) == 2


def test_with_a_dead_mirror_nothing_is_called_up_to_date() -> None:
    known = facts("unreachable", last={"updates-server": NOW - timedelta(days=3)})
    draft = drafted(UPDATES, known)
    assert names(draft) == ["refresh-first"]
    # What keeps it from the lists and that the job failed of it are one thing to do.
    known_why = tuple(each for each in draft.findings if each.severity == "attention")
    assert [each.cause for each in known_why] == ["job/updates-server"]
    failed = JobReport(job="updates-server", verdict=Verdict.FAILED, headline="no list could be fetched")
    (item,) = to_do([failed], known_why, {}).items
    assert item.headline == f"updates-server: {known_why[0].text}"
    assert [step.replans for step in draft.steps] == [True]
    (only,) = texts(draft, "attention")
    assert "mirror.example.org" in only
    assert " -> " in only
    assert any("the last run with good package lists was 3 days ago" in text for text in texts(draft, "note"))


def test_of_two_troubles_each_is_told_with_its_own_remedy_though_the_job_failed_of_both() -> None:
    full = Trouble(what="disk full", text="/var has 1 MiB left", do="make room")
    expired = Trouble(what="expired", text="the lists have expired", do="set the clock")
    found = without_lists(SITE.job("updates-server"), (full, expired))
    shown = plain(finding_lines(found))
    failed = JobReport(job="updates-server", verdict=Verdict.FAILED, headline="no list could be fetched")
    items = to_do([failed], found, {}).items
    assert [item.do for item in items] == ["make room", "set the clock"]
    assert all(trouble.text in shown and trouble.do in shown for trouble in (full, expired)), shown


@pytest.mark.parametrize("why", ["Failed to fetch http://dead.example.org/x  Unable to connect",
                                 "Repository http://dead.example.org is not signed."])  # fmt: skip
def test_an_archive_that_is_away_keeps_no_update_of_the_others_from_the_host(why: str) -> None:
    draft, whole = drafted(UPDATES, partly("waiting", why)), drafted(UPDATES, facts("waiting"))
    assert names(draft) == names(whole)
    assert argv(by_name(draft)["install"]) == argv(by_name(whole)["install"])
    assert by_name(draft)["refresh"].ok_codes == (0, 100)
    assert by_name(whole)["refresh"].ok_codes == (0,)
    assert "Acquire::Retries=0" in argv(by_name(draft)["refresh"]), "what does not answer is not waited for again"
    assert isinstance(by_name(draft)["install"].guard, Check)
    (only,) = [text for text in texts(draft, "attention") if "held back" not in text]
    assert only.startswith("no package lists of http://dead.example.org x, so nothing new is known from there: ")
    assert not any("good package lists" in text for text in texts(draft, "note"))


HIDDEN = " demo-lib|1.1|1.2\n# hides 0\n |demo-lib|1.1\n /etc/apt/preferences:1|demo-lib|1.2\n"


@pytest.mark.parametrize(
    ("answers", "doubt"),
    [
        ("# archives 0\n D-Security|||/x\n", False), ("# archives 0\n Debian|stable|bookworm|/x\n", True),
        ("# archives 0\n", True), (f"# fixes 0\n{HIDDEN}", True),
    ],
)  # fmt: skip
def test_what_contradicts_that_there_is_nothing_to_do_is_never_nothing_done(answers: str, doubt: bool) -> None:
    known = facts("nothing")
    server = known.hosts[SERVER]
    text = server.readings["packages.apt"].out.replace("# arch 0", f"{answers}# arch 0", 1)
    readings = {**server.readings, "packages.apt": Reading(exit=0, out=text)}
    known = replace(known, hosts={**known.hosts, SERVER: replace(server, readings=readings)})
    draft, asked = drafted(UPDATES, known), drafted(UPGRADE, known)
    assert draft.planned is not None
    assert draft.planned.doubt == doubt
    assert asked.planned is not None
    assert asked.planned.doubt == (doubt and "stable" not in answers), (
        "who upgrades by hand asks for no security archive"
    )
    report = packages_report(draft.planned, [])
    assert report is not None
    assert (report.verdict == Verdict.ATTENTION, bool(texts(draft, "attention"))) == (doubt, doubt)
    assert report.headline.endswith("; some are hidden there") == ("hides" in answers)


@pytest.mark.parametrize("install", ["security", "all", "nothing"])
def test_with_an_archive_away_nothing_to_install_is_never_told_alone(install: str) -> None:
    draft = drafted(with_options(UPDATES, install=install), partly("nothing"))
    assert {step.effect for step in draft.steps} == {Effect.READ}
    assert draft.planned is not None
    report = packages_report(draft.planned, [])
    assert report is not None
    assert report.verdict == Verdict.ATTENTION
    assert report.headline.endswith("; not every archive answered")
    assert len(texts(draft, "attention")) == 1


def test_where_only_the_notice_is_wanted_it_says_that_an_archive_is_away() -> None:
    draft = drafted(with_options(UPDATES, install="nothing"), partly("waiting"))
    assert draft.planned is not None
    head, lines = draft.planned.headline, draft.planned.details
    assert (head, len(lines)) == ("3 updates wait, 2 of them for security; not every archive answered", 3)


def test_a_lock_held_by_another_program_skips_the_job_and_says_who() -> None:
    draft = drafted(UPDATES, facts("locked"))
    assert draft.steps == ()
    assert draft.skip is not None
    assert draft.skip.reason == "another program is at work on the packages"
    (text,) = texts(draft, "attention")
    assert "python3" in text
    assert "do not kill it" in text


def test_what_an_upgrade_that_was_cut_off_left_untold_is_a_matter_for_a_person() -> None:
    draft = drafted(UPDATES, facts("nothing", begun("upgrade-server/upgrade", alive=False)))
    assert texts(draft, "attention") == [
        "upgrade-server was cut off, and how it ended is not known yet: its next run reports it -> "
        "when it suits people, run: runner run upgrade-server --yes"
    ]
    seen = drafted(UPDATES, facts("nothing", begun("upgrade-server/upgrade", alive=False, seen=True)))
    assert seen.findings == ()


def test_while_an_upgrade_is_at_work_the_updates_wait_and_name_it() -> None:
    draft = drafted(UPDATES, facts("waiting", begun("upgrade-server/upgrade", alive=True)))
    assert (draft.steps, draft.skip and draft.skip.reason) == ((), "another job is at work on the packages")
    (text,) = texts(draft, "attention")
    assert text.startswith("upgrade-server is at work on the packages, since 2026-11-22 08:15 UTC")


def test_an_interrupted_installation_is_finished_first_by_a_detached_step() -> None:
    draft = drafted(UPDATES, facts("interrupted"))
    assert names(draft)[:2] == ["repair", "repair-seen"]
    assert argv(by_name(draft)["repair"])[-2:] == ("--configure", "-a")
    assert by_name(draft)["repair"].detached
    assert any("interrupted" in text for text in texts(draft, "note"))


def test_a_service_is_restarted_only_where_jobs_toml_names_it_and_it_runs_old_files() -> None:
    draft = drafted(with_options(UPDATES, restart=("ssh",)), facts("waiting"))
    step = by_name(draft)["restart-ssh.service"]
    assert argv(step) == ("systemctl", "restart", "--", "ssh.service")
    assert step.effect == Effect.WRITE
    unless = step.unless
    assert isinstance(unless, Check)
    assert unless.argv == (PROGRAM, "outdated", "--unit=ssh.service")
    assert (unless.field, unless.value) == ("needs_restart", False)
    assert names(drafted(UPDATES, facts("nothing", outdated={"services": ["ssh.service"]}))) == ["whole", "look"]


def test_a_reboot_that_is_due_is_told_with_its_command_and_never_done() -> None:
    known = facts("nothing", outdated={"kernel": {"running": "9.9.9-demo", "newest": "9.9.10-demo"}})
    draft = drafted(UPDATES, known)
    (text,) = texts(draft, "attention")
    assert text == (
        "server needs a reboot: kernel 9.9.9-demo runs, and 9.9.10-demo is installed -> "
        "when it suits people, run: runner run reboot-server --yes"
    )
    foreseen = texts(drafted(with_options(UPDATES, reboot_for=("demo-lib",)), facts("waiting")), "attention")
    assert (
        "server will need a reboot after this: demo-lib -> when it suits people, run: runner run reboot-server --yes"
        in foreseen
    )


def test_only_packages_that_jobs_toml_names_make_a_reboot_due_where_it_names_any() -> None:
    known = facts("nothing", outdated={"changed": [["libc6", "2.36"], ["demo-app", "1.1"]]})
    assert "libc6" in texts(drafted(UPDATES, known), "attention")[0]
    (text,) = texts(drafted(with_options(UPDATES, reboot_for=("demo-*",)), known), "attention")
    assert "demo-app" in text
    assert "libc6" not in text


def test_what_lost_its_connection_and_still_works_is_waited_for_and_nothing_else_is_begun() -> None:
    draft = drafted(UPDATES, facts("interrupted", begun("updates-server/install", alive=True)))
    assert names(draft) == ["attach-1", "attach-1-seen"]
    attach, seen = draft.steps
    assert argv(attach) == (
        PROGRAM, "detach", "--plan=20261122T081500.000Z", "--step=updates-server/install", "--again",
    )  # fmt: skip
    assert attach.detached
    assert attach.ok_codes == (0,)
    assert argv(seen)[-1] == "--seen"
    assert seen.despite == (attach.id,)
    assert isinstance(seen.guard, Check)
    assert seen.guard.argv[-1] == "--within=1"
    assert draft.planned is not None
    assert "--attach=20261122T081500.000Z" in draft.planned.locks[0].argv


def test_what_ended_unseen_is_told_and_todays_updates_are_installed_all_the_same() -> None:
    draft = drafted(UPDATES, facts("waiting", begun("updates-server/install", alive=False)))
    assert names(draft)[:4] == ["attach-1", "attach-1-seen", "refresh", "install"]
    assert 100 in draft.steps[0].ok_codes
    assert 255 not in draft.steps[0].ok_codes
    assert "attach-1" not in names(
        drafted(UPDATES, facts("waiting", begun("updates-server/install", alive=False, seen=True)))
    )
    assert "attach-1" not in names(drafted(UPDATES, facts("waiting", begun("upgrade-server/upgrade", alive=True))))


def test_where_only_the_notice_is_wanted_the_updates_are_listed_for_a_person() -> None:
    draft = drafted(with_options(UPDATES, install="nothing"), facts("waiting"))
    assert {step.effect for step in draft.steps} == {Effect.READ}
    assert draft.planned is not None
    head, lines = draft.planned.headline, draft.planned.details
    assert head == "3 updates wait, 2 of them for security"
    assert lines[0].split() == ["demo-extra.amd64", "1.0", "Demo-Security:stable-security", "security"]
    assert (
        "3 updates wait, 2 of them for security -> when it suits people, run: runner run upgrade-server --yes"
    ) in texts(draft, "attention")


def test_on_red_hat_only_the_notice_is_made_unless_jobs_toml_says_otherwise() -> None:
    draft = drafted(PAPIO, red_hat("updates"))
    assert {step.effect for step in draft.steps} == {Effect.READ}
    assert draft.planned is not None
    head, lines = draft.planned.headline, draft.planned.details
    assert " updates wait, " in head
    assert any(line.split()[:2] == ["kernel-core.x86_64", "5.14.0-100.el9"] for line in lines)
    assert not any("update" in text for text in texts(drafted(PAPIO, red_hat("nothing")), "attention"))
    every = argv(by_name(drafted(with_options(PAPIO, install="all"), red_hat("updates")))["install"])
    assert "--packages=rpm" in every
    assert "kernel-core-5.14.0-100.el9.x86_64" in every


def test_a_notice_is_made_although_nothing_could_be_installed() -> None:
    draft = drafted(PAPIO, red_hat("untrusted"))
    assert draft.planned is not None
    assert any("signed with a key" in text for text in texts(draft, "attention"))
    stopped = drafted(with_options(PAPIO, install="all"), red_hat("untrusted"))
    assert stopped.steps == ()


def test_the_sandbox_and_a_host_of_unknown_packages_are_left_alone() -> None:
    sandbox = drafted(UPDATES, facts("waiting"), replace(SITE, live=False))
    assert sandbox.skip is not None
    assert sandbox.skip.reason == "the sandbox has no packages"
    bare = replace(SITE, hosts=(Host(name=SERVER, address=""),))
    unknown = drafted(UPDATES, facts("waiting"), bare)
    assert unknown.steps == ()
    assert 'write packages = "apt"' in texts(unknown, "attention")[0]
    assert UpdatesKind().probes(bare, UPDATES) == ()


def test_the_whole_plan_holds_together() -> None:
    kinds = {**KINDS, "updates": UpdatesKind()}
    for state in ("nothing", "waiting", "drift", "held-only", "interrupted", "unreachable", "locked"):
        plan = planner.draft(_papio_aside(SITE), (UPDATES,), facts(state), kinds, {})
        assert review.check(plan) == ()


@pytest.mark.parametrize("answer", ["", "{}", '{"error": "no room"}', '{"kernel": [7]}'])
@pytest.mark.parametrize("host", [SERVER, "papio"])
def test_what_runs_old_files_is_never_taken_for_nothing_where_it_cannot_be_read(host: str, answer: str) -> None:
    known = facts("waiting") if host == SERVER else red_hat("updates")
    job = UPDATES if host == SERVER else PAPIO
    readings = {**known.hosts[host].readings, "packages.outdated": Reading(exit=1, out=answer, err="")}
    blind = replace(known, hosts={**known.hosts, host: replace(known.hosts[host], readings=readings)})
    text = f"whether {host} needs a reboot, and what runs replaced files there, is not known: its answer makes no sense"
    assert text not in [finding.text for finding in drafted(job, known).findings]
    (finding,) = (finding for finding in drafted(job, blind).findings if finding.text == text)
    assert (finding.severity, "runner-agent outdated" in finding.do) == ("attention", True)
    # The updates themselves are known, and are installed.
    assert names(drafted(job, blind)) == names(drafted(job, known))


def _papio_aside(site: Site) -> Site:
    return replace(site, jobs=(UPDATES, UPGRADE, REBOOT))


@pytest.mark.parametrize(
    "answer", ["", "{}", '{"error": "no room"}', '{"detached": [7]}', '{"detached": [{"plan": 1}]}']
)
@pytest.mark.parametrize("job", [UPDATES, UPGRADE], ids=lambda job: job.kind)
def test_nothing_is_begun_where_what_earlier_runs_began_cannot_be_read(job: Job, answer: str) -> None:
    known = facts("waiting")
    host = known.hosts[SERVER]
    readings = {**host.readings, "packages.detached": Reading(exit=1, out=answer, err="")}
    draft = drafted(job, replace(known, hosts={**known.hosts, SERVER: replace(host, readings=readings)}))
    assert draft.steps == ()
    assert draft.skip and "what earlier runs began on server cannot be read" in draft.skip.reason
    assert [finding.severity for finding in draft.findings] == ["attention"]
