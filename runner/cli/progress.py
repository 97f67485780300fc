"""What a run is doing now: a live display at a terminal, sparse lines in a log."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

from runner.cli.show import at_terminal, tell
from runner.model.event import Event, Progress, RunStarted, StepFinished, StepStarted, Waiting
from runner.model.plan import Plan, WaitFor
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


class LogDisplay:
    """A line when a step that matters ends, and one a minute while a long one runs."""

    def __init__(self) -> None:
        """Nothing is printed yet."""
        self._last: dict[str, datetime] = {}
        self._zone = ZoneInfo("UTC")

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to put back."""

    def __call__(self, event: Event) -> None:
        """Print what is worth a line."""
        match event:
            case RunStarted(timezone=zone):
                self._zone = ZoneInfo(zone)
            case StepStarted(step=step, at=at):
                self._last[step.id] = at
            case Progress(step=step_id, files=files, bytes=amount, at=at):
                if at - self._last.get(step_id, at) >= _LOG_EVERY:
                    self._last[step_id] = at
                    self._print(at, f"{step_id}: {count(files, 'file')}, {size(amount)} so far")
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
        self._plan: Plan | None = None
        self._started: dict[str, datetime] = {}

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
                self._plan = plan
            case StepStarted(step=step, at=at):
                self._started[step.job] = at
                if step.job not in self._tasks:
                    total = self._expected(step.job)
                    self._tasks[step.job] = self._bars.add_task(step.job, total=total, text="")
                self._bars.update(self._tasks[step.job], text=step.id.removeprefix(f"{step.job}/"))
                if isinstance(step.action, WaitFor) and step.action.within >= _LONG:
                    until = (at + timedelta(seconds=step.action.within)).astimezone()
                    self._bars.console.print(
                        f"{step.id}: waits until {until:%Y-%m-%d %H:%M} at most", markup=False, highlight=False
                    )
            case Progress(job=job, files=files, bytes=amount, at=at):
                text = f"{count(files, 'file')}  {size(amount)}{self._rate(job, amount, at)}"
                self._bars.update(self._tasks[job], completed=amount, text=text)
            case Waiting(job=job, seen=seen):
                self._bars.update(self._tasks[job], text=one_line(seen))
            case StepFinished(step=step, outcome=outcome):
                if outcome.state in (State.FAILED, State.STALE, State.BUSY):
                    text = f"{outcome.step}: {outcome.state.value}: {one_line(outcome.note)}"
                    self._bars.console.print(text, markup=False)
                if step.job in self._tasks and step.id == self._last(step.job):
                    self._bars.remove_task(self._tasks.pop(step.job))
            case _:
                pass

    def _last(self, job: str) -> str:
        return [step.id for step in self._plan.steps if step.job == job][-1] if self._plan else ""

    def _expected(self, job: str) -> int | None:
        jobs = [planned for planned in self._plan.jobs if planned.name == job] if self._plan else []
        return jobs[0].forecast.bytes if jobs else None

    def _rate(self, job: str, amount: int, at: datetime) -> str:
        seconds = (at - self._started[job]).total_seconds()
        if seconds < 1 or not amount:
            return ""
        rate = amount / seconds
        expected = self._expected(job)
        left = f", about {length((expected - amount) / rate)} left" if expected and expected > amount else ""
        return f"  {size(rate)}/s{left}"
