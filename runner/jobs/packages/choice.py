"""What becomes of each update: installed now, held until a person decides, or left for another day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.jobs.packages.family import Policy, fits
from runner.model.packages import Held, PackageFacts, Update


class UpdateChoice(NamedTuple):
    """What becomes of the updates: `install` now, `held` until a person decides, `later` not by this job.

    `held` has those that the host holds, and those that jobs.toml wants held and the host does not.
    """

    install: tuple[Update, ...] = ()
    held: tuple[Held, ...] = ()
    later: tuple[Update, ...] = ()


def choose(known: PackageFacts, patterns: Sequence[str], policy: Policy) -> UpdateChoice:
    """Divide the updates that are known; nothing that fits a pattern, is held or should be, is installed.

    The reading leaves held packages out by itself; that is not relied on, since a hold may have been
    lost since, and a kernel whose name is new is held by nobody yet.
    """
    guarded = {*known.holds, *known.unheld}
    install: list[Update] = []
    held, later = list(known.held), []
    for update in known.updates:
        if update.name in guarded or fits(update.name, patterns):
            held.append(Held(update=update))
        elif policy == "all" or (policy == "security" and update.security):
            install.append(update)
        else:
            later.append(update)
    return UpdateChoice(install=tuple(install), held=tuple(held), later=tuple(later))


def set_free(held: Sequence[Held], names: Sequence[str]) -> tuple[Held, ...]:
    """The held updates that these names set free; all of them where there are no names.

    A package that another one's hold keeps back comes with the other, and brings it: neither can be
    upgraded alone.
    """
    if not names:
        return tuple(held)
    free = set(names)
    while True:
        more = {name for each in held if each.update.name in free for name in each.by}
        more |= {each.update.name for each in held if each.by and set(each.by) <= free}
        if more <= free:
            return tuple(each for each in held if each.update.name in free)
        free |= more


def unknown(held: Sequence[Held], names: Sequence[str]) -> tuple[str, ...]:
    """The names that no update has: wrong, or upgraded already."""
    known = {name for each in held for name in (each.update.name, *each.by)}
    return tuple(name for name in names if name not in known)


def blocks(held: Sequence[Held]) -> dict[str, tuple[str, ...]]:
    """For each hold that keeps something back, by its name, the other packages that it keeps back."""
    names = dict.fromkeys(name for each in held for name in (each.by or (each.update.name,)))
    return {
        name: tuple(dict.fromkeys(each.update.name for each in held if name in each.by and each.update.name != name))
        for name in names
    }
