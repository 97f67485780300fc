"""`floor`: how many snapshots without exceptions a store keeps, whatever it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .. import clock, durable
from ..answer import Refused, reply
from ..arguments import parse_as
from ..policy import limits
from ..store import disk
from ..store.layout import StoreFolder, is_clean, open_store, read_json, require_json
from ..store.lock import working
from .contract.floor import Floor, FloorKept


class StoreFloor(NamedTuple):
    """At least `least` snapshots without exceptions stay, of which each job and day has `per_day` (0: any number)."""

    least: int
    per_day: int

    def raised(self, least: int, per_day: int) -> StoreFloor:
        """The stricter of this floor and that one, in each respect."""
        stated = [number for number in (self.per_day, per_day) if number]
        return StoreFloor(max(self.least, least), min(stated, default=0))

    def counting(self, store: StoreFolder, names: Iterable[str], most: int = 0) -> int:
        """How many of the sealed snapshots `names` count; of a day no more than `most` of all jobs (0: any number)."""
        days = Counter(_day(store, name) for name in names if is_clean(store, name))
        counted: Counter[str] = Counter()
        for (_, day), many in days.items():
            counted[day] += min(many, self.per_day or many)
        return sum(min(many, most or many) for many in counted.values())


def _day(store: StoreFolder, name: str) -> tuple[str, str]:
    """The job and the day (UTC) of a snapshot: when it was sealed by this clock, not when its name says."""
    record = read_json(store.record(name))
    sealed = clock.moment(record.get("sealed"))
    return str(record.get("job", "")), f"{sealed:%Y-%m-%d}" if sealed else name[:10]


def run(argv: Sequence[str]) -> int:
    """Raise the store's floor to N; lower it only with `--lower`, which is for a person at the store.

    With `--per-day` no more of a job and day count; to let more count is to lower it. Nothing is written
    when it is so already.
    """
    options = parse_as(Floor, argv)
    store = open_store(options.store)
    with working(store, options.plan):
        disk.require(store, options.disk)
        limits.require_floor(store, options.floor)
        before = kept_floor(store)
        floor = StoreFloor(options.floor, options.per_day or before.per_day)
        if before.raised(*floor) != floor and not options.lower:
            most = f", {before.per_day} of a day" if before.per_day else ""
            raise Refused(
                f"this store's floor is {before.least} snapshots{most} and is not lowered from afar",
                "let a person who means it run `runner-agent floor` with --lower at the store",
            )
        if floor != before:
            own = {"min": floor.least, **({"per_day": floor.per_day} if floor.per_day else {}), "since": clock.now()}
            durable.write_json(store.floor, own)
    reply(FloorKept(floor.least, before.least, floor.per_day))
    return 0


def kept_floor(store: StoreFolder) -> StoreFloor:
    """The floor of a store, 0 if it has none; Refused where it cannot be understood."""
    content = require_json(store.floor)
    numbers = content.get("min", None if content else 0), content.get("per_day", 0)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise Refused(f"{store.floor} cannot be understood", 'write {"min": N} into it: N snapshots must stay')
    return StoreFloor(*numbers)
