"""The journal on a real disk: killed writers, several runners, no room."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.engine import planfile
from runner.engine.journal import Journal
from runner.model.errors import RunnerError
from runner.model.plan import Basis, Command, Effect, Plan, Step
from runner.model.role import Role
from runner.model.run import JobLine, Outcome, State, Verdict
from tests.contract.site import PATIENCE, REPOSITORY

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
PLAN = Plan(id="20261123T081500.000Z", made_at=NOW, site="babase", live=True)
WRITER = """
import itertools, sys
from datetime import UTC, datetime
from pathlib import Path
from dataclasses import replace
from runner.engine.journal import Journal
from tests.contract.engine.test_journal import PLAN, STEP, done
journal = Journal(Path(sys.argv[1]))
journal.run_started("run", datetime.now(UTC))
journal.plan_started("run", PLAN, {})
for number in itertools.count():
    step = replace(STEP, id=f"job/{number}")
    journal.step_started(PLAN.id, step, datetime.now(UTC))
    print("began", number, flush=True)
    journal.step_ended(PLAN.id, step, done(step))
    print("ended", number, flush=True)
"""
ONCE = """
import sys
from pathlib import Path
from runner.engine.journal import Journal
from tests.contract.engine.test_journal import PLAN
journal = Journal(Path(sys.argv[1]))
sys.stdin.read()
print(journal.plan_started("run", PLAN, {}))
"""
STEP = Step(
    id="job/step", job="job", host="papio", action=Command(argv=("true",)), effect=Effect.READ, why="",
)  # fmt: skip


def done(step: Step) -> Outcome:
    return Outcome(
        step=step.id, job=step.job, state=State.DONE, exit=0, started=NOW, ended=NOW, log="x" * 200, note="\udcff"
    )


def line(job: str, verdict: Verdict, hour: int, written: tuple[int, int] | None = None) -> JobLine:
    at = NOW + timedelta(hours=hour)
    return JobLine(
        job=job, started=at, ended=at + timedelta(minutes=5), verdict=verdict, headline="so", written=written
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(path)) as journal:
        yield journal


def process(source: str, path: Path) -> subprocess.Popen[str]:
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        (sys.executable, "-c", source, str(path)), env=known, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return database.execute(statement).fetchall()


@pytest.mark.parametrize("lines", [1, 7, 40, 41])
def test_whatever_was_told_before_kill_9_is_there_afterwards(path: Path, lines: int) -> None:
    with process(WRITER, path) as writer:
        assert writer.stdout
        told = [writer.stdout.readline() for _ in range(lines)]
        assert all(told), "it ended by itself"
        writer.kill()
        told += writer.stdout.readlines()
    began = sum(text.startswith("began") for text in told)
    finished = sum(text.startswith("ended") for text in told)
    assert 0 <= len(rows(path, "SELECT id FROM steps")) - began <= 1
    assert 0 <= len(rows(path, "SELECT id FROM steps WHERE state = 'done'")) - finished <= 1
    with opened(path) as journal:
        assert [(one.id, one.alive) for one in journal.runs()] == [("run", False)]
        dead = journal.killed()
        assert [one.id for one in dead] == [one.id for one in journal.killed()] == ["run"]
        journal.close_killed(dead)
        assert journal.killed() == ()
        assert journal.runs()[0].verdict == "failed"
        ((_, outcomes),) = journal.passes_of("run")
        assert {one.note for one in outcomes if one.state is State.DONE} <= {"\\udcff"}
    assert rows(path, "SELECT id FROM steps WHERE state IS NULL") == []


def test_a_plan_begins_once_whoever_tries_at_the_same_time(path: Path) -> None:
    with opened(path) as journal:
        journal.run_started("run", NOW)
    tries = [process(ONCE, path) for _ in range(4)]
    said = [one.communicate(timeout=PATIENCE)[0].strip() for one in tries]
    assert sorted(said) == ["False", "False", "False", "True"]


def test_a_run_that_goes_on_is_not_taken_for_killed(path: Path) -> None:
    with opened(path) as journal:
        journal.run_started("run", datetime.now(UTC))
        assert journal.killed() == () and journal.runs()[0].alive
        for number in range(51):
            journal.run_started(f"run{number}", NOW)
            journal.run_ended(f"run{number}", NOW, Verdict.DONE)
        assert [one.id for one in journal.alive()] == ["run"], "however many ran meanwhile"


def test_another_process_with_the_number_of_a_killed_one_does_not_hide_it(path: Path) -> None:
    with opened(path) as journal:
        journal.run_started("run", NOW)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE runs SET boot = substr(boot, 1, 37) || '1'")
    with opened(path) as journal:
        assert [one.id for one in journal.killed()] == ["run"]


def test_a_stopped_process_that_nobody_has_buried_is_killed(path: Path) -> None:
    writer = process(WRITER, path)
    assert writer.stdout and writer.stdin
    writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)
    with opened(path) as journal:
        assert not journal.runs()[0].alive
    writer.communicate()


def test_only_what_succeeded_counts_as_done_and_only_what_wrote_foretells(path: Path) -> None:
    with opened(path) as journal:
        for hour, run in enumerate("abc"):
            journal.run_started(run, NOW + timedelta(hours=hour))
        journal.job_ended("a", line("job", Verdict.DONE, 0, (100, 2)))
        journal.job_ended("b", line("job", Verdict.ATTENTION, 1))
        journal.job_ended("c", line("job", Verdict.FAILED, 2))
        assert journal.last_success() == {"job": NOW + timedelta(hours=1)}
        assert [(one.bytes, one.files, one.seconds) for one in journal.past("job")] == [(100, 2, 300.0)]
        last = journal.last_of("job")
        assert last and last.verdict == Verdict.FAILED and journal.last_of("other") is None


def test_a_run_under_a_clock_that_was_ahead_hides_nothing_that_came_after_it(path: Path) -> None:
    with opened(path) as journal:
        for run, hour in (("a", 0), ("ahead", 30), ("b", 1), ("c", 2)):
            journal.run_started(run, NOW + timedelta(hours=hour))
        journal.job_ended("a", line("job", Verdict.DONE, 0, (1, 1)))
        journal.job_ended("ahead", line("job", Verdict.DONE, 30, (2, 2)))
        assert journal.last_success() == {"job": NOW + timedelta(hours=30)}
        journal.job_ended("b", line("job", Verdict.DONE, 1, (3, 3)))
        assert journal.last_success() == {"job": NOW + timedelta(hours=1)}, "also once its time has come"
        journal.job_ended("c", line("job", Verdict.FAILED, 2))
        last = journal.last_of("job")
        assert last and last.verdict == Verdict.FAILED
        assert [run.id for run in journal.runs()] == ["c", "b", "ahead", "a"]
        assert [one.bytes for one in journal.past("job")] == [3, 2, 1]


def test_a_journal_that_has_no_place_is_told_in_words(path: Path) -> None:
    path.parent.write_text("a file")
    with pytest.raises(RunnerError, match=r"journal .*journal\.sqlite cannot be used: .*\n.*-> "):
        Journal(path)


def test_a_full_disk_is_told_and_what_was_written_stays(path: Path) -> None:
    path.parent.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=256k", "none", str(path.parent)), check=True)
    try:
        with opened(path) as journal:
            journal.run_started("run", NOW)
            journal.plan_started("run", PLAN, {})
            with pytest.raises(RunnerError, match="full"):
                for number in range(2000):
                    journal.plan_started("run", PLAN, {"text": "x" * 10_000, "number": number})
                    journal.step_started(f"plan {number}" + "x" * 10_000, STEP, NOW)
            assert [one.id for one in journal.runs()] == ["run"]
    finally:
        subprocess.run(("umount", str(path.parent)), check=True)


def test_a_reboot_is_not_done_again_before_its_time_whatever_came_of_it(path: Path) -> None:
    down = replace(STEP, id="job/reboot", effect=Effect.INTERRUPT, role=Role.DOWN)

    def ended(name: str, state: State) -> None:
        one = replace(down, id=f"job/{name}", subject="" if name == "reboot" else "before")
        journal.step_ended(PLAN.id, one, replace(done(one), note="", state=state))

    with opened(path) as journal:
        journal.run_started("run", NOW)
        journal.plan_started("run", PLAN, {})
        journal.job_ended("run", line("job", Verdict.FAILED, 0))
        ended("before/reboot", State.DONE)
        assert journal.last_success() == {}, "what was to come after the first reboot was not done"
        journal.step_started(PLAN.id, down, NOW)
        assert journal.last_success() == {"job": NOW}, "a run that was killed in it may have rebooted"
        ended("reboot", State.FAILED)
        assert journal.last_success() == {}
        ended("reboot", State.DONE)
        assert journal.last_success() == {"job": NOW}


def test_a_step_is_found_again_by_its_role_and_what_it_is_about(path: Path) -> None:
    waited = replace(STEP, id="job/back", role=Role.BACK)
    checked = replace(STEP, id="job/check-usb", role=Role.CHECK, subject="usb")
    with opened(path) as journal:
        journal.run_started("run", NOW)
        journal.plan_started("run", PLAN, {})
        journal.step_ended(PLAN.id, waited, replace(done(waited), note="", result={"waited": 40.0}))
        answer = {"detached": True, "seconds": 7.0}
        journal.step_ended(PLAN.id, checked, replace(done(checked), note="", result=answer))
        assert journal.took() == {("job", Role.BACK, ""): (40.0,), ("job", Role.CHECK, "usb"): (7.0,)}
        assert journal.answer("job", Role.CHECK) == answer
        assert journal.answer("other", Role.CHECK) == {}
        ((_, outcomes),) = journal.passes_of("run")
        assert [(one.role, one.subject) for one in outcomes] == [(Role.BACK, ""), (Role.CHECK, "usb")]


OLDER = """
CREATE TABLE runs (
  id TEXT PRIMARY KEY, started TEXT NOT NULL, ended TEXT, verdict TEXT, pid INTEGER NOT NULL, boot TEXT NOT NULL);
CREATE TABLE plans (
  id TEXT PRIMARY KEY, run TEXT NOT NULL REFERENCES runs, made_at TEXT NOT NULL, plan TEXT NOT NULL);
CREATE TABLE steps (
  plan TEXT NOT NULL REFERENCES plans, id TEXT NOT NULL, job TEXT NOT NULL, host TEXT NOT NULL,
  effect TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, state TEXT, exit INTEGER, result TEXT, log TEXT,
  note TEXT, PRIMARY KEY (plan, id));
INSERT INTO runs VALUES ('run', '2026-11-23T08:15:00+00:00', NULL, NULL, 1, 'boot 1');
INSERT INTO plans VALUES ('p', 'run', '2026-11-23T08:15:00+00:00', '{"id": "p", "steps": [{"id": "up/back"}]}');
INSERT INTO steps VALUES ('p', 'up/before/reboot', 'up', 'h', 'INTERRUPT', '2026-11-23T08:15:00+00:00',
  '2026-11-23T08:16:00+00:00', 'done', 0, '{}', '', '');
INSERT INTO steps VALUES ('p', 'up/reboot', 'up', 'h', 'INTERRUPT', '2026-11-23T08:17:00+00:00',
  '2026-11-23T08:18:00+00:00', 'done', 0, '{}', '', '');
INSERT INTO steps VALUES ('p', 'check/links', 'check', 'h', 'READ', '2026-11-23T08:17:00+00:00',
  '2026-11-23T08:18:00+00:00', 'done', 0, '{"limit": 9}', '', '');
"""


def test_an_older_journal_is_made_like_one_of_today_and_once(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(OLDER)
    for _ in range(2):
        with opened(path) as journal:
            assert journal.last_success() == {"up": NOW + timedelta(minutes=2)}
            assert journal.answer("check", Role.LINKS) == {"limit": 9}
            ((values, outcomes),) = journal.passes_of("run")
            assert values["steps"] == [{"id": "up/back", "role": "back", "subject": ""}]
            assert [(one.role, one.subject) for one in outcomes[:2]] == [(Role.DOWN, "before"), (Role.DOWN, "")]
    assert rows(path, "PRAGMA user_version") == [(3,)]


BEFORE_IDLE = """
ALTER TABLE steps ADD COLUMN role TEXT NOT NULL DEFAULT 'step';
ALTER TABLE steps ADD COLUMN subject TEXT NOT NULL DEFAULT '';
INSERT INTO steps VALUES ('p', 'up/still', 'up', 'h', 'READ', '2026-11-23T08:15:00+00:00',
  '2026-11-23T08:16:00+00:00', 'done', 0, '{"still": true, "waited": 7.0}', '', '', 'still', '');
INSERT INTO steps VALUES ('p', 'up/check-usb', 'up', 'h', 'WRITE', '2026-11-23T08:15:00+00:00',
  '2026-11-23T08:16:00+00:00', 'done', 0, '{"carried": true, "seconds": 9.0}', '', '', 'check', 'usb');
INSERT INTO steps VALUES ('p', 'prune/expire-1', 'prune', 'h', 'EXPIRE', '2026-11-23T08:15:00+00:00',
  '2026-11-23T08:16:00+00:00', 'done', 0, '{"carried": 1}', '', '', 'expire', '');
UPDATE plans SET plan = '{"id": "p", "steps": [{"id": "up/still", "role": "still"}, {"id": "up/x", "carried": true}]}';
PRAGMA user_version = 2;
"""


def test_a_journal_that_said_still_and_carried_says_idle_and_detached(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(OLDER + BEFORE_IDLE)
    for _ in range(2):
        with opened(path) as journal:
            assert journal.took() == {("up", Role.IDLE, ""): (7.0,), ("up", Role.CHECK, "usb"): (9.0,)}
            assert journal.answer("up", Role.CHECK) == {"detached": True, "seconds": 9.0}
            assert journal.answer("prune", Role.EXPIRE) == {"carried": 1}
            ((values, _),) = journal.passes_of("run")
            assert values["steps"] == [{"id": "up/still", "role": "idle"}, {"id": "up/x", "detached": True}]


@pytest.mark.parametrize(
    ("told", "headline", "details"),
    [
        ("3 updates wait", "3 updates wait", ()),
        ("two disks\nusb: due\nsda: not due", "two disks", ("usb: due", "sda: not due")),
    ],
)
def test_a_plan_of_an_earlier_runner_is_read_with_the_names_of_today(
    path: Path, told: str, headline: str, details: tuple[str, ...]
) -> None:
    values = planfile.data(Plan(id="p", made_at=datetime(2026, 11, 23, tzinfo=UTC), site="s", live=True))
    values["jobs"] = [{"name": "a", "kind": "x", "told": told}, {"name": "b", "kind": "x"}]
    values["basis"] = [{"subject": "jobs.toml", "digest": "0f", "told": "as it was"}]
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(OLDER)
        database.execute("UPDATE plans SET plan = ?", (json.dumps(values),))
        database.commit()
    with opened(path) as journal:
        ((migrated, _),) = journal.passes_of("run")
    read = planfile.plan({name: value for name, value in migrated.items() if name != "format"})
    assert [(job.headline, job.details) for job in read.jobs] == [(headline, details), ("", ())]
    assert read.basis == (Basis(subject="jobs.toml", digest="0f", description="as it was"),)


def test_runners_that_make_it_at_the_same_moment_wait_for_each_other(tmp_path: Path) -> None:
    """Without that one of four found `database is locked` in seven of a hundred rounds."""
    for number in range(100):
        gate, pids = os.pipe(), []
        for _ in range(4):
            if (pid := os.fork()) == 0:
                os.close(gate[1])
                os.read(gate[0], 1)
                code = 1
                with contextlib.suppress(BaseException):
                    Journal(tmp_path / f"{number}.sqlite").close()
                    code = 0
                os._exit(code)
            pids.append(pid)
        for end in gate:
            os.close(end)
        assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0, 0], number
