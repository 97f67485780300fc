"""What each key may ask of this host: `/etc/runner/agent.toml`, which only a person on the host changes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import trust
from ..answer import SHOWN, Refused
from ..arguments import FILE_NAME, PATH
from . import toml

POLICY = "/etc/runner/agent.toml"
LONGEST = 64 << 10
NEWEST, ALL = "newest", "all"
ENDS = ("reboot", "poweroff")
KINDS = ("updates", "upgrade")
# Verbs that a key does not have by itself, since they undo what a person has said, or read what is on the host.
FURTHER = ("access", "bring-back", "drop-aside", "set-aside", "unpin")
_SEE = "see docs/trust.md; `runner enrol` writes one that can be read"


class StoreRights(NamedTuple):
    """What a key may do with a store: `reads` is which of its sealed snapshots it may read.

    At least `floor` snapshots without exceptions stay, of which each day has `per_day` (0: any number), of all jobs
    together. At most `seals` are sealed in 24 hours, at most `expiries` expire in them, and none that was sealed
    within `young` days.
    """

    floor: int = 30
    per_day: int = 0
    seals: int = 4
    expiries: int = 4
    young: int = 7
    reads: str = NEWEST


class Rights(NamedTuple):
    """What the key `name` may ask: its stores by their path, the folders whose files it may read, further verbs.

    `power` is how it may end this host: `reboot`, `poweroff`. `packages` are the kinds of jobs that it may have here:
    `updates`, and `upgrade`, which frees what is held. `others` are the stores of other keys.
    """

    name: str
    stores: Mapping[str, StoreRights] = {}
    sources: tuple[str, ...] = ()
    power: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


class PolicyText(NamedTuple):
    """The policy as it is written, and what stands above all tables of it.

    So many keepers have to sign an order (0: none is taken), and the last that was taken has the number `taken`.
    """

    text: str
    signed: int = 0
    taken: int = 0


_TABLE = Rights._fields[1:-1]
_OF_A_KEY = re.compile(r"\[keys(?:\]|\.[A-Za-z0-9_-]+[.\]])")
_NUMBERS = ("format", *PolicyText._fields[1:])


def rights_of(key: str, path: str = POLICY) -> Rights:
    """What the policy of this host gives that key; Refused where it gives nothing, or others may change it."""
    if not FILE_NAME.fullmatch(key):
        raise Refused("no key of that name", "see the line in authorized_keys of this host")
    require_closed(path)
    return parse(content(path), key)


def whole(path: str = POLICY) -> PolicyText:
    """The policy of this host, whoever's. Raises Refused as `rights_of`."""
    require_closed(path)
    text = content(path)
    numbers = _apart(text)[0]
    return PolicyText(text, *(numbers.get(name, 0) for name in PolicyText._fields[1:]))


def require_closed(*paths: str) -> None:
    """Refused where others may change one of these."""
    for first in (place for path in paths for place in trust.exposures(path)):
        raise Refused(f"others may change {first.path}: {first.who}", f"on this host: {first.command}")


def parse(text: str, key: str) -> Rights:
    """The rights of `key` in the text of a policy. Raises Refused for the first thing that is wrong with it."""
    keys = _apart(text)[1]
    table = keys.get(key)
    if not isinstance(table, dict):
        raise Refused(
            f"{POLICY} has no [keys.{key}]", "a person on this host decides what the key may do; `runner enrol`"
        )
    stores = table.get("stores", {})
    if not isinstance(stores, dict):
        raise Refused(f"{POLICY}: keys.{key}.stores is no table", _SEE)
    for name in table:
        if name not in _TABLE:
            raise Refused(f"{POLICY}: [keys.{key}] has no {name!a}; it has {', '.join(_TABLE)}", _SEE)
    return Rights(
        key,
        {_path(f"keys.{key}.stores", path): _store(f"keys.{key}.stores.{path}", each) for path, each in stores.items()},
        tuple(_path(f"keys.{key}.sources", each) for each in _words(key, table, "sources")),
        _among(key, table, "power", ENDS),
        _among(key, table, "verbs", FURTHER),
        _among(key, table, "packages", KINDS),
        tuple(path for each in keys.values() if each is not table for path in _stores_of(each)),
    )


def _apart(text: str) -> tuple[Mapping[str, int], Mapping[str, Any]]:
    """The numbers above all tables of a policy, and the tables of the keys."""
    known = toml.parse(text)
    for line in text.split("\n"):
        # The table of a key is found by that, to be replaced or taken away: all of it has to be.
        if line.lstrip(" \t").startswith("[") and not _OF_A_KEY.match(line.lstrip(" \t")):
            raise Refused(f"{POLICY}: write the name of a key as [keys.NAME], not as {line.strip()[:SHOWN]!a}", _SEE)
    keys = known.pop("keys", {})
    if known.get("format", 1) != 1 or not known.keys() <= set(_NUMBERS) or not isinstance(keys, dict):
        raise Refused(f"{POLICY} has more than `format = 1`, {', '.join(_NUMBERS[1:])} and [keys]", _SEE)
    for name, value in known.items():
        if type(value) is not int:
            raise Refused(f"{POLICY}: {name} cannot be {value!a}", _SEE)
    return known, keys


def _stores_of(table: object) -> tuple[str, ...]:
    stores = table.get("stores", {}) if isinstance(table, dict) else {}
    return tuple(_path("the stores of another key", path) for path in stores) if isinstance(stores, dict) else ()


def content(path: str) -> str:
    """The text of a small file of this host; Refused where it is no file, or longer than a policy can be."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused(f"{path} is no regular file", _SEE)
        content = stream.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise Refused(f"{path} is longer than {LONGEST >> 10} KiB", _SEE)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{path} is no text", _SEE) from None


def _store(where: str, table: object) -> StoreRights:
    if not isinstance(table, dict):
        raise Refused(f"{POLICY}: {where} is no table", _SEE)
    values = dict(StoreRights()._asdict())
    for name, value in table.items():
        if name not in values:
            raise Refused(f"{POLICY}: {where} has no {name!a}; it has {', '.join(values)}", _SEE)
        fits = value in (NEWEST, ALL) if name == "reads" else type(value) is int and value >= _LEAST.get(name, 0)
        if not fits:
            raise Refused(f"{POLICY}: {where}.{name} cannot be {value!a}", _SEE)
        values[name] = value
    return StoreRights(**values)


# A floor of nothing is none.
_LEAST = {"floor": 1}


def _path(where: str, text: str) -> str:
    if not PATH.fullmatch(text):
        raise Refused(f"{POLICY}: {where}: {text!a} is no absolute path", _SEE)
    return text


def _words(key: str, table: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = table.get(name, [])
    if not isinstance(value, list):
        raise Refused(f"{POLICY}: keys.{key}.{name} is no list", _SEE)
    return tuple(value)


def _among(key: str, table: Mapping[str, Any], name: str, choice: tuple[str, ...]) -> tuple[str, ...]:
    words = _words(key, table, name)
    for word in words:
        if word not in choice:
            raise Refused(f"{POLICY}: keys.{key}.{name} cannot have {word!a}: {', '.join(choice)}", _SEE)
    return words
