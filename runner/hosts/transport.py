"""Run commands on a host, wherever it is: the contract, and the machine that the runner is on."""

from __future__ import annotations

import hashlib
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Generic, Protocol, TypeVar

from runner.hosts.process import Process
from runner.hosts.session import GRACE, KEPT_ERR, Carrier, Limits, Session, StopSignal

S = TypeVar("S", bound=Session)

PUT_TIMEOUT = 60.0
EXIT_LOST = "its exit code is lost: start the runner with SIGCHLD at its default"

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
    `error` is "" or says in words why it could not be started, was ended, or lost its connection.
    """

    exit: int | None
    out: bytes = b""
    err: bytes = b""
    timed_out: bool = False
    error: str = ""
    cut: bool = False


class Transport(Protocol):
    """Runs commands on one host. Safe for several threads. Nothing of the runner's environment gets there."""

    host: str

    def run(  # noqa: PLR0913
        self,
        argv: tuple[str, ...],
        *,
        timeout: float,
        stdin: Iterable[bytes] | None = None,
        sink: Callable[[bytes], None] | None = None,
        stop: StopSignal | None = None,
        stall: float | None = None,
    ) -> Result:
        """Run `argv` to its end; whatever the world does is told in the Result, never raised.

        `stdin` is streamed, None is an empty input; a command that does not read it all is fine.
        `sink` gets all output in order, on another thread. The command's process group is ended
        (TERM, after 10 s KILL) after `timeout` seconds, after `stall` seconds without output, input
        taken or (on this machine) 64 KiB read or written, when `stop` is set, and when `stdin` or
        `sink` raise, which is raised here again.
        """
        ...

    def start(self, argv: tuple[str, ...]) -> HeldCommand:
        """Start a command that lives as long as its standard input is open."""
        ...

    def put(self, path: str, content: bytes, mode: int) -> Result:
        """Place `content` at the absolute `path` at once, whole and synced, or leave what is there.

        Missing parents are made with mode 0755. Exit 0 says that it is in place.
        """
        ...

    def close(self) -> None:
        """Let go of the connection; the next use makes a new one."""
        ...


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


class Sessions(ABC, Generic[S]):
    """What every transport does alike; each one opens its own sessions and says how they ended."""

    def __init__(self, host: str) -> None:
        """`host` is only its name in the site."""
        self.host = host

    @abstractmethod
    def _open(self, argv: tuple[str, ...]) -> S | Result:
        """Start a command, or say why it could not be started."""

    @abstractmethod
    def _ended(self, argv: tuple[str, ...], session: S, carrier: Carrier) -> Result:
        """Say how a command that was carried to its end, and closed, has ended."""

    def run(  # noqa: PLR0913
        self,
        argv: tuple[str, ...],
        *,
        timeout: float,
        stdin: Iterable[bytes] | None = None,
        sink: Callable[[bytes], None] | None = None,
        stop: StopSignal | None = None,
        stall: float | None = None,
    ) -> Result:
        """See Transport."""
        session = self._open(argv)
        if isinstance(session, Result):
            return session
        carrier = Carrier(session, Limits(timeout=timeout, stall=stall, stop=stop), stdin, sink)
        try:
            carrier.carry()
        finally:
            session.close()
        return self._ended(argv, session, carrier)

    def start(self, argv: tuple[str, ...]) -> HeldCommand:
        """See Transport."""
        return HeldCommand(self, argv)

    def put(self, path: str, content: bytes, mode: int) -> Result:
        """See Transport."""
        return place(self, path, content, mode)

    def close(self) -> None:  # noqa: B027
        """See Transport; there is nothing to let go of, unless a transport says so."""


class Local(Sessions[Process]):
    """The machine that the runner is on. A command, not what it started, dies with the runner even by kill -9."""

    def _open(self, argv: tuple[str, ...]) -> Process | Result:
        try:
            return Process(argv)
        except (OSError, ValueError) as problem:
            return Result(exit=None, error=cannot_start(argv, self.host, str(problem)))

    def _ended(self, argv: tuple[str, ...], session: Process, carrier: Carrier) -> Result:
        return ended(carrier, session.exit, carrier.error or ("" if session.exit is not None else EXIT_LOST))


def ended(carrier: Carrier, code: int | None, error: str) -> Result:
    """Tell how a command ended, with what the carrier kept of it."""
    return Result(
        exit=code, out=carrier.out, err=carrier.err, timed_out=carrier.timed_out, error=error, cut=carrier.cut
    )


def cannot_start(argv: tuple[str, ...], host: str, problem: str) -> str:
    """Say in words that a command could not be started, whatever its name holds."""
    return f"{''.join(argv[:1])!a} cannot be started on {host}: {problem}"


# How it begins that a host could not be reached: what follows names the host.
UNREACHED = "ssh: "


def place(transport: Transport, path: str, content: bytes, mode: int) -> Result:
    """Do what Transport.put promises with commands that every Linux has."""
    target = PurePosixPath(path)
    fresh = target.with_name(f".{secrets.token_hex(8)}.put")
    digest = hashlib.sha256(content).hexdigest()
    names = (str(target.parent), str(fresh), str(target), f"{mode:04o}", digest)
    return transport.run(("sh", "-c", _PLACE, "put", *names), stdin=(content,), timeout=PUT_TIMEOUT)
