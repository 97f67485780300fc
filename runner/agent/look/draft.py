"""A record while it is written: where there is no room for it in its folder, it goes on in another."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Optional

from .. import durable
from ..regular import CHUNK
from . import bounds

# What a folder says that takes nothing more, though all else there may be well.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class ScanDraft:
    """What is written so far, in the first of `places` that has room for it: each makes its folder and names the file.

    Where none has, the OSError of the first is raised.
    """

    def __init__(self, places: Sequence[Callable[[], Path]]) -> None:
        self._places = list(places)
        self._buffer = bytearray()
        self._path: Optional[Path] = None  # noqa: UP045
        self._problem: Optional[OSError] = None  # noqa: UP045
        self._descriptor = -1
        self._begin()

    def write(self, piece: bytes) -> None:
        """Write on."""
        self._buffer += piece
        if len(self._buffer) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Let the file have all of it."""
        if self._buffer and self._path is not None and not bounds.has_room(self._path.parent):
            self._go_elsewhere(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        while self._buffer:
            try:
                written = os.write(self._descriptor, self._buffer)
            except OSError as problem:
                self._go_elsewhere(problem)
            else:
                del self._buffer[:written]

    @property
    def folder(self) -> Optional[Path]:  # noqa: UP045
        """Where it is."""
        return self._path.parent if self._path is not None else None

    def fileno(self) -> int:
        """The open file, until there is more to write."""
        return self._descriptor

    def finish(self) -> None:
        """Give it its name, synced."""
        while True:
            self.flush()
            try:
                os.fsync(self._descriptor)
            except OSError as problem:
                self._go_elsewhere(problem)
            else:
                break
        if self._path is not None:
            self._draft(self._path).rename(self._path)
            durable.sync_folder(self._path.parent)
        self.close()

    def close(self) -> None:
        """Let go of it; what has no name yet goes."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._path is not None:
            self._draft(self._path).unlink(missing_ok=True)

    def _begin(self) -> None:
        """Open a draft in the next place that takes one."""
        while self._places:
            make = self._places.pop(0)
            try:
                path = make()
                self._draft(path).unlink(missing_ok=True)
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self._descriptor, self._path = os.open(self._draft(path), flags, 0o600), path
            except OSError as problem:
                self._problem = self._problem or problem
                if problem.errno not in NO_ROOM:
                    break
            else:
                return
        if self._problem is not None:
            raise self._problem

    def _go_elsewhere(self, problem: OSError) -> None:
        """Go on in the next place, with what is in this one."""
        if self._problem is None:
            self._problem, problem.filename = problem, str(self._path)
        if problem.errno not in NO_ROOM or not self._places:
            raise self._problem
        old, path = self._descriptor, self._path
        self._descriptor, self._path = -1, None
        try:
            self._begin()
            os.lseek(old, 0, os.SEEK_SET)
            while piece := os.read(old, CHUNK):
                _write(self._descriptor, piece)
        finally:
            os.close(old)
            if path is not None:
                self._draft(path).unlink(missing_ok=True)

    @staticmethod
    def _draft(path: Path) -> Path:
        return path.with_name(f"{path.name}.tmp")


@contextlib.contextmanager
def drafting(places: Sequence[Callable[[], Path]]) -> Iterator[ScanDraft]:
    """A draft that gets its name where the block ends well, and else is gone."""
    draft = ScanDraft(places)
    try:
        yield draft
        draft.finish()
    finally:
        draft.close()


def _write(descriptor: int, piece: bytes) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece) :]
