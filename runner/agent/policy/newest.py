"""Which snapshots a key may read that reads only the newest: of each job the last one."""

from __future__ import annotations

from ..store.layout import StoreFolder, read_json, sealed

# Of so many that were sealed last the records are read: more jobs than that write to no store.
_LAST = 50


def newest(store: StoreFolder) -> tuple[str, ...]:
    """The newest sealed snapshot of each job and host that wrote one of the last, newest first."""
    known: dict[tuple[str, str], str] = {}
    for name in reversed(sealed(store)[-_LAST:]):
        record = read_json(store.record(name))
        known.setdefault((str(record.get("host", "")), str(record.get("job", ""))), name)
    return tuple(known.values())
