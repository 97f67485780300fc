"""Wait for a host: ask again and again until it answers as wanted, or no longer answers at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, NamedTuple

from runner.hosts.session import StopSignal
from runner.model.plan import WaitFor
from runner.model.text import length, printable

_SILENCES = 3
# A look that was under way when the run was stopped has this long. It may be at a host that is down.
_LAST_WORD = 2.0
_TICK = 0.5


class ClaimReading(NamedTuple):
    """Whether the claim of a check holds, None where that could not be read; that in words, and what was read.

    `silence` says why nothing could be read to whoever waits for an answer; "" where `text` does. `do` is what
    the program that refused says to do.
    """

    holds: bool | None
    text: str
    answer: Mapping[str, Any]
    silence: str = ""
    do: str = ""

    @property
    def advice(self) -> str:
        """What was read, and what to do about it."""
        return f"{self.text} -> {self.do}" if self.do else self.text


Ask = Callable[[], ClaimReading]


@dataclass(frozen=True, kw_only=True, slots=True)
class Waited:
    """How a wait ended: `over` as wanted, or given up (or stopped); `note` says what was seen last.

    `seconds` is how long it took, `answer` the last reading, empty where the host was silent in the end.
    """

    over: bool
    note: str
    seconds: float
    answer: Mapping[str, Any]


def wait(action: WaitFor, ask: Ask, stop: StopSignal, seen: Callable[[str], None]) -> Waited:
    """Ask until it is as wanted, `within` has passed or `stop` is set; `seen` hears each new answer.

    `ask` changes nothing, so one that is under way when `stop` is set is left to itself after a moment.
    """
    begun = monotonic()
    last, silences, heard, words = "", 0, begun, ""
    answer: Mapping[str, Any] = {}
    while True:
        reading = _unless_stopped(ask, stop)
        if reading is None or (reading.holds is None and stop.is_set()):
            return _stopped(monotonic() - begun, last)
        holds = reading.holds
        # A refusal is an answer too: who gives one is not gone.
        silences = silences + 1 if holds is None and not (action.gone and reading.answer) else 0
        if holds is not None:
            answer, heard = reading.answer, monotonic()
            words = printable(str(answer.get("error") or reading.text))
        silence = f"no answer: {reading.silence or reading.text}"
        now = reading.advice if holds is not None else silence
        if now != last:
            last = now
            # What to do is for when it is given up: most that is seen goes by.
            seen(reading.text if holds is not None else silence)
        passed = monotonic() - begun
        if silences >= _SILENCES if action.gone else holds:
            return Waited(over=True, note="", seconds=passed, answer=answer)
        if passed >= action.within or stop.wait(min(action.every, max(action.within - passed, 0.0))):
            before = f"; the last answer came after {length(heard - begun)}: {words}"
            ended = "waited" if stop.is_set() else "given up after"
            note = f"{ended} {length(passed)}, last seen: {last}{before if silences and answer else ''}"
            # What it said before it fell silent says nothing of how it is.
            return Waited(over=False, note=note, seconds=passed, answer={} if silences else answer)


def _unless_stopped(ask: Ask, stop: StopSignal) -> ClaimReading | None:
    """What `ask` gives, or raises; None where the run was stopped and nothing came soon."""
    answers: list[ClaimReading | BaseException] = []

    def listen() -> None:
        try:
            answers.append(ask())
        except BaseException as problem:
            answers.append(problem)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_TICK)
        if stop.is_set():
            thread.join(_LAST_WORD)
            break
    answer = answers[0] if answers else None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _stopped(seconds: float, last: str) -> Waited:
    note = f"waited {length(seconds)}, last seen: {last or 'nothing yet'}"
    return Waited(over=False, note=note, seconds=seconds, answer={})
