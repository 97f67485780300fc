"""`set-aside`, `bring-back`, `drop-aside`: a person takes a sealed snapshot out of the count, or lets it in again.

Above all one from the future: a clock that was ahead named it, and no snapshot is made until names are in order again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from .. import durable
from ..answer import BUSY, Refused, reply
from ..arguments import parse_as
from ..history import chain
from ..history.line import ASIDE, BACK, DROPPED, LOST
from ..policy import limits, newest
from ..store import aside, disk, lock, proven, trash
from ..store.layout import StoreFolder, is_clean, lost, open_store, require_sealed, sealed
from ..store.lock import working
from ..store.pins import pins
from .bequest import adopt
from .contract.aside import AsideDropped, BringBack, BroughtBack, DropAside, PutAside, SetAside
from .floor import kept_floor
from .owed import hand_on

# What clocks of two hosts may differ by.
NEAR = 120


def set_aside(argv: Sequence[str]) -> int:
    """Move the sealed snapshot NAME out of the count, with all that is known of it; nothing is removed.

    Refused when it is pinned or being read; and when fewer without exceptions would stay than `--min` or
    the store's floor, unless its name lies in the future by this machine's clock: then it must be possible, and
    nothing expires until there are enough. With a key it is refused as `expire` is. Of one that is lost the record is
    put aside, and its checksums go on.
    """
    options = parse_as(SetAside, argv)
    store, name = open_store(options.store), options.name
    with working(store, options.plan) as descriptor:
        disk.require_writable(store, options.disk)
        aside.tidy(store)
        if name in lost(store):
            heir = next((each for each in sealed(store) if each > name), "")
            inherited = adopt(store, name, heir) if heir else 0
            chain.add(store, LOST, name)
            aside.follow(store, name)
            reply(PutAside(name, len(sealed(store)), True, inherited, ()))
            return 0
        require_sealed(store, name)
        _require_spared(store, name, options)
        if os.path.lexists(store.aside / name):
            raise Refused(
                f"something lies aside as {name} already",
                f"look at it; to remove it: runner snapshots STORE --drop-aside {name} --out plan.toml",
            )
        if not lock.take(descriptor, lock.byte_of(name)):
            raise Refused(f"{name} is being read by a restore or a drill", "wait until it has ended")
        if not lock.take(descriptor, proven.PROVING):
            raise Refused("a drill is writing its proof", "run this again", code=BUSY)
        inherited = hand_on(store, name)
        disk.require(store, options.disk)
        newest.leave(store, name)
        chain.add(store, ASIDE, name)
        aside.out(store, name)
        unproven = proven.forget(store, name)
    reply(PutAside(name, len(sealed(store)), False, inherited, unproven))
    return 0


def _require_spared(store: StoreFolder, name: str, options: SetAside) -> None:
    pin = pins(store).get(name)
    if pin is not None and pin.holds:
        raise Refused(f"{name} is pinned: {pin.why}", f"if you know better: runner pin {name} --remove")
    if is_ahead(name):
        return
    limits.require_expiry(store, name)
    if not is_clean(store, name):
        return
    rights = limits.of(store)
    least, all_jobs = (rights.floor, rights.per_day) if rights else (0, 0)
    floor = kept_floor(store).raised(options.min, options.per_day).raised(least, 0)
    stay = floor.counting(store, (each for each in sealed(store) if each != name), all_jobs)
    if stay < floor.least:
        raise Refused(
            f"without {name} there would be {stay} snapshots without exceptions, and the floor is {floor.least}",
            "only one whose name lies in the future may be put aside all the same",
        )


def is_ahead(name: str) -> bool:
    """Whether a snapshot's name lies in the future, by this machine's clock."""
    return name > time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(time.time() + NEAR))


def bring_back(argv: Sequence[str]) -> int:
    """Let the snapshot NAME count again. Refused while its name lies in the future, or where its record is gone."""
    options = parse_as(BringBack, argv)
    store, name = open_store(options.store), options.name
    with working(store, options.plan):
        disk.require_writable(store, options.disk)
        aside.tidy(store)
        _require_aside(store, name)
        if is_ahead(name):
            raise Refused(f"{name} lies in the future: no snapshot could be made after it", "wait until that time")
        if not aside.record(store, name).is_file():
            raise Refused(f"{name} has no record: it would not count", f"look at {aside.records(store)}")
        if os.path.lexists(store.root / name):
            raise Refused(f"there is a {name} in the store", "look at what it is")
        chain.add(store, BACK, name)
        aside.back(store, name)
    reply(BroughtBack(name, len(sealed(store))))
    return 0


def drop_aside(argv: Sequence[str]) -> int:
    """Move the snapshot NAME, which lies aside, and all that is known of it to the trash."""
    options = parse_as(DropAside, argv)
    store, name = open_store(options.store), options.name
    with working(store, options.plan):
        disk.require(store, options.disk)
        aside.tidy(store)
        _require_aside(store, name)
        limits.require_age(store, name, aside.record(store, name))
        durable.make_folder(store.trash, 0o700)
        descriptor = trash.open_trash(store)
        try:
            chain.add(store, DROPPED, name)
            for path in aside.everything(store, name):
                trash.move(store, path, descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        durable.sync_folder(store.aside)
    reply(AsideDropped(name))
    return 0


def _require_aside(store: StoreFolder, name: str) -> None:
    if name not in aside.names(store):
        raise Refused(f"no snapshot {name} lies aside", "`runner snapshots` lists those that do")
