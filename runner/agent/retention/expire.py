"""`expire`: move a sealed snapshot to the trash, if the store can spare it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Optional

from .. import durable
from ..answer import Refused, reply
from ..arguments import DeclaredDisk, parse_as
from ..policy import limits
from ..store import disk, inventory, lock, received, trash
from ..store.layout import StoreFolder, open_store, require_sealed, room, sealed
from ..store.lock import working
from ..store.pins import pins
from ..store.proven import guarded
from .contract.expire import Expire, Expired
from .floor import StoreFloor, kept_floor
from .owed import hand_on


def expire(argv: Sequence[str]) -> int:
    """Expire NAME, or refuse and leave it; `reap` removes it for good. Needs no room on the disk."""
    from ..history import chain  # noqa: PLC0415  (every clone starts with this file)

    options = parse_as(Expire, argv)
    store, name = open_store(options.store), options.name
    with working(store, options.plan) as descriptor:
        # Not by writing, as other verbs: on a full disk this is the verb that must work.
        disk.require(store, options.disk)
        require_spared(store, name, StoreFloor(options.min, options.per_day), descriptor)
        inherited = give_up(store, name, options.disk, lambda bin_: to_trash(store, name, bin_))
        reply(Expired(name, len(sealed(store)), inherited, *room(store), head=chain.head(store)))
    return 0


def require_spared(store: StoreFolder, name: str, floor: StoreFloor, descriptor: int) -> None:
    """Take the sealed snapshot `name` from its readers, by the open lock; Refused where the store cannot spare it.

    That is the newest, one that is pinned, being read or the last that was proven to come back, and any where fewer
    without exceptions would stay than `floor` or the store's own has.
    """
    counted = require_sealed(store, name)
    if name == counted[-1]:
        raise Refused(f"{name} is the newest snapshot", "the newest is never expired")
    pin = pins(store).get(name)
    if pin is not None and pin.holds:
        raise Refused(f"{name} is pinned: {pin.why}", "unpin it first if you know better")
    if name in guarded(store):
        raise Refused(f"{name} is the last snapshot that was proven to come back", "run the drill: then it may go")
    limits.require_expiry(store, name)
    rights = limits.of(store)
    # The name of a job says whoever sends: with a key of this host all jobs together have so many a day.
    least, all_jobs = (rights.floor, rights.per_day) if rights else (0, 0)
    floor = kept_floor(store).raised(*floor).raised(least, 0)
    stay = floor.counting(store, (each for each in counted if each != name), all_jobs)
    if stay < floor.least:
        most = f", at most {floor.per_day} of a day" if floor.per_day else ""
        most += f", at most {all_jobs} of a day for all jobs" if all_jobs else ""
        raise Refused(
            f"without {name} there would be {stay} snapshots without exceptions{most}, and the floor is {floor.least}",
            "find out why there are so few; a person may lower the floor at the store",
        )
    if not lock.take(descriptor, lock.byte_of(name)):
        raise Refused(f"{name} is being read by a restore", "wait until it has ended")


def give_up(store: StoreFolder, name: str, declared: DeclaredDisk, move: Callable[[int], None]) -> Optional[int]:  # noqa: UP045
    """Let a snapshot that can be spared count no more: `move` puts its folder away, what is known of it follows.

    `move` is given the open trash, in which something must then be of that name. Returns how many checksums others
    inherited, None where not all could. Cut off anywhere, it is sealed still or `follow` does the rest.
    """
    from ..history import expiry  # noqa: PLC0415  (every clone starts with this file, and few let anything expire)

    inherited = hand_on(store, name)
    disk.require(store, declared)
    expiry.expired(store, name)
    # The folder first, and on the disk, then what is known of it: cut off in between, there is a record
    # whose folder is in the trash, which counts for nothing and follows it there before that is emptied.
    durable.make_folder(store.trash, 0o700)
    descriptor = trash.open_trash(store)
    try:
        move(descriptor)
        os.fsync(descriptor)
        durable.sync_folder(store.root)
        trash.follow(store, descriptor)
        if inventory.place(store, name).is_dir():
            trash.move(store, inventory.place(store, name), descriptor)
        os.fsync(descriptor)
        durable.sync_folder(store.records)
    finally:
        os.close(descriptor)
    return inherited


def to_trash(store: StoreFolder, name: str, descriptor: int) -> None:
    """Move the tree of a snapshot to the open trash."""
    # Whoever is not root may move no folder that is closed to him.
    with received.unchanged(store.root / name):
        trash.move(store, store.root / name, descriptor)
