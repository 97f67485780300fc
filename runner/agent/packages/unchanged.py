"""`as-planned`: whether packages are still what a plan to change them was made for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..answer import Refused, emit
from ..arguments import number, parse
from . import kernels
from .families import FAMILIES, Family
from .installed import Installed, installed, listed

SHOWN = 5
WORDS = "NAME=OLD=NEW wanted, with nothing as OLD where it is not installed yet"


class Change(NamedTuple):
    """A package by the name that its manager knows, and what a plan makes of it; `old` may be ""."""

    name: str
    arch: str
    old: str
    new: str

    @property
    def shown(self) -> str:
        """The name in words."""
        return f"{self.name}:{self.arch}" if self.arch else self.name


def run(argv: Sequence[str]) -> int:
    """Print `{"as_planned": true}`, or false with `error` and `do`; reads only, so it needs no lock.

    `--packages dpkg|rpm -- NAME=OLD=NEW...`: each is installed as OLD and not as NEW. `--to-be-had`: the
    lists of apt have NEW as well. `--boot-free BYTES`: there is that much room in /boot.
    """
    emit(read(argv))
    return 0


def read(argv: Sequence[str]) -> dict[str, Any]:
    """What `run` prints."""
    call = parse(argv, words=1, one=("packages", "boot-free"), many=("env",), flags=("to-be-had",), more=True)
    name = call.one["packages"]
    if name not in FAMILIES:
        raise Refused(f"--packages is one of {', '.join(FAMILIES)}", "see docs/store.md")
    family = FAMILIES[name]
    environment = dict(each.partition("=")[::2] for each in call.many["env"])
    changes = [_change(word, family) for word in call.words]
    found = _otherwise(changes, installed(listed(name, environment)), family.native())
    if not found and call.flags:
        found = _gone(changes, family)
    if found:
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return _not(f"{'; '.join(found[:SHOWN])}{more}", "plan again, read it, apply it")
    return _room(call.one["boot-free"])


def _not(error: str, do: str) -> dict[str, Any]:
    return {"as_planned": False, "error": error, "do": do}


def _change(word: str, family: Family) -> Change:
    label, _, versions = word.partition("=")
    old, equals, new = versions.partition("=")
    if not (label and equals and new) or "=" in new:
        raise Refused(f"{WORDS}: {word!a}", "see docs/store.md")
    return Change(*family.split(label), old, new)


def _otherwise(changes: Sequence[Change], now: Installed, native: Sequence[str]) -> list[str]:
    """A sentence for each package that is not as it was."""
    said = []
    for one in changes:
        architectures = (one.arch,) if one.arch else native
        found = [version for arch in architectures for version in now.versions.get((one.name, arch), ())]
        if one.new in found or (one.old not in found if one.old else found):
            was = f"{one.old} was installed" if one.old else "it was not installed"
            said.append(f"{one.shown} is {_are(found)} now, and {was} when this was planned")
    return said


def _are(found: Sequence[str]) -> str:
    return " and ".join(found) if found else "not installed"


def _gone(changes: Sequence[Change], family: Family) -> list[str]:
    """A sentence for each version that the lists no longer have; nothing where they cannot be read."""
    names = [f"{one.name}:{one.arch}" if one.arch else one.name for one in changes]
    known = family.offered(names)
    if known is None:
        return []
    return [
        f"the archives no longer have {one.shown} {one.new}"
        for one in changes
        if one.new not in known.get(one.name, ())
    ]


def _room(wanted: str) -> dict[str, Any]:
    least = number(wanted, "--boot-free") if wanted else 0
    free = int(kernels.boot(Path("/"))["boot_free"]) if least else 0
    if free < least:
        error = f"/boot has {free >> 20} MiB free, and a kernel may need {least >> 20} MiB"
        return _not(error, "remove kernels that are no longer needed, never the running one; then plan again")
    return {"as_planned": True}
