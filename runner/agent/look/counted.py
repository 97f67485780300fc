"""What a look counted before a filesystem was sent whole, and whether the look for the next snapshot may go by it."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Optional

from ..host.machine import machine_id
from .places import ScanFolder
from .reach import TOO_DEEP
from .record import FORMAT, ScanHeader, ScanSums, Unusable


class WholeSource(NamedTuple):
    """The source that was sent whole for the snapshot `name`, and the folder of its records."""

    scans: str
    source: str
    name: str

    def counted(self, sent: int, again: Collection[bytes]) -> Optional[ScanSums]:  # noqa: UP045
        """What the look for NAME saw; None where it has left no record, or rsync `sent` fewer names than it counted.

        Only where these are as many is the record one to go by: of a name that came after the look, was sent and went
        again nobody would know tomorrow. What is in `again` is listed then whatever the record says. Where something is
        too deep, rsync may have brought what was not counted.
        """
        places = ScanFolder(self.scans, self.source)
        places.make()
        try:
            scan = places.known(
                ScanHeader(FORMAT, self.name, self.source, machine_id(), self.scans, 0), settled=False
            ).scan
        except Unusable:
            return None
        try:
            too_deep = any(line.cause == TOO_DEEP for line in scan.sums.closed)
            if scan.sums.names == sent and not too_deep:
                places.note(self.name, scan, sorted(again))
            else:
                places.drop(self.name)
        finally:
            scan.close()
        return scan.sums if scan.sums.names <= sent else None
