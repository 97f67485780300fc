"""The auth log and its rotated parts, packed ones too, opened so that a rotation meanwhile loses nothing."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import re
import stat
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import IO, NamedTuple, cast

from ..answer import Refused, shown
from .access_lines import Line, Syslog, bounded

LOGS = ("/var/log/auth.log", "/var/log/secure")
_ROTATED = re.compile(r"(?:\.[0-9]{1,4}|-[0-9]{8}(?:-[0-9]{1,10})?)(?:\.(gz|bz2|xz|zst))?")
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError)


class Log(NamedTuple):
    """An opened log file: when it was last written, and how it is packed."""

    name: str
    written: float
    packed: str
    stream: BufferedIOBase


class Files:
    """Reads logs from `since` on. Afterwards the fields say how well that went.

    `covered`: the logs go back to `since`; `written`: when the newest was last written to; `long`: lines
    too long to be read; `problems`: files that could not be read, in words.
    """

    def __init__(self, paths: list[str], since: float) -> None:
        self.covered = False
        self.written = 0.0
        self.long = 0
        self.problems: list[str] = []
        self._paths, self._since = paths, since

    def lines(self) -> Iterator[Line]:
        """Every message of our programs, oldest file first; a live log that is missing raises Refused."""
        for path in self._paths:
            for log in self._opened(Path(path)):
                with contextlib.closing(log.stream):
                    yield from self._read(log)

    def _opened(self, live: Path) -> list[Log]:
        # The live log first: if it is rotated now it is met again among the rotated ones, and told by its inode.
        logs = [self._open(live, "")]
        seen = {_inode(log) for log in logs if log}
        for path in sorted(live.parent.iterdir()):
            found = (
                _ROTATED.fullmatch(path.name[len(live.name) :]) if path.name.startswith(live.name) else None
            )
            log = self._open(path, found[1] or "") if found else None
            if log is not None and _inode(log) in seen:
                log.stream.close()
            elif log is not None:
                seen.add(_inode(log))
                logs.append(log)
        known = [log for log in logs if log]
        if not known:
            raise Refused(f"{shown(str(live))} cannot be read", "say with --file which log sshd writes to")
        self.written = max([self.written, *(log.written for log in known)])
        for log in known:
            if log.written < self._since:
                log.stream.close()
                self.covered = True
        return sorted((log for log in known if log.written >= self._since), key=lambda log: log.written)

    def _open(self, path: Path, packed: str) -> Log | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as problem:
            if not isinstance(problem, FileNotFoundError):
                self.problems.append(f"{shown(str(path))}: {problem.strerror}")
            return None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            return None
        return Log(str(path), status.st_mtime, packed, os.fdopen(descriptor, "rb"))

    def _read(self, log: Log) -> Iterator[Line]:
        reader = Syslog(log.written)
        looked = False
        try:
            for raw in bounded(_unpacked(log)):
                if raw is None:
                    self.long += 1
                    continue
                if not looked:
                    first = reader.when(raw)
                    looked = first is not None
                    self.covered = self.covered or (first is not None and first <= self._since)
                line = reader.read(raw)
                if line is not None:
                    yield line
        except _BROKEN as problem:
            self.problems.append(f"{shown(log.name)} could not be read to its end: {problem}"[:300])


def _inode(log: Log) -> tuple[int, int]:
    status = os.fstat(log.stream.fileno())
    return status.st_dev, status.st_ino


def _unpacked(log: Log) -> BufferedIOBase:
    if log.packed == "gz":
        return gzip.GzipFile(fileobj=log.stream)
    if log.packed == "bz2":
        return bz2.BZ2File(log.stream)
    if log.packed == "xz":
        return lzma.LZMAFile(cast("IO[bytes]", log.stream))
    if log.packed:
        raise OSError(f"packed as {log.packed}, which Python cannot read")
    return log.stream
