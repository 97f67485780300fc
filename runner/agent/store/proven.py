"""What was proven: the last drill of each sort that succeeded, as the store remembers it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from .. import clock, durable
from ..answer import BUSY, Refused, reply
from ..arguments import parse_as
from ..frames import frames
from . import disk, lock
from .contract import Prove, Proven
from .layout import Store, is_name, open_store, read_json, require_json, require_sealed

SORTS = ("files", "database")


# A byte of the store's lock of its own: a drill must not wait for a snapshot that is being made.
PROVING = 2


class Proof(NamedTuple):
    """That what is in `snapshot` came back whole, at `at` (ISO 8601, by the controller's clock)."""

    snapshot: str
    at: str


def proofs(store: Store) -> dict[str, Proof]:
    """The last proof of each sort; what cannot be understood is not told. Reads only."""
    told = read_json(store.proven)
    found = {sort: _proof(told.get(sort)) for sort in SORTS}
    return {sort: each for sort, each in found.items() if each is not None}


def guarded(store: Store) -> frozenset[str]:
    """The snapshots that must stay since none after them is proven.

    Refused if the file cannot be understood: nothing is expired until then.
    """
    require_json(store.proven)
    return frozenset(each.snapshot for each in proofs(store).values())


def _proof(told: object) -> Proof | None:
    if not isinstance(told, dict):
        return None
    snapshot, at = str(told.get("snapshot", "")), str(told.get("at", ""))
    try:
        clock.nanoseconds(at)
    except Refused:
        return None
    return Proof(snapshot, at) if is_name(snapshot) else None


def run(argv: Sequence[str]) -> int:
    """Write the proof of sort SORT (files, database) for snapshot NAME, as of `--at`, in one move.

    What was tried is told by the last line of each frame on stdin. Refused if NAME is not sealed. An
    older proof of the sort is replaced, unless it is of a later time or of a later snapshot that is still
    there. Prints `{"proven", "snapshot", "kept"}`; `kept` is true where the one before stayed.
    """
    options = parse_as(Prove, argv)
    store, sort, name = open_store(options.store), options.sort, options.name
    if sort not in SORTS:
        raise Refused(f"no such sort: {sort!a}", f"there are: {', '.join(SORTS)}")
    when = clock.nanoseconds(options.at)
    tried = _told(sys.stdin.buffer)
    descriptor = _alone(store)
    try:
        disk.require_writable(store, options.disk)
        counted = require_sealed(store, name)
        before = proofs(store).get(sort)
        kept = before is not None and (
            clock.nanoseconds(before.at) > when or (before.snapshot > name and before.snapshot in counted)
        )
        if not kept:
            about = {"snapshot": name, "at": options.at, **tried}
            durable.write_json(store.proven, {**read_json(store.proven), sort: about})
    finally:
        os.close(descriptor)
    reply(Proven(sort, before.snapshot if before and kept else name, kept))
    return 0


def _alone(store: Store) -> int:
    try:
        descriptor = os.open(store.lock, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise Refused(f"{store.root} has no lock", "is this a store, and is its disk mounted?") from None
    if not lock.take(descriptor, PROVING):
        os.close(descriptor)
        raise Refused("another drill is writing what it has proven", "run this one again", code=BUSY)
    return descriptor


def _told(stream: BinaryIO) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for frame in frames(stream):
        last = b""
        for line in frame.lines():
            last = line
        try:
            told = json.loads(last)
        except ValueError:
            told = None
        if isinstance(told, dict) and isinstance(told.get("tried"), dict):
            found.update(told["tried"])
    return found
