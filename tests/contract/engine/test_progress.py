"""How far a run and a transfer are, as the journal and the kernel know it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.engine import planfile
from runner.engine.journal import Journal
from runner.engine.progress import JobNow
from runner.engine.transfer import TransferCounter
from runner.hosts.session import Pace
from runner.hosts.transport import Local
from runner.model.event import Event, Progress
from runner.model.plan import Command, Effect, Plan, PlannedJob, Step
from runner.model.run import JobLine, Outcome, State, Verdict

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)


def over(journal: Journal, plan: str, steps: tuple[Step, ...]) -> None:
    for each in steps:
        journal.step_ended(plan, each, Outcome(step=each.id, job=each.job, state=State.DONE, started=NOW, ended=NOW))


def step(name: str) -> Step:
    action = Command(argv=("true",))
    return Step(id=name, job=name.partition("/")[0], host="h", action=action, effect=Effect.WRITE, why="")


STEPS = tuple(map(step, ("prepare-h/agent", "backup/begin", "backup/send-1", "backup/seal", "purge/expire")))
JOBS = tuple(PlannedJob(name=name, kind=kind) for name, kind in (
    ("prepare-h", "prepare"), ("backup", "snapshot"), ("purge", "prune"),
))  # fmt: skip
PLAN = Plan(id="p", made_at=NOW, site="s", live=True, jobs=JOBS, steps=STEPS)


def ended(journal: Journal, run: str, job: str, seconds: float, verdict: Verdict = Verdict.DONE) -> None:
    end = NOW + timedelta(seconds=seconds)
    journal.job_ended(run, JobLine(job=job, started=NOW, ended=end, verdict=verdict, headline=""))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A run that is at its second step, after three in which the backup took 60, 100 and 900 seconds."""
    made = Journal(tmp_path / "journal.db")
    for number, seconds in enumerate((60, 100, 900)):
        made.run_started(f"r{number}", NOW - timedelta(days=number + 1))
        ended(made, f"r{number}", "backup", seconds)
    ended(made, "r0", "prepare-h", 1)
    made.run_started("now", NOW)
    made.plan_started("now", PLAN, planfile.data(PLAN))
    for one in STEPS[:3]:
        made.step_started(PLAN.id, one, NOW)
    over(made, PLAN.id, STEPS[:2])
    ended(made, "now", "prepare-h", 1)
    yield made
    made.close()


def test_of_a_run_that_is_under_way_each_job_is_known_with_how_long_it_takes_as_a_rule(journal: Journal) -> None:
    backup, purge = journal.progress.of("now")
    assert backup == JobNow(job="backup", started=NOW, step="send-1", number=2, of=3, usual=100.0)
    assert backup.is_running and backup.left(NOW + timedelta(seconds=30)) == 70.0
    assert backup.left(NOW + timedelta(seconds=130)) is None
    assert purge == JobNow(job="purge", of=1)
    assert not purge.is_running and purge.left(NOW) is None
    assert journal.progress.of("r0") == ()


def test_the_jobs_of_a_run_are_named_without_those_that_prepare_a_host(journal: Journal) -> None:
    over(journal, PLAN.id, STEPS)
    ended(journal, "now", "purge", 5, Verdict.NOTHING)
    ended(journal, "now", "backup", 9, Verdict.FAILED)
    assert journal.progress.jobs("now") == {"purge": "nothing done", "backup": "failed"}
    assert [job.verdict for job in journal.progress.of("now")] == ["failed", "nothing done"]


def test_a_job_that_is_planned_again_has_not_ended_whatever_became_of_it_before(journal: Journal) -> None:
    over(journal, PLAN.id, STEPS)
    for job in ("backup", "purge"):
        ended(journal, "now", job, 5)
    again = replace(PLAN, id="again")
    journal.plan_started("now", again, planfile.data(again))
    journal.step_started(again.id, STEPS[1], NOW)
    backup, purge = journal.progress.of("now")
    assert backup.is_running and (purge.started, purge.verdict) == (None, "")
    over(journal, again.id, STEPS)
    assert [job.verdict for job in journal.progress.of("now")] == ["done", "done"]


def test_a_clock_that_was_put_back_makes_no_time_negative(journal: Journal) -> None:
    ended(journal, "r1", "purge", -60)
    backup, purge = journal.progress.of("now")
    assert (purge.usual, backup.left(NOW - timedelta(hours=1))) == (0.0, 100.0)


def test_what_a_command_moves_on_this_machine_is_heard_while_it_runs() -> None:
    heard: list[int] = []
    script = "head -c 50000000 /dev/zero | cat >/dev/null; sleep 1.3"
    ran = Local("papio").run(("sh", "-c", script), timeout=60, pace=Pace(moved=heard.append))
    # Read from /dev/zero, written to the pipe, read there, written to /dev/null.
    assert ran.exit == 0 and heard and 200_000_000 <= heard[-1] < 210_000_000


def test_within_a_big_file_it_is_seen_how_much_of_it_is_there_and_it_never_goes_back() -> None:
    seen: list[Event] = []
    counter = TransferCounter(step("backup/send-1"), seen.append, every=0.0)
    counter.moved(400)
    counter.moved(4000)
    # A name is escaped by rsync, so no file looks like a line; its size is what counts.
    counter.add(b">f+++++++++|abc|900|a|b//\n>f+++")
    counter.add(b"++++++|abc|x|c//\n>f+++++++++|abc|300|d//\n")
    counter.moved(4400)
    events = [event for event in seen if isinstance(event, Progress)]
    assert [(event.files, event.bytes) for event in events] == [(0, 100), (0, 1000), (1, 1000), (2, 1200), (2, 1300)]
