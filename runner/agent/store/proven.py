"""What was proven: the last drill of each sort that succeeded, as the store remembers it."""

from __future__ import annotations

from typing import NamedTuple

from .. import clock
from ..answer import Refused
from .layout import Store, is_name, read_json, require_json

SORTS = ("files", "database")


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
