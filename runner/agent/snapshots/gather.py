"""What the frames given to `seal` add up to: counts, exceptions, and whether they allow a seal."""

from __future__ import annotations

import json
import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..answer import Refused, shown
from ..frames import Frame, frames
from ..store import received
from ..store.freed import BLOCK
from ..store.layout import StoreFolder
from .contract import CopiedFilesystem, SnapshotException
from .sums import Sent, Sums, sent, unescaped

LISTED = 1000
WHOLE = (0, 23, 24)
EXCEPTIONS = ("unreadable", "attributes", "not mounted")
HARMLESS = ("vanished", "changed")
STATS = re.compile(rb"(Number of files|Total file size): ([0-9,]+)(?:.*[( ]dir: ([0-9,]+))?")


class ExpectedOutputs(NamedTuple):
    """The steps whose outputs must be there, with their mount points, and those that may be."""

    transfers: Mapping[str, str]
    explained: Mapping[str, str]
    kept: tuple[str, ...]


class Gathered:
    """Sums over all frames; `exceptions` holds the first of them, in their order."""

    def __init__(self, before: frozenset[SnapshotException], places: Mapping[str, Path]) -> None:
        self.filesystems: dict[str, CopiedFilesystem] = {}
        self.causes: dict[str, dict[str, int]] = {}
        self.exceptions: list[SnapshotException] = []
        self.new = 0
        self.added_files = 0
        self.added_bytes = 0
        self.added_room = 0
        self.summed = 0
        self.unsummed = 0
        self.unexplained: list[str] = []
        self._before = before
        self._places = places

    def cause(self, name: str) -> int:
        """How many names have this cause."""
        return sum(counts.get(name, 0) for counts in self.causes.values())

    def transfer(self, frame: Frame, point: str, sums: Sums) -> None:
        """Read the output of a transfer; Refused if rsync did not come to its end."""
        if frame.state != "done" or frame.exit not in WHOLE:
            raise Refused(
                f"the transfer of {point} is not whole: {frame.state}, exit {frame.exit}", "run the job again"
            )
        numbers: dict[bytes, int] = {}
        for line in frame.lines():
            file = sent(line)
            if file is None:
                statistic = STATS.match(line)
                if statistic:
                    numbers[statistic[1]] = _number(statistic[2])
                    numbers.setdefault(b"dir", _number(statistic[3] or b"0"))
                continue
            fresh = file.transferred or file.copied
            self.added_files += fresh or file.created
            if fresh:
                self.added_bytes += file.size
                self.added_room += _room(self._places[point], file)
            self.unsummed += fresh and not file.checksum
            if file.transferred and file.checksum:
                self.summed += 1
                sums.add(file, point)
        files = numbers.get(b"Number of files", 0)
        if files < 1 or b"Total file size" not in numbers:
            raise Refused(f"the transfer of {point} sent nothing", "is it mounted on the source?")
        size = numbers[b"Total file size"]
        self.filesystems[point] = CopiedFilesystem(point, frame.exit, files, size, numbers[b"dir"])

    def explain(self, frame: Frame, point: str) -> None:
        """Read the answer of `explain`; Refused if it is cut off."""
        if frame.state != "done" or frame.exit != 0:
            return
        counts: dict[str, int] = {}
        answer: Mapping[str, Any] = {}
        for line in frame.lines():
            answer = _object(line)
            if "cause" in answer:
                cause = str(answer["cause"])
                counts[cause] = counts.get(cause, 0) + 1
                self._note(SnapshotException(posixpath.join(point, str(answer.get("path", ""))), cause))
        total = answer.get("counts")
        if not isinstance(total, dict) or {key: n for key, n in total.items() if n} != counts:
            raise Refused(f"the explanation for {point} is cut off", "run the job again")
        self.causes[point] = counts

    def absent(self, points: Sequence[str]) -> None:
        """Note filesystems that should have been copied and were not mounted."""
        for point in points:
            self.causes.setdefault(point, {})["not mounted"] = 1
            self._note(SnapshotException(point, "not mounted"))

    def _note(self, line: SnapshotException) -> None:
        if line.cause in EXCEPTIONS:
            self.new += line not in self._before
            if len(self.exceptions) < LISTED:
                self.exceptions.append(line)
        elif line.cause not in HARMLESS and len(self.unexplained) < 3:
            self.unexplained.append(shown(line.path))

    def require(self, expected: ExpectedOutputs) -> None:
        """Refused unless every transfer is here and what is missing from it is explained."""
        for step, point in expected.transfers.items():
            if point not in self.filesystems:
                raise Refused(f"the output of {shown(step)} is missing", "run the job again")
            ended = self.filesystems[point].exit
            if ended != 0 and point not in self.causes:
                raise Refused(f"rsync ended with {ended} for {point}, unexplained", "run the job again")


def gather(stream: BinaryIO, expected: ExpectedOutputs, resumed: ResumedFiles, sums: Sums, into: Gathered) -> None:
    """Read every frame once and add it up; other outputs are passed over."""
    seen: set[str] = set()
    for frame in frames(stream):
        if frame.source in seen:
            raise Refused(f"{shown(frame.source)} is given twice", "give each output once")
        seen.add(frame.source)
        if frame.source in expected.transfers:
            into.transfer(frame, expected.transfers[frame.source], sums)
        elif frame.source in expected.explained:
            into.explain(frame, expected.explained[frame.source])
        elif frame.source in expected.kept:
            into.summed += resumed.read(frame, sums)
    into.require(expected)
    into.unsummed += resumed.unknown()


def _room(place: Path, file: Sent) -> int:
    """What a new file takes of the disk: its blocks, where its length counts the holes too."""
    try:
        return os.lstat(os.fsencode(place) + b"/" + unescaped(file.name)).st_blocks * BLOCK
    except OSError:
        # Gone, or deeper than a path can be long.
        return file.size


def _number(text: bytes) -> int:
    return int(text.replace(b",", b""))


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Refused("an explanation cannot be read", "run the job again")
    return answer


class ResumedFiles:
    """Judges files of partials by inode: it is in the new folder at the same name, or it is not."""

    def __init__(self, store: StoreFolder, name: str, basis: str, resumed: tuple[str, ...]) -> None:
        self._new = received.places(store, name)
        self._basis = os.fsencode(store.root / basis) if basis else b""
        self._old = {partial: received.places(store, partial) for partial in resumed}
        self._known: set[int] = set()

    def read(self, frame: Frame, sums: Sums) -> int:
        """Write the checksum of each line whose file lives on; returns how many."""
        point, old = self._place(frame.source)
        if old is None:
            return 0
        count = 0
        for line in frame.lines():
            file = sent(line)
            if file is None or not (file.transferred and file.checksum):
                continue
            inode = self._taken(old, point, unescaped(file.name))
            if inode and inode not in self._known:
                self._known.add(inode)
                sums.add(file, point)
                count += 1
        return count

    def unknown(self) -> int:
        """How many files were taken over from a partial alone and have no checksum; call it last."""
        count = 0
        for point, old in ((point, old) for places in self._old.values() for point, old in places.items()):
            basis = self._basis + os.fsencode(point).rstrip(b"/") if self._basis else b""
            for below in _files(os.fsencode(old)):
                inode = self._taken(old, point, below)
                if inode and inode not in self._known and _inode(basis, below) != inode:
                    self._known.add(inode)
                    count += 1
        return count

    def _taken(self, old: Path, point: str, below: bytes) -> int:
        inode = _inode(os.fsencode(old), below) if point in self._new else 0
        return inode if inode and inode == _inode(os.fsencode(self._new[point]), below) else 0

    def _place(self, source: str) -> tuple[str, Path | None]:
        # An output that fits nothing only costs checksums: that must not keep a whole snapshot unsealed.
        kind, _, rest = source.partition(":")
        parts = rest.rsplit("/", 2)
        if kind == "kept" and len(parts) == 3 and parts[1] in self._old and parts[2].isdigit():
            old = tuple(self._old[parts[1]].items())
            if int(parts[2]) < len(old):
                return old[int(parts[2])]
        return "", None


def _inode(root: bytes, below: bytes) -> int:
    """The inode of a regular file, 0 where there is none."""
    if not root:
        return 0
    try:
        status = os.lstat(root + b"/" + below)
    except OSError:
        return 0
    return status.st_ino if stat.S_ISREG(status.st_mode) else 0


def _files(root: bytes) -> Iterator[bytes]:
    """Every regular file with more than one name below `root`, relative."""
    waiting = [b""]
    while waiting:
        name = waiting.pop()
        try:
            with os.scandir(root + b"/" + name) as entries:
                for entry in entries:
                    below = name + b"/" + entry.name if name else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(below)
                    elif entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_nlink > 1:
                        yield below
        except OSError:
            continue
