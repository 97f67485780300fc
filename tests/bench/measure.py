"""Run commands and say what they cost: time, processor, bytes written, memory of each program."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.disk import Disk

Argv = tuple[str, ...]
LOOK_EVERY = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Seconds of wall and processor time (all processes, user and system), bytes written to the disk,
    and the most memory (bytes) a process of each program had."""

    wall: float
    cpu: float
    written: int
    peaks: Mapping[str, int]


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


def measure(work: Work, disk: Disk, log: Path) -> Cost:
    """Run `work` and give its cost; the disk is settled before and after, outside the time."""
    disk.settle()
    written = disk.written()
    peaks: dict[str, int] = {}
    wall = cpu = 0.0
    for argv in work.commands:
        seconds, spent = _one(argv, work, log, peaks)
        wall, cpu = wall + seconds, cpu + spent
    disk.settle()
    return Cost(wall=wall, cpu=cpu, written=disk.written() - written, peaks=peaks)


def _one(argv: Argv, work: Work, log: Path, peaks: dict[str, int]) -> tuple[float, float]:
    with log.open("wb") as errors:
        begun = time.monotonic()
        # Not Popen.wait: wait4 tells what the process and all it waited for have used.
        process = subprocess.Popen(
            argv, cwd=work.folder, env=work.environment or None,
            stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
        )  # fmt: skip
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, done, peaks))
        watcher.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
            wall = time.monotonic() - begun
        except BaseException:
            _end(process)
            raise
        finally:
            done.set()
            watcher.join()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in work.ok_codes:
        last = log.read_text("utf-8", "replace").strip().splitlines()[-20:]
        raise Failed("\n".join((f"{argv[0]} ended {process.returncode}:", *last)))
    return wall, used.ru_utime + used.ru_stime


def _end(process: subprocess.Popen[bytes]) -> None:
    for one in _family(process.pid):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    process.wait()


def _watch(pid: int, done: threading.Event, peaks: dict[str, int]) -> None:
    # The high-water mark only grows, so a look now and then finds all but the last moment's growth.
    while not done.is_set():
        for one in _family(pid):
            with suppress(OSError, ValueError, IndexError):
                program = name_of(Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0"))
                # A process that has ended and was not yet waited for has no such line: IndexError.
                mark = Path(f"/proc/{one}/status").read_text("utf-8", "replace").split("VmHWM:")[1]
                peaks[program] = max(peaks.get(program, 0), int(mark.split()[0]) * 1024)
        done.wait(LOOK_EVERY)


def name_of(words: Sequence[bytes]) -> str:
    """The program that a command line runs, whatever starts it: an interpreter is not the program."""
    parts = [os.fsdecode(word.rpartition(b"/")[2]) for word in words[:4]]
    for known in ("runner-agent", "runner", "rsync", "rsnapshot", "cp"):
        if known in parts:
            return known
    return parts[0] if parts else ""


def _family(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text("ascii").split()]
    return found
