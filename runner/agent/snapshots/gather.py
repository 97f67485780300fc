"""What the frames given to `seal` add up to: counts, exceptions, and whether they allow a seal."""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Collection, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from ..answer import Refused, plain, shown
from ..arguments import MOST
from ..compose.copies import Copy
from ..compose.missed import ACCEPTED, CAUSES, EXCEPTIONS, MissedNames
from ..frames import DONE, NOT_NEEDED, Frame, frames
from ..rsync_lines import STATS, WHOLE, Sent, number, sent, unescaped
from ..store import received
from ..store.freed import BLOCK
from .contract.record import CopiedFilesystem
from .sums import Sums

WIDEST_PATH = 200
PARTIAL = 23


class ExpectedOutputs(NamedTuple):
    """The steps whose outputs must be there, with their mount points, and those that may be.

    `walked` are of filesystems that are sent whole, `settled` of those that are composed.
    """

    transfers: Mapping[str, str]
    explained: Mapping[str, str]
    walked: Mapping[str, str]
    settled: Mapping[str, str]
    kept: Mapping[str, str]


class Gathered:
    """Sums over all frames; `missed` are the names that are not as they are at the source."""

    def __init__(self, missed: MissedNames, copies: Mapping[str, Copy], resumed: Collection[str] = ()) -> None:
        self.missed = missed
        self.filesystems: dict[str, CopiedFilesystem] = {}
        self.looks: dict[str, int] = {}
        self.walks: dict[str, WalkOfFilesystem] = {}
        self.settled: dict[str, Mapping[str, Any]] = {}
        # So many lines may be about a name that came; a disk knows how many names it can have.
        self.most = MOST
        self.added_files = 0
        self.added_bytes = 0
        self.added_room = 0
        self.summed = 0
        self.unsummed = 0
        self._copies = copies
        self._unsent: set[str] = set()
        # Where a transfer was resumed, what the names hash to that it brought: an earlier one says no more of them.
        self._brought: dict[str, set[int]] = {point: set() for point in resumed}
        # By mount point the inodes of which there is a checksum.
        self.sums_of: dict[str, set[int]] | None = None

    def transfer(self, frame: Frame, point: str, sums: Sums) -> None:
        """Read the output of a transfer; Refused if rsync did not come to its end."""
        if frame.state == NOT_NEEDED and self._copies[point].names is not None:
            self._unsent.add(point)
            self.filesystems[point] = CopiedFilesystem(point, 0, 0, 0, 0)
            return
        if frame.state != DONE or frame.exit not in WHOLE:
            raise Refused(
                f"the transfer of {point} is not whole: {frame.state}, exit {frame.exit}", "run the job again"
            )
        numbers = self._lines(frame, point, sums)
        files, size = numbers.get(b"Number of files", 0), numbers.get(b"Total file size")
        # Where nothing differs there is nothing to send.
        least = 1 if self._copies[point].names is None else 0
        if files < least or size is None:
            raise Refused(f"the transfer of {point} sent nothing", "is it mounted on the source?")
        self.filesystems[point] = CopiedFilesystem(point, frame.exit, files, size, numbers.get(b"dir", 0))

    def kept(self, frame: Frame, point: str, sums: Sums) -> None:
        """Read what an earlier transfer of the same filesystem printed, or an interrupted one: what is there of it."""
        if point in self._copies:
            # Where it brought everything, nothing had to be sent again.
            if frame.state == DONE and frame.exit == 0:
                self._unsent.discard(point)
            self._lines(frame, point, sums)

    def _lines(self, frame: Frame, point: str, sums: Sums) -> Mapping[bytes, int]:
        numbers: dict[bytes, int] = {}
        brought = self._brought.get(point)
        earlier = point in self.filesystems
        mine: set[int] = set()
        with self._copies[point].opened() as trees:
            for line in frame.lines():
                file = sent(line)
                if file is None:
                    statistic = STATS.match(line)
                    if statistic:
                        numbers[statistic[1]] = number(statistic[2])
                        numbers.setdefault(b"dir", number(statistic[3] or b"0"))
                    continue
                if max(self.added_files, len(mine)) >= self.most:
                    error = "more names were sent, it is said, than the disk can have"
                    raise Refused(error, "look at the other end's rsync")
                fresh = file.transferred or file.copied
                if brought is not None and file.linked:
                    # What was sent for it before is of another file.
                    mine.add(hash(file.name))
                if not (fresh or file.created):
                    continue
                if brought is not None:
                    if earlier and hash(file.name) in brought:
                        continue
                    mine.add(hash(file.name))
                status = trees.new(unescaped(file.name))
                # A file that has been sent twice is as the later transfer left it.
                if status is None or (earlier and fresh and status.st_size != file.size):
                    continue
                self._add(file, status, point, sums)
        if brought is not None:
            brought |= mine
        return numbers

    def _add(self, file: Sent, status: os.stat_result, point: str, sums: Sums) -> None:
        self.added_files += 1
        if file.created:
            return
        self.added_bytes += file.size
        self.added_room += status.st_blocks * BLOCK
        if file.transferred and file.checksum:
            self.summed += 1
            # The size that is told is that of the scan, and of a file that grew until it was sent the checksum fits.
            sums.add(file._replace(size=status.st_size), point)
            if self.sums_of is not None:
                self.sums_of.setdefault(point, set()).add(status.st_ino)
        else:
            self.unsummed += 1

    def explain(self, frame: Frame, point: str) -> None:
        """Read the answer of `explain`; Refused if it is cut off."""
        if frame.state != DONE or frame.exit != 0:
            return
        answer = self._causes(frame, point)
        if answer.get("look_exit") not in WHOLE:
            raise Refused(f"the explanation for {point} is cut off", "run the job again")
        self.looks[point] = answer["look_exit"]

    def settle(self, frame: Frame, point: str) -> None:
        """Read the answer of `settle`; Refused if it is cut off."""
        if frame.state != DONE or frame.exit != 0:
            return
        answer = self._causes(frame, point)
        if not all(_is_count(answer.get(key)) for key in ("names", "folders", "size", "listed", "look_exit", "missed")):
            raise Refused(f"what became of {point} is cut off", "run the job again")
        self.settled[point] = answer

    def _causes(self, frame: Frame, point: str) -> Mapping[str, Any]:
        """Note each line that has a cause; gives the last, which must count the same."""
        counts: dict[str, int] = {}
        answer: Mapping[str, Any] = {}
        for line in frame.lines():
            answer = _object(line)
            if "cause" in answer and len(counts) < CAUSES:
                cause = str(answer["cause"])
                counts[cause] = counts.get(cause, 0) + 1
                self.missed.note(point, str(answer.get("path", "")), cause)
        total = answer.get("counts")
        if not isinstance(total, dict) or {key: n for key, n in total.items() if n} != counts:
            raise Refused(f"the explanation for {point} is cut off", "run the job again")
        return answer

    def walk(self, frame: Frame, point: str) -> None:
        """Read the answer of `walk`, and compare it with the copy where rsync saw less; Refused if it is cut off."""
        copy = self._copies[point].place if point in self._copies else None
        if copy is None or frame.state != DONE or frame.exit != 0:
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
            if cause and missed:
                self.missed.note(point, path, cause)
        if not isinstance(answer.get("names"), int) or answer.get("cause"):
            raise Refused(f"the count of the names in {point} is cut off", "run the job again")
        self.walks[point] = WalkOfFilesystem(answer["names"], closed, lacks)

    def absent(self, points: Sequence[str]) -> None:
        """Note filesystems that should have been copied and were not mounted."""
        for point in points:
            self.missed.note(point, "", "not mounted")

    def require(self, expected: ExpectedOutputs) -> None:
        """Refused unless every transfer is here and what is missing from it is explained."""
        composed = set(expected.settled.values())
        for step, point in expected.transfers.items():
            if point not in self.filesystems:
                raise Refused(f"the output of {shown(step)} is missing", "run the job again")
            if point in composed:
                self._require_composed(point)
                continue
            ended = self.filesystems[point].exit
            if ended != 0 and point not in self.looks:
                raise Refused(f"rsync ended with {ended} for {point}, unexplained", "run the job again")
            if point not in self.walks:
                raise Refused(
                    f"how many names {point} has is not known: nobody but rsync counted them", "run the job again"
                )
            self._require_all(point)

    def _require_composed(self, point: str) -> None:
        """Take the counts of a composed filesystem from who composed it and who looked; Refused where one has not."""
        answer, names, sent = self.settled.get(point), self._copies[point].names, self.filesystems[point]
        if answer is None or names is None:
            who = "looked at" if answer is None else "composed"
            raise Refused(f"{point} was not {who} to the end", "run the job again")
        if point in self._unsent and answer["listed"]:
            raise Refused(f"something of {point} differs, and nothing was sent", "run the job again")
        if answer["look_exit"] == PARTIAL:
            self._require_named(point)
        self.filesystems[point] = sent._replace(files=names, size=answer["size"], folders=answer["folders"])

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
        if self.looks.get(point, 0) == PARTIAL and not walk.closed:
            self._require_named(point)

    def _require_named(self, point: str) -> None:
        # What changed or went meanwhile is nothing that rsync could not read.
        if not any(self.missed.count(point, cause) for cause in (*EXCEPTIONS, ACCEPTED)):
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


def gather(stream: BinaryIO, expected: ExpectedOutputs, sums: Sums, into: Gathered) -> None:
    """Read every frame once and add it up; other outputs are passed over."""
    seen: set[str] = set()
    for frame in frames(stream):
        source = frame.source
        if source in seen:
            raise Refused(f"{shown(source)} is given twice", "give each output once")
        seen.add(source)
        if source in expected.transfers:
            into.transfer(frame, expected.transfers[source], sums)
        elif source in expected.explained:
            into.explain(frame, expected.explained[source])
        elif source in expected.walked:
            into.walk(frame, expected.walked[source])
        elif source in expected.settled:
            into.settle(frame, expected.settled[source])
        elif source in expected.kept:
            into.kept(frame, expected.kept[source], sums)
    into.require(expected)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Refused("an explanation cannot be read", "run the job again")
    return answer
