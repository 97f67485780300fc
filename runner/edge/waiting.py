"""Wait for a host: ask again and again until it answers as wanted, or no longer answers at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from runner.edge.transport import UNREACHED, cannot_start
from runner.model.plan import WaitFor
from runner.model.text import length

_SILENCES = 3
# What a port says behind which no sshd speaks (yet, or any more): a tunnel, a router, a kernel that panicked.
_SPEECHLESS = (
    "No existing session",
    "Error reading SSH protocol banner",
    "Connection reset by peer",
    "Connection closed",
    "EOFError",
)

Ask = Callable[[], tuple[bool | None, str, Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Waited:
    """How a wait ended: `over` as wanted, or given up (or stopped); `note` says what was seen last.

    `seconds` is how long it took, `answer` the last reading, empty where the host was silent in the end.
    """

    over: bool
    note: str
    seconds: float
    answer: Mapping[str, Any]


def wait(action: WaitFor, ask: Ask, stop: threading.Event, seen: Callable[[str], None]) -> Waited:
    """Ask until it is as wanted, `within` has passed or `stop` is set; `seen` hears each new answer.

    `ask` gives whether the claim holds (None: no answer), that in words, and the reading.
    """
    begun = monotonic()
    last, silences, heard, words = "", 0, begun, ""
    answer: Mapping[str, Any] = {}
    while True:
        holds, told, reading = ask()
        # A refusal is an answer too: who gives one is not gone.
        silences = silences + 1 if holds is None and not (action.gone and reading) else 0
        if holds is not None:
            answer, heard, words = reading, monotonic(), str(reading.get("error") or told)
        now = told if holds is not None else f"no answer: {_silence(action, told)}"
        if now != last:
            last = now
            seen(now)
        passed = monotonic() - begun
        if silences >= _SILENCES if action.gone else holds:
            return Waited(over=True, note="", seconds=passed, answer=answer)
        if passed >= action.within or stop.wait(min(action.every, max(action.within - passed, 0.0))):
            before = f"; the last answer came after {length(heard - begun)}: {words}"
            note = (
                f"given up after {length(passed)}, last seen: {last}{before if silences and answer else ''}"
            )
            # What it said before it fell silent says nothing of how it is.
            return Waited(over=False, note=note, seconds=passed, answer={} if silences else answer)


def _silence(action: WaitFor, told: str) -> str:
    """Why there is no answer, without what everybody knows who waits for one, and in plain words."""
    claim = action.until
    why = told.removeprefix(f"could not be checked ({claim.why}): ")
    why = why.removeprefix(cannot_start(claim.argv, claim.host, "")).removeprefix(UNREACHED)
    if any(raw in why for raw in _SPEECHLESS):
        return f"something takes the connection to {claim.host}, but no ssh server speaks: it is on its way, or hangs"
    return why
