"""What was proven: the last drill of each sort that succeeded, as the store remembers it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from .. import clock, durable
from ..answer import BUSY, Refused, reply
from ..arguments import parse_as
from ..frames import frames
from . import disk, lock
from .contract.proven import ProofAnswer, ProofKept, Prove
from .layout import StoreFolder, is_name, open_store, read_json, require_json, require_sealed

SORTS = ("files", "database")

# A byte of the store's lock of its own: a drill must not wait for a snapshot that is being made.
PROVING = 2


# A proof of a time that has not come yet was written by a clock that was ahead: it is no later one.
NEAR = 3600 * 10**9
# Of what each of its steps tried so much is kept, each no longer than that, and so much in all.
_MOST, _WIDE, _MOST_IN_ALL = 20, 300, 60
# What is longer was not written by us: two sorts, with all that can be kept of them, are not.
_LONGEST = 1 << 20


def proofs(store: StoreFolder) -> dict[str, ProofAnswer]:
    """The last proof of each sort; what cannot be understood is left out. Reads only."""
    content = read_json(store.proven, _LONGEST)
    listed = {sort: _proof(content.get(sort)) for sort in SORTS}
    return {sort: proof for sort, proof in listed.items() if proof is not None}


def guarded(store: StoreFolder) -> frozenset[str]:
    """The snapshots that must stay since none after them is proven.

    Refused if the file cannot be understood: nothing is expired until then.
    """
    path = store.proven
    do = f"at the console of that host: mv {path} {path}.old; then nothing stays for being proven until the next drill"
    content, known = require_json(path, do, _LONGEST), proofs(store)
    if any(sort in content and sort not in known for sort in SORTS):
        raise Refused(f"{path} cannot be understood", do)
    return frozenset(proof.snapshot for proof in known.values())


def _proof(content: object) -> ProofAnswer | None:
    if not isinstance(content, dict):
        return None
    snapshot, at = str(content.get("snapshot", "")), str(content.get("at", ""))
    return ProofAnswer(snapshot, at) if clock.moment(at) and is_name(snapshot) else None


def run(argv: Sequence[str]) -> int:
    """Write the proof of sort SORT (files, database) for snapshot NAME, as of `--at`, in one move.

    The last line of each frame on stdin has what was tried. Refused if NAME is not sealed. An older proof
    of the sort is replaced, unless it is of a later time or of a later snapshot that is still there.
    """
    options = parse_as(Prove, argv)
    store, sort, name = open_store(options.store), options.sort, options.name
    if sort not in SORTS:
        raise Refused(f"no such sort: {sort!a}", f"there are: {', '.join(SORTS)}")
    when = clock.nanoseconds(options.at)
    tried = _tried(sys.stdin.buffer)
    descriptor = _alone(store)
    try:
        disk.require_writable(store, options.disk)
        counted = require_sealed(store, name)
        before = proofs(store).get(sort)
        later = before is not None and (
            when < clock.nanoseconds(before.at) <= time.time_ns() + NEAR
            or (before.snapshot > name and before.snapshot in counted)
        )
        stays = before if later else None
        if stays is None:
            proof = {**tried, "snapshot": name, "at": options.at}
            durable.write_json(store.proven, {**_others(store, sort), sort: proof})
    finally:
        os.close(descriptor)
    reply(ProofKept(sort, stays.snapshot if stays else name, stays is not None))
    return 0


def _others(store: StoreFolder, sort: str) -> Mapping[str, Any]:
    content = read_json(store.proven, _LONGEST)
    return {other: content[other] for other in SORTS if other in content and other != sort}


def forget(store: StoreFolder, name: str) -> tuple[str, ...]:
    """Let the proofs of snapshot `name`, which counts no more, prove nothing; their sorts. Under the byte PROVING."""
    content = read_json(store.proven, _LONGEST)
    sorts = tuple(sort for sort, proof in proofs(store).items() if proof.snapshot == name)
    if sorts:
        durable.write_json(store.proven, {sort: proof for sort, proof in content.items() if sort not in sorts})
    return sorts


def _alone(store: StoreFolder) -> int:
    descriptor = lock.open_lock(store, os.O_RDWR)
    if not lock.take(descriptor, PROVING):
        os.close(descriptor)
        raise Refused("another drill is writing its proof", "run this one again", code=BUSY)
    return descriptor


def _tried(stream: BinaryIO) -> Mapping[str, Any]:
    numbers: dict[str, Any] = {}
    for frame in frames(stream):
        last = b""
        for line in frame.lines():
            last = line
        try:
            answer = json.loads(last)
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict) and isinstance(answer.get("tried"), dict):
            plain = [(str(key), each) for key, each in answer["tried"].items() if type(each) in (int, str)]
            numbers.update([each for each in plain if max(len(f"{word}") for word in each) <= _WIDE][:_MOST])
            for key in [*numbers][_MOST_IN_ALL:]:
                del numbers[key]
    return numbers
