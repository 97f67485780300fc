"""Run commands and say what they cost: time, processor, what the disk did, memory."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.meters.disk import Disk
from tests.bench.meters.group import Group, group
from tests.bench.meters.spinning import busy
from tests.bench.meters.trace import Tracer, tracer

Argv = tuple[str, ...]
LOOK_EVERY, LOOKS_A_SUM = 0.02, 5
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Seconds of wall and processor time (all processes, user and system), what the disk did, and memory in bytes.

    `own` is the processor time of the first command's process without those that it started; `reads` are requests;
    `busy` is how long a spinning disk would have worked (None: not known). `memory` is the most that all processes had
    together, what they share counted once; `peaks` the most that a process of each program had.
    """

    wall: float
    cpu: float
    own: float = 0.0
    written: int = 0
    reads: int = 0
    read: int = 0
    busy: float | None = None
    memory: int = 0
    peaks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """Commands to run one after the other, where, and in which environment (ours if empty).

    `ok_codes` are the exit codes that are no failure.
    """

    commands: tuple[Argv, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ok_codes: tuple[int, ...] = (0,)


class Failed(Exception):
    """A command that is measured did not end well: its figures mean nothing."""


@dataclass(kw_only=True, slots=True)
class _Seen:
    """What was seen of the memory."""

    memory: int = 0
    peaks: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Meter:
    """What measures; `group` and `tracer` are None where this machine has none for us: see `meter`."""

    group: Group | None = None
    tracer: Tracer | None = None

    def measure(self, work: Work, disk: Disk, log: Path) -> Cost:
        """Run `work` and give its cost; the disk is settled before and after, outside the time."""
        disk.settle()
        before, seen = disk.traffic(), _Seen()
        traced = self.tracer if disk.device else None
        if traced:
            traced.begin(disk)
        wall = cpu = own = 0.0
        for argv in work.commands:
            seconds, spent, alone = self._one(argv, work, log, seen)
            wall, cpu, own = wall + seconds, cpu + spent, own or alone
        disk.settle()
        requests = traced.end() if traced else None
        traffic = disk.traffic().since(before)
        return Cost(
            wall=wall, cpu=cpu, own=own, written=traffic.written, reads=traffic.reads, read=traffic.read,
            busy=None if requests is None else busy(requests, disk.size), memory=seen.memory, peaks=seen.peaks,
        )  # fmt: skip

    def _one(self, argv: Argv, work: Work, log: Path, seen: _Seen) -> tuple[float, float, float]:
        before = self.group.cpu() if self.group else 0.0
        with log.open("wb") as errors:
            begun = time.monotonic()
            process = subprocess.Popen(
                self.group.entered(argv) if self.group else argv, cwd=work.folder, env=work.environment or None,
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
            )  # fmt: skip
            done = threading.Event()
            watcher = threading.Thread(target=self._watch, args=(process.pid, done, seen))
            watcher.start()
            try:
                # It has ended and is still there: what it used by itself, without its children, can be read.
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                wall, own = time.monotonic() - begun, _own(process.pid)
                _, status, used = os.wait4(process.pid, 0)
            except BaseException:
                self._end(process)
                raise
            finally:
                done.set()
                watcher.join()
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in work.ok_codes:
            last = log.read_text("utf-8", "replace").strip().splitlines()[-20:]
            raise Failed("\n".join((f"{' '.join(argv[:4])} ended {process.returncode}:", *last)))
        if not self.group:
            return wall, used.ru_utime + used.ru_stime, own
        if not self.group.emptied():
            raise Failed(f"{argv[0]} has left processes running: {self.group.members()}")
        return wall, self.group.cpu() - before, own

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for one in self._all(process.pid):
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        process.wait()

    def _all(self, pid: int) -> list[int]:
        return self.group.members() if self.group else family(pid)

    def _watch(self, pid: int, done: threading.Event, seen: _Seen) -> None:
        # The high-water mark only grows, so a look now and then finds all but the last moment's growth.
        look = 0
        while not done.is_set():
            members = self._all(pid)
            for one in members:
                with suppress(OSError, ValueError, IndexError):
                    program = name_of(Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0"))
                    # A process that has ended and was not yet waited for has no such line: IndexError.
                    mark = Path(f"/proc/{one}/status").read_text("utf-8", "replace").split("VmHWM:")[1]
                    seen.peaks[program] = max(seen.peaks.get(program, 0), int(mark.split()[0]) * 1024)
            if look % LOOKS_A_SUM == 0:
                seen.memory = max(seen.memory, sum(map(_share, members)))
            look += 1
            done.wait(LOOK_EVERY)


@contextmanager
def meter() -> Iterator[Meter]:
    """What this machine can measure with, for as long as the block."""
    with group() as one, tracer() as other:
        yield Meter(group=one, tracer=other)


def _own(pid: int) -> float:
    # proc(5): the name, in parentheses, may hold anything; utime and stime are the 14th and 15th field.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _share(pid: int) -> int:
    """Memory of a process, where it shares some its share of that."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").split("Pss:")[1].split()[0]) * 1024
    return 0


def name_of(words: Sequence[bytes]) -> str:
    """The program that a command line runs, whatever starts it: an interpreter is not the program."""
    parts = [os.fsdecode(word.rpartition(b"/")[2]) for word in words[:4]]
    for known in ("runner-agent", "runner", "rsync", "rsnapshot", "cp"):
        if known in parts:
            return known
    return parts[0] if parts else ""


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text("ascii").split()]
    return found
