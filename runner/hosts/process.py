"""A command as a process of this machine: its pipes, its group, and its end with the runner's own."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from runner.hosts.session import Carrier, CommandFailure

_EXIT_LOST = "its exit code is lost: start the runner with SIGCHLD at its default"
ENVIRONMENT = {
    "LC_ALL": "C",
    "LANGUAGE": "",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TZ": "UTC",
}


# Who prints line by line, as rsync does, is read after ever longer pauses, many lines at once; whoever prints little is
# not kept waiting, nor who fills the pipe.
_MANY, _LONG, _ENOUGH, _PAUSE, _LONGEST = 32, 32 << 10, 8 << 10, 0.01, 0.08


class Process:
    """A process of this machine with three pipes, leader of a session and group of its own."""

    linger = 2.0
    shell = b""

    def __init__(self, argv: tuple[str, ...], more: Mapping[str, str] | None = None) -> None:
        """Start `argv`, with `more` in its environment; OSError or ValueError if that cannot be done."""
        self._process = process = _SPAWNER.submit(
            _spawn, argv, subprocess.PIPE, subprocess.PIPE, subprocess.PIPE, more
        ).result()
        self._pipes = [pipe for pipe in (process.stdin, process.stdout, process.stderr) if pipe]
        self._input = self._pipes[0]
        self._lock = threading.Lock()
        self._gone = threading.Event()
        self._short, self._pause = 0, _PAUSE
        self._reapable = True
        self.exit: int | None = None
        self._io: dict[int, int] = {}
        os.set_blocking(self._input.fileno(), False)
        threading.Thread(target=self._await, daemon=True).start()

    def read(self, err: bool) -> bytes | None:
        """See Session."""
        pipe = self._pipes[2 if err else 1].fileno()
        if not ready(pipe, select.POLLIN):
            return None
        if not err and self._short > _MANY:
            time.sleep(self._pause)
        data = os.read(pipe, 1 << 18)
        if not err:
            self._pace(len(data))
        return data

    def _pace(self, length: int) -> None:
        if length >= _LONG:
            self._short, self._pause = 0, _PAUSE
        elif length < _ENOUGH and self._short > _MANY:
            self._pause = min(self._pause * 2, _LONGEST)
        self._short += 1

    def write(self, data: bytes) -> int:
        """See Session."""
        with self._lock:
            if self._input.closed:
                raise BrokenPipeError
            if not ready(self._input.fileno(), select.POLLOUT):
                return 0
            try:
                return os.write(self._input.fileno(), data)
            except BlockingIOError:
                return 0

    def end_input(self) -> None:
        """See Session."""
        with self._lock, suppress(OSError):
            self._input.close()

    def wait(self, seconds: float) -> bool:
        """See Session."""
        return self._gone.wait(seconds)

    def signal(self, number: int) -> None:
        """See Session. The leader is not reaped before `close`, so the group's number is still its own."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def moved(self) -> int:
        """See Session."""
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError, IndexError):
                pid = int(entry.name)
                if os.getpgid(pid) == self._process.pid:
                    lines = (entry / "io").read_bytes().split(b"\n")
                    self._io[pid] = sum(int(line.split()[1]) for line in lines[:2])
        return sum(self._io.values())

    def close(self) -> None:
        """Reap the process, so that `exit` is known, and close the pipes; what still runs is killed."""
        if not self._gone.wait(0):
            self.signal(signal.SIGKILL)
        elif self._reapable:
            self.exit = self._process.wait()
        self.end_input()
        for pipe in self._pipes[1:]:
            pipe.close()

    def failure(self, carrier: Carrier) -> CommandFailure:
        """See Session."""
        return CommandFailure(carrier.error or ("" if self.exit is not None else _EXIT_LOST))

    def _await(self) -> None:
        try:
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            # SIGCHLD is ignored, as some parents leave it: the kernel has thrown the exit code away.
            self._reapable = False
            self._process.poll()
        self._gone.set()


class Proxy:
    """A command that carries a connection: its standard input and output are the other end of `socket`.

    It is gone when the runner is, and does not hear the interrupt key of the runner's terminal.
    """

    def __init__(self, argv: tuple[str, ...]) -> None:
        """Start `argv`; OSError if that cannot be done."""
        self.socket, theirs = socket.socketpair()
        self._errors = os.memfd_create("errors")
        with theirs:
            starting = _SPAWNER.submit(_spawn, argv, theirs.fileno(), theirs.fileno(), self._errors)
            try:
                self._process = starting.result()
            except BaseException:
                self.socket.close()
                os.close(self._errors)
                raise

    def close(self) -> str:
        """End it; give the last line it had to say."""
        self.socket.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._process.kill()
        self._process.wait()
        errors = os.pread(self._errors, 1 << 16, 0).decode("ascii", "backslashreplace")
        os.close(self._errors)
        return next((line.strip() for line in reversed(errors.split("\n")) if line.strip()), "")


def ready(file: int, event: int, milliseconds: int = 500) -> bool:
    """Whether the file can be read (POLLIN) or written (POLLOUT), now or so soon; or has ended."""
    waiting = select.poll()
    waiting.register(file, event)
    return bool(waiting.poll(milliseconds))


# The kernel sends the death signal when the *thread* that forked ends, not the process: every
# command is therefore started by one thread, which lives as long as the runner.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

# Looked up before any fork; a PyDLL call keeps the interpreter's lock, which nobody could give back
# to the child of a process with threads.
_prctl = ctypes.PyDLL(None).prctl
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


def keep_memory_closed() -> None:
    """From now on no crash leaves a core of this process, with the secrets in it, and no process of the same user
    looks into it. What it starts is as ever, but that its cores must be asked for.
    """
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    # A program that the kernel hands cores to gets them whatever the limit says.
    _prctl(_PR_SET_DUMPABLE, 0)


def _spawn(
    argv: tuple[str, ...], stdin: int, stdout: int, stderr: int, more: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    if not argv:
        raise ValueError("there is no command")
    runner = os.getpid()

    def die_with_the_runner() -> None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL.value)
        if os.getppid() != runner:
            os._exit(1)

    return subprocess.Popen(
        argv,
        bufsize=0,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd="/",
        env={**ENVIRONMENT, "HOME": str(Path.home()), **(more or {})},
        start_new_session=True,
        preexec_fn=die_with_the_runner,  # noqa: PLW1509
    )
