"""runner-agent's `as-planned`: the claim that packages are still what a plan to change them was made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from runner.model.packages import Update
from runner.model.plan import Check


def unchanged(program: str, host: str, packages: Literal["dpkg", "rpm"], updates: Sequence[Update]) -> Check:
    """The claim that each of these is still in its old version."""
    return Check(
        host=host,
        argv=(program, "as-planned", f"--packages={packages}", "--", *_words(packages, updates)),
        field="as_planned",
        relation="==",
        value=True,
        why="the packages are still in the versions known here",
    )


def installable(
    program: str, host: str, packages: Literal["dpkg", "rpm"], updates: Sequence[Update], room: int = 0
) -> Check:
    """The same, and that the new ones can be had; with `room`, that so many bytes are free in /boot."""
    boot = (f"--boot-free={room}",) if room else ()
    why = "the packages are as known here, and the new versions can be had"
    return Check(
        host=host,
        argv=(
            program,
            "as-planned",
            f"--packages={packages}",
            "--to-be-had",
            *boot,
            "--",
            *_words(packages, updates),
        ),
        field="as_planned",
        relation="==",
        value=True,
        why=f"{why}, and there is room in /boot for a kernel" if room else why,
    )


def _words(packages: str, updates: Sequence[Update]) -> tuple[str, ...]:
    # apt writes an architecture where it is not the machine's own; rpm's names need it always.
    names = (f"{one.name}.{one.arch}" if packages == "rpm" else one.name for one in updates)
    return tuple(f"{name}={one.old}={one.new}" for name, one in zip(names, updates, strict=True))
