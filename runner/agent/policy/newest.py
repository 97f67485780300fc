"""Which snapshots a key may read that reads only the newest: of each job the last one that was ever sealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import durable
from ..store.layout import StoreFolder, read_json, require_json, sealed

# Of so many that were sealed last the records are read: more jobs than that write to no store.
_LAST = 50


def newest(store: StoreFolder) -> tuple[str, ...]:
    """The newest sealed snapshot of each job and host that wrote one of the last, newest first.

    None of a job whose newest has expired while older ones stay, until it seals again: else these would be read one
    after the other.
    """
    known: dict[tuple[str, str], str] = {}
    for name in reversed(sealed(store)[-_LAST:]):
        known.setdefault(_job(store, name), name)
    gone = _gone(store) if known else {}
    return tuple(name for job, name in known.items() if name >= gone.get(job, ""))


def leave(store: StoreFolder, name: str) -> None:
    """Note, before the sealed snapshot `name` expires, where it is the newest of its job and older ones stay."""
    job, others = _job(store, name), [each for each in sealed(store) if each != name]
    if any(_job(store, each) == job for each in reversed(others) if each > name):
        return
    stay = {_job(store, each) for each in others}
    if job not in stay:
        return
    gone = _gone(store)
    gone[job] = max(name, gone.get(job, ""))
    # Of a job of which nothing is there any more nothing can be read.
    lines = [[*each, last] for each, last in sorted(gone.items()) if each in stay]
    durable.write_json(store.left, {"format": 1, "newest": lines})


def _gone(store: StoreFolder) -> dict[tuple[str, str], str]:
    known: Mapping[str, Any] = require_json(
        store.left, "a person on that host looks at it; without it older ones are read"
    )
    return {(str(host), str(job)): str(name) for host, job, name in known.get("newest", ())}


def _job(store: StoreFolder, name: str) -> tuple[str, str]:
    record = read_json(store.record(name))
    return str(record.get("host", "")), str(record.get("job", ""))
