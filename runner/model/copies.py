"""The copies of a store that are not sealed: the one that is being made, and those that were cut off."""

from __future__ import annotations

from runner.model.facts import Partial, StoreFacts


def under_way(store: StoreFacts) -> Partial | None:
    """The copy that is being made now, by whoever holds the store; None where none is."""
    plan = store.holder.plan if store.holder else ""
    return next((partial for partial in store.partials if plan and partial.plan == plan), None)


def interrupted(store: StoreFacts) -> tuple[Partial, ...]:
    """The copies that nobody is making now."""
    made = under_way(store)
    return tuple(partial for partial in store.partials if partial is not made)
