"""`floor`: the least number of clean snapshots that must stay, remembered at the disk."""

from __future__ import annotations

from collections.abc import Sequence

from .. import clock, durable
from ..answer import Refused, emit
from ..arguments import DISK, number, parse
from ..store import disk
from ..store.layout import Store, open_store, require_json
from ..store.lock import working


def run(argv: Sequence[str]) -> int:
    """Raise the store's floor to N; lower it only with `--lower`, which is for a person at the store.

    Nothing is written when it is N already. Prints `{"floor", "before"}`.
    """
    call = parse(argv, words=2, one=("plan", *DISK), flags=("lower",))
    store, least = open_store(call.words[0]), number(call.words[1], "floor", least=1)
    with working(store, call.one["plan"]):
        disk.require(store, disk.Declared(call.one["mount"], call.one["uuid"].lower()))
        before = kept_floor(store)
        if least < before and "lower" not in call.flags:
            raise Refused(
                f"this store's floor is {before} snapshots and is not lowered to {least} from afar",
                "let a person who means it run `runner-store floor` with --lower at the store",
            )
        if least != before:
            durable.write_json(store.floor, {"min": least, "since": clock.now()})
    emit({"floor": least, "before": before})
    return 0


def kept_floor(store: Store) -> int:
    """The floor of a store, 0 if it has none; Refused where it cannot be understood."""
    told = require_json(store.floor)
    found = told.get("min", 0 if not told else None)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise Refused(f"{store.floor} cannot be understood", "correct it with `floor N --lower`")
    return found
