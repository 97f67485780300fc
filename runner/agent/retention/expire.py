"""`expire`: move a sealed snapshot to the trash, if the store can spare it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .. import durable
from ..answer import Refused, reply
from ..arguments import parse_as
from ..store import disk, inventory, lock, trash
from ..store.layout import StoreFolder, open_store, require_sealed, room, sealed
from ..store.lock import working
from ..store.pins import pins
from ..store.proven import guarded
from .contract import Expire, Expired
from .floor import kept_floor
from .owed import hand_on


def expire(argv: Sequence[str]) -> int:
    """Expire NAME, or refuse and leave it; `reap` removes it for good.

    Refused when NAME is no sealed snapshot, the newest, pinned, being read or the last that was proven to
    come back, and when fewer than `--min` or the store's own floor of snapshots without exceptions would
    stay, of which each job and day has `--per-day` at most. Needs no room on the disk.
    """
    options = parse_as(Expire, argv)
    store, name = open_store(options.store), options.name
    with working(store, options.plan) as descriptor:
        # Not by writing, as other verbs: on a full disk this is the verb that must work.
        disk.require(store, options.disk)
        _require(store, name, options)
        if not lock.take(descriptor, lock.byte_of(name)):
            raise Refused(f"{name} is being read by a restore", "wait until it has ended")
        inherited = hand_on(store, name)
        disk.require(store, options.disk)
        _move(store, name)
    reply(Expired(name, len(sealed(store)), inherited, *room(store)))
    return 0


def _require(store: StoreFolder, name: str, options: Expire) -> None:
    counted = require_sealed(store, name)
    if name == counted[-1]:
        raise Refused(f"{name} is the newest snapshot", "the newest is never expired")
    pin = pins(store).get(name)
    if pin is not None and pin.holds:
        raise Refused(f"{name} is pinned: {pin.why}", "unpin it first if you know better")
    if name in guarded(store):
        raise Refused(f"{name} is the last snapshot that was proven to come back", "run the drill: then it may go")
    floor = kept_floor(store).raised(options.min, options.per_day)
    stay = floor.counting(store, (each for each in counted if each != name))
    if stay < floor.least:
        most = f", at most {floor.per_day} of a day" if floor.per_day else ""
        raise Refused(
            f"without {name} there would be {stay} snapshots without exceptions{most}, and the floor is {floor.least}",
            "find out why there are so few; a person may lower the floor at the store",
        )


def _move(store: StoreFolder, name: str) -> None:
    # The folder first, and on the disk, then what is known of it: cut off in between, there is a record
    # whose folder is in the trash, which counts for nothing and follows it there before that is emptied.
    durable.make_folder(store.trash, 0o700)
    descriptor = trash.open_trash(store)
    try:
        trash.move(store, store.root / name, descriptor)
        os.fsync(descriptor)
        durable.sync_folder(store.root)
        trash.follow(store, descriptor)
        if inventory.place(store, name).is_dir():
            trash.move(store, inventory.place(store, name), descriptor)
        os.fsync(descriptor)
        durable.sync_folder(store.records)
    finally:
        os.close(descriptor)
