"""The copies of a store that do not count: one that is being made, those that were cut off, and what was replaced."""

from __future__ import annotations

from runner.model.facts import Partial, StoreFacts
from runner.model.names import SNAPSHOT


def under_way(store: StoreFacts) -> Partial | None:
    """The copy that is being made now, by whoever holds the store; None where none is."""
    plan = store.holder.plan if store.holder else ""
    return next((partial for partial in store.partials if plan and partial.plan == plan), None)


def interrupted(store: StoreFacts) -> tuple[Partial, ...]:
    """The copies that nobody is making now."""
    made = under_way(store)
    return tuple(partial for partial in store.partials if partial is not made)


def replaced(store: StoreFacts) -> tuple[str, ...]:
    """The snapshots in whose place something else lies, such as a link: their names, as far as they were listed."""
    places = (path.rpartition("/") for path in store.odd)
    return tuple(name for folder, _, name in places if folder == store.path.rstrip("/") and SNAPSHOT.fullmatch(name))
