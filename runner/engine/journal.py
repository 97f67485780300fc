"""The journal: every run, plan, step, outcome, duration and size, in SQLite.

Each change is committed before the next thing happens (write-ahead log, synchronous=FULL), so a
kill -9 loses nothing that was recorded; what had begun and not ended is seen as such afterwards.

What is the last is told by the order in which it was recorded (rowid), not by its time: what ran while the clock
was ahead hides nothing that came after it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.engine import announcements, aside, instants, progress, tables
from runner.engine.alive import alone, boot_id, process
from runner.engine.stores import known, written
from runner.model.facts import Timed, Wrote
from runner.model.plan import Effect, Plan, Step
from runner.model.role import Role
from runner.model.run import JobLine, Outcome, Past, State, Verdict

_UNENDED = "WHERE ended IS NULL ORDER BY rowid DESC"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    """One run in the journal; `ended` None and `alive` False means it was killed.

    `killed`: so it was, and a report has mentioned that. `rebooted`: this machine was started again since it began.
    """

    id: str
    started: datetime
    ended: datetime | None
    verdict: str
    alive: bool
    rebooted: bool = False
    killed: bool = False

    @property
    def cut_off(self) -> bool:
        """Whether it was killed, mentioned or not."""
        return self.killed or (not self.alive and self.ended is None)


class Journal:
    """The journal in the file `path`; made when missing. Safe for threads and for several runners."""

    def __init__(self, path: Path, *, spare: bool = False) -> None:
        """Open or make it. Like every method it raises RunnerError where the file cannot be used.

        One that is there and cannot be read is put aside (`asides` says so), and a new one is made; a `spare` is not.
        """
        self._path = path
        self._lock = threading.Lock()
        gone: aside.LostJournal | None = None
        with self._usable():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with alone(path.parent):
                try:
                    self._db = tables.opened(path)
                except aside.Unreadable as why:
                    if spare:
                        raise aside.trouble(path, why) from why
                    gone = aside.put_aside(path, why)
                    self._db = tables.opened(path)
        self.announcements = announcements.Announcements(self._do, self._rows)
        self.asides = aside.Asides(self._do, self._rows)
        self.heads = written.Heads(self._rows)
        self.histories = known.KnownHistories(self._do, self._rows)
        self.instants = instants.Instants(self._do, self._rows)
        self.progress = progress.RunProgress(self._rows)
        if gone:
            self.asides.add(gone)

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self._db.close()

    def run_started(self, run: str, at: datetime) -> None:
        """A run exists from now on."""
        self._do(
            "INSERT INTO runs (id, started, pid, boot) VALUES (?, ?, ?, ?)",
            run, _text(at), os.getpid(), process(os.getpid()),
        )  # fmt: skip

    def plan_started(self, run: str, plan: Plan, values: Mapping[str, Any]) -> bool:
        """Note that `plan` begins; False if a plan of that id was begun before, by anyone."""
        self.instants.planned(plan)
        begun = self._do(
            "INSERT OR IGNORE INTO plans VALUES (?, ?, ?, ?)", plan.id, run, _text(plan.made_at), json.dumps(values)
        )
        return begun == 1

    def step_started(self, plan: str, step: Step, at: datetime) -> None:
        """A step begins."""
        self._do(
            "INSERT OR REPLACE INTO steps (plan, id, job, host, effect, started, role, subject) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            plan, step.id, step.job, step.host, step.effect.name, _text(at), step.role.value, step.subject,
        )  # fmt: skip

    def step_ended(self, plan: str, step: Step, outcome: Outcome) -> None:
        """A step ended, or was found not needed without being started."""
        started, ended = outcome.started, outcome.ended
        self._do(
            "INSERT OR REPLACE INTO steps (plan, id, job, host, effect, started, ended, state, exit, result, log, "
            "note, role, subject) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            plan, step.id, step.job, step.host, step.effect.name, _text(started), _text(ended),
            outcome.state.value, outcome.exit, tables.answer_text(outcome.result), outcome.log, outcome.note,
            step.role.value, step.subject,
        )  # fmt: skip

    def job_ended(self, run: str, line: JobLine) -> None:
        """A job ended with a verdict."""
        size, files = line.written or (None, None)
        self._do(
            "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            run, line.job, _text(line.ended), line.verdict.value, _text(line.started), size, files, line.headline,
        )  # fmt: skip

    def run_ended(self, run: str, at: datetime, verdict: Verdict) -> None:
        """A run is over and recorded; people are told after this."""
        self._do("UPDATE runs SET ended = ?, verdict = ?, killed = 0 WHERE id = ?", _text(at), verdict.value, run)

    def run_of(self, plan: str) -> RunLine | None:
        """The run that ran the plan of that id, or None."""
        return next(iter(self._lines("WHERE id = (SELECT run FROM plans WHERE id = ?)", plan)), None)

    def line(self, run: str) -> RunLine | None:
        """The run of that id, or None."""
        return next(iter(self._lines("WHERE id = ?", run)), None)

    def last_success(self) -> dict[str, datetime]:
        """For each job the start of its last run that was neither failed nor skipped.

        One that took a host down counts, however it ended: it is not repeated before its time.
        """
        rows = self._rows(
            "SELECT job, at FROM (SELECT *, row_number() OVER "  # noqa: S608 (constant)
            "(PARTITION BY job ORDER BY place DESC, at DESC) AS back FROM (SELECT jobs.job, jobs.started AS at, "
            "runs.rowid AS place FROM jobs JOIN runs ON runs.id = jobs.run WHERE jobs.verdict != ? UNION ALL "
            "SELECT steps.job, steps.started, runs.rowid FROM steps JOIN plans ON plans.id = steps.plan JOIN runs "
            f"ON runs.id = plans.run WHERE effect = ? AND {instants.BEGUN} AND role IN (?, ?) AND subject = '')) "
            "WHERE back = 1",
            Verdict.FAILED.value, Effect.INTERRUPT.name, Role.DOWN.value, Role.OFF.value,
        )  # fmt: skip
        return {job: _time(started) for job, started in rows}

    def past(self, job: str, most: int = 10) -> tuple[Past, ...]:
        """What the last runs of a job wrote and took, newest first; only runs that wrote."""
        rows = self._rows(
            "SELECT bytes, files, started, ended FROM jobs WHERE job = ? AND bytes IS NOT NULL "
            "ORDER BY rowid DESC LIMIT ?", job, most,
        )  # fmt: skip
        return tuple(
            Past(bytes=size, files=files, seconds=max((_time(ended) - _time(started)).total_seconds(), 0.0))
            for size, files, started, ended in rows
        )

    def wrote(self) -> Mapping[str, tuple[Wrote, ...]]:
        """Where each job sealed its snapshots, and when."""
        return written.places(self._rows)

    def last_of(self, job: str) -> JobLine | None:
        """How the job ended last, or None."""
        rows = self._rows(
            "SELECT started, ended, verdict, headline, bytes, files, run FROM jobs WHERE job = ? "
            "ORDER BY rowid DESC LIMIT 1", job,
        )  # fmt: skip
        if not rows:
            return None
        started, ended, verdict, headline, size, files, run = rows[0]
        return JobLine(
            job=job, started=_time(started), ended=_time(ended), verdict=Verdict(verdict), headline=headline,
            written=(size, files) if size is not None else None, instant=self.instants.of(run).get(job),
        )  # fmt: skip

    def answer(self, job: str, role: Role) -> Mapping[str, Any]:
        """The answer of the step of that role when it was last done in the job; empty if it never was."""
        rows = self._rows(
            "SELECT result FROM steps WHERE job = ? AND role = ? AND state = ? ORDER BY rowid DESC LIMIT 1",
            job, role.value, State.DONE.value,
        )  # fmt: skip
        answer: Mapping[str, Any] = json.loads(rows[0][0]) if rows else {}
        return answer

    def took(self) -> dict[Timed, tuple[float, ...]]:
        """How many seconds each step that waits, or is detached, took when it was last done, newest first."""
        return progress.took(self._rows)

    def interrupting(self, job: str, since: datetime) -> RunLine | None:
        """The run in which `job` last began to interrupt people after `since`; None where it did not."""
        rows = self._rows(
            "SELECT plans.run FROM steps JOIN plans ON plans.id = steps.plan WHERE steps.job = ? AND effect = ? "
            "AND started > ? AND (state IS NULL OR state IN (?, ?)) ORDER BY steps.rowid DESC LIMIT 1",
            job, Effect.INTERRUPT.name, _text(since), State.DONE.value, State.INTERRUPTED.value,
        )  # fmt: skip
        return self.line(rows[0][0]) if rows else None

    def passes_of(self, run: str) -> tuple[tuple[Mapping[str, Any], tuple[Outcome, ...]], ...]:
        """The plans of a run, as `plan_started` got them, with the outcomes of their steps as far as they are known."""
        plans = self._rows("SELECT id, plan FROM plans WHERE run = ? ORDER BY rowid", run)
        return tuple((json.loads(values), self._outcomes(plan)) for plan, values in plans)

    def _outcomes(self, plan: str) -> tuple[Outcome, ...]:
        rows = self._rows(
            "SELECT id, job, role, subject, started, ended, state, exit, result, log, note FROM steps WHERE plan = ? "
            "ORDER BY rowid", plan,
        )  # fmt: skip
        return tuple(
            Outcome(
                step=step, job=job, role=Role(role), subject=subject,
                state=State(state) if state else State.INTERRUPTED, exit=code,
                started=_time(started) if started else None, ended=_time(ended) if ended else None,
                result=json.loads(result) if result else {}, log=log or "", note=note or "",
            )
            for step, job, role, subject, started, ended, state, code, result, log, note in rows
        )  # fmt: skip

    def runs(self, most: int = 20) -> tuple[RunLine, ...]:
        """The runs that began last, the last of all first."""
        return self._lines("ORDER BY rowid DESC LIMIT ?", most)

    def _lines(self, which: str, *values: object) -> tuple[RunLine, ...]:
        rows = self._rows(f"SELECT id, started, ended, verdict, pid, boot, killed FROM runs {which}", *values)  # noqa: S608 (constant)
        return tuple(
            RunLine(
                id=run, started=_time(started), ended=_time(ended) if ended else None, verdict=verdict or "",
                alive=not ended and boot == process(pid), rebooted=boot.partition(" ")[0] not in ("", boot_id()),
                killed=bool(killed),
            )
            for run, started, ended, verdict, pid, boot, killed in rows
        )  # fmt: skip

    def alive(self) -> tuple[RunLine, ...]:
        """The runs that are under way, the last of all first."""
        return tuple(line for line in self._lines(_UNENDED) if line.alive)

    def killed(self) -> tuple[RunLine, ...]:
        """Runs that never ended, whose process is gone and which no report has mentioned yet."""
        return tuple(line for line in self._lines(_UNENDED) if not line.alive)

    def cut_off(self) -> tuple[RunLine, ...]:
        """Every run that was killed, mentioned or not, the last of all first."""
        return tuple(line for line in self._lines("WHERE ended IS NULL OR killed ORDER BY rowid DESC") if line.cut_off)

    def close_killed(self, dead: Sequence[RunLine]) -> None:
        """A report has mentioned these: they failed, and what was under way in them was interrupted."""
        for line in dead:
            self._do("UPDATE steps SET state = ? WHERE state IS NULL AND plan IN (SELECT id FROM plans WHERE run = ?)",
                     State.INTERRUPTED.value, line.id)  # fmt: skip
            self._do("UPDATE runs SET ended = started, verdict = ?, killed = 1 WHERE id = ?",
                     Verdict.FAILED.value, line.id)  # fmt: skip

    def _do(self, statement: str, *values: object) -> int:
        kept = [
            value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value for value in values
        ]
        with self._lock, self._usable():
            return self._db.execute(statement, kept).rowcount

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, self._usable():
            return self._db.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise aside.trouble(self._path, error) from error


def _text(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
