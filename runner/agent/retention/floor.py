"""`floor`: how many snapshots without exceptions a store keeps, whatever it is told."""

from __future__ import annotations

from collections.abc import Sequence

from .. import clock, durable
from ..answer import Refused, reply
from ..arguments import parse_as
from ..store import disk
from ..store.layout import StoreFolder, open_store, require_json
from ..store.lock import working
from .contract import Floor, FloorKept


def run(argv: Sequence[str]) -> int:
    """Raise the store's floor to N; lower it only with `--lower`, which is for a person at the store.

    Nothing is written when it is N already.
    """
    options = parse_as(Floor, argv)
    store, least = open_store(options.store), options.floor
    with working(store, options.plan):
        disk.require(store, options.disk)
        before = kept_floor(store)
        if least < before and not options.lower:
            raise Refused(
                f"this store's floor is {before} snapshots and is not lowered to {least} from afar",
                "let a person who means it run `runner-agent floor` with --lower at the store",
            )
        if least != before:
            durable.write_json(store.floor, {"min": least, "since": clock.now()})
    reply(FloorKept(least, before))
    return 0


def kept_floor(store: StoreFolder) -> int:
    """The floor of a store, 0 if it has none; Refused where it cannot be understood."""
    content = require_json(store.floor)
    least = content.get("min", None if content else 0)
    if not isinstance(least, int) or isinstance(least, bool) or least < 0:
        raise Refused(f"{store.floor} cannot be understood", "correct it with `floor N --lower`")
    return least
