"""Which runs were killed, and which jobs have not run since: told by a mark, and not by times that a clock decides."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from runner.cli import status
from runner.engine import planfile
from runner.engine.journal import Journal
from runner.engine.tables import _SCHEMA
from runner.model.plan import PlannedJob, Step
from runner.model.run import Verdict
from tests.contract.engine.test_journal import NOW, PLAN, STEP, done, line, opened, path

__all__ = ["path"]
JOBS = ("backup", "prune")


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with opened(path) as made:
        yield made


def step_of(job: str) -> Step:
    return replace(STEP, id=f"{job}/step", job=job)


def begun(journal: Journal, run: str, *jobs: str) -> None:
    """A run that began these, each with one step."""
    steps = tuple(map(step_of, jobs))
    plan = replace(PLAN, id=f"plan-{run}", jobs=tuple(PlannedJob(name=job, kind="x") for job in jobs), steps=steps)
    journal.run_started(run, NOW)
    journal.plan_started(run, plan, planfile.data(plan))
    for step in steps:
        journal.step_started(plan.id, step, NOW)


def ran(journal: Journal, run: str, *jobs: str) -> None:
    """A run that did these."""
    begun(journal, run, *jobs)
    for job in jobs:
        journal.step_ended(f"plan-{run}", step_of(job), done(step_of(job)))
        journal.job_ended(run, line(job, Verdict.DONE, 0))
    journal.run_ended(run, NOW, Verdict.DONE)


def killed(journal: Journal, run: str, *jobs: str) -> None:
    """A run that was killed in these; a report has mentioned it."""
    begun(journal, run, *jobs)
    known = journal.line(run)
    assert known
    journal.close_killed((known,))


def test_a_run_that_failed_while_the_clock_was_set_back_was_not_killed(journal: Journal) -> None:
    journal.run_started("run", NOW)
    # A report never ends before its run began.
    journal.run_ended("run", NOW, Verdict.FAILED)
    known = journal.line("run")
    assert known and known.ended == known.started and not known.cut_off and journal.cut_off() == ()


def test_what_was_killed_is_marked_until_it_ends_after_all(journal: Journal) -> None:
    killed(journal, "run", "backup")
    (known,) = journal.cut_off()
    assert known.id == "run" and known.cut_off and known.verdict == Verdict.FAILED and journal.killed() == ()
    journal.run_ended("run", NOW, Verdict.FAILED)
    assert journal.cut_off() == ()


def test_a_journal_without_the_mark_gets_it_from_how_a_killed_run_was_written_before(path: Path) -> None:
    path.parent.mkdir(parents=True)
    older = _SCHEMA.replace(",\n  killed INTEGER NOT NULL DEFAULT 0", "")
    assert "killed" not in older
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"{older} PRAGMA user_version = 3;")
        for run, hours, verdict in (("killed", 0, "failed"), ("failed", 1, "failed"), ("done", 0, "done")):
            times = (NOW.isoformat(), (NOW + timedelta(hours=hours)).isoformat())
            database.execute("INSERT INTO runs VALUES (?, ?, ?, ?, 1, '')", (run, *times, verdict))
        database.commit()
    for _ in range(2):
        with opened(path) as journal:
            assert [run.id for run in journal.cut_off()] == ["killed"]
            assert journal.asides.untold() == ()


def test_a_job_that_was_killed_is_told_however_many_runs_of_others_came_since(journal: Journal) -> None:
    ran(journal, "first", *JOBS)
    killed(journal, "second", "backup")
    for number in range(30):
        ran(journal, f"other-{number}", "prune")
    assert status._killed(journal, JOBS) == {"backup"}
    ran(journal, "last", "backup")
    assert status._killed(journal, JOBS) == frozenset()


def test_of_several_killed_runs_each_job_counts_the_last_that_began_it(journal: Journal) -> None:
    killed(journal, "first", "backup", "prune")
    ran(journal, "second", "backup")
    killed(journal, "third", "check")
    assert status._killed(journal, (*JOBS, "check")) == {"prune", "check"}
    killed(journal, "fourth", "backup")
    assert status._killed(journal, JOBS) == set(JOBS)


def test_a_run_that_goes_on_was_not_killed(journal: Journal) -> None:
    begun(journal, "run", "backup")
    assert journal.cut_off() == () and status._killed(journal, JOBS) == frozenset()
