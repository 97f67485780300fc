"""What audits found damaged in snapshots: the next one that is made of these compares it with its host.

A clone has the damage of its basis, and a look at the source shows none of it. So each name is noted with the time at
which it was found, as the name of a snapshot: whoever plans one later is told of it. What is made of one that is named
earlier is told, and what is made of a later one is not, since that was told already.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Mapping, NamedTuple, Optional, Tuple  # noqa: UP035

from ..arguments import PATH, parse_as
from ..clock import LAST, at
from ..look.listing import is_below
from ..store.layout import StoreFolder, open_store, read_json, sealed
from .contract.audit import ListDamaged
from .findings import NOTED, NOTED_BYTES, inode_at
from .noted import DamagedName, remembered

# Snapshots are named by a host's clock and notes by the store's: they differ by no more than half of that.
SLACK = 600 * 10**9
# Names in snapshots, each with its inode where others may share it.
FoundDamage = Mapping[Tuple[str, bytes], Optional[int]]  # noqa: UP006, UP045


class NotedDamage(NamedTuple):
    """All that is to be kept, and how many of these names no snapshot was told of yet."""

    kept: list[DamagedName]
    fresh: int


def run(argv: Sequence[str]) -> int:
    """Print each name (`./PATH` and a NUL) that what is made of the snapshot BASIS may have damaged. Reads only."""
    options = parse_as(ListDamaged, argv)
    wanted = (options.host, options.mount)
    for each in remembered(read_json(open_store(options.store).audit)):
        if (each.host, each.mount) == wanted and options.basis <= each.until:
            with contextlib.suppress(UnicodeEncodeError):
                # What nobody can have noted is passed over.
                path = os.fsencode(each.path)
                if is_below(path):
                    sys.stdout.buffer.write(b"./" + path + b"\0")
    sys.stdout.flush()
    return 0


def latest(nanoseconds: int) -> str:
    """The latest name of a snapshot whose plan may not know what an audit that ends at that time has found."""
    moment = at(min(max(nanoseconds, 0) + SLACK, LAST))
    return moment.strftime("%Y-%m-%dT%H%M%SZ")


def noted(store: StoreFolder, state: Mapping[str, Any], damaged: FoundDamage, until: str) -> NotedDamage:
    """What an audit that found these names `damaged` adds to what is noted in `state`; later than `until` it is known.

    What is found again in a snapshot that may not have known stays as it is: a later one was told of it. It is
    forgotten once all of these are gone. A note of a clock that was ahead ends when it should have.
    """
    known = {(each.host, each.mount, each.path): each for each in remembered(state)}
    if not (known or damaged):
        return NotedDamage([], 0)
    records = {name: read_json(store.record(name)) for name in sealed(store)}
    hosts = {name: str(record.get("host") or "") for name, record in records.items()}
    newest = {host: name for name, host in hosts.items()}
    oldest = {host: name for name, host in reversed(hosts.items())}
    # Of a clock that is behind, too, the newest is told.
    ends = {host: max(name, until) for host, name in newest.items()}
    there = {key: each for key, each in known.items() if each.host in ends}
    known = {key: each._replace(until=min(each.until, ends[each.host])) for key, each in there.items()}
    for (snapshot, path), inode in damaged.items():
        host, place = hosts.get(snapshot, ""), _place(records.get(snapshot, {}), path)
        if not host or place is None:
            continue
        last = newest[host] if inode and inode_at(store, newest[host], path) == inode else snapshot
        before = known.get((host, *place))
        if before is None or before.until < last:
            known[(host, *place)] = DamagedName(host, place[0], ends[host], place[1])
    kept = [each for each in known.values() if oldest[each.host] <= each.until]
    kept = _newest(sorted(kept, key=lambda each: (each.until, each))[-NOTED:])
    return NotedDamage(kept, sum(newest[each.host] <= each.until for each in kept))


def _newest(kept: list[DamagedName]) -> list[DamagedName]:
    """The last of them whose paths are no longer in all than what can be read again."""
    lengths = accumulate(len(each.path) for each in reversed(kept))
    return kept[len(kept) - sum(length <= NOTED_BYTES for length in lengths) :]


def _place(record: Mapping[str, Any], path: bytes) -> Optional[tuple[str, str]]:  # noqa: UP045
    """The mount point below which a name of a snapshot is, and its path there; None for what no list can have."""
    points = record.get("filesystems")
    listed = points if isinstance(points, list) else []
    mounts = {str(point.get("mount")) for point in listed if isinstance(point, dict)}
    for mount in sorted(filter(PATH.fullmatch, mounts), key=len, reverse=True):
        inside = os.fsencode(mount.strip("/"))
        below = path[len(inside) :].lstrip(b"/") if path.startswith(inside + b"/") or not inside else b""
        if is_below(below):
            return mount, os.fsdecode(below)
    return None
