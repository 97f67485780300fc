"""Run a plan: each job in a thread of its own, in order of `after`, under the locks it names.

The argv come from the plan and nothing is worked out anew. A job's first failed step ends that
job and no other. The clock is read here only to say when things began and ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from runner.engine.job.beside import Beside
from runner.engine.job.stop import JobStop
from runner.engine.spool import Spool
from runner.engine.step import Stepper, step_outcome
from runner.hosts.holds import Holds
from runner.hosts.session import StopSignal
from runner.hosts.transport import HeldCommand, Transport
from runner.model import cause
from runner.model.errors import RunnerError
from runner.model.event import Event, StepFinished, StepStarted
from runner.model.plan import Effect, Lock, Plan, PlannedJob, Step, WaitFor
from runner.model.role import Role
from runner.model.run import STOPPED, Outcome, State
from runner.model.text import excerpt, printable
from runner.tools import bug
from runner.tools.agent import HolderAnswer, LockAnswer
from runner.tools.answers import last_object, read

_LOCK_PATIENCE = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What it takes to run a plan: the ways to the hosts, files that ship with the runner, a spool
    folder, who is told, and the event by which a person stops it all.

    `already` says why a job that has its locks now is done for its instant, "" where it is not. `begun`,
    `ended` and `left` (a job, with the outcomes of its steps) are called before `tell`. All four are called
    from several threads. A RunnerError of `begun` keeps the step from beginning, unless it undoes something; what else
    they raise ends the run.
    """

    transports: Mapping[str, Transport]
    artifacts: Mapping[str, bytes]
    spool: Path
    already: Callable[[PlannedJob], str]
    begun: Callable[[Step, datetime], None]
    ended: Callable[[Step, Outcome], None]
    left: Callable[[PlannedJob, tuple[Outcome, ...]], None]
    tell: Callable[[Event], None]
    stop: StopSignal


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def run(plan: Plan, means: Means) -> tuple[Outcome, ...]:
    """Run every step of `plan`; one outcome a step, in the plan's order. Raises only for our bugs."""
    spool = Spool(means.spool, plan.id)
    finished = {job.name: threading.Event() for job in plan.jobs}
    unready: dict[str, Outcome] = {}
    turns = {lock.resource: threading.Lock() for job in plan.jobs for lock in job.locks}
    holds = Holds(plan.jobs)

    def run_job(job: PlannedJob) -> tuple[Outcome, ...]:
        try:
            for name in job.after:
                if name in finished:
                    finished[name].wait()
            own = _JobRun(plan, job, means, spool, holds)
            if missing := [outcome for host, outcome in unready.items() if host in own.hosts]:
                outcomes = own.refuse(missing[0])
                means.left(job, outcomes)
                return outcomes
            with ExitStack() as stack:
                for resource in sorted(lock.resource for lock in job.locks):
                    stack.enter_context(turns[resource])
                outcomes = own.run()
            # Nobody else needs another job to end well; but without the agent nothing goes on at a host.
            if own.prepares:
                unready.update(
                    (host, outcome) for outcome in outcomes if outcome.state in STOPPED for host in own.hosts
                )
            means.left(job, outcomes)
            return outcomes
        finally:
            holds.over(job.name)
            finished[job.name].set()

    try:
        with ThreadPoolExecutor(max_workers=max(len(plan.jobs), 1), thread_name_prefix="job") as pool:
            outcomes = {outcome.step: outcome for ended in pool.map(run_job, plan.jobs) for outcome in ended}
    finally:
        spool.close()
    return tuple(outcomes[step.id] for step in plan.steps)


class _JobRun:
    """One job of the plan while it runs."""

    def __init__(self, plan: Plan, job: PlannedJob, means: Means, spool: Spool, holds: Holds) -> None:
        self._job = job
        self._holds = holds
        self._steps = tuple(step for step in plan.steps if step.job == job.name)
        self._means = means
        self._spool = spool
        self._outcomes: dict[str, Outcome] = {}
        self._stop = JobStop(means.stop)
        self._stepper = Stepper(
            transports=means.transports,
            artifacts=means.artifacts,
            spool=spool,
            live=plan.live,
            stop=self._stop,
            tell=means.tell,
            acts=self._stop.release,
            read_by=frozenset(name for step in plan.steps for name in step.reads),
        )

    def run(self) -> tuple[Outcome, ...]:
        if not self._steps:
            return ()
        with ExitStack() as stack:
            for lock in self._job.locks:
                refused = self._hold(lock, stack)
                if refused:
                    self._end(self._steps[0], refused)
                    break
            else:
                if why := self._means.already(self._job):
                    self._end(self._steps[0], step_outcome(self._steps[0], State.ALREADY, why))
                else:
                    self._go()
            self._rest()
            if all(outcome.state not in STOPPED for outcome in self._outcomes.values()):
                for step in self._steps:
                    self._spool.drop(step)
        return self._in_order()

    def _in_order(self) -> tuple[Outcome, ...]:
        return tuple(self._outcomes[step.id] for step in self._steps)

    @property
    def prepares(self) -> bool:
        return any(step.role == Role.PREPARE for step in self._steps)

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset((*(place.host for place in self._steps), *(place.host for place in self._job.locks)))

    def refuse(self, why: Outcome) -> tuple[Outcome, ...]:
        """End it before it begins, since the step of outcome `why` was not done."""
        if self._steps:
            note = f"not begun, as {why.job} {why.state.value}"
            outcome = step_outcome(self._steps[0], why.state, note)
            self._end(self._steps[0], replace(outcome, cause=why.cause or cause.of_job(why.job)))
            self._rest()
        return self._in_order()

    def _hold(self, lock: Lock, stack: ExitStack) -> Outcome | None:
        first = self._steps[0]
        try:
            held = stack.enter_context(self._holding(lock))
        except OSError as error:
            return step_outcome(first, State.FAILED, f"{lock.resource}: {error}")
        try:
            return self._held(lock, held)
        except Exception as error:
            return _bug(first, error)

    def _held(self, lock: Lock, held: HeldCommand) -> Outcome | None:
        first = self._steps[0]
        line = last_object(held.first_line(_LOCK_PATIENCE))
        answer = read(line, LockAnswer)
        if answer and answer.held:
            self._stop.held.append((held, lock.until))
            return None
        if answer:
            _, who, pid, since = answer.holder or HolderAnswer()
            time = f"{since:%Y-%m-%dT%H:%M:%SZ}" if since else "?"
            note = f"{lock.resource} on {lock.host} is held by {who or '?'} (pid {pid or '?'}) since {time}"
            return step_outcome(first, State.BUSY, printable(note))
        ended = held.close()
        why = excerpt(line.get("error") or ended.error or "runner-agent gave no answer")
        outcome = step_outcome(first, State.FAILED, printable(f"{lock.resource} on {lock.host}: {why}"))
        lost = cause.of_host(lock.host, cause.Fault.UNREACHABLE) if ended.lost else ""
        return replace(outcome, result=line, cause=lost)

    @contextmanager
    def _holding(self, lock: Lock) -> Iterator[HeldCommand]:
        held = self._holds.take(self._means.transports[lock.host], lock)
        try:
            yield held
        finally:
            if held in self._stop.left:
                held.leave(self._stop.parting())
            elif not self._holds.keep(self._job, lock, held):
                held.close()

    def _go(self) -> None:
        with Beside() as beside:
            self._go_on(beside)

    def _go_on(self, beside: Beside) -> None:
        bad: set[str] = set()
        for step in self._steps:
            bad.update(name for name, state in beside.ended(step.id) if state in STOPPED)
            if bad and not bad <= set(step.despite):
                continue
            # What undoes something is done even when the run is stopped.
            cleanup = bool(bad) and not self._only_looks(step)
            if self._stop.is_set() and not cleanup:
                outcome = step_outcome(step, State.INTERRUPTED, f"{self._stop.why} before it began")
                self._end(step, replace(outcome, cause=self._stop.cause))
                bad.add(step.id)
            elif step.until and not cleanup:
                beside.begin(step, self._run)
            elif self._run(step, cleanup=cleanup) in STOPPED:
                bad.add(step.id)

    def _only_looks(self, step: Step) -> bool:
        """Whether a step looks for its own sake, and not whether something was undone."""
        return step.effect == Effect.READ and all(
            earlier.effect == Effect.READ for earlier in self._steps if earlier.id in step.despite
        )

    def _run(self, step: Step, *, cleanup: bool = False) -> State:
        at = now()
        try:
            self._means.begun(step, at)
        except RunnerError as error:
            if not cleanup:
                outcome = step_outcome(step, State.FAILED, f"not begun: {error.text}", at)
                self._end(step, outcome)
                return outcome.state
        self._means.tell(StepStarted(step=step, at=at))
        stepper = replace(self._stepper, stop=threading.Event()) if cleanup else self._stepper
        outcome = self._outcome(stepper, step, at)
        if outcome.state == State.INTERRUPTED and self._stop.is_set() and not cleanup:
            seen = f"; {outcome.note}" if isinstance(step.action, WaitFor) and outcome.note else ""
            note = f"{self._stop.why} while it ran{seen}"
            outcome = replace(outcome, note=note, cause=self._stop.cause or outcome.cause)
        self._end(step, outcome)
        return outcome.state

    def _outcome(self, stepper: Stepper, step: Step, at: datetime) -> Outcome:
        try:
            return stepper.run(step, at, self._outcomes, {other.id: other for other in self._steps})
        except Exception as error:
            return _bug(step, error, at)

    def _rest(self) -> None:
        for step in self._steps:
            if step.id not in self._outcomes:
                self._end(step, step_outcome(step, State.NOT_REACHED, ""))

    def _end(self, step: Step, outcome: Outcome) -> None:
        self._outcomes[step.id] = outcome
        self._means.ended(step, outcome)
        self._means.tell(StepFinished(step=step, outcome=outcome, at=outcome.ended or now()))


def _bug(step: Step, error: Exception, at: datetime | None = None) -> Outcome:
    """The failure of a step that the runner itself could not go on with; the other jobs go on all the same."""
    outcome = step_outcome(step, State.FAILED, f"the runner could not go on with it: {bug.words(error)}", at)
    return replace(outcome, log=bug.trace(error))
