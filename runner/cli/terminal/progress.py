"""What a run is doing now: a live display at a terminal, sparse lines in a log."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from runner.cli.terminal.show import at_terminal, tell
from runner.model.event import Event, Progress, RunStarted, StepFinished, StepStarted, Waiting
from runner.model.plan import Plan, Step, WaitFor
from runner.model.run import State
from runner.model.text import count, length, one_line, size
from runner.report.line import line

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_LOG_EVERY = timedelta(minutes=1)
# For a wait that may take longer than these seconds its end is shown: people plan what to do meanwhile.
_LONG = 300
_QUIET = frozenset((State.NOT_REACHED, State.NOT_NEEDED, State.NOT_HERE))


def display() -> LiveDisplay | LogDisplay:
    """The display that fits where standard output goes."""
    return LiveDisplay() if at_terminal() else LogDisplay()


class Transfers:
    """How far the transfers of each job are: files, bytes, rate and, where it is known how much comes, what is left."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._plan: Plan | None = None
        self._started: dict[str, datetime] = {}
        self._seen: dict[str, Progress] = {}
        self._before: dict[str, int] = {}

    def begin(self, plan: Plan) -> None:
        """These are the jobs from now on."""
        self._plan = plan

    def started(self, step: Step, at: datetime) -> None:
        """A step begins: what the ones before it have sent is behind it."""
        self._before[step.job] = self._before.get(step.job, 0) + self._bytes(step.job)
        self._started[step.job] = at
        self._seen.pop(step.job, None)

    def sent(self, event: Progress) -> str:
        """What to say of it."""
        self._seen[event.job] = event
        text = f"{count(event.files, 'file')}  {size(event.bytes)}"
        seconds = (event.at - self._started.get(event.job, event.at)).total_seconds()
        if seconds < 1 or not event.bytes:
            return text
        rate, left = event.bytes / seconds, (self.expected(event.job) or 0) - self.done(event.job)
        return f"{text}  {size(rate)}/s{f', about {length(left / rate)} left' if left > 0 else ''}"

    def done(self, job: str) -> int:
        """How many bytes the job has sent in all."""
        return self._before.get(job, 0) + self._bytes(job)

    def expected(self, job: str) -> int | None:
        """How many it will send, as far as that is known."""
        jobs = [planned for planned in self._plan.jobs if planned.name == job] if self._plan else []
        return jobs[0].forecast.bytes if jobs else None

    def last(self, job: str) -> str:
        """The last step of the job."""
        return [step.id for step in self._plan.steps if step.job == job][-1] if self._plan else ""

    def _bytes(self, job: str) -> int:
        return self._seen[job].bytes if job in self._seen else 0


class LogDisplay:
    """A line when a step that matters ends, and one a minute while a long one runs."""

    def __init__(self) -> None:
        """Nothing is printed yet."""
        self._last: dict[str, datetime] = {}
        self._zone = ZoneInfo("UTC")
        self._transfers = Transfers()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to put back."""

    def __call__(self, event: Event) -> None:
        """Print what is worth a line."""
        match event:
            case RunStarted(timezone=zone, plan=plan):
                self._zone = ZoneInfo(zone)
                self._transfers.begin(plan)
            case StepStarted(step=step, at=at):
                self._last[step.id] = at
                self._transfers.started(step, at)
            case Progress(step=step_id, at=at):
                text = self._transfers.sent(event)
                if at - self._last.get(step_id, at) >= _LOG_EVERY:
                    self._last[step_id] = at
                    self._print(at, f"{step_id}: {text}")
            case Waiting(step=step_id, seen=seen, at=at):
                self._print(at, f"{step_id}: {one_line(seen)}")
            case StepFinished(outcome=outcome, at=at) if outcome.state not in _QUIET:
                took = length(at - outcome.started) if outcome.started else ""
                note = f": {one_line(outcome.note)}" if outcome.note else ""
                self._print(at, f"{outcome.step}: {outcome.state.value} in {took}{note}")
            case _:
                pass

    def _print(self, at: datetime, text: str) -> None:
        tell([line(f"{at.astimezone(self._zone):%H:%M:%S} {text}")])


class LiveDisplay:
    """A line a running job, with files, bytes, rate and, where history tells how much, the time left."""

    def __init__(self) -> None:
        """Nothing is shown before the first step."""
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._transfers = Transfers()

    def __enter__(self) -> Self:
        """Begin the live display."""
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        # Where the terminal is narrow, the text is cut short, and not the time.
        self._bars = Bars(
            SpinnerColumn(table_column=Column(min_width=1)),
            TextColumn("[bold cyan]{task.description}", markup=True, table_column=Column(no_wrap=True, min_width=12)),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[text]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
            TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
            transient=True,
            expand=True,
        )
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Take the live display away; a terminal that has gone is no trouble of the run's."""
        if self._bars:
            with suppress(OSError):
                self._bars.stop()

    def __call__(self, event: Event) -> None:
        """Bring the display up to date."""
        if self._bars is None:
            return
        match event:
            case RunStarted(plan=plan):
                self._transfers.begin(plan)
            case StepStarted(step=step, at=at):
                self._transfers.started(step, at)
                if step.job not in self._tasks:
                    total = self._transfers.expected(step.job)
                    self._tasks[step.job] = self._bars.add_task(step.job, total=total, text="")
                self._bars.update(self._tasks[step.job], text=step.id.removeprefix(f"{step.job}/"))
                if isinstance(step.action, WaitFor) and step.action.within >= _LONG:
                    until = (at + timedelta(seconds=step.action.within)).astimezone()
                    self._bars.console.print(
                        f"{step.id}: waits until {until:%Y-%m-%d %H:%M} at most", markup=False, highlight=False
                    )
            case Progress(job=job):
                text = self._transfers.sent(event)
                self._bars.update(self._tasks[job], completed=self._transfers.done(job), text=text)
            case Waiting(job=job, seen=seen):
                self._bars.update(self._tasks[job], text=one_line(seen))
            case StepFinished(step=step, outcome=outcome):
                if outcome.state in (State.FAILED, State.STALE, State.BUSY):
                    text = f"{outcome.step}: {outcome.state.value}: {one_line(outcome.note)}"
                    self._bars.console.print(text, markup=False)
                if step.job in self._tasks and step.id == self._transfers.last(step.job):
                    self._bars.remove_task(self._tasks.pop(step.job))
            case _:
                pass
