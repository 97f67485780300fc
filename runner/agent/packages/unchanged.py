"""`as-planned`: whether packages are still what a plan to change them was made for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..answer import Refused, emit, table
from ..arguments import parse_as
from . import kernels
from .contract import AskAsPlanned, AsPlanned
from .families import FAMILIES, FamilyRow
from .installed import InstalledPackages, installed, listed

SHOWN = 5
WORDS = "NAME=OLD=NEW wanted, with nothing as OLD where it is not installed yet"


class PlannedChange(NamedTuple):
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

    `--packages FAMILY -- NAME=OLD=NEW...`: each is installed as OLD and not as NEW. `--to-be-had`: the
    archives have NEW as well. `--boot-free BYTES`: there is that much room in /boot.
    """
    emit(read(argv))
    return 0


def read(argv: Sequence[str]) -> dict[str, Any]:
    """What `run` prints."""
    answer = _answer(parse_as(AskAsPlanned, argv))
    return {key: value for key, value in table(answer).items() if value != ""}


def _answer(options: AskAsPlanned) -> AsPlanned:
    if options.packages not in FAMILIES:
        raise Refused(f"--packages is one of {', '.join(FAMILIES)}", "see docs/store.md")
    if not options.changes:
        raise Refused(f"{WORDS}: there is none", "see docs/store.md")
    family = FAMILIES[options.packages]
    environment = dict(each.partition("=")[::2] for each in options.env)
    changes = [_change(word, family) for word in options.changes]
    reasons = _otherwise(changes, installed(listed(options.packages, environment)), family.native())
    if not reasons and options.to_be_had:
        reasons = _gone(changes, family)
    if reasons:
        more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
        return AsPlanned(False, f"{'; '.join(reasons[:SHOWN])}{more}", "plan again, read it, apply it")
    return _room(options.boot_free)


def _change(word: str, family: FamilyRow) -> PlannedChange:
    label, _, versions = word.partition("=")
    old, equals, new = versions.partition("=")
    if not (label and equals and new) or "=" in new:
        raise Refused(f"{WORDS}: {word!a}", "see docs/store.md")
    return PlannedChange(*family.split(label), old, new)


def _otherwise(changes: Sequence[PlannedChange], now: InstalledPackages, native: Sequence[str]) -> list[str]:
    """A sentence for each package that is not as it was."""
    reasons = []
    for change in changes:
        architectures = (change.arch,) if change.arch else native
        versions = [version for arch in architectures for version in now.versions.get((change.name, arch), ())]
        if change.new in versions or (change.old not in versions if change.old else versions):
            was = f"{change.old} was installed" if change.old else "it was not installed"
            is_now = " and ".join(versions) or "not installed"
            reasons.append(f"{change.shown} is {is_now} now, and {was} when this was planned")
    return reasons


def _gone(changes: Sequence[PlannedChange], family: FamilyRow) -> list[str]:
    """A sentence for each version that the archives no longer have; nothing where their lists cannot be read."""
    versions = family.offered([change.shown for change in changes])
    if versions is None:
        return []
    return [
        f"the archives no longer have {change.shown} {change.new}"
        for change in changes
        if change.new not in versions.get(change.name, ())
    ]


def _room(least: int) -> AsPlanned:
    free = int(kernels.boot(Path("/"))["boot_free"]) if least else 0
    if free >= least:
        return AsPlanned(True)
    error = f"/boot has {free >> 20} MiB free, and a kernel may need {least >> 20} MiB"
    return AsPlanned(False, error, "remove kernels that are no longer needed, never the running one; then plan again")
