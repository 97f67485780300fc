"""`walk`: what a snapshot must have, counted at the source by another program than the one that copies."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Optional

from .. import clock
from ..answer import reply
from ..arguments import parse_as
from ..frames import NOT_NEEDED, frames
from ..look.comparison import differing
from ..look.counted import WholeSource
from ..look.reach import TOO_DEEP
from ..look.record import ScanSums
from ..look.walker import Walker
from ..rsync_lines import counted
from .contract.walk import Walk, Walked, WalkedNames


def run(argv: Sequence[str]) -> int:
    """Count the names below SOURCE that stay in its filesystem; print what was not entered, then the counts.

    stdin is the output of the transfer, and with `--scans` that of the comparison too. What the look before has counted
    is not counted again unless rsync saw fewer names. Where it saw fewer than are older than `--since`, each folder is
    printed with its own number, so that the seal can name the first that lacks some.
    """
    options = parse_as(Walk, argv)
    done = _transferred(options)
    before = done.looked(options)
    if before is not None:
        for line in before.closed:
            reply(line)
        reply(WalkedNames(before.names, 0))
        return 0
    walker = CountingWalker(os.fsencode(options.source), clock.nanoseconds(options.since))
    walker.emptied = frozenset(map(walker.below, options.emptied))
    walker.left_out = frozenset(map(walker.below, options.left_out))
    for _ in walker.counted():
        pass
    required = walker.names - walker.young - walker.beyond
    for line in walker.closed:
        reply(line)
    if done.sent is not None and done.sent < required:
        for path, names in walker.counted():
            reply(Walked(os.fsdecode(path) or ".", "counted", 0, names))
    reply(WalkedNames(required, walker.young))
    return 0


class _Transferred(NamedTuple):
    """How many names rsync saw when it sent them, None where that is not on stdin; and those not sent as they are."""

    sent: Optional[int]  # noqa: UP045
    differing: Collection[bytes]

    def looked(self, options: Walk) -> Optional[ScanSums]:  # noqa: UP045
        """What a look before has counted; None where there was none, or where that does not do."""
        if not (options.scans and options.name) or self.sent is None:
            return None
        return WholeSource(options.scans, options.source, options.name).counted(self.sent, self.differing)


def _transferred(options: Walk) -> _Transferred:
    sent: Optional[int] = None  # noqa: UP045
    names: set[bytes] = set()
    for frame in frames(sys.stdin.buffer):
        if options.looked and frame.source == options.looked:
            names.update(differing(frame) if frame.state != NOT_NEEDED else ())
        elif sent is None:
            sent = counted(frame)
    return _Transferred(sent, names)


class CountingWalker(Walker):
    """`names` counts all, `young` those that changed since, `beyond` the others that rsync cannot reach."""

    def __init__(self, top: bytes, since: int) -> None:
        super().__init__(top)
        self._since = since
        self.names, self.young, self.beyond = 0, 0, 0

    def counted(self) -> Iterator[tuple[bytes, int]]:
        """Every folder that is entered, with how many names in it are older and must be in the copy."""
        self.names, self.young, self.beyond = 0, 0, 0
        for folder in self.folders():
            if not folder.path:
                self.names = 1
                self.young = int(os.fstat(folder.descriptor).st_ctime_ns > self._since)
            young = sum(status.st_ctime_ns > self._since for _, status in folder.entries)
            older = len(folder.entries) - young
            self.names += older + young
            self.young += young
            if folder.beyond and older:
                self.beyond += older
                self.close(folder.path, TOO_DEEP, 0, older)
            yield folder.path, 0 if folder.beyond else older
