"""Which snapshots are pinned, until when and why."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

from .. import clock, durable
from ..answer import Refused
from .layout import Store, require_json, sealed


class Pin(NamedTuple):
    """A pin holds until `until` (ns since 1970, by this machine's clock)."""

    until: int
    why: str

    @property
    def holds(self) -> bool:
        """Whether it holds now."""
        return self.until > time.time_ns()


def pins(store: Store) -> dict[str, Pin]:
    """Every pin, also those that have run out; Refused if the file cannot be understood."""
    try:
        return {
            name: Pin(clock.nanoseconds(each["until"]), str(each["why"]))
            for name, each in require_json(store.pins).items()
        }
    except (TypeError, KeyError, AttributeError):
        raise Refused(
            f"{store.pins} cannot be understood", "correct it; nothing is expired until then"
        ) from None


def write(store: Store, wanted: Mapping[str, Pin]) -> None:
    """Keep these pins, in one move; those of snapshots that are gone are dropped."""
    counted = frozenset(sealed(store))
    told = {
        name: {"until": clock.text(pin.until), "why": pin.why}
        for name, pin in sorted(wanted.items())
        if name in counted
    }
    durable.write_json(store.pins, told)
