"""runner-agent's `as-planned`: the claim that packages are still what a plan to change them was made for."""

from __future__ import annotations

from collections.abc import Sequence

from runner.jobs.packages.family import Family
from runner.model.packages import Update
from runner.model.plan import Check


def unchanged(program: str, host: str, family: Family, updates: Sequence[Update]) -> Check:
    """The claim that each of these is still in its old version."""
    return Check(
        host=host,
        argv=(program, "as-planned", f"--packages={family.lists}", "--", *_words(family, updates)),
        field="as_planned",
        relation="==",
        value=True,
        why="the packages are still in the versions known here",
    )


def installable(program: str, host: str, family: Family, updates: Sequence[Update], room: int = 0) -> Check:
    """The same, and that the new ones can be had; with `room`, that so many bytes are free in /boot."""
    boot = (f"--boot-free={room}",) if room else ()
    why = "the packages are as known here, and the new versions can be had"
    return Check(
        host=host,
        argv=(
            program,
            "as-planned",
            f"--packages={family.lists}",
            "--to-be-had",
            *boot,
            "--",
            *_words(family, updates),
        ),
        field="as_planned",
        relation="==",
        value=True,
        why=f"{why}, and there is room in /boot for a kernel" if room else why,
    )


def _words(family: Family, updates: Sequence[Update]) -> tuple[str, ...]:
    return tuple(f"{family.label(one)}={one.old}={one.new}" for one in updates)
