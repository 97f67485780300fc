"""What a run is for, from a real journal; and a plan that is applied again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.engine import planfile
from runner.engine.journal import Journal
from runner.jobs.catalogue import KINDS
from runner.model.errors import Busy, UsageError
from runner.model.facts import Facts
from runner.model.options import PruneOptions
from runner.model.plan import Plan, PlannedJob
from runner.model.run import JobLine, Outcome, Reporter, State, Verdict
from runner.model.site import Job, Site
from runner.verbs import applied, due
from runner.verbs.due import RunRequest
from tests.unit import parts

INSTANT = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
PRUNE = Job(name="prune", kind="prune", host=parts.SERVER, options=PruneOptions(store="papio"), schedule="15 3 * * *")
BACKUP = parts.job("backup-papio", schedule="15 3 * * *")


@dataclass(kw_only=True)
class Desk:
    """A site with a journal, and a clock that the test sets."""

    journal: Journal
    clock: datetime = INSTANT + MINUTE
    site: Site = parts.site(jobs=(BACKUP, PRUNE))
    kinds: Mapping[str, Reporter] = field(default_factory=lambda: KINDS)

    def now(self) -> datetime:
        return self.clock

    def asked(self, **request: object) -> dict[str, datetime | None]:
        return {job.name: job.instant for job in due.asked(self, RunRequest(**request)).jobs}  # type: ignore[arg-type]

    def ran(self, run: str, *, verdict: Verdict | None = Verdict.DONE, instant: datetime | None = INSTANT) -> Plan:
        """A run of both jobs that ended so; with None it is at it still."""
        jobs = tuple(PlannedJob(name=job.name, kind=job.kind, instant=instant) for job in self.site.jobs)
        step = parts.step("prune/1")
        plan = parts.plan(step, id=f"plan-{run}", jobs=jobs, made_at=self.clock)
        self.journal.run_started(run, self.clock)
        self.journal.plan_started(run, plan, planfile.data(plan))
        for job in self.site.jobs if verdict else ():
            line = JobLine(job=job.name, started=self.clock, ended=self.clock, verdict=verdict, headline="x")
            self.journal.job_ended(run, line)
        if verdict:
            self.journal.run_ended(run, self.clock + MINUTE, verdict)
        return plan


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(journal=Journal(tmp_path / "journal.sqlite"))
    yield made
    made.journal.close()


def test_what_is_due_is_for_its_instant_and_what_is_named_for_none(desk: Desk) -> None:
    assert desk.asked() == {"backup-papio": INSTANT, "prune": INSTANT}
    assert desk.asked(jobs=("prune",)) == {"prune": None}
    assert desk.asked(jobs=("prune",), instant=INSTANT) == {"prune": INSTANT}


def test_of_a_job_that_leaves_no_record_the_journal_knows_that_it_is_done(desk: Desk) -> None:
    desk.ran("run")
    assert desk.asked() == {}
    # What has a record is asked for it: the disk may be another one, or lost.
    assert desk.asked(jobs=("backup-papio",), instant=INSTANT) == {"backup-papio": INSTANT}
    (skip,) = due.asked(desk, RunRequest(jobs=("prune",), instant=INSTANT)).skips
    assert skip.done and skip.reason == "already done for 2026-11-23 03:15 EST, at 2026-11-23 03:16 EST"
    assert desk.asked(jobs=("prune",)) == {"prune": None}


def test_a_job_that_failed_is_not_done(desk: Desk) -> None:
    desk.ran("run", verdict=Verdict.FAILED)
    assert desk.asked() == {"backup-papio": INSTANT, "prune": INSTANT}


def test_a_clock_that_is_set_back_makes_nothing_happen_twice(desk: Desk) -> None:
    desk.ran("yesterday", instant=INSTANT - DAY)
    desk.ran("today")
    for back in (timedelta(hours=2), timedelta(seconds=70)):
        desk.clock = INSTANT + MINUTE - back
        # By the wall clock it is due again, since a success in the future proves nothing; by the instant it is done.
        assert "prune" not in desk.asked(), desk.clock
    desk.clock = INSTANT + 2 * MINUTE
    assert "prune" not in desk.asked()
    desk.clock = INSTANT + DAY
    assert desk.asked()["prune"] == INSTANT + DAY


@pytest.mark.parametrize(
    ("names", "words"), [((), "--for is for one job"), (("prune", "backup-papio"), "--for is for one job")]
)
def test_a_time_is_for_one_job_that_is_named(desk: Desk, names: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        desk.asked(jobs=names, instant=INSTANT)


def test_only_what_was_killed_is_said_to_be_taken_up(desk: Desk) -> None:
    plan = desk.ran("run", verdict=None)
    assert due.cut_off(desk, plan) == ()
    line = desk.journal.line("run")
    assert line
    desk.journal.close_killed((line,))
    found = due.cut_off(desk, plan)
    assert {finding.source for finding in found} == {"backup-papio", "prune"}
    assert "begun at 2026-11-23 03:16 EST for the same time, and did not end" in found[0].text
    assert due.cut_off(desk, replace(plan, jobs=(replace(plan.jobs[0], instant=INSTANT + DAY),))) == ()


def test_a_plan_that_was_never_applied_is_there_to_be_run(desk: Desk) -> None:
    assert applied.earlier(desk.journal, parts.plan(parts.step("prune/1")), desk.site) is None


@pytest.mark.parametrize("verdict", [Verdict.NOTHING, Verdict.DONE, Verdict.ATTENTION])
def test_a_plan_that_ended_well_is_done(desk: Desk, verdict: Verdict) -> None:
    left = applied.earlier(desk.journal, desk.ran("run", verdict=verdict), desk.site)
    assert left and (left.steps, left.findings, left.jobs) == ((), (), ())
    assert {skip.job for skip in left.skips} == {"backup-papio", "prune"} and left.skips[0].done
    assert left.skips[0].reason == f"already done: this plan was run at 2026-11-23 03:16 EST and ended: {verdict}"


def test_a_plan_that_failed_was_cut_off_or_found_another_at_work_wants_a_new_one(desk: Desk) -> None:
    failed = applied.earlier(desk.journal, desk.ran("failed", verdict=Verdict.FAILED), desk.site)
    killed = desk.ran("killed", verdict=None)
    with pytest.raises(Busy, match="is being run since 2026-11-23 03:16 EST"):
        applied.earlier(desk.journal, killed, desk.site)
    line = desk.journal.line("killed")
    assert line
    desk.journal.close_killed((line,))
    busy = desk.ran("busy", verdict=Verdict.ATTENTION)
    outcome = Outcome(step="prune/1", job="prune", state=State.BUSY, started=INSTANT, ended=INSTANT)
    desk.journal.step_ended(busy.id, busy.steps[0], outcome)
    plans = (failed, *(applied.earlier(desk.journal, plan, desk.site) for plan in (killed, busy)))
    for left, words in zip(plans, ("ended: failed", "was cut off before it ended", "found another run"), strict=True):
        assert left and left.skips == left.jobs == left.steps == ()
        (finding,) = left.findings
        assert finding.severity == "attention" and words in finding.text and "a plan runs once" in finding.text
        assert finding.advice == "a new plan takes up what is left: runner plan --out plan.toml"


@pytest.mark.parametrize(
    ("jobs", "command"),
    [
        ((PlannedJob(name="prune", kind="prune", instant=INSTANT),), "prune --for 2026-11-23T08:15Z "),
        ((PlannedJob(name="prune", kind="prune"), PlannedJob(name="backup-papio", kind="x")), "prune backup-papio "),
    ],
)
def test_the_command_for_a_new_plan_is_for_the_same(desk: Desk, jobs: tuple[PlannedJob, ...], command: str) -> None:
    plan = replace(desk.ran("run", verdict=Verdict.FAILED), jobs=jobs)
    left = applied.earlier(desk.journal, plan, desk.site)
    assert left and left.findings[0].command == f"runner plan {command}--out plan.toml"
    restore = replace(plan, jobs=(PlannedJob(name="restore", kind="restore"),))
    left = applied.earlier(desk.journal, restore, desk.site)
    assert left and left.findings[0].command == "" and left.findings[0].do == "plan again, read it, apply it"


def test_without_the_journal_the_stores_tell_that_a_plan_is_done() -> None:
    name, old = "2026-11-23T081500Z", "2026-11-22T081500Z"
    job = PlannedJob(name="backup-papio", kind="snapshot", writes=f"papio/{name}", instant=INSTANT)

    def stored(**snapshot: object) -> Facts:
        known = {"name": old, "host": parts.PAPIO, "job": "backup-papio", **snapshot}
        return parts.facts({parts.SERVER: {"store": {"sealed": [known]}}})

    plan = parts.plan(parts.step("backup-papio/seal"), jobs=(PlannedJob(name="prepare-x", kind="prepare"), job))
    for done in (stored(name=name, plan=plan.id), stored(instant=INSTANT)):
        left = applied.made(plan, done)
        assert left and left.skips[0].job == "backup-papio"
    sealed = applied.made(plan, stored(instant=INSTANT, sealed=INSTANT + DAY))
    assert sealed and sealed.skips[0].done == INSTANT + DAY, "when it was sealed, not when this plan was made"
    for other in (
        stored(),
        stored(name=name, plan="another"),
        stored(plan=plan.id, job="another"),
        stored(instant=INSTANT + DAY),
    ):
        assert applied.made(plan, other) is None
    # What else the plan does leaves no trace there.
    more = replace(plan, jobs=(*plan.jobs, PlannedJob(name="prune", kind="prune")))
    assert applied.made(more, stored(plan=plan.id)) is None
    assert applied.made(parts.plan(), stored(plan=plan.id)) is None
