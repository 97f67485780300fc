"""Which snapshots are pinned, until when and why; `pin` and `unpin` change it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .. import clock, durable
from ..answer import Refused, reply
from ..arguments import parse_as
from ..policy import limits
from . import disk
from .contract import pins as contract
from .layout import StoreFolder, open_store, require_json, require_sealed, sealed
from .lock import working


class StoredPin(NamedTuple):
    """A pin holds until `until` (ns since 1970, by this machine's clock)."""

    until: int
    why: str

    @property
    def holds(self) -> bool:
        """Whether it holds now."""
        return self.until > time.time_ns()


def pins(store: StoreFolder) -> dict[str, StoredPin]:
    """Every pin, also those that have run out; Refused if the file cannot be understood."""
    try:
        return {
            name: StoredPin(clock.nanoseconds(pin["until"]), str(pin["why"]))
            for name, pin in require_json(store.pins).items()
        }
    except (TypeError, KeyError, AttributeError):
        raise Refused(f"{store.pins} cannot be understood", "correct it; nothing is expired until then") from None


def write(store: StoreFolder, kept: Mapping[str, StoredPin]) -> None:
    """Keep these pins, in one move; those of snapshots that are gone are dropped."""
    counted = frozenset(sealed(store))
    content = {
        name: {"until": clock.text(pin.until), "why": pin.why} for name, pin in sorted(kept.items()) if name in counted
    }
    durable.write_json(store.pins, content)


def pin(argv: Sequence[str]) -> int:
    """Pin the sealed snapshot NAME until `--until` (ISO 8601 with an offset, in the future).

    A pin that is there is replaced.
    """
    options = parse_as(contract.Pin, argv)
    store, name = open_store(options.store), options.name
    pin = StoredPin(clock.nanoseconds(options.until), options.why)
    if not pin.why.strip():
        raise Refused("--why is missing", "give the reason: somebody will ask")
    if not pin.holds:
        raise Refused(f"--until {options.until!a} is not in the future", "give a later time")
    with working(store, options.plan):
        disk.require(store, options.disk)
        require_sealed(store, name)
        known = pins(store)
        others = sum(each.holds for other, each in known.items() if other != name)
        before = known[name].until if name in known else 0
        limits.require_pin(store, before, pin.until, others)
        write(store, {**known, name: pin})
    reply(contract.Pinned(name, clock.text(pin.until), pin.why))
    return 0


def unpin(argv: Sequence[str]) -> int:
    """Remove the pin of NAME; refused if it has none."""
    options = parse_as(contract.Unpin, argv)
    store, name = open_store(options.store), options.name
    with working(store, options.plan):
        disk.require(store, options.disk)
        known = pins(store)
        if name not in known:
            raise Refused(f"{name!a} is not pinned", "`runner snapshots` shows which are")
        del known[name]
        write(store, known)
    reply(contract.Unpinned(name))
    return 0
