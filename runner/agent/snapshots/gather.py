"""What the frames given to `seal` add up to: counts, exceptions, and whether they allow a seal."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..answer import Refused, plain, shown
from ..frames import Frame, frames
from ..inodes import Inodes
from ..store import received
from ..store.freed import BLOCK
from .contract import CopiedFilesystem, SnapshotException
from .resumed import ResumedFiles
from .sums import Sent, Sums, sent, unescaped

LISTED = 1000
WIDEST_PATH = 200
PARTIAL = 23
WHOLE = (0, 23, 24)
EXCEPTIONS = ("unreadable", "attributes", "not mounted", "another filesystem", "too deep")
# One that jobs.toml accepts by name is no exception.
ACCEPTED = "accepted"
HARMLESS = ("vanished", "changed", ACCEPTED)
STATS = re.compile(rb"(Number of files|Total file size): ([0-9,]+)(?:.*[( ]dir: ([0-9,]+))?")


class ExpectedOutputs(NamedTuple):
    """The steps whose outputs must be there, with their mount points, and those that may be."""

    transfers: Mapping[str, str]
    explained: Mapping[str, str]
    walked: Mapping[str, str]
    kept: tuple[str, ...]


class Gathered:
    """Sums over all frames; `exceptions` holds the first of them, in their order, but none at an `accept` path."""

    def __init__(
        self, before: frozenset[SnapshotException], places: Mapping[str, Path], accept: Sequence[str] = ()
    ) -> None:
        self.filesystems: dict[str, CopiedFilesystem] = {}
        self.causes: dict[str, dict[str, int]] = {}
        self.looks: dict[str, int] = {}
        self.walks: dict[str, WalkOfFilesystem] = {}
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
        self._accept = tuple(f"{path}/" for path in accept)
        self._noted: set[SnapshotException] = set()

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
        with Inodes(self._places[point]) as copy:
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
                    self.added_room += _room(copy, file)
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
        self.causes[point] = {}
        answer: Mapping[str, Any] = {}
        for line in frame.lines():
            answer = _object(line)
            if "cause" in answer:
                cause = str(answer["cause"])
                counts[cause] = counts.get(cause, 0) + 1
                self._note(point, str(answer.get("path", "")), cause)
        total, look = answer.get("counts"), answer.get("look_exit")
        if not isinstance(total, dict) or {key: n for key, n in total.items() if n} != counts or look not in WHOLE:
            raise Refused(f"the explanation for {point} is cut off", "run the job again")
        self.looks[point] = look

    def walk(self, frame: Frame, point: str) -> None:
        """Read the answer of `walk`, and compare it with the copy where rsync saw less; Refused if it is cut off."""
        copy = self._places.get(point)
        if copy is None or frame.state != "done" or frame.exit != 0:
            return
        ended = self.filesystems[point].exit if point in self.filesystems else 0
        answer: Mapping[str, Any] = {}
        closed = 0
        lacks = deepest = ""
        for line in frame.lines():
            answer = _object(line)
            path, cause = str(answer.get("path", "")), str(answer.get("cause", ""))
            if cause == "counted":
                lacks = lacks or (path if received.lacks(copy, path, int(answer["names"])) else "")
                continue
            # What rsync brought whole was read, and in a folder that is too deep for others it may have been.
            missed = cause == "another filesystem" or ended != 0
            if cause == "too deep" and missed:
                # How deep rsync came depends on its version and its limits: the first that it did not copy is named.
                inside = bool(deepest) and path.startswith(f"{deepest}/")
                missed = not inside and received.lacks(copy, path, int(answer["names"]))
                deepest = path if missed else deepest
            closed += missed and cause in ("unreadable", "too deep")
            if cause and missed and SnapshotException(posixpath.join(point, path), cause) not in self._noted:
                self._note(point, path, cause)
        if not isinstance(answer.get("names"), int) or answer.get("cause"):
            raise Refused(f"the count of the names in {point} is cut off", "run the job again")
        self.walks[point] = WalkOfFilesystem(answer["names"], closed, lacks)

    def absent(self, points: Sequence[str]) -> None:
        """Note filesystems that should have been copied and were not mounted."""
        for point in points:
            self._note(point, "", "not mounted")

    def _note(self, point: str, path: str, cause: str) -> None:
        line = SnapshotException(posixpath.join(point, path) if path else point, cause)
        accepted = cause in EXCEPTIONS and f"{line.path}/".startswith(self._accept)
        counts = self.causes.setdefault(point, {})
        counted = ACCEPTED if accepted else cause
        counts[counted] = counts.get(counted, 0) + 1
        if cause == "unreadable":
            self._noted.add(line)
        if accepted:
            return
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
            if ended != 0 and point not in self.looks:
                raise Refused(f"rsync ended with {ended} for {point}, unexplained", "run the job again")
        for point in expected.transfers.values():
            if point not in self.walks:
                raise Refused(
                    f"how many names {point} has is not known: nobody but rsync counted them", "run the job again"
                )
            self._require_all(point)

    def _require_all(self, point: str) -> None:
        """Refused where rsync saw fewer names than there are, or could not read something that nobody can name."""
        seen, walk = self.filesystems[point].files, self.walks[point]
        if seen < walk.names:
            first = plain(posixpath.join(point, walk.lacks), WIDEST_PATH) if walk.lacks else "not known"
            raise Refused(
                f"rsync saw {seen} names of {point}, and {walk.names} were there before it began: the first folder of "
                f"which some are missing is {first}",
                "look at that folder on the source, or name it in `exclude`; the partial is kept",
                again=True,
            )
        # What changed or went meanwhile is nothing that rsync could not read.
        named = walk.closed or any(self.causes.get(point, {}).get(cause) for cause in (*EXCEPTIONS, ACCEPTED))
        if self.looks.get(point, 0) == PARTIAL and not named:
            raise Refused(
                f"rsync could not read something of {point}, twice, and everything there can be read",
                "run the job again; if it stays so, what rsync says is in the log of the message",
                again=True,
            )


class WalkOfFilesystem(NamedTuple):
    """How many names of a filesystem must be there, how many were not entered, the first folder that lacks some."""

    names: int
    closed: int
    lacks: str


def counted(frame: Frame) -> int:
    """How many names rsync saw in the transfer whose output this is, 0 where it does not say."""
    statistics = (STATS.match(line) for line in frame.lines())
    return max((_number(each[2]) for each in statistics if each and each[1] == b"Number of files"), default=0)


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
        elif frame.source in expected.walked:
            into.walk(frame, expected.walked[frame.source])
        elif frame.source in expected.kept:
            into.summed += resumed.read(frame, sums)
    into.require(expected)
    # The last transfer found what an interrupted one had brought, and says nothing of it.
    taken = resumed.taken_over()
    into.added_files += taken.names
    into.added_bytes += taken.bytes
    into.added_room += taken.room
    into.unsummed += taken.unsummed


def _room(copy: Inodes, file: Sent) -> int:
    """What a new file takes of the disk: its blocks, where its length counts the holes too."""
    try:
        status = copy.status(unescaped(file.name))
    except OSError:
        status = None
    return status.st_blocks * BLOCK if status else file.size


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
