"""Every run ends in a report, also when it was refused, when it failed, when it broke."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from runner.engine.aside import LostJournal
from runner.engine.journal import RunLine
from runner.engine.recording import Recording
from runner.jobs.catalogue import weight
from runner.model.errors import GoingDown, ReportUndelivered, RunnerError
from runner.model.event import Event, RunFinished
from runner.model.names import plan_id
from runner.model.plan import Finding
from runner.model.run import Pass, Report, Reporter, Todo
from runner.report import outcome
from runner.report.report import RunResult, compose
from runner.tools.lack import plain
from runner.verbs import announce, undelivered
from runner.verbs.history import StoresPast

Passes = Callable[[list[Pass], str], None]


class ReportDesk(announce.NoticeDesk, Protocol):
    """What a report needs of the app: `kinds` say how their jobs ended."""

    kinds: Mapping[str, Reporter]
    past: StoresPast
    stop: threading.Event
    recording: Recording

    def tell(self, event: Event) -> None:
        """Tell the terminal and the plugins."""


def reported(desk: ReportDesk, passes: Passes) -> tuple[Report, int]:
    """Run `passes`, record the results, deliver the report; the report and the exit code.

    The report is made of what is known here, whether the journal took it or not. What the passes raise is
    reported first and, where it is a bug, raised again.
    """
    started = desk.now()
    run = f"{plan_id(started)}-{os.getpid()}"
    telling = _Telling(run=run, started=started, done=[], findings=[], dead=[], asides=[])
    trouble: Exception | None = None
    try:
        desk.journal.run_started(telling.run, started)
        passes(telling.done, telling.run)
    except GoingDown:
        raise  # what this run began is reported by the run that goes on with it
    except Exception as error:  # a refusal and a bug must reach people too, then the door
        trouble = plain(error)
        telling.findings.append(outcome.refusal(trouble))
    trouble = _beside(telling, trouble, partial(_left_open, desk, telling))
    return _deliver(desk, telling, trouble)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Telling:
    """A run as far as it has come: what its report will be made of."""

    run: str
    started: datetime
    done: list[Pass]
    findings: list[Finding]
    dead: list[RunLine]
    asides: list[LostJournal]


def _left_open(desk: ReportDesk, telling: _Telling) -> None:
    """What earlier runs left, and what becomes of announcements, as far as the journal tells it."""
    with suppress(RunnerError):
        telling.dead.extend(desk.journal.killed())
        telling.findings.extend(outcome.killed(line.started) for line in telling.dead)
        telling.asides.extend(desk.journal.asides.untold())
        telling.findings.extend(map(_put_aside, telling.asides))
        telling.findings.extend(announce.settle(desk, telling.done))


def _beside(telling: _Telling, trouble: Exception | None, do: Callable[[], None]) -> Exception | None:
    """Do what belongs to every report, and tell what hinders it; the trouble there is then.

    A bug in it, or a want of memory, keeps from people nothing that was done, and no run without an end.
    """
    try:
        do()
    except Exception as problem:
        error = plain(problem)
        telling.findings.append(outcome.refusal(error))
        return trouble or error
    return trouble


def _deliver(desk: ReportDesk, telling: _Telling, trouble: Exception | None) -> tuple[Report, int]:
    trouble = _beside(telling, trouble, lambda: telling.findings.extend(undelivered.catch_up(desk)))
    try:
        report = _recorded(desk, telling, trouble)
    except Exception as problem:  # as beside it
        error = plain(problem)
        trouble = trouble or error
        telling.findings.append(outcome.refusal(error))
        if not isinstance(error, RunnerError):
            telling.done.clear()
        report = _report(desk, telling, error)
        with suppress(Exception):  # it may be the journal that failed
            _record(desk, telling.run, report)
    desk.tell(RunFinished(run=telling.run, report=report, at=report.ended))
    failed = undelivered.deliver(desk, report)
    if not failed:
        with suppress(RunnerError):
            desk.journal.close_killed(telling.dead)
            for each in telling.asides:
                desk.journal.asides.mention(each)
            desk.past.settle(telling.run, [each.plan for each in telling.done])
    code = outcome.exit_code(report, trouble)
    if failed:
        lost = ReportUndelivered("; ".join(f"{each.hook}: {each.why}" for each in failed))
        later = "" if any(each.for_good for each in failed) else ", and is sent before the next one"
        todo = Todo(text=f"the report could not be delivered{later}: {lost.text}")
        report = replace(report, actions=(*report.actions, todo))
        code = code if code in (1, 2, 4, 5, 70) else ReportUndelivered.code
    if trouble is not None and not isinstance(trouble, RunnerError):
        raise trouble
    return report, code


def _put_aside(each: LostJournal) -> Finding:
    return outcome.put_aside(each.path, each.why, each.at, newer=each.newer)


def _recorded(desk: ReportDesk, telling: _Telling, trouble: Exception | None) -> Report:
    """The report, with a word about the journal where that did not take how the run ended."""
    report = _report(desk, telling, trouble)
    try:
        _record(desk, telling.run, report)
        return report
    except RunnerError as error:
        # What stopped the run may be the same.
        telling.findings.extend(() if trouble else (outcome.unrecorded(error),))
    return _report(desk, telling, trouble)


def _record(desk: ReportDesk, run: str, report: Report) -> None:
    desk.recording.settle()
    desk.journal.run_ended(run, report.ended, report.verdict)


def _report(desk: ReportDesk, telling: _Telling, trouble: Exception | None) -> Report:
    done = telling.done
    jobs = outcome.job_reports(done, desk.kinds, desk.site)
    plans = outcome.current(done, jobs)
    return compose(
        desk.site,
        RunResult(
            run=telling.run,
            started=telling.started,
            ended=max(desk.now(), telling.started),
            plans=plans,
            jobs=jobs,
            skips=tuple(skip for plan in plans for skip in plan.skips),
            findings=(*telling.findings, *desk.hooks.deaf(), *desk.past.notes(plans)),
            log=outcome.log(done, trouble),
            # What is of no job, such as a hook's, is of a host or its disks.
            weights={"": weight("disk"), **{job.name: weight(job.kind) for job in desk.site.jobs}},
        ),
    )
