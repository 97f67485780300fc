"""Which updates are installed, which wait for a person, and which are left for another day. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from runner.jobs.packages.held import fits
from runner.model.packages import Held, PackageFacts, Update

Policy = Literal["security", "all", "nothing"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What becomes of the updates: `install` now, `held` until a person decides, `later` not by this job.

    `held` has those that the host holds, and those that jobs.toml wants held and the host does not.
    """

    install: tuple[Update, ...] = ()
    held: tuple[Held, ...] = ()
    later: tuple[Update, ...] = ()


def choose(found: PackageFacts, patterns: Sequence[str], policy: Policy) -> Choice:
    """Divide the updates of `found`; nothing that fits a pattern, is held or should be, is installed.

    The reading leaves held packages out by itself; that is not relied on, since a hold may have been
    lost since, and a kernel whose name is new is held by nobody yet.
    """
    guarded = {*found.holds, *found.unheld}
    install: list[Update] = []
    held, later = list(found.held), []
    for update in found.updates:
        if update.name in guarded or fits(update.name, patterns):
            held.append(Held(update=update))
        elif policy == "all" or (policy == "security" and update.security):
            install.append(update)
        else:
            later.append(update)
    return Choice(install=tuple(install), held=tuple(held), later=tuple(later))


def chosen(held: Sequence[Held], names: Sequence[str]) -> tuple[Held, ...]:
    """The held updates that these names set free; all of them where there are no names.

    A package that another one's hold keeps back comes with the other, and brings it: neither can be
    upgraded alone.
    """
    if not names:
        return tuple(held)
    free = set(names)
    while True:
        more = {name for one in held if one.update.name in free for name in one.by}
        more |= {one.update.name for one in held if one.by and set(one.by) <= free}
        if more <= free:
            return tuple(one for one in held if one.update.name in free)
        free |= more


def unknown(held: Sequence[Held], names: Sequence[str]) -> tuple[str, ...]:
    """The names that no update has: wrong, or upgraded already."""
    known = {name for one in held for name in (one.update.name, *one.by)}
    return tuple(name for name in names if name not in known)


def blocks(held: Sequence[Held]) -> dict[str, tuple[str, ...]]:
    """For each hold that keeps something back, by its name, the other packages that it keeps back."""
    names = dict.fromkeys(name for one in held for name in (one.by or (one.update.name,)))
    return {
        name: tuple(dict.fromkeys(one.update.name for one in held if name in one.by and one.update.name != name))
        for name in names
    }  # fmt: skip


def told(update: Update) -> str:
    """An update in words: name, old and new version, whether it is a security update."""
    security = ", a security update" if update.security else ""
    old = f"{update.old} -> {update.new}" if update.old else f"{update.new}, not installed before"
    return f"{update.name} {old}{security}"
