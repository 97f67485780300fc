"""The last measurement of what expiring the oldest frees, as long as it is still true.

Measured are the snapshots 1..k, not the newest one, of the sealed ones 1..n of that time. The gain of
1..j is that of the inodes all of whose names are in 1..j or the trash.

A later seal adds names only to inodes of the snapshot that was the newest (its basis), or of partials,
which share nothing but inodes of that newest one either. An inode counted for 1..j has no name in any of
those, so no seal takes it away; and an inode of theirs is not counted, since the newest stays. When
exactly 1..i have been expired since, j > i: what j frees now is gain(j) - gain(i), because 1..i are in the
trash or gone. When any other snapshot has been expired, inodes that it shared with 1..k have lost a name
and may be freed earlier than measured: then nothing of the measurement is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import durable
from .gain import BLOCK, Gain
from .layout import Store, read_json, sealed


def keep(store: Store, chosen: Sequence[str], measured: Sequence[Gain]) -> None:
    """Save the gains of `chosen` (sealed, without the newest), as measured now under the lock."""
    counted = sealed(store)
    told = {"chosen": list(chosen), "sealed": list(counted), "freed": [each._asdict() for each in measured]}
    durable.write_json(store.freed, told)


def still_true(store: Store) -> list[Gain]:
    """What is left of the last measurement: gains as of now, in the order that was measured.

    Empty where nothing is known or anything does not fit. Records are not counted. Reads only.
    """
    told = read_json(store.freed)
    try:
        then = [str(name) for name in told["sealed"]]
        measured = [_gain(each) for each in told["freed"]]
    except (KeyError, TypeError, ValueError):
        return []
    now = sealed(store)
    gone = set(then).difference(now)
    later = set(now).difference(then)
    if not then or any(name < then[-1] for name in later) or then[-1] in gone:
        return []
    start, rest = measured[: len(gone)], measured[len(gone) :]
    if {each.name for each in start} != gone:
        return []
    before = start[-1] if start else Gain("", 0, 0)
    return [Gain(each.name, each.bytes - before.bytes, each.inodes - before.inodes) for each in rest]


def oldest(store: Store) -> dict[str, Gain]:
    """The gain of each snapshot expired together with every older one, records included, if known."""
    found: dict[str, Gain] = {}
    for name, gain in zip(sealed(store), add_records(store, still_true(store))):  # noqa: B905
        if name != gain.name:
            break
        found[name] = gain
    return found


def add_records(store: Store, gains: Sequence[Gain]) -> list[Gain]:
    """The same gains with the files in `.runner/records/`, which go with their snapshot."""
    found: list[Gain] = []
    size = count = 0
    for gain in gains:
        for path in (store.record(gain.name), store.sums(gain.name), store.names(gain.name)):
            try:
                size += path.lstat().st_blocks * BLOCK
                count += 1
            except FileNotFoundError:
                continue
        found.append(Gain(gain.name, gain.bytes + size, gain.inodes + count))
    return found


def _gain(each: dict[str, Any]) -> Gain:
    return Gain(str(each["name"]), int(each["bytes"]), int(each["inodes"]))
