"""One step: its guard, its unless, its action, its outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any, assert_never

from runner.engine import waiting
from runner.engine.spool import Spool, TooLong
from runner.engine.transfer import TransferCounter
from runner.engine.waiting import ClaimReading
from runner.hosts.session import Pace, StopSignal
from runner.hosts.transport import Local, Result, Transport
from runner.model import cause
from runner.model.event import Event, Waiting
from runner.model.plan import Check, Command, Effect, Ended, PutFile, Step, WaitFor
from runner.model.role import Role
from runner.model.run import STOPPED, Outcome, State
from runner.model.text import excerpt, printable
from runner.tools import rsync
from runner.tools.answers import last_object

BUSY = 75
STALE = 77
ALREADY = 79
_CHECK_PATIENCE = 60
_STALL = 1800.0
# No answer of a verb is longer, in bytes.
_ANSWER = 1 << 16
# What a broken connection leaves behind: no exit code, or that of ssh.
_SSH_LOST = 255
_LOST = (None, _SSH_LOST)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stepper:
    """Runs the steps of one job. `read_by` are the ids whose output a later step reads.

    `acts` hears the id of a step when its guard has held and nothing has stopped it: it acts now.
    """

    transports: Mapping[str, Transport]
    artifacts: Mapping[str, bytes]
    spool: Spool
    live: bool
    stop: StopSignal
    tell: Callable[[Event], None]
    read_by: frozenset[str]
    acts: Callable[[str], None]

    def run(self, step: Step, at: datetime, outcomes: Mapping[str, Outcome], steps: Mapping[str, Step]) -> Outcome:
        """Check, act, and say how it ended; nothing is run where a claim says so."""
        if step.needs and not self.live:
            return step_outcome(step, State.NOT_HERE, f"needs {' and '.join(step.needs)}: not in the sandbox", at)
        if isinstance(step.unless, Ended):
            for other in filter(None, map(outcomes.get, step.unless.steps)):
                if other.state == State.DONE and other.exit in step.unless.codes:
                    return step_outcome(step, State.NOT_NEEDED, f"{other.step} ended {other.exit}", at)
        elif step.unless:
            claim = self._claim(step.unless)
            if claim.holds:
                return step_outcome(step, State.NOT_NEEDED, claim.advice, at)
            if claim.holds is None and step.effect >= Effect.EXPIRE and not self.stop.is_set():
                # Whether it is needed is not known, and what it does cannot be undone.
                return step_outcome(step, State.FAILED, claim.advice, at)
        if step.guard:
            claim = self._claim(step.guard)
            if not claim.holds and not self.stop.is_set():
                # What could not be looked at has not changed, as far as is known.
                unread = {"unread": True} if claim.holds is None else {}
                return replace(step_outcome(step, State.STALE, claim.advice, at), result=unread)
        if self.stop.is_set():
            return step_outcome(step, State.INTERRUPTED, "stopped before it began", at)
        earlier = {name: (steps[name], outcomes[name]) for name in step.reads if name in outcomes}
        self.acts(step.id)
        return self._act(step, at, earlier)

    def _claim(self, check: Check) -> ClaimReading:
        result = self.transports[check.host].run(check.argv, timeout=_CHECK_PATIENCE, stop=self.stop)
        answer = last_object(result.out)
        if check.field not in answer:
            last = printable(result.err).strip().splitlines()[-1:] or ["no answer"]
            why = excerpt(answer.get("error") or result.error or last[0])
            silence = excerpt(answer.get("error") or result.brief or why)
            # Whoever answers anything at all is there, even where the program itself cannot be run.
            there = answer or ({} if result.exit in _LOST else {"exit": result.exit})
            return ClaimReading(None, f"could not be checked ({check.why}): {why}", there, silence)
        value = answer[check.field]
        holds = _holds(value, check)
        error, do = (excerpt(answer.get(word) or "") for word in ("error", "do"))
        if holds is None:
            text = f"could not be checked ({check.why}): {check.field} cannot be {excerpt(repr(value), 60)}"
            return ClaimReading(None, text, answer)
        if error and not holds:
            return ClaimReading(holds, f"{self._says(check.host)}{error}", answer, do=do)
        words = f"{check.field} is {excerpt(repr(value))}; the plan wants {check.relation} {check.value!r}"
        return ClaimReading(holds, words, answer)

    def _act(self, step: Step, at: datetime, earlier: Mapping[str, tuple[Step, Outcome]]) -> Outcome:
        transport = self.transports[step.host]
        match step.action:
            case PutFile(path=path, artifact=artifact, sha256=sha256, mode=mode):
                if self._is_another(artifact, sha256):
                    return step_outcome(step, State.STALE, f"{artifact} is not the one that was planned", at)
                return self._outcome_of(step, at, transport.put(path, self.artifacts[artifact], mode))
            case Command(artifact=artifact, sha256=sha256) if artifact and self._is_another(artifact, sha256):
                return step_outcome(step, State.STALE, f"{artifact} is not the one that was planned", at)
            case Command():
                try:
                    return self._command(step, at, step.action, earlier)
                except TooLong as error:
                    advice = "see what prints there; if so much is right, free room here"
                    note = f"{step.host} printed {error.strerror}: {advice}"
                    return step_outcome(step, State.FAILED, note, at)
                except OSError as error:
                    # The spool: the command was ended, so its outcome cannot be judged.
                    note = f"its input or output could not be kept on the controller: {error}"
                    return step_outcome(step, State.FAILED, note, at)
            case WaitFor():
                return self._wait(step, at, step.action)
            case _:
                assert_never(step.action)

    def _is_another(self, artifact: str, sha256: str) -> bool:
        return hashlib.sha256(self.artifacts.get(artifact, b"")).hexdigest() != sha256

    def _wait(self, step: Step, at: datetime, action: WaitFor) -> Outcome:
        def seen(text: str) -> None:
            self.tell(Waiting(step=step.id, job=step.job, seen=text, at=datetime.now(UTC)))

        done = waiting.wait(action, lambda: self._claim(action.until), self.stop, seen)
        stopped = not done.over and self.stop.is_set()
        state = State.DONE if done.over else State.INTERRUPTED if stopped else State.FAILED
        answer = {**done.answer, "waited": round(done.seconds, 1)}
        return replace(step_outcome(step, state, done.note, at), result=answer)

    def _command(
        self, step: Step, at: datetime, action: Command, earlier: Mapping[str, tuple[Step, Outcome]]
    ) -> Outcome:
        argv, brought = action.argv, (self.artifacts[action.artifact],) if action.artifact else None
        stdin = self.spool.frames(step, earlier) if step.inputs else brought
        if step.feed:
            ended = [each for each, outcome in earlier.values() if (outcome.state, outcome.exit) == (State.DONE, 0)]
            if not ended:
                return step_outcome(step, State.FAILED, "nothing was printed that it could read", at)
            if not self.spool.path(ended[0]).stat().st_size:
                return step_outcome(step, State.NOT_NEEDED, f"{ended[0].id} printed nothing", at)
            stdin = self.spool.content(ended[0])
        spooled = bool(step.keep_output_as) or step.id in self.read_by
        transport = self.transports[step.host]
        counter = TransferCounter(step, self.tell) if step.keep_output_as or step.role == Role.COPY else None
        moved = counter.moved if counter else None
        if not spooled:
            heard, pace = counter.add if counter else None, Pace(moved=moved)
            result = transport.run(argv, stdin=stdin, timeout=step.timeout, sink=heard, stop=self.stop, pace=pace)
            return self._outcome_of(step, at, result, printed=step.effect == Effect.READ)
        with self.spool.open(step) as keep:
            pace = Pace(stall=_STALL, moved=moved) if step.keep_output_as else Pace(moved=moved)

            def sink(chunk: bytes) -> None:
                keep(chunk)
                if counter:
                    counter.add(chunk)

            result = transport.run(argv, stdin=stdin, timeout=step.timeout, sink=sink, stop=self.stop, pace=pace)
        if result.exit not in step.ok_codes:
            # Why it ended so is the last line, behind all that it had printed before.
            result = replace(result, out=self.spool.tail(step, _ANSWER))
        return self._outcome_of(step, at, result)

    def _outcome_of(self, step: Step, at: datetime, result: Result, *, printed: bool = False) -> Outcome:
        is_for_others = step.id in self.read_by and result.exit in step.ok_codes
        answer = {} if is_for_others else last_object(result.out[-_ANSWER:])
        log = printable(result.err[-4096:])
        state = _state(step, result, answer, stopped=self.stop.is_set())
        says = self._says(step.host)
        note = "" if state == State.DONE else _differs(result) if step.silent else _why(result, answer, log, says)
        if state == State.FAILED and step.keep_output_as and not result.error:
            note = rsync.WORDS.get(result.exit or 0, note)
            answer = {**answer, "cause": cause.Fault.FULL.value} if result.exit == rsync.NO_ROOM else answer
        if printed and not answer:
            # It was run for what it prints, and that is for people.
            log = printable(result.out[-4096:].expandtabs()) + log
        lost = cause.of_host(step.host, cause.Fault.UNREACHABLE) if result.lost and state in STOPPED else ""
        return replace(step_outcome(step, state, note, at), exit=result.exit, result=answer, log=log, cause=lost)

    def _says(self, host: str) -> str:
        """What stands before the words of another host: it may be nobody's friend, and they are not ours."""
        return "" if isinstance(self.transports[host], Local) else f"{host} says: "


def _state(step: Step, result: Result, answer: Mapping[str, Any], *, stopped: bool) -> State:
    if result.exit == ALREADY and answer.get("already"):
        return State.ALREADY
    if result.exit == STALE and answer.get("stale") is True:
        return State.STALE
    # Where 255 is expected the connection is: the command takes its host away.
    expected = result.exit == _SSH_LOST and _SSH_LOST in step.ok_codes
    if result.exit in step.ok_codes and not result.timed_out and (expected or not result.error):
        return State.FAILED if step.silent and result.out.strip() else State.DONE
    if stopped:
        return State.INTERRUPTED
    if result.exit == BUSY:
        return State.BUSY
    if step.detached and result.exit in _LOST:
        return State.INTERRUPTED
    cut = result.exit is not None and (result.exit < 0 or result.exit in rsync.INTERRUPTED)
    return State.INTERRUPTED if cut and step.keep_output_as and not result.timed_out else State.FAILED


def _differs(result: Result) -> str:
    lines = result.out.strip().splitlines()
    if not lines:
        return _why(result, {}, printable(result.err))
    return f"{len(lines)} differences, the first: {printable(lines[0])}"


def _why(result: Result, answer: Mapping[str, Any], log: str, says: str = "") -> str:
    if answer.get("error"):
        return f"{says}{_error_of(answer)}"
    printed = answer.get("log")
    lines = log.strip().splitlines() or ([excerpt(entry) for entry in printed] if type(printed) is list else [])
    last = lines[-1:] or ["it printed nothing"]
    return result.error or f"ended {result.exit}: {last[0]}"


def _error_of(answer: Mapping[str, Any]) -> str:
    # Half a character in it could not be written down, and the run would end there.
    do = f" -> {excerpt(answer['do'])}" if answer.get("do") else ""
    return f"{excerpt(answer['error'])}{do}"


def _holds(value: object, check: Check) -> bool | None:
    """Whether the claim holds of what was read; None where that is of another type than what is claimed."""
    numbers = _is_number(value) and _is_number(check.value)
    if value is not None and not numbers and type(value) is not type(check.value):
        return None
    match check.relation:
        case "==":
            return value == check.value
        case "!=":
            return value != check.value
        case ">=" | "<=":
            if not numbers:
                return None
            reading, claimed = float(str(value)), float(check.value)
            return reading >= claimed if check.relation == ">=" else reading <= claimed
        case _:
            assert_never(check.relation)


def _is_number(value: object) -> bool:
    return type(value) is int or (type(value) is float and isfinite(value))


def step_outcome(step: Step, state: State, note: str, at: datetime | None = None) -> Outcome:
    """The outcome of a step that ends now and began at `at` (now, where that is None)."""
    ended = max(datetime.now(UTC), at) if at else datetime.now(UTC)  # the clock may have been put back meanwhile
    return Outcome(
        step=step.id,
        job=step.job,
        role=step.role,
        subject=step.subject,
        state=state,
        started=at or ended,
        ended=ended,
        note=note,
    )
