"""Run commands on a host, wherever it is: the contract, and the machine that the runner is on."""

from __future__ import annotations

import hashlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from runner.hosts.process import Process
from runner.hosts.session import GRACE, KEPT_ERR, Carrier, Limits, Pace, Session, StopSignal
from runner.hosts.shared import SharedConnections

PUT_TIMEOUT = 60.0

# The content is compared before the rename: a broken connection looks like the end of the input.
_PLACE = """set -eu; umask 022; mkdir -p -- "$1"; umask 077; set -C
trap 'rm -f -- "$2"' EXIT; trap 'exit 1' HUP INT TERM
cat >"$2"; test "$(sha256sum <"$2")" = "$5  -" || { echo 'its content did not arrive whole' >&2; exit 1; }
chmod -- "$4" "$2"; sync -- "$2"; mv -f -T -- "$2" "$3"; sync -- "$1"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How a command ended.

    `exit` is None where it could not be started or the code is not known, negative for a signal, 255 for a broken ssh
    session. `out` is its output, at most the first MiB (`cut`: there was more, which only the sink
    saw); `err` the last 16 KiB of its errors. `timed_out`: it was ended for being slow or silent.
    `error` is "" or says in words why it could not be started, was ended, or lost its connection; `brief` the same
    for whoever waits for the host, without the command. It is "" where `error` is brief enough. `do` is what a person
    can do about it, where that is known, and `why` the error without that, where `error` holds it. `lost`: the host
    could not be reached, or the connection broke. `shell` is what a
    login shell printed before the command began, the last 64 KiB of it: it is no part of `out`.
    """

    exit: int | None
    out: bytes = b""
    err: bytes = b""
    timed_out: bool = False
    error: str = ""
    brief: str = ""
    why: str = ""
    do: str = ""
    cut: bool = False
    lost: bool = False
    shell: bytes = b""


class Transport(ABC):
    """Runs commands on one host. Safe for several threads. Nothing of the runner's environment gets there."""

    def __init__(self, host: str, agent: str = "") -> None:
        """`host` is only its name in the site; `agent` is where runner-agent is installed there, "" if unknown."""
        self.host, self.agent = host, agent

    @abstractmethod
    def _open(self, argv: tuple[str, ...]) -> Session | Result:
        """Start a command, or say why it could not be started."""

    def run(
        self,
        argv: tuple[str, ...],
        *,
        timeout: float,
        stdin: Iterable[bytes] | None = None,
        sink: Callable[[bytes], None] | None = None,
        stop: StopSignal | None = None,
        pace: Pace | None = None,
    ) -> Result:
        """Run `argv` to its end; whatever the world does is in the Result, never raised.

        `stdin` is streamed, None is an empty input; a command that does not read it all is fine.
        `sink` gets all output in order, on another thread. The command's process group is ended
        (TERM, after 10 s KILL) after `timeout` seconds, after `pace.stall` seconds without output, input
        taken or (on this machine) 64 KiB read or written, when `stop` is set, and when `stdin` or
        `sink` raise, which is raised here again.
        """
        session = self._open(argv)
        if isinstance(session, Result):
            return session
        carrier = Carrier(session, Limits(timeout=timeout, pace=pace or Pace(), stop=stop), stdin, sink)
        try:
            carrier.carry()
        finally:
            session.close()
        failure = session.failure(carrier)
        return Result(
            exit=session.exit,
            out=carrier.out,
            err=carrier.err,
            timed_out=carrier.timed_out,
            error=failure.error,
            brief=failure.brief,
            do=failure.do,
            cut=carrier.cut,
            lost=failure.lost,
            shell=session.shell,
        )

    def start(self, argv: tuple[str, ...]) -> HeldCommand:
        """Start a command that lives as long as its standard input is open."""
        return HeldCommand(self, argv)

    def put(self, path: str, content: bytes, mode: int) -> Result:
        """Place `content` at the absolute `path` at once, whole and synced, or leave what is there.

        Missing parents are made with mode 0755. Exit 0 says that it is in place. Needs only commands that every
        Linux has.
        """
        target = PurePosixPath(path)
        fresh = target.with_name(f".{os.urandom(8).hex()}.put")
        digest = hashlib.sha256(content).hexdigest()
        names = (str(target.parent), str(fresh), str(target), f"{mode:04o}", digest)
        return self.run(("sh", "-c", _PLACE, "put", *names), stdin=(content,), timeout=PUT_TIMEOUT)

    def close(self) -> None:  # noqa: B027
        """End the connection, if there is one; the next use makes a new one."""


class HeldCommand:
    """A long-lived command, such as one that holds a lock; its standard input is open until `close`."""

    def __init__(self, transport: Transport, argv: tuple[str, ...]) -> None:
        self._transport = transport
        self._argv = argv
        self._line = b""
        self._told = threading.Event()
        self._enough = threading.Event()
        self._stop = threading.Event()
        self._result = Result(exit=None, error="it was not started")
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def first_line(self, timeout: float) -> bytes:
        """Give the first line of its output without the newline; b"" if none comes in `timeout` seconds."""
        self._told.wait(timeout)
        line, newline, _ = self._line.partition(b"\n")
        return line if newline else b""

    def alive(self) -> bool:
        """Whether it still runs, as far as is known here."""
        return self._thread.is_alive()

    def close(self) -> Result:
        """End its input and wait for it; after 10 s it is ended as by `stop`. May be called again."""
        self._enough.set()
        self._thread.join(GRACE)
        self._stop.set()
        self._thread.join()
        return self._result

    def leave(self, seconds: float) -> None:
        """End its input, and wait no longer than that for what may be on a host that is gone."""
        self._enough.set()
        self._thread.join(seconds)

    def _carry(self) -> None:
        try:
            self._result = self._transport.run(
                self._argv, stdin=self._open(), timeout=float("inf"), sink=self._hear, stop=self._stop
            )
        finally:
            self._enough.set()
            self._told.set()

    def _open(self) -> Iterator[bytes]:
        yield b""
        self._enough.wait()

    def _hear(self, data: bytes) -> None:
        if not self._told.is_set():
            self._line += data
            if b"\n" in data or len(self._line) > KEPT_ERR:
                self._told.set()


class Local(Transport):
    """The machine that the runner is on. A command, not what it started, dies with the runner even by kill -9."""

    def __init__(self, host: str, agent: str = "", shared: SharedConnections | None = None) -> None:
        """As a Transport; commands here may use the connections that are `shared`."""
        super().__init__(host, agent)
        self._shared = shared

    def _open(self, argv: tuple[str, ...]) -> Session | Result:
        try:
            return Process(argv, self._shared.environment() if self._shared else None)
        except (OSError, ValueError) as problem:
            return not_started(argv, self.host, str(problem))

    def close(self) -> None:
        """See Transport."""
        if self._shared:
            self._shared.close()


def not_started(argv: tuple[str, ...], host: str, problem: str) -> Result:
    """The result of a command that could not be started; `problem` says why."""
    return Result(exit=None, error=cannot_start(argv, host, problem), brief=problem)


def cannot_start(argv: tuple[str, ...], host: str, problem: str) -> str:
    """Say in words that a command could not be started, whatever its name holds."""
    return f"{''.join(argv[:1])!a} cannot be started on {host}: {problem}"
