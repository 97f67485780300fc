"""What the journal knows of instants: what was begun, what ended, what took a host down."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.engine.journal import Journal
from runner.model.plan import Command, Effect, Plan, PlannedJob, Step
from runner.model.role import Role
from runner.model.run import JobLine, Outcome, State, Verdict

INSTANT = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
NOW = INSTANT + timedelta(seconds=5)
LATER = NOW + timedelta(minutes=5)
JOB = "reboot-papio"


def plan(number: int = 1, instant: datetime | None = INSTANT) -> Plan:
    jobs = (PlannedJob(name=JOB, kind="reboot", instant=instant),)
    return Plan(id=f"plan-{number}", made_at=NOW + timedelta(seconds=number), site="babase", live=True, jobs=jobs)


def ended(verdict: Verdict) -> JobLine:
    return JobLine(job=JOB, started=NOW, ended=LATER, verdict=verdict, headline="x")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    known = Journal(tmp_path / "journal.sqlite")
    known.run_started("run", NOW)
    yield known
    known.close()


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_job_is_done_for_its_instant_and_no_other_unless_it_failed(journal: Journal, verdict: Verdict) -> None:
    journal.plan_started("run", plan(), {})
    assert journal.instants.done(JOB, INSTANT) is None and journal.instants.unended(JOB, INSTANT) == "run"
    journal.job_ended("run", ended(verdict))
    assert journal.instants.done(JOB, INSTANT) == (None if verdict == Verdict.FAILED else LATER)
    assert journal.instants.done(JOB, INSTANT, but="run") is None
    assert journal.instants.done("another", INSTANT) is None
    assert journal.instants.done(JOB, INSTANT + timedelta(days=1)) is None
    assert journal.instants.unended(JOB, INSTANT) == ""
    assert journal.instants.of("run") == {JOB: INSTANT} and journal.instants.of("other") == {}


def test_a_run_by_hand_is_for_no_instant(journal: Journal) -> None:
    journal.plan_started("run", plan(instant=None), {})
    journal.job_ended("run", ended(Verdict.DONE))
    assert journal.instants.done(JOB, INSTANT) is None and journal.instants.of("run") == {}


@pytest.mark.parametrize(
    ("role", "subject", "state", "done"),
    [
        (Role.DOWN, "", None, True),
        (Role.OFF, "", None, True),
        (Role.DOWN, "", State.DONE, True),
        (Role.DOWN, "", State.STALE, False),
        (Role.DOWN, "", State.FAILED, False),
        (Role.DOWN, "", State.INTERRUPTED, False),
        (Role.DOWN, "before", None, False),
        (Role.UNMOUNT, "", None, False),
    ],
)
def test_a_reboot_that_cut_off_its_own_run_was_done_and_is_not_done_twice(
    journal: Journal, role: Role, subject: str, state: State | None, done: bool
) -> None:
    reboot = Step(
        id=f"{JOB}/reboot", job=JOB, host="papio", action=Command(argv=("reboot",)), effect=Effect.INTERRUPT, why="",
        role=role, subject=subject,
    )  # fmt: skip
    journal.plan_started("run", plan(), {})
    journal.step_started("plan-1", reboot, NOW)
    if state:
        outcome = Outcome(step=reboot.id, job=JOB, state=state, started=NOW, ended=LATER, role=role, subject=subject)
        journal.step_ended("plan-1", reboot, outcome)
    assert journal.instants.done(JOB, INSTANT) == (NOW if done else None)
    # Nor by a run that had planned it before that, and has the lock only now; nor when its end was told of.
    assert (journal.instants.done(JOB, INSTANT, but="other") is not None) == done
    line = journal.line("run")
    assert line
    journal.close_killed((line,))
    assert journal.instants.done(JOB, INSTANT) == (NOW if done else None)
    assert journal.last_success() == ({JOB: NOW} if done else {})


def test_the_last_of_several_attempts_is_the_one_that_counts(journal: Journal) -> None:
    journal.plan_started("run", plan(1), {})
    journal.run_started("again", LATER)
    journal.plan_started("again", plan(2), {})
    assert journal.instants.unended(JOB, INSTANT) == "again"
    journal.job_ended("again", ended(Verdict.FAILED))
    assert journal.instants.unended(JOB, INSTANT) == ""


def test_a_killed_run_is_told_apart_before_and_after_a_report_has_mentioned_it(journal: Journal) -> None:
    line = journal.line("run")
    assert line and line.alive and not line.cut_off
    dead = replace(line, alive=False)
    assert dead.cut_off
    journal.close_killed((dead,))
    line = journal.line("run")
    assert line and line.cut_off and line.verdict == Verdict.FAILED
    journal.run_ended("run", LATER, Verdict.FAILED)
    line = journal.line("run")
    assert line and not line.cut_off
    assert journal.line("none") is None and journal.run_of("none") is None


def test_a_journal_of_the_version_before_knows_of_no_instant_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    known = Journal(path)
    known.run_started("run", NOW)
    known.plan_started("run", plan(), {})
    known.job_ended("run", ended(Verdict.DONE))
    known.close()
    with sqlite3.connect(path) as old:
        old.execute("DROP TABLE instants")
    old.close()
    known = Journal(path)
    assert known.instants.done(JOB, INSTANT) is None and known.last_success() == {JOB: NOW}
    known.plan_started("run", plan(2), {})
    assert known.instants.done(JOB, INSTANT) == LATER
    known.close()
