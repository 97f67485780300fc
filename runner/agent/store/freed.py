"""`freed`: what the disk gains when snapshots are expired, counted and not estimated."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .. import durable, tree
from ..answer import Refused, reply
from ..arguments import parse_as
from ..tree import folders
from . import disk, inventory
from .contract import Freed, Gain, Gains
from .layout import Store, open_store, read_json, require_sealed, sealed
from .lock import working

OLDEST = 5

BLOCK = 512


def run(argv: Sequence[str]) -> int:
    """Print `{"freed": [{"name", "bytes", "inodes"}...]}`: what is gained up to and with each one.

    For the snapshots NAME... expired in this order and reaped, the oldest 5 where none is named. Reads
    only; with `--save --plan ID` the answer is also kept for `probe`. A saved answer that is still true
    is given again; with `--exact` the trees are always walked.
    """
    options = parse_as(Freed, argv)
    store, names = open_store(options.store), options.names
    if options.save:
        with working(store, options.plan):
            disk.require(store, options.disk)
            chosen = _chosen(store, names)
            keep(store, chosen, gains(store, chosen))
            found = add_records(store, still_true(store))
    else:
        chosen = _chosen(store, names)
        known = [] if options.exact else still_true(store)
        if [each.name for each in known[: len(chosen)]] != list(chosen):
            known = gains(store, chosen)
        found = add_records(store, known[: len(chosen)])
    reply(Gains(tuple(found)))
    return 0


def _chosen(store: Store, names: Sequence[str]) -> tuple[str, ...]:
    counted = require_sealed(store, *names)
    if len(set(names)) != len(names):
        raise Refused("a snapshot is named twice", "name each once")
    if names and counted[-1] in names:
        raise Refused(f"{counted[-1]} is the newest snapshot", "the newest is never expired")
    return tuple(names) or counted[:-1][:OLDEST]


class Counter:
    """Inodes freed so far; keeps the number of names seen of those that still have others."""

    def __init__(self) -> None:
        self.bytes = 0
        self.inodes = 0
        self._seen: dict[int, int] = {}

    def add(self, found: os.stat_result, *, folder: bool) -> None:
        """Count one name of an inode. A folder goes with its only name."""
        seen = 1 if folder or found.st_nlink == 1 else self._seen.pop(found.st_ino, 0) + 1
        if not folder and seen < found.st_nlink:
            self._seen[found.st_ino] = seen
            return
        # st_blocks counts in units of 512 bytes, holes left out, indirect blocks included; stat(2).
        self.bytes += found.st_blocks * BLOCK
        self.inodes += 1


def gains(store: Store, names: Sequence[str]) -> list[Gain]:
    """The gain of expiring and reaping the sealed snapshots `names` in this order, cumulatively.

    What is in the trash already counts as gone: an inode whose last name besides the trash is in a
    snapshot is that snapshot's gain. What is kept about its host counts, its records do not. Memory grows
    with the inodes that have names elsewhere. Raises OSError.
    """
    counter = Counter()
    _count(counter, store.trash)
    bytes_before, inodes_before = counter.bytes, counter.inodes
    return list(_gains(counter, store, names, (bytes_before, inodes_before)))


def _gains(counter: Counter, store: Store, names: Sequence[str], before: tuple[int, int]) -> Iterator[Gain]:
    for name in names:
        _count(counter, store.root / name)
        _count(counter, inventory.place(store, name))
        yield Gain(name, counter.bytes - before[0], counter.inodes - before[1])


def _count(counter: Counter, top: Path) -> None:
    try:
        root = os.open(top, tree.FOLDER)
    except FileNotFoundError:
        return
    try:
        counter.add(os.fstat(root), folder=True)
        for folder in folders(root):
            for entry in folder.entries:
                counter.add(entry.status, folder=entry.is_folder)
    finally:
        os.close(root)


def keep(store: Store, chosen: Sequence[str], measured: Sequence[Gain]) -> None:
    """Save the gains of `chosen` (sealed, without the newest), as measured now under the lock."""
    counted = sealed(store)
    told = {"chosen": list(chosen), "sealed": list(counted), "freed": [each._asdict() for each in measured]}
    durable.write_json(store.freed, told)


def still_true(store: Store) -> list[Gain]:
    """What is left of the last measurement: gains as of now, in the order that was measured.

    Empty where nothing is known or anything does not fit. Records are not counted. Reads only.
    """
    told = read_json(store.freed)
    try:
        then = [str(name) for name in told["sealed"]]
        measured = [_gain(each) for each in told["freed"]]
    except (KeyError, TypeError, ValueError):
        return []
    now = sealed(store)
    gone = set(then).difference(now)
    later = set(now).difference(then)
    if not then or any(name < then[-1] for name in later) or then[-1] in gone:
        return []
    start, rest = measured[: len(gone)], measured[len(gone) :]
    if {each.name for each in start} != gone:
        return []
    before = start[-1] if start else Gain("", 0, 0)
    return [Gain(each.name, each.bytes - before.bytes, each.inodes - before.inodes) for each in rest]


def oldest(store: Store) -> dict[str, Gain]:
    """The gain of each snapshot expired together with every older one, records included, if known."""
    found: dict[str, Gain] = {}
    for name, gain in zip(sealed(store), add_records(store, still_true(store))):  # noqa: B905
        if name != gain.name:
            break
        found[name] = gain
    return found


def add_records(store: Store, gains: Sequence[Gain]) -> list[Gain]:
    """The same gains with the files in `.runner/records/`, which go with their snapshot."""
    found: list[Gain] = []
    size = count = 0
    for gain in gains:
        for path in (store.record(gain.name), store.sums(gain.name), store.names(gain.name)):
            try:
                size += path.lstat().st_blocks * BLOCK
                count += 1
            except FileNotFoundError:
                continue
        found.append(Gain(gain.name, gain.bytes + size, gain.inodes + count))
    return found


def _gain(each: dict[str, Any]) -> Gain:
    return Gain(str(each["name"]), int(each["bytes"]), int(each["inodes"]))
