"""What of a store an audit can compare, and what not: checksums that are gone, and those that never were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ..store.layout import StoreFolder, read_json


class Listed(NamedTuple):
    """The list of checksums of a snapshot: how many lines it has and of how many bytes; none where it is damaged."""

    lines: int
    bytes: int


class Uncovered(NamedTuple):
    """How many snapshots lack checksums that they had, of how many files and bytes; how many files never had one."""

    snapshots: int
    files: int
    bytes: int
    never: int


def uncovered(store: StoreFolder, listed: Mapping[str, Listed], known: Mapping[str, Listed]) -> Uncovered:
    """Compare the lists with what the seals wrote, and with what they were `known` to be: a list only grows.

    What a snapshot that is gone could not hand on counts with the one that shares it.
    """
    snapshots = files = size = never = 0
    for name, now in listed.items():
        sealed, unsummed = _sealed(store, name)
        before = known.get(name, Listed(0, 0))
        owed = [debt for other, debt in debts(store, name).items() if other not in listed]
        lines = max(0, sealed.lines - now.lines, before.lines - now.lines) + sum(debt.lines for debt in owed)
        if lines:
            snapshots, files = snapshots + 1, files + lines
            size += max(0, sealed.bytes - now.bytes, before.bytes - now.bytes) + sum(debt.bytes for debt in owed)
        never += unsummed
    return Uncovered(snapshots, files, size, never)


def debts(store: StoreFolder, name: str) -> dict[str, Listed]:
    """What of the files of `name` has no checksum since the snapshot that had them is gone, by its name."""
    owed = ((other, noted(debt)) for other, debt in read_json(store.owed(name)).items())
    return {other: debt for other, debt in owed if debt}


def brought(store: StoreFolder, name: str, now: Listed) -> Listed:
    """What should have had a checksum in the list of `name`, which has `now`."""
    sealed, before = _sealed(store, name)[0], remembered(read_json(store.audit), {name: now})[name]
    owed = debts(store, name).values()
    lines = max(sealed.lines, before.lines) + sum(debt.lines for debt in owed)
    return Listed(lines, max(sealed.bytes, before.bytes) + sum(debt.bytes for debt in owed))


def remembered(state: Mapping[str, Any], listed: Mapping[str, Listed]) -> dict[str, Listed]:
    """The most that each list was known to have, from what an audit noted; what cannot be read is nothing."""
    lists = state.get("lists")
    known = lists if isinstance(lists, dict) else {}
    return {name: _most(known.get(name), now) for name, now in listed.items()}


def _most(before: object, now: Listed) -> Listed:
    most = noted(before) or now
    return Listed(max(most.lines, now.lines), max(most.bytes, now.bytes))


def noted(value: object) -> Optional[Listed]:  # noqa: UP045
    """What stands in a file for a list of checksums; None where it is nothing that we wrote."""
    if isinstance(value, list) and len(value) == len(Listed._fields) and all(_count(each) == each for each in value):
        return Listed(*value)
    return None


def _sealed(store: StoreFolder, name: str) -> tuple[Listed, int]:
    """What the seal wrote, and how many files came without a checksum. An older record only says how many came."""
    record = read_json(store.record(name))
    summed, added, size, unsummed = (
        _count(record.get(key)) for key in ("summed", "added_files", "added_bytes", "unsummed")
    )
    if record.get("summed") is None:
        return Listed(0, 0), 0 if store.sums(name).exists() else added
    # Of what came with a checksum and what without the record does not say the bytes apart.
    return Listed(summed, 0 if unsummed else size), unsummed


def _count(value: object) -> int:
    return value if type(value) is int and value >= 0 else 0
