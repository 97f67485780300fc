"""`freed`: what the disk gains when snapshots are expired, counted and not estimated."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import durable, tree
from ..answer import Refused, reply
from ..arguments import parse_as
from ..retention.counted import is_in_runs, left_of, own_of
from ..tree import folders
from . import aside, disk, inventory
from .contract.freed import Freed, Gain, Gains
from .layout import StoreFolder, open_store, partials, read_json, require_sealed, sealed
from .lock import working

OLDEST, NEAR = 5, 30

BLOCK = 512
# After the name of any snapshot.
_LATEST = "~"


def run(argv: Sequence[str]) -> int:
    """Print what is gained by expiring the snapshots NAME... in this order and reaping them, up to and with each.

    The oldest 5 where none is named. Reads only; with `--save --plan ID` the answer is also kept for
    `probe`. A saved answer that still holds is given again; with `--exact` the trees are always walked.
    """
    options = parse_as(Freed, argv)
    store = open_store(options.store)
    if options.save:
        with working(store, options.plan):
            disk.require(store, options.disk)
            chosen = _chosen(store, options.names)
            keep(store, chosen, gains(store, chosen))
            answer = _known(store)
    else:
        chosen = _chosen(store, options.names)
        answer = [] if options.exact else _known(store)[: len(chosen)]
        if [gain.name for gain in answer] != list(chosen):
            answer = _with_records(store, gains(store, chosen))
    reply(Gains(tuple(answer)))
    return 0


def _known(store: StoreFolder) -> list[Gain]:
    return _with_records(store, left_of(read_json(store.freed), records_of(store, sealed(store))))


def _chosen(store: StoreFolder, names: Sequence[str]) -> tuple[str, ...]:
    counted = require_sealed(store, *names)
    if len(set(names)) != len(names):
        raise Refused("a snapshot is named twice", "name each once")
    if names and counted[-1] in names:
        raise Refused(f"{counted[-1]} is the newest snapshot", "the newest is never expired")
    return tuple(names) or counted[:-1][:OLDEST]


class FreedCounter:
    """Inodes freed so far; remembers how many names it has seen of each that has others."""

    def __init__(self) -> None:
        self.bytes = 0
        self.inodes = 0
        self._seen: dict[int, int] = {}

    def add(self, status: os.stat_result, *, folder: bool) -> None:
        """Count one name of an inode. A folder goes with its only name."""
        seen = 1 if folder or status.st_nlink == 1 else self._seen.pop(status.st_ino, 0) + 1
        if not folder and seen < status.st_nlink:
            self._seen[status.st_ino] = seen
            return
        # st_blocks counts in units of 512 bytes, holes left out, indirect blocks included; stat(2).
        self.bytes += status.st_blocks * BLOCK
        self.inodes += 1

    def walk(self, top: Path) -> None:
        """Count every name in the tree `top`, if it is there."""
        try:
            root = os.open(top, tree.FOLDER)
        except FileNotFoundError:
            return
        try:
            self.add(os.fstat(root), folder=True)
            for folder in folders(root):
                for entry in folder.entries:
                    self.add(entry.status, folder=entry.is_folder)
        finally:
            os.close(root)


def gains(store: StoreFolder, names: Sequence[str]) -> list[Gain]:
    """The gain of expiring and reaping the sealed snapshots `names` in this order, cumulatively.

    What is in the trash already counts as gone: an inode whose last name besides the trash is in a
    snapshot is that snapshot's gain. What is kept about its host counts, its records do not. Memory grows
    with the inodes that have names elsewhere. Raises OSError.
    """
    counter, listed = FreedCounter(), []
    counter.walk(store.trash)
    bytes_before, inodes_before = counter.bytes, counter.inodes
    for name in names:
        counter.walk(store.root / name)
        counter.walk(inventory.place(store, name))
        listed.append(Gain(name, counter.bytes - bytes_before, counter.inodes - inodes_before))
    return listed


def keep(store: StoreFolder, chosen: Sequence[str], measured: Sequence[Gain]) -> None:
    """Save the gains of `chosen` (sealed, without the newest), as measured now under the lock."""
    there = records_of(store, sealed(store))
    about = {
        "chosen": list(chosen),
        "sealed": list(there),
        "freed": [gain._asdict() for gain in measured],
        "in_runs": is_in_runs(there.values()),
    }
    durable.write_json(store.freed, about)


def forget(store: StoreFolder, shared: Sequence[str]) -> None:
    """Drop what was measured of these snapshots and of all after them, since another is going to share with them.

    They free less then. Each older one frees what it did: no inode that is in one of `shared` was counted for it.
    """
    saved = read_json(store.freed)
    chosen, measured = saved.get("chosen"), saved.get("freed")
    if not isinstance(chosen, list) or not isinstance(measured, list):
        return
    older = list(itertools.takewhile(lambda name: name not in shared, chosen))
    if not older:
        store.freed.unlink(missing_ok=True)
    elif len(older) < len(chosen):
        durable.write_json(store.freed, {**saved, "chosen": older, "freed": measured[: len(older)]})


def records_of(store: StoreFolder, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The records of these snapshots; empty where one cannot be read."""
    return {name: read_json(store.record(name)) for name in names}


def oldest(store: StoreFolder, records: Mapping[str, Mapping[str, Any]]) -> dict[str, Gain]:
    """The gain of each snapshot expired together with every older one, as far as it is known, from the oldest on.

    As measured last, and from there on as counted when snapshots were made. `records` are those of all sealed ones,
    oldest first. What is known of each goes with it, and is counted for the oldest `NEAR`: a look at a store is quick.
    """
    fitting = zip(records, left_of(read_json(store.freed), records))  # noqa: B905
    measured = [gain for _, gain in itertools.takewhile(lambda pair: pair[0] == pair[1].name, fitting)]
    gains = list(measured)
    total = measured[-1] if measured else Gain("", 0, 0)
    own, shared = own_of(records), _first_shared(store)
    for name in itertools.islice(records, len(measured), None):
        if name not in own or name >= shared:
            break
        total = Gain(name, total.bytes + own[name].bytes, total.inodes + own[name].inodes)
        gains.append(total)
    near = gains[:NEAR]
    listed = _with_records(store, _with_about(store, near, len(measured)))
    for gain in gains[NEAR:]:
        size, inodes = listed[NEAR - 1].bytes - near[-1].bytes, listed[NEAR - 1].inodes - near[-1].inodes
        listed.append(Gain(gain.name, gain.bytes + size, gain.inodes + inodes))
    return {gain.name: gain for gain in listed}


def _first_shared(store: StoreFolder) -> str:
    """The first snapshot whose files may have names elsewhere too: in what is made, or in what lies aside.

    What an older one alone has is in none that follows it, and so in none that is made of these. "" where nobody knows.
    """
    if aside.names(store):
        return ""
    ends = [_LATEST]
    for name in partials(store):
        begun = read_json(store.begun(name))
        try:
            cloned = {mount: str(begun["cloned"][mount]["basis"]) for mount in begun["cloned"]}
            if set(cloned) != set(begun["filesystems"]).difference(begun["whole"]):
                return ""
            ends += [*cloned.values(), *map(str, begun["older"])]
        except (KeyError, TypeError):
            return ""
    return min(ends)


def _with_about(store: StoreFolder, gains: Sequence[Gain], measured: int) -> list[Gain]:
    """The same gains with what is kept about the hosts; of the first ones that was `measured` too."""
    counter, listed = FreedCounter(), list(gains[:measured])
    for gain in gains[:measured]:
        counter.walk(inventory.place(store, gain.name))
    size, inodes = counter.bytes, counter.inodes
    for gain in gains[measured:]:
        counter.walk(inventory.place(store, gain.name))
        listed.append(Gain(gain.name, gain.bytes + counter.bytes - size, gain.inodes + counter.inodes - inodes))
    return listed


def _with_records(store: StoreFolder, gains: Sequence[Gain]) -> list[Gain]:
    """The same gains with the files in `.runner/records/`, which go with their snapshot."""
    listed: list[Gain] = []
    size = count = 0
    for gain in gains:
        for path in (store.record(gain.name), store.sums(gain.name), store.gone(gain.name), store.names(gain.name)):
            with contextlib.suppress(FileNotFoundError):
                size += path.lstat().st_blocks * BLOCK
                count += 1
        listed.append(Gain(gain.name, gain.bytes + size, gain.inodes + count))
    return listed
