"""Outputs on their way: what one step prints and a later one reads, on disk and never in memory.

A run that is killed leaves the folder of its plan behind, without the lock on it: the next run removes it.
What an interrupted snapshot's transfers printed stays under `kept/` until the snapshot that takes
it up is sealed: it holds the checksums of what was already sent.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from runner.engine.alive import alone
from runner.model.plan import Step
from runner.model.run import Outcome
from runner.model.text import size

_CHUNK = 1 << 18
_KEPT = "kept"
# How much of an output is written before anybody asks for room; then a part of the disk is left, at most so many bytes.
_UNASKED = 16 << 20
_PART, _LEFT = 20, 1 << 30
# One output takes no more than this part of what is free when it begins, unless that is less than anybody may print.
_SHARE, _LEAST = 4, 256 << 20


class TooLong(OSError):
    """An output is longer than one may be: what prints it may never end."""


class Spool:
    """The spool of one plan, below `folder`; `close` removes all but what is kept."""

    def __init__(self, folder: Path, plan: str) -> None:
        """Nothing is made before the first output comes."""
        self._folder = folder
        self._kept = folder / _KEPT
        self._plan = folder / plan
        self._making = threading.Lock()
        self._held: int | None = None

    def path(self, step: Step) -> Path:
        """Where the output of `step` goes; its folder is made."""
        path = self._kept / step.keep_output_as if step.keep_output_as else self._plan / step.id.replace("/", "_")
        # The mode that mkdir(2) is given by Python is that of the last one alone.
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not step.keep_output_as:
            self._hold()
        for name in path.parent.relative_to(self._folder).parents[::-1]:
            (self._folder / name).mkdir(exist_ok=True, mode=0o700)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        return path

    @contextmanager
    def open(self, step: Step) -> Iterator[Callable[[bytes], None]]:
        """A new, empty file for the output of `step`: what adds to it. That raises OSError before it fills the disk.

        TooLong where the output takes more than its part of the room, and so may be what never ends.
        """
        with self.path(step).open("wb") as file:
            yield _Bounded(file).add

    def frames(self, step: Step, earlier: Mapping[str, tuple[Step, Outcome]]) -> Iterator[bytes]:
        """The inputs of `step` one after the other: a line of JSON, the bytes, a newline."""
        for name in step.inputs:
            if name.startswith("kept:"):
                path = self._kept / name.removeprefix("kept:")
                source_line: dict[str, object] = {"from": name, "state": "done" if path.exists() else "missing"}
            else:
                source, outcome = earlier[name]
                path = self.path(source)
                source_line = {"from": name, "state": outcome.state.value, "exit": outcome.exit}
            yield from _frame(source_line, path)

    def content(self, step: Step) -> Iterator[bytes]:
        """The output of `step` as it is."""
        path = self.path(step)
        yield from _chunks(path, path.stat().st_size)

    def tail(self, step: Step, most: int) -> bytes:
        """The last bytes of the output of `step`, at most so many."""
        with self.path(step).open("rb") as file:
            file.seek(-min(most, file.seek(0, os.SEEK_END)), os.SEEK_END)
            return file.read()

    def drop(self, step: Step) -> None:
        """Forget all that was kept for the store this step writes, under its lock and after a seal.

        A snapshot takes up every interrupted one of its store, so nothing there is wanted any more, nor
        what a runner left that was killed between a seal and this.
        """
        if step.keep_output_as:
            shutil.rmtree(self._kept / step.keep_output_as.partition("/")[0], ignore_errors=True)

    def close(self) -> None:
        """Remove the outputs of this plan that nobody needs any more."""
        shutil.rmtree(self._plan, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _hold(self) -> None:
        """Make the plan's folder, with a lock on it for as long as this process lives."""
        with self._making:
            if self._held is None:
                self._plan.mkdir(parents=True, exist_ok=True, mode=0o700)
                with alone(self._folder):
                    self._plan.mkdir(exist_ok=True, mode=0o700)
                    self._held = os.open(self._plan, os.O_RDONLY | os.O_DIRECTORY)
                    fcntl.flock(self._held, fcntl.LOCK_SH)


class _Bounded:
    """A file that grows as long as others have room beside it: an output may be of a host that never stops."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._allowed = _UNASKED
        self._most = self._left = max(_free(file.fileno()) // _SHARE, _LEAST)

    def add(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            # Nobody reads it, and what is kept of one day must not add up to all of the room.
            self._file.truncate(0)
            raise TooLong(errno.EFBIG, f"more than {size(self._most)} for one output, with the room that is here")
        self._allowed -= len(chunk)
        if self._allowed < 0:
            _require_room(self._file.fileno())
            self._allowed = max(_UNASKED - len(chunk), 0)
        self._file.write(chunk)
        # What is not with the kernel is lost when the runner is killed: checksums of what was sent.
        self._file.flush()


def _free(descriptor: int) -> int:
    room = os.fstatvfs(descriptor)
    return room.f_bavail * room.f_frsize


def _require_room(descriptor: int) -> None:
    room = os.fstatvfs(descriptor)
    if _free(descriptor) < min(_LEFT, room.f_blocks * room.f_frsize // _PART) + _UNASKED:
        raise OSError(errno.ENOSPC, "it is too long for the room that is left beside it")


def sweep(folder: Path, running: Callable[[str], bool]) -> None:
    """Remove what killed runs left below `folder`. `running` says whether a plan is being run, as far as is known."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
        with alone(folder):
            for name in names:
                if name != _KEPT and not running(name) and _is_left(folder / name):
                    shutil.rmtree(folder / name, ignore_errors=True)
    except OSError:
        return  # it is not there yet, or has been removed by another; nothing else needs it gone


def _is_left(plan: Path) -> bool:
    descriptor = os.open(plan, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _frame(header: Mapping[str, object], path: Path) -> Iterator[bytes]:
    length = path.stat().st_size if path.exists() else 0
    yield json.dumps({**header, "bytes": length}).encode("ascii") + b"\n"
    if length:
        yield from _chunks(path, length)
    yield b"\n"


def _chunks(path: Path, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while length and (chunk := file.read(min(_CHUNK, length))):
            length -= len(chunk)
            yield chunk
