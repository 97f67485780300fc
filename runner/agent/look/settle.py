"""`settle`: what became of each name that `look` listed, and what the source was when it looked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from ..answer import Refused, reply
from ..arguments import parse_as
from ..frames import DONE, NOT_NEEDED, Frame, frames
from ..host.machine import machine_id
from ..inodes import Inodes
from ..rsync_lines import WHOLE, is_about_a_name, looked, unescaped
from ..snapshots.contract.explain import Explained
from ..snapshots.contract.walk import Walked
from ..snapshots.explain import SourceTree, judge
from .contract import NO_LIST, GoneName, ReplacedFolder, Settle, Settled, StayingFolder
from .differences import FOLDER, GONE, REPLACED, SEEN, UNSEEN
from .listing import is_below, listed
from .places import ScanFolder
from .reach import TOO_DEEP
from .record import FORMAT, Scan, ScanHeader, Unusable
from .shown import ShownSource


def run(argv: Sequence[str]) -> int:
    """Say why each name differs that was not sent as it is now, then what could not be entered, then the counts.

    All of these are listed again by the look for the snapshot after NAME.
    """
    options = parse_as(Settle, argv)
    places = ScanFolder(options.scans, options.source)
    places.make()
    header = ScanHeader(FORMAT, options.name, options.source, machine_id(), options.scans, 0)
    try:
        scan = places.known(header, settled=False).scan
    except Unusable as problem:
        raise Refused(f"the record of what was looked at cannot be used: {problem}", "run the job again") from None
    settling = _Settling(options, scan)
    try:
        settling.read()
        places.note(options.name, scan, sorted(settling.again))
    finally:
        scan.close()
    counts: dict[str, int] = {}
    for path in sorted(settling.differing, key=lambda path: path.split(b"/")):
        _say(settling.differing[path], counts)
    for closed in _outermost(scan.sums.closed):
        _say(closed, counts)
    sums = scan.sums
    known = (sums.names, sums.folders, sums.size, sums.listed, sums.gone, sums.top)
    reply(Settled(*known, counts, settling.look_exit, sums.missed))
    return 0


def _outermost(closed: Sequence[Walked]) -> Iterator[Walked]:
    """The lines but those of what is in a folder that is too deep, which say nothing new."""
    end = None
    for line in closed:
        if end is None or line.cause != TOO_DEEP or not line.path.startswith(f"{end}/"):
            yield line
            end = line.path if line.cause == TOO_DEEP else end


def _say(line: Explained | Walked, counts: dict[str, int]) -> None:
    counts[line.cause] = counts.get(line.cause, 0) + 1
    reply(line)


def _require_end(frame: Frame, codes: Sequence[int], what: str) -> None:
    if frame.state != DONE or frame.exit not in codes:
        raise Refused(f"the {what} did not end: {frame.state}, exit {frame.exit}", "run the job again")


class _Settling:
    """What is found out of the outputs on stdin.

    `differing` is each name that is not, or may not be, in what was sent as it is at the source, and why; `again` are
    the names that the next look lists whatever the record says. `look_exit` is how the comparison ended.
    """

    def __init__(self, options: Settle, scan: Scan) -> None:
        self.look_exit = 0
        self._options = options
        self._scan = scan
        self._changed: dict[bytes, Explained] = {}
        self._unlike: dict[bytes, Explained] = {}
        self._doubtful: set[bytes] = set()

    @property
    def differing(self) -> dict[bytes, Explained]:
        """By path; what the comparison says goes before what only the time says."""
        return {**self._changed, **self._unlike}

    @property
    def again(self) -> set[bytes]:
        """Not what is in a line that cannot be read: nobody knows which name that is."""
        return self._doubtful.union(self._changed, self._unlike).difference((b"",))

    def read(self) -> None:
        """Refused unless there is one list that is whole, and a comparison that ended or was not needed."""
        lists = compared = 0
        try:
            with ShownSource(os.fsencode(self._options.source)) as source:
                for frame in frames(sys.stdin.buffer):
                    if frame.source in self._options.listed:
                        # Where there was no record the step after it made the list.
                        if frame.state == NOT_NEEDED or (frame.state == DONE and frame.exit in NO_LIST):
                            continue
                        _require_end(frame, (0,), "list")
                        lists += 1
                        self._list(frame, source)
                    elif frame.source == self._options.looked:
                        compared += 1
                        if frame.state != NOT_NEEDED:
                            _require_end(frame, WHOLE, "comparison")
                            self.look_exit = frame.exit or 0
                            self._compare(frame, source)
        except OSError as problem:
            raise Refused(f"{self._options.source!a}: {problem.strerror}", "is the filesystem mounted?") from None
        if lists != bool(self._options.listed) or compared != bool(self._options.looked):
            raise Refused(f"{lists} lists and {compared} comparisons on stdin", "give exactly one each")
        if not lists and self._scan.sums.listed:
            raise Refused("the list of what differs is missing", "run the job again")

    def _list(self, frame: Frame, source: Inodes) -> None:
        """The listed names that went, came or changed since the look began."""
        for number, path in enumerate(listed(frame, self._scan.sums.digest)):
            # One too many is of another list, which shows at its end.
            state = self._scan.states[number] if number < len(self._scan.states) else UNSEEN
            if state not in SEEN:
                _tell_gone(path)
            elif state == REPLACED:
                reply(ReplacedFolder(os.fsdecode(path)))
            if state != UNSEEN:
                self._settle(path, state, source)

    def _settle(self, path: bytes, state: int, source: Inodes) -> None:
        began, was_there = self._scan.header.began, state in SEEN
        try:
            status = source.entry(path)
            folder = os.fstat(source.last) if source.last is not None else None
        except OSError as problem:
            if was_there:
                self._change(path, state, _line(path, "unreadable", problem.errno or 0))
            return
        if status is None and was_there:
            if state != FOLDER:
                _tell_gone(path)
            self._change(path, state, _line(path, "vanished"))
        elif status is not None and (not was_there or status.st_ctime_ns > began):
            self._change(path, state, _line(path, "changed"))
        elif state == GONE and (folder is None or folder.st_ctime_ns > began):
            # It may have been there again for a moment, and have been sent.
            self._doubtful.add(path)
        elif was_there and source.way_moved(began):
            # For a moment the folder may have been away, another, or a link, through which rsync read something else.
            self._change(path, state, _line(path, "changed"))

    def _change(self, path: bytes, state: int, line: Explained) -> None:
        self._changed[path] = line
        if state == FOLDER:
            reply(StayingFolder(os.fsdecode(path)))

    def _compare(self, frame: Frame, source: Inodes) -> None:
        """The names in which what was sent differs from the source."""
        judged = SourceTree(os.fsencode(self._options.source), self._scan.header.began, source)
        for line in frame.lines():
            difference = looked(line)
            if difference is None:
                if is_about_a_name(line):
                    self._unlike[b""] = _line(b"", "unexplained")
                continue
            item, path = difference[0], unescaped(difference[1])
            if path == b".":
                continue
            if not is_below(path):
                raise Refused("the comparison has a name that is none", "run the job again")
            cause, code = _judged(item, path, judged, source)
            self._unlike[path] = Explained(os.fsdecode(path), item, cause, code)


def _tell_gone(path: bytes) -> None:
    reply(GoneName(os.fsdecode(path)))


def _line(path: bytes, cause: str, code: int = 0) -> Explained:
    return Explained(os.fsdecode(path), "", cause, code)


def _judged(item: str, path: bytes, judged: SourceTree, source: Inodes) -> tuple[str, int]:
    try:
        if source.entry(path) is None:
            return "vanished", 0
    except OSError as problem:
        return "unreadable", problem.errno or 0
    return judge(item, path, judged)
