"""`look`: what differs between a filesystem and its newest snapshot, by the record of the look made for that."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from .. import durable
from ..answer import Refused, plain
from ..arguments import parse_as
from ..host.machine import machine_id
from .comparison import GivenNames, given_names
from .contract import NO_RECORD, SHRUNK, UNCOUNTED, FolderAttributes, Look
from .differences import SEEN, Differences
from .entries import FolderEntries, sure_of
from .listing import ListWriter
from .places import KnownScan, ScanFolder
from .reach import TOO_DEEP
from .record import FORMAT, ScanHeader, ScanSums, ScanWriter, Unusable, attributes
from .since import began, changed_since
from .walker import Walker

# What changed so shortly before may change again without another ctime: clocks are coarse; and what is written through
# a mapping shows no time until it has been written back, which is at once where the filesystem can be synced before.
TICK, RECENT = 2 * 10**9, 60 * 10**9


def run(argv: Sequence[str]) -> int:
    """Write the record for NAME, and print each name that differs from the record for BASIS.

    Ends with NO_RECORD where there is none. Where something may expire for NAME: with SHRUNK if the source has much
    fewer names than the basis had, and with UNCOUNTED if no record says how many these were. Then the record for NAME
    is written all the same, for a second look with the comparison that begins after this one.
    """
    options = parse_as(Look, argv)
    if options.name == options.basis:
        raise Refused("a snapshot is not its own basis", "make a new plan")
    given = given_names(sys.stdin.buffer, options.compared, options.damaged) if options.compared else GivenNames()
    places = ScanFolder(options.scans, options.source)
    places.make()
    header = ScanHeader(FORMAT, options.name, options.source, machine_id(), options.scans, time.time_ns())
    known, why, before = _known(places, header, options)
    if known is None and options.compared:
        raise Refused(
            f"no look was made before the comparison: {why}", "look without --compared first, and compare then"
        )
    places.forget(options.name)
    places.keep((options.name, *((options.basis,) if options.basis else ())))
    since = _since(known, options) if known is not None and options.basis else None
    looking = _Looking(options, header, known, given, header.began - _recent(options.source), since)
    names = looking.write(places)
    sys.stdout.flush()
    if options.shrink < 100 and before is not None and names * 100 < before * (100 - options.shrink):
        sys.stderr.write(f"{names} names, and {before} before\n")
        return SHRUNK
    if known is None:
        sys.stderr.write(f"no record to compare with: {plain(why)}\n")
        return UNCOUNTED if options.shrink < 100 and before is None else NO_RECORD
    return 0


def _recent(source: str) -> int:
    """How long before the look what changed may change again unseen."""
    try:
        durable.sync_filesystem(Path(source))
    except OSError:
        return RECENT
    return min(TICK, RECENT)


def _known(places: ScanFolder, header: ScanHeader, options: Look) -> tuple[Optional[KnownScan], str, Optional[int]]:  # noqa: UP045
    """The record to compare with, or why there is none, and how many names the basis had; a bad one is removed."""
    why, names = "no snapshot is its basis", None
    if options.basis:
        try:
            known = places.known(header._replace(name=options.basis), settled=True)
            if known.scan.header.began > header.began:
                known.scan.close()
                raise Unusable("it was made later than now: the clock was set back")
            names = known.scan.sums.names
            if not options.anew and (not options.most or known.scan.sums.row < options.most):
                return known, "", names
            known.scan.close()
            if options.anew:
                return None, "rsync is to compare", names
            return None, f"it is time for a comparison, after {known.scan.sums.row} looks by record", names
        except Unusable as problem:
            why = str(problem)
            places.drop(options.basis)
    if options.compared:
        try:
            return places.known(header, settled=False), "", names
        except Unusable as problem:
            why = str(problem)
            places.drop(options.name)
    return None, why, names


def _since(known: KnownScan, options: Look) -> Optional[int]:  # noqa: UP045
    """From when on what changed is listed, where the basis has no record; None where it has one, or much changed."""
    if known.scan.header.name == options.basis:
        return None
    try:
        changed = changed_since(began(options.basis), known.scan.folders())
    except ValueError:
        # Whoever compares with it says so.
        return None
    if changed.is_little:
        return changed.moment
    sys.stderr.write(
        f"{changed.names} of {changed.all_names} names changed since {options.basis} was begun, too many to send all of"
        " them: an edit that keeps size and time is not seen this time\n"
    )
    return None


class _Looking(NamedTuple):
    """A look that is to be made; what is `given` is listed whatever the record says.

    What changed after `sure` may change again without showing it. Files that changed after `since` are listed, too.
    """

    options: Look
    header: ScanHeader
    known: Optional[KnownScan]  # noqa: UP045
    given: GivenNames
    sure: int
    since: Optional[int]  # noqa: UP045

    @property
    def is_of_basis(self) -> bool:
        """Whether it is the basis that is looked at, and not the look before a comparison."""
        return self.known is not None and self.known.scan.header.name == self.options.basis

    def write(self, places: ScanFolder) -> int:
        """Write the record and the list, and say how many names there are; what is known of the one before goes."""
        listing = ListWriter(sys.stdout.buffer)
        try:
            with places.writing(places.scan(self.header.name)) as draft:
                writer = ScanWriter(draft, self.header)
                sums = self._walk(writer, listing)
                writer.end(sums, bytes(listing.states))
        except ValueError as problem:
            listing.break_off()
            if self.known is None:
                raise
            # Its digest is right, so whoever wrote it wrote it so.
            places.drop(self.known.scan.header.name)
            raise Refused(f"the record is damaged: {problem}", "run the job again", again=True) from None
        except Exception:
            listing.break_off()
            raise
        finally:
            if self.known is not None:
                self.known.scan.close()
        return sums.names

    def _walk(self, writer: ScanWriter, listing: ListWriter) -> ScanSums:
        walker = Walker(os.fsencode(self.options.source))
        walker.emptied = frozenset(map(walker.below, self.options.emptied))
        walker.left_out = frozenset(map(walker.below, self.options.left_out))
        differences = None
        if self.known is not None:
            # What the basis has where nobody looks now, nor rsync compares, only its record would say.
            left_out = () if self.is_of_basis else walker.left_out
            wanted = (*self.known.again, *self.given.compared, *self.given.damaged, *left_out)
            before = self.known.scan.folders()
            # Of the look a moment ago nothing is doubtful: what changed since then shows.
            before = before if self.is_of_basis else sure_of(before)
            differences = Differences(before, wanted, walker.left_out)
        names = folders = 1
        size = 0
        top = FolderAttributes(0, 0, 0, 0, {})
        for folder in walker.folders():
            if not folder.path:
                top = attributes(folder.descriptor)
            if folder.beyond or folder.path in walker.emptied:
                if folder.entries:
                    walker.close(folder.path, TOO_DEEP, 0, len(folder.entries))
                continue
            entries = FolderEntries(folder.path, folder.entries, self.sure)
            writer.folder(entries.recorded())
            names += len(entries.names)
            folders += entries.folders
            size += entries.size
            if differences is not None:
                if not self.is_of_basis:
                    differences.bare(entries.path, folder.bare)
                if self.since is not None:
                    differences.want(entries.path, entries.changed_since(self.since))
                for name in differences.folder(entries):
                    listing.put(*name)
        if differences is not None:
            for name in differences.rest():
                listing.put(*name)
            for name in differences.linked(writer.folders()):
                listing.put(*name)
        listed = len(listing.states)
        gone = listed - sum(map(listing.states.count, SEEN))
        row = self.known.scan.sums.row + 1 if self.known and not self.options.compared else 0
        return ScanSums(
            names, folders, size, listed, gone, row, listing.digest, top, walker.closed, self._missed(differences)
        )

    def _missed(self, differences: Optional[Differences]) -> int:  # noqa: UP045
        """How many names differ by the comparison, and nothing else says why."""
        if self.known is None or differences is None or not self.is_of_basis:
            return 0
        missed = self.given.compared.intersection(differences.alike).difference(self.known.again)
        return sum(not self.given.is_damaged(path) for path in missed)
