"""`pin`: keep a snapshot until a day, whatever the retention says."""

from __future__ import annotations

from collections.abc import Sequence

from .. import clock
from ..answer import Refused, emit
from ..arguments import DISK, parse
from . import disk
from .layout import open_store, sealed
from .lock import working
from .pins import Pin, pins, write

# The last moment that four digits of a year can say, in ns since 1970.
LAST = 253_402_300_799 * 10**9


def run(argv: Sequence[str]) -> int:
    """Pin the sealed snapshot NAME until `--until` (ISO 8601 with an offset, in the future).

    A pin that is there is replaced. Prints `{"pinned", "until", "why"}`.
    """
    call = parse(argv, words=2, one=("plan", "until", "why", *DISK))
    store, name = open_store(call.words[0]), call.words[1]
    pin = Pin(clock.nanoseconds(call.one["until"]), call.one["why"])
    if not pin.why.strip():
        raise Refused("--why is missing", "say why it is kept: somebody will ask")
    if not pin.holds or pin.until > LAST:
        raise Refused(f"--until {call.one['until']!a} is not in the future", "give a later time")
    with working(store, call.one["plan"]):
        disk.require(store, disk.Declared(call.one["mount"], call.one["uuid"].lower()))
        if name not in sealed(store):
            raise Refused(f"there is no sealed snapshot {name!a}", "`probe` lists those there are")
        write(store, {**pins(store), name: pin})
    emit({"pinned": name, "until": clock.text(pin.until), "why": pin.why})
    return 0
