"""What a request of a key would work on, and how it is denied. Nothing here looks at anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..answer import Denied
from .rights import Rights

DO = "a person on that host decides what a key may do: /etc/runner/agent.toml there, and docs/trust.md"


class Allowed(NamedTuple):
    """What the verb works on: a store, "" for none, the snapshots that it would read; or a folder of the host."""

    store: str = ""
    snapshots: tuple[str, ...] = ()
    source: str = ""


Rule = Callable[[Rights, Any], Allowed]


def denied(rights: Rights, what: str) -> Denied:
    """The refusal, for a key with these rights that has none to `what`."""
    return Denied(f"the key {rights.name} has no right to {what}", DO)


def of_store(rights: Rights, given: Any) -> Allowed:  # noqa: ANN401
    """The store that the options name; Denied where it is none of the key's."""
    path = given.store if hasattr(given, "store") else given.folder
    if path not in rights.stores:
        raise denied(rights, f"the store {path[:100]!a}")
    return Allowed(path)


def elsewhere(given: Any, restored: str) -> bool:  # noqa: ANN401
    """Whether it names another place than the one that a host uses; files come back in `restored` by themselves."""
    places = {"state": "/var/lib/runner", "run": "/run/runner/lock", "root": "/", "file": (), "folder": restored}
    own = type(given)._field_defaults
    return any(
        getattr(given, field) not in (usual, own.get(field)) for field, usual in places.items() if hasattr(given, field)
    )
