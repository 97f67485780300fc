"""runner-agent's `as-planned`: the claim that packages are still what a plan to change them was made for."""

from __future__ import annotations

from collections.abc import Sequence

from runner.agent.arguments import argv as words
from runner.agent.packages.contract import AskAsPlanned
from runner.jobs.packages.family import Family
from runner.model.packages import Update
from runner.model.plan import Check


def unchanged(program: str, host: str, family: Family, updates: Sequence[Update]) -> Check:
    """The claim that each of these is still in its old version."""
    return _check(program, host, AskAsPlanned(family.lists, changes=_changes(family, updates)))


def installable(program: str, host: str, family: Family, updates: Sequence[Update], room: int = 0) -> Check:
    """The same, and that the new ones can be had; with `room`, that so many bytes are free in /boot."""
    return _check(program, host, AskAsPlanned(family.lists, True, room, changes=_changes(family, updates)))


def _check(program: str, host: str, asked: AskAsPlanned) -> Check:
    why = "the packages are still in the versions that this plan knows"
    if asked.to_be_had:
        why = "the packages are as this plan knows them, and the new versions can be had"
    if asked.boot_free:
        why += ", and there is room in /boot for a kernel"
    argv = (program, *words("as-planned", asked))
    return Check(host=host, argv=argv, field="as_planned", relation="==", value=True, why=why, replans=True)


def _changes(family: Family, updates: Sequence[Update]) -> tuple[str, ...]:
    return tuple(f"{family.label(update)}={update.old}={update.new}" for update in updates)
