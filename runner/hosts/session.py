"""Carry one running command: feed it, read it, watch its limits. The same for local and remote ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from signal import SIGKILL, SIGTERM
from typing import NamedTuple, Protocol

KEPT_OUT = 1 << 20
KEPT_ERR = 16 << 10
GRACE = 10.0
TICK = 0.1
PIECE = 64 << 10
SHOWN_EVERY = 1.0
QUIET_CHANGE = 64 << 10


class CommandFailure(NamedTuple):
    """Why a command did not end well, in words; `brief` without the command itself. Both "" where it did.

    `lost`: its connection broke. `do` is what a person can do about it, where that is known.
    """

    error: str = ""
    brief: str = ""
    lost: bool = False
    do: str = ""


class Session(Protocol):
    """A command that has been started, with three pipes. Reads and writes wait at most half a second.

    `linger`: seconds of silence after the command's end when its output counts as complete although
    something that it started keeps the pipe open. `exit` as in a Result, known after `close`, and so `shell`.
    """

    linger: float
    exit: int | None
    shell: bytes

    def read(self, err: bool) -> bytes | None:
        """Give the next output (or errors), b"" at its end, None if nothing came yet."""

    def write(self, data: bytes) -> int:
        """Give what the command took of `data`, perhaps 0. OSError when it reads no more."""

    def end_input(self) -> None:
        """Tell the command that its standard input is complete."""

    def wait(self, seconds: float) -> bool:
        """Tell whether the command has ended, after at most `seconds`."""

    def signal(self, number: int) -> None:
        """Signal the command's whole process group; no error if it is gone."""

    def moved(self) -> int:
        """Bytes that the command's processes are known to have read and written; it may only grow."""

    def close(self) -> None:
        """Close it, so that its exit is known."""

    def failure(self, carrier: Carrier) -> CommandFailure:
        """What to say of its end, after `close`; `carrier` has carried it there."""


class StopSignal(Protocol):
    """A wish from outside that nothing go on; a `threading.Event` is one. Once set it stays set."""

    def is_set(self) -> bool:
        """Whether to stop now."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, at most `timeout` seconds; whether it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How a command is seen to go on: `stall` seconds without progress end it, None never.

    `moved` hears now and then how many bytes it has read and written on this machine so far.
    """

    stall: float | None = None
    moved: Callable[[int], None] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What ends a command early: seconds in all, seconds without progress, a wish from outside."""

    timeout: float
    pace: Pace = Pace()
    stop: StopSignal | None = None


class Carrier:
    """Runs a session to its end. Afterwards `out`, `err`, `cut`, `timed_out` and `error` hold the result.

    Output goes to `sink` complete and in order; `out` keeps its first MiB (`cut`: there was more),
    `err` the last 16 KiB. `left_open`: its pipes never ended. A command ended early never sees a
    regular end of its input first, so that a truncated input is not taken for a whole one. Over ssh
    that is beyond our control when the connection breaks, and for what outlives the command itself.
    """

    def __init__(
        self, session: Session, limits: Limits, stdin: Iterable[bytes] | None, sink: Callable[[bytes], None] | None
    ) -> None:
        self.out = b""
        self.err = b""
        self.cut = False
        self.left_open = False
        self.timed_out = False
        self.error = ""
        self._session = session
        self._limits = limits
        self._stdin = stdin
        self._sink = sink
        self._kept: list[bytes] = []
        self._room = KEPT_OUT
        self._seen = 0
        self._ended = 0.0
        self._halted = False
        self._fault: BaseException | None = None

    def carry(self) -> None:
        """Return when the command has ended and its output is read; raise what `stdin` or `sink` raised."""
        readers = [self._thread(self._read_out), self._thread(self._read_err)]
        if self._stdin is None:
            self._session.end_input()
        else:
            self._thread(self._feed)
        try:
            self._watch(readers)
        except BaseException:
            self._halt()
            raise
        self.out = b"".join(self._kept)
        if self._fault is not None:
            raise self._fault

    def _watch(self, readers: list[threading.Thread]) -> None:
        watch = _Watch(self._limits)
        while not self._session.wait(TICK):
            if self._must_halt(watch):
                self._halt()
                break
        self._ended = time.monotonic()
        for reader in readers:
            while reader.is_alive() and not self._left_behind():
                reader.join(TICK)
                if not self._halted and self._must_halt(watch):
                    self._halt()
            if reader.is_alive():
                self._sink = None
                self.error = self.error or "it was told to stop, and its output is not complete"

    def _thread(self, target: Callable[[], None]) -> threading.Thread:
        def reading() -> None:
            try:
                target()
            except BaseException as problem:  # such as a want of memory: what was read so far is not all there was
                self._fault = problem

        thread = threading.Thread(target=reading, daemon=True)
        thread.start()
        return thread

    def _must_halt(self, watch: _Watch) -> bool:
        if self._fault is not None:
            return True
        if self._told_to_stop():
            return True
        self.error = watch.overdue(self._seen, self._session.moved)
        self.timed_out = bool(self.error)
        return self.timed_out

    def _told_to_stop(self) -> bool:
        return self._limits.stop is not None and self._limits.stop.is_set()

    def _halt(self) -> None:
        self._halted = True
        self._session.signal(SIGTERM)
        if not self._session.wait(GRACE):
            self._session.signal(SIGKILL)
            if not self._session.wait(GRACE):
                self.error = f"{self.error or 'it was told to stop'}; it could not be ended and may still run"
        self._session.signal(SIGKILL)

    def _left_behind(self) -> bool:
        """Whether waiting for a reader is useless: its sink still blocks though the command was ended."""
        return self._halted and time.monotonic() - self._ended > GRACE

    def _feed(self) -> None:
        try:
            for data in self._stdin or ():
                if not self._give(data):
                    return
        except BaseException as problem:
            self._fault = problem
            return
        # The same wish may have cut short whatever this input came from.
        if not self._told_to_stop():
            self._session.end_input()

    def _give(self, data: bytes) -> bool:
        rest = memoryview(data)
        while rest and not self._halted:
            try:
                taken = self._session.write(bytes(rest[:PIECE]))
            except OSError:
                return False
            self._seen += taken
            rest = rest[taken:]
        return not self._halted

    def _read_out(self) -> None:
        while data := self._next(err=False):
            if self._room > 0:
                self._kept.append(data[: self._room])
            self.cut = self.cut or len(data) > self._room
            self._room = max(0, self._room - len(data))
            sink = self._sink
            if sink is not None and self._fault is None:
                try:
                    sink(data)
                except BaseException as problem:
                    self._fault = problem

    def _read_err(self) -> None:
        while data := self._next(err=True):
            self.err = (self.err + data)[-KEPT_ERR:]

    def _next(self, *, err: bool) -> bytes:
        while (data := self._read(err)) is None:
            # A daemon that the command left behind may hold the pipe open for ever.
            if self._ended and time.monotonic() - self._ended > self._session.linger:
                self.left_open = True
                return b""
        self._seen += len(data)
        return data

    def _read(self, err: bool) -> bytes | None:
        try:
            return self._session.read(err)
        except (OSError, ValueError):
            return b""


class _Watch:
    """The two deadlines of a command, and what was last seen of its progress."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._begin = self._progress = self._looked = time.monotonic()
        self._seen = -1
        self._moved = -1
        self._shown = self._begin

    def overdue(self, seen: int, moved: Callable[[], int]) -> str:
        """Say in words which deadline has passed, "" if none has."""
        now = time.monotonic()
        if now - self._begin > self._limits.timeout:
            return f"it took longer than {self._limits.timeout:g} s"
        pace = self._limits.pace
        if pace.moved and now - self._shown > SHOWN_EVERY:
            self._shown = now
            pace.moved(moved())
        if pace.stall is None:
            return ""
        if seen != self._seen:
            self._seen, self._progress, self._moved = seen, now, -1
        elif now - self._looked > min(5.0, pace.stall / 8):
            self._looked = now
            moved_now = moved()
            if self._moved < 0:
                self._moved = moved_now
            elif moved_now - self._moved > QUIET_CHANGE:
                self._moved, self._progress = moved_now, now
        if now - self._progress > pace.stall:
            return f"it made no progress for {pace.stall:g} s"
        return ""
