"""What snapshots free, as their records and what was measured before say. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Optional

from ..store.contract.freed import Gain

# No number of ours is ever as large.
MOST = 2**62


def left_of(saved: Mapping[str, Any], records: Mapping[str, Mapping[str, Any]]) -> list[Gain]:
    """What is left of the measurement `saved`: gains as of now, in the order that was measured, without records.

    Empty where nothing is known or anything does not fit. `records` are those of all sealed ones. Pure.
    """
    try:
        then = [str(name) for name in saved["sealed"]]
        measured = [Gain(str(gain["name"]), int(gain["bytes"]), int(gain["inodes"])) for gain in saved["freed"]]
        if any(not 0 <= number < MOST for gain in measured for number in (gain.bytes, gain.inodes)):
            return []
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return []
    gone = set(then).difference(records)
    later = set(records).difference(then)
    if not then or any(name < then[-1] for name in later) or then[-1] in gone:
        return []
    start = list(itertools.takewhile(lambda gain: gain.name in gone, measured))
    others = gone.difference(gain.name for gain in start)
    if others and saved.get("in_runs") is not True:
        return []
    # What one had that went out of order the one before it has alone now, and those after that with it.
    ends = [end for other in others for end in _before(other, records)]
    rest = itertools.takewhile(lambda gain: all(gain.name < end for end in ends), measured[len(start) :])
    before = start[-1] if start else Gain("", 0, 0)
    left = [Gain(gain.name, gain.bytes - before.bytes, gain.inodes - before.inodes) for gain in rest]
    return [] if any(gain.bytes < 0 or gain.inodes < 0 for gain in left) else left


def _before(gone: str, records: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Of each host the last snapshot before one that is gone, since whose that was nobody knows; and it itself."""
    yield gone
    yield from {record.get("host"): name for name, record in records.items() if name < gone}.values()


def own_of(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Gain]:
    """What each snapshot alone has once those before it are gone, as far as the records of all sealed ones say. Pure.

    That of all filesystems in it, each counted by the one that was made of it. Who shares with those before it
    again takes from them what nobody has counted.
    """
    counted: dict[tuple[str, str], Optional[tuple[int, int]]] = {}  # noqa: UP045
    doubtful: set[str] = set()
    for name, record in records.items():
        for snapshot, mount, size, inodes in left_behind(record):
            counted[snapshot, mount] = None if (snapshot, mount) in counted or snapshot >= name else (size, inodes)
        if _shares_with_older(record):
            older = min(map(str, record["older"])) if isinstance(record["older"], list) else ""
            doubtful.update(other for other in records if older <= other < name)
    own = {}
    for name, record in records.items():
        mounts = mounts_of(record)
        parts = [counted.get((name, mount)) for mount in mounts]
        known = [part for part in parts if part is not None]
        if mounts and len(known) == len(parts) and name not in doubtful:
            own[name] = Gain(name, sum(size for size, _ in known), sum(inodes for _, inodes in known))
    return own


def left_behind(record: Mapping[str, Any]) -> list[tuple[str, str, int, int]]:
    """What a record says of those of which its snapshot was made; nothing where any of it is not as we write it.

    As `LeftBehind` of the record's contract, which who only counts need not load: snapshot, mount, bytes, inodes.
    """
    try:
        noted = ((each["snapshot"], each["mount"], each["bytes"], each["inodes"]) for each in record["left"])
        left = [(str(snapshot), str(mount), size, inodes) for snapshot, mount, size, inodes in noted]
    except (KeyError, TypeError):
        return []
    numbers = (number for each in left for number in each[2:])
    return left if all(type(number) is int and 0 <= number < MOST for number in numbers) else []


def _shares_with_older(record: Mapping[str, Any]) -> bool:
    """Whether what two snapshots share may not be in all between them. An older record does not say whether it is."""
    return bool(record.get("older")) and record.get("shared") != 0


def is_in_runs(records: Collection[Mapping[str, Any]]) -> bool:
    """Whether whatever two snapshots of a host share all of its snapshots have that are between them.

    That of a filesystem which some of them lack was shared past these.
    """
    mounts = {(str(record.get("host")), mounts_of(record)) for record in records}
    hosts = {str(record.get("host")) for record in records}
    return len(mounts) == len(hosts) and not any(map(_shares_with_older, records))


def mounts_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The mount points of the filesystems that a record lists."""
    points = record.get("filesystems")
    listed = points if isinstance(points, list) else []
    return tuple(sorted(str(point.get("mount") if isinstance(point, dict) else point) for point in listed))
