"""The auth log and its rotated parts, packed ones too, opened so that a rotation meanwhile loses nothing."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import re
import stat
import time
import zlib
from collections.abc import Iterator
from datetime import datetime, timezone
from io import BufferedIOBase
from pathlib import Path
from typing import IO, NamedTuple, cast

from ..answer import Refused, shown

LOGS = ("/var/log/auth.log", "/var/log/secure")
_ROTATED = re.compile(r"(?:\.[0-9]{1,4}|-[0-9]{8}(?:-[0-9]{1,10})?)(?:\.(gz|bz2|xz|zst))?")
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError)

PIECE = 1 << 20
LONGEST = 1 << 16
DAY = 86400
# The programs that log who got in; sshd has several since OpenSSH 9.8.
PROGRAMS = (b"sshd", b"sshd-session", b"sshd-auth", b"sudo", b"su", b"login")

_STAMPS = (
    rb"([A-Z][a-z]{2}) ([ 0-9][0-9]) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ",
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8})(?:[.,][0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2}) ",
)
_MESSAGE = rb"[^ ]+ (" + b"|".join(PROGRAMS) + rb")(?:\[([0-9]{1,10})\])?: (.*)"
_CLASSIC, _RFC3339 = (re.compile(stamp) for stamp in _STAMPS)
_CLASSIC_LINE, _RFC3339_LINE = (re.compile(stamp + _MESSAGE, re.DOTALL) for stamp in _STAMPS)
_REPEATED = re.compile(rb"message repeated ([0-9]{1,6}) times: \[ (.*)\]", re.DOTALL)
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


class OpenLog(NamedTuple):
    """An opened log file: its device and inode, when it was last written, and how it is packed."""

    name: str
    inode: tuple[int, int]
    written: float
    packed: str
    stream: BufferedIOBase


class Files:
    """Reads logs from `since` on. Afterwards the fields say how well that went.

    `covered`: the logs go back to `since`; `written`: when the newest was last written to; `long`: lines
    too long to be read; `problems`: files that could not be read, in words. Who wrote a line is not known.
    """

    pretended = unproven = 0

    def __init__(self, paths: list[str], since: float) -> None:
        self.covered = False
        self.written = 0.0
        self.long = 0
        self.problems: list[str] = []
        self._paths, self._since = paths, since

    def lines(self) -> Iterator[LogLine]:
        """Every message of our programs, oldest file first; a live log that is missing raises Refused."""
        for path in self._paths:
            for log in self._opened(Path(path)):
                with contextlib.closing(log.stream):
                    yield from self._read(log)

    def _opened(self, live: Path) -> list[OpenLog]:
        logs: dict[tuple[int, int], OpenLog] = {}
        for path, packed in _parts(live):
            log = self._open(path, packed)
            if log is not None and logs.setdefault(log.inode, log) is not log:
                log.stream.close()
        if not logs:
            raise Refused(f"{shown(str(live))} cannot be read", "name with --file the log that sshd writes to")
        self.written = max([self.written, *(log.written for log in logs.values())])
        for log in logs.values():
            if log.written < self._since:
                log.stream.close()
                self.covered = True
        return sorted((log for log in logs.values() if log.written >= self._since), key=lambda log: log.written)

    def _open(self, path: Path, packed: str) -> OpenLog | None:
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
        inode = (status.st_dev, status.st_ino)
        return OpenLog(str(path), inode, status.st_mtime, packed, os.fdopen(descriptor, "rb"))

    def _read(self, log: OpenLog) -> Iterator[LogLine]:
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


def _parts(live: Path) -> Iterator[tuple[Path, str]]:
    """The log and then its rotated parts, each with how it is packed."""
    # The live log first: if it is rotated now it is met again among the rotated ones, and known by its inode.
    yield live, ""
    for path in sorted(live.parent.iterdir()):
        rotated = _ROTATED.fullmatch(path.name[len(live.name) :]) if path.name.startswith(live.name) else None
        if rotated:
            yield path, rotated[1] or ""


def _unpacked(log: OpenLog) -> BufferedIOBase:
    if log.packed == "gz":
        return gzip.GzipFile(fileobj=log.stream)
    if log.packed == "bz2":
        return bz2.BZ2File(log.stream)
    if log.packed == "xz":
        return lzma.LZMAFile(cast("IO[bytes]", log.stream))
    if log.packed:
        raise OSError(f"packed as {log.packed}, which Python cannot read")
    return log.stream


class LogLine(NamedTuple):
    """One message of a program: seconds since 1970, process id (may be empty), how often it was repeated."""

    at: float
    program: bytes
    pid: bytes
    message: bytes
    times: int = 1


def bounded(stream: BufferedIOBase) -> Iterator[bytes | None]:
    """Every line of `stream` without its end; None for one that is longer than `LONGEST`, however long."""
    rest, skipping = b"", False
    # What is there is taken before a fault further on is met.
    while piece := stream.read1(PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield None if skipping or len(line) > LONGEST else line
            skipping = False
        if len(rest) > LONGEST:
            rest, skipping = b"", True
    if skipping:
        yield None
    elif rest:
        yield rest


class Syslog:
    """Reads the lines of one log file that was last written at `written` (seconds since 1970).

    A stamp without a year is in this machine's zone, and in the last year that puts it no later than a
    day after `written`.
    """

    def __init__(self, written: float) -> None:
        self._limit = written + DAY
        self._year = time.localtime(self._limit).tm_year
        self._last: tuple[object, float | None] = (None, None)

    def read(self, line: bytes) -> LogLine | None:
        """The message on a line, None where no program of ours wrote it, or its stamp makes no sense."""
        parts = _CLASSIC_LINE.fullmatch(line) or _RFC3339_LINE.fullmatch(line)
        if parts is None:
            return None
        *stamp, program, pid, message = parts.groups()
        at = self._cached(tuple(stamp))
        if at is None:
            return None
        repeated = _REPEATED.fullmatch(message)
        if repeated is not None:
            return LogLine(at, program, pid or b"", repeated[2], int(repeated[1]))
        return LogLine(at, program, pid or b"", message)

    def when(self, line: bytes) -> float | None:
        """When a line of any program was written; None where it has no stamp."""
        stamp = _CLASSIC.match(line) or _RFC3339.match(line)
        return self._cached(stamp.groups()) if stamp else None

    def _cached(self, stamp: tuple[bytes, ...]) -> float | None:
        # Thousands of lines a second have the same stamp when it matters how fast this is.
        if self._last[0] != stamp:
            self._last = (stamp, _moment(stamp) if len(stamp) == 2 else self._local(stamp))
        return self._last[1]

    def _local(self, stamp: tuple[bytes, ...]) -> float | None:
        if stamp[0] not in _MONTHS:
            return None
        month = _MONTHS.index(stamp[0]) + 1
        day, hour, minute, second = map(int, stamp[1:])
        # A 29 February is up to eight years back.
        for year in range(self._year, self._year - 9, -1):
            try:
                datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001
                at = time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
            except (ValueError, OverflowError):
                continue
            if at <= self._limit:
                return at
        return None


def _moment(stamp: tuple[bytes, ...]) -> float | None:
    day, zone = (part.decode("ascii") for part in stamp)
    zone = "+00:00" if zone == "Z" else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        return datetime.fromisoformat(day + zone).astimezone(timezone.utc).timestamp()  # noqa: UP017
    except (ValueError, OverflowError):
        return None
