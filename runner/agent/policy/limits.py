"""What holds for a store while somebody with a key works in it: set once by `serve`, asked by the verbs under its lock.

Where nobody serves, as for a person at the console, nothing is asked. Times are this host's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

from .. import clock
from ..answer import Refused
from ..arguments import SNAPSHOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ..store.layout import StoreFolder
    from .rights import StoreRights

DAY = 86_400 * 10**9
# How far the name of a new snapshot may be from the time here.
APART = 300 * 10**9
# For how many days, and how many at a time, somebody with a key may pin.
PINNED, PINS = 90, 20
# What a verb may have of the memory of the host: a fourth, and never so little that a day of a large site has no room.
LEAST_MEMORY = 1 << 30
# How a snapshot comes and goes, as the chain has it.
_SEALED = ("sealed",)
_GOING = ("expired", "aside")
_stores: dict[str, StoreRights] = {}
_key: list[str] = []


def bind(key: str, stores: Mapping[str, StoreRights]) -> None:
    """From now on this process works for `key` with these rights, by the real path of each store."""
    _key[:] = [key]
    _stores.update(stores)


def key() -> str:
    """For which key is done what is done; "" where there is none."""
    return "".join(_key)


def of(store: StoreFolder) -> StoreRights | None:
    """What holds for that store; None where no key is behind what is done."""
    return _stores.get(str(store.root))


def bound_memory(most: int = 0) -> None:
    """From now on this process has so much memory at most, its programs and all: by itself what a verb may have.

    What is sent to a verb is kept, and whoever has a key sends what he likes.
    """
    import os  # noqa: PLC0415  (only where a key is behind it)
    import resource  # noqa: PLC0415

    most = most or max(LEAST_MEMORY, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def require_new(store: StoreFolder, name: str) -> None:
    """Refused where a snapshot that is begun now has a name of another time, or could not be sealed any more today.

    The next plan has a name that fits. Where no more are sealed, all would be sent, and room be made, for nothing.
    """
    if of(store) is None or not SNAPSHOT.fullmatch(name):
        return
    require_seal(store)
    named = clock.nanoseconds(f"{name[:13]}:{name[13:15]}:{name[15:]}")
    apart = named - time.time_ns()
    if abs(apart) > APART:
        error = f"the name {name} is not within five minutes of the clock of this host"
        do = f"it is {clock.now()[:19]}Z here: a new plan has another name; if it stays so, compare both clocks"
        # A plan that waited for something has an old name, and that is nobody's attack.
        raise Refused(error, do, again=True) if apart < 0 else _over(error, do, again=True, cause="clock")


def require_basis(store: StoreFolder, names: Iterable[str]) -> None:
    """Refused where a new snapshot would be made of one that the key may not read: it may read what is being made."""
    rights = of(store)
    if rights is None or rights.reads == "all":
        return
    from .newest import newest  # noqa: PLC0415  (as below)

    if strange := sorted(set(names) - set(newest(store))):
        raise _over(
            f"{strange[0]} is not the newest snapshot of a job, and this host lets only that be read",
            'a person decides that on this host: reads = "all" in /etc/runner/agent.toml',
        )


def require_newest(store: StoreFolder, name: str) -> None:
    """Refused where what is kept beside a snapshot is not of the newest of a job, which was sealed a moment ago."""
    if of(store) is None:
        return
    from .newest import newest  # noqa: PLC0415  (as below)

    if name not in newest(store):
        raise _over(
            f"{name} is not the newest snapshot of a job, and from afar only beside that what it was is kept",
            "the next snapshot keeps that of its day",
        )


def require_floor(store: StoreFolder, floor: int) -> None:
    """Refused where a floor would be higher than the policy's: nothing could expire any more."""
    rights = of(store)
    if rights is not None and floor > rights.floor:
        raise _over(
            f"a floor of {floor} is higher than that of the policy of this host, {rights.floor}",
            "enrol this host again, or let a person raise `floor` in /etc/runner/agent.toml here",
        )


def require_pin(store: StoreFolder, before: int, until: int, others: int) -> None:
    """Refused where a pin would end earlier than the one that is there (nanoseconds since 1970), or later than any may.

    Or where so many `others` hold that the store could no longer let go of what it has.
    """
    if of(store) is None:
        return
    if until < before:
        raise _over("a pin is there that ends later", "a person on this host ends it: runner-agent unpin")
    at_console = "a person on this host has no such bound: runner-agent pin"
    if until > time.time_ns() + PINNED * DAY:
        raise _over(f"from afar nothing is pinned for longer than {PINNED} days", at_console)
    if others >= PINS:
        raise _over(f"{others} other snapshots are pinned, and from afar no more are", at_console)


def is_bound() -> bool:
    """Whether somebody with a key is behind what is done."""
    return bool(_key)


def refuse(error: str, do: str) -> NoReturn:
    """Refuse it, and note that here."""
    raise _over(error, do)


def keeps_count(store: StoreFolder) -> bool:
    """Whether what is done has to be counted, and so may not be done where that cannot be written."""
    return of(store) is not None


def require_seal(store: StoreFolder) -> None:
    """Refused where as many snapshots were sealed in the last 24 hours as the policy allows a day."""
    rights = of(store)
    if rights is None:
        return
    _require_rate(store, _SEALED, rights.seals, "seals")


def require_expiry(store: StoreFolder, name: str) -> None:
    """Refused where the policy lets that snapshot not expire yet, nor be put aside, or no further one today."""
    rights = of(store)
    if rights is None:
        return
    _require_rate(store, _GOING, rights.expiries, "expiries")
    require_age(store, name, store.record(name))


def require_age(store: StoreFolder, name: str, record: Path) -> None:
    """Refused where a snapshot was sealed, as its record says, within the days in which the policy lets none go."""
    from ..store.layout import read_json  # noqa: PLC0415  (of what is loaded by then)

    rights = of(store)
    if rights is None:
        return
    sealed = clock.moment(read_json(record).get("sealed"))
    if sealed is None or time.time() - sealed.timestamp() < rights.young * 86_400:
        raise _over(
            f"{name} was sealed less than {rights.young} days ago, or nobody knows when",
            "wait, or let a person lower `young` in /etc/runner/agent.toml on this host",
        )


def rates(store: StoreFolder) -> tuple[int, int] | None:
    """How many snapshots the policy lets be sealed, and expire, now; None where no key is behind what is done."""
    rights = of(store)
    if rights is None:
        return None
    return max(0, rights.seals - _many(store, _SEALED)), max(0, rights.expiries - _many(store, _GOING))


def _many(store: StoreFolder, events: Iterable[str]) -> int:
    """How many of these events are in the store's chain within a day of now.

    In either direction: what was written while the clock was ahead is not counted until that day has come.
    """
    from ..history import chain  # noqa: PLC0415  (only where a key is behind it)

    now = time.time_ns()
    return sum(chain.count(store, event, clock.text(now - DAY), clock.text(now + DAY)) for event in events)


def _require_rate(store: StoreFolder, events: tuple[str, ...], most: int, setting: str) -> None:
    """Refused where as many of these events are in the chain for the last 24 hours as the policy allows a day."""
    from ..history import chain  # noqa: PLC0415  (only where a key is behind it)

    # Where there is none, or none that can be gone on with, what is done now could not be counted tomorrow.
    chain.begin(store)
    many = _many(store, events)
    if many >= most:
        raise _over(
            f"snapshots {' or '.join(events)} in the last 24 hours: {many}; this host allows {most} a day",
            f"wait, or let a person raise `{setting}` in /etc/runner/agent.toml on this host",
        )


def _over(error: str, do: str, *, again: bool = False, cause: str = "") -> Refused:
    """The refusal, noted here: not every verb that is refused so says it to whoever asked."""
    from . import refusals  # noqa: PLC0415  (as below)

    refusals.note(key(), error)
    return Refused(error, do, again=again, cause=cause)
