"""The names that audits found damaged, as `audit.json` has them; `probe` reads them, and imports no more for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..arguments import PATH
from ..store.layout import StoreFolder, is_name, read_json


class DamagedName(NamedTuple):
    """A name of the filesystem of `host` at `mount`, damaged in a snapshot; one named after `until` knows it."""

    host: str
    mount: str
    until: str
    path: str


class DamagedCount(NamedTuple):
    """How many names of a filesystem are noted with the same `until`."""

    host: str
    mount: str
    until: str
    names: int


def remembered(state: Mapping[str, Any]) -> list[DamagedName]:
    """What is noted; what cannot be read is nothing."""
    listed = state.get("damaged")
    texts = filter(None, map(_texts, listed if isinstance(listed, list) else []))
    names = (DamagedName(*each) for each in texts)
    return [each for each in names if is_name(each.until) and PATH.fullmatch(each.mount)]


def counted(store: StoreFolder) -> tuple[DamagedCount, ...]:
    """How many names of each filesystem are noted."""
    counts: dict[tuple[str, str, str], int] = {}
    for each in remembered(read_json(store.audit)):
        about = each.host, each.mount, each.until
        counts[about] = counts.get(about, 0) + 1
    return tuple(DamagedCount(*about, count) for about, count in sorted(counts.items()))


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) != len(DamagedName._fields):
        return []
    return value if all(isinstance(each, str) for each in value) else []
