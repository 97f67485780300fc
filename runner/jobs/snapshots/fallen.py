"""A source that lost much of what it had, perhaps for a day: told, and shared with again when it is back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.model.facts import Filled, Snapshot
from runner.model.text import count, one_line

# How far back it is looked for what is gone now, and for how much: half of it, or so many files or bytes.
_LOOK_BACK = 7
_MANY, _LARGE = 1000, 1 << 30
# A filesystem with fewer files than this part of what it had is as good as empty.
_LEFT, _WORTH = 10, 100


def bases(own: Sequence[Snapshot], mount: str) -> tuple[str, ...]:
    """The snapshots, of `own` oldest first, that the next one shares what is mounted at `mount` with, newest first.

    The newest that has it; behind it each of the last that had much more than all after it: what a source lost for a
    day is copied again otherwise, all of it.
    """
    having = [snapshot for snapshot in own if mount in snapshot.filesystems]
    chosen = having[-1:]
    most = _filled(chosen[0], mount) if chosen else None
    for snapshot in reversed(having[-_LOOK_BACK:-1]):
        held = _filled(snapshot, mount)
        if held and most and _fell(held, most):
            chosen.append(snapshot)
        most = (
            replace(held, files=max(held.files, most.files), size=max(held.size, most.size)) if held and most else most
        )
    return tuple(snapshot.name for snapshot in chosen)


def emptied(sealed: Sequence[Snapshot]) -> tuple[str, ...]:
    """For each filesystem of which the newest snapshot of a host has next to nothing: what it had before, in words."""
    texts: list[str] = []
    for host in dict.fromkeys(snapshot.host for snapshot in sealed):
        *_, before, newest = (None, None, *(snapshot for snapshot in sealed if snapshot.host == host))
        if before is None or newest is None:
            continue
        for now in newest.filled:
            held = _filled(before, now.mount)
            if held and held.files >= _WORTH and now.files * 100 < held.files * _LEFT:
                where = f"{one_line(now.mount)} of {one_line(host or 'the source')}"
                has = f"{count(now.files, 'file')} in {newest.name}, {held.files:,} before"
                texts.append(f"{where} is as good as empty: {has}")
    return tuple(texts)


def _filled(snapshot: Snapshot, mount: str) -> Filled | None:
    return next((each for each in snapshot.filled if each.mount == mount), None)


def _fell(before: Filled, now: Filled) -> bool:
    pairs = ((before.files, now.files, _MANY), (before.size, now.size, _LARGE))
    return any(held > 2 * left or held - left > max(much, held // 10) for held, left, much in pairs)
