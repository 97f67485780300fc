"""`freed`: what the disk gains when snapshots are expired, counted and not estimated."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from .. import durable, tree
from ..answer import Refused, reply
from ..arguments import parse_as
from ..tree import folders
from . import disk, inventory
from .contract import Freed, Gain, Gains
from .layout import StoreFolder, open_store, read_json, require_sealed, sealed
from .lock import working

OLDEST = 5

BLOCK = 512
MOST = 2**62


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
            answer = known(store)
    else:
        chosen = _chosen(store, options.names)
        answer = [] if options.exact else known(store)[: len(chosen)]
        if [gain.name for gain in answer] != list(chosen):
            answer = _with_records(store, gains(store, chosen))
    reply(Gains(tuple(answer)))
    return 0


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
    about = {"chosen": list(chosen), "sealed": list(sealed(store)), "freed": [gain._asdict() for gain in measured]}
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


def known(store: StoreFolder) -> list[Gain]:
    """What is left of the last measurement: gains as of now, in the order that was measured, with records.

    Empty where nothing is known or anything does not fit. Reads only.
    """
    saved = read_json(store.freed)
    try:
        then = [str(name) for name in saved["sealed"]]
        measured = [Gain(str(gain["name"]), int(gain["bytes"]), int(gain["inodes"])) for gain in saved["freed"]]
        if any(not 0 <= number < MOST for gain in measured for number in (gain.bytes, gain.inodes)):
            return []
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return []
    now = sealed(store)
    gone = set(then).difference(now)
    later = set(now).difference(then)
    if not then or any(name < then[-1] for name in later) or then[-1] in gone:
        return []
    start, rest = measured[: len(gone)], measured[len(gone) :]
    if {gain.name for gain in start} != gone:
        return []
    before = start[-1] if start else Gain("", 0, 0)
    left = [Gain(gain.name, gain.bytes - before.bytes, gain.inodes - before.inodes) for gain in rest]
    if any(gain.bytes < 0 or gain.inodes < 0 for gain in left):
        return []
    return _with_records(store, left)


def oldest(store: StoreFolder) -> dict[str, Gain]:
    """The gain of each snapshot expired together with every older one, if known."""
    fitting = itertools.takewhile(lambda pair: pair[0] == pair[1].name, zip(sealed(store), known(store)))  # noqa: B905
    return dict(fitting)


def _with_records(store: StoreFolder, gains: Sequence[Gain]) -> list[Gain]:
    """The same gains with the files in `.runner/records/`, which go with their snapshot."""
    listed: list[Gain] = []
    size = count = 0
    for gain in gains:
        for path in (store.record(gain.name), store.sums(gain.name), store.names(gain.name)):
            with contextlib.suppress(FileNotFoundError):
                size += path.lstat().st_blocks * BLOCK
                count += 1
        listed.append(Gain(gain.name, gain.bytes + size, gain.inodes + count))
    return listed
