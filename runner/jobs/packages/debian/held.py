"""Which packages the hold patterns of jobs.toml mean on a Debian host today, and what they keep back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from runner.jobs.packages.debian.apt import PackageVersion
from runner.jobs.packages.family import fits

Versions = Mapping[str, PackageVersion]
_NUMBERED = re.compile(r"[0-9]\.[0-9]")


def to_hold(patterns: Sequence[str], installed: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The installed packages that should be held, sorted.

    Those are the ones whose name fits, and each metapackage that would bring the next of them: all that it
    depends on is at an exact version, fits, and has a version in its very name, so that the next one has
    another name. `installed` maps every name to what it so depends on.
    """
    named = {name for name in installed if fits(name, patterns)}
    bringing = {
        name
        for name, brings in installed.items()
        if brings and all(_NUMBERED.search(brought) and fits(brought, patterns) for brought in brings)
    }
    return tuple(sorted(named | bringing))


def kept_back(updates: Versions, staying: Versions) -> dict[str, tuple[str, ...]]:
    """For each of `updates`, the names of `staying` that stand in its way, over others too; sorted.

    Where no reason can be seen there is one all the same, so all of `staying` that have an update are named.
    """
    direct = {name: _direct(name, update, updates, staying) for name, update in updates.items()}
    blockers: dict[str, tuple[str, ...]] = {}
    for name in updates:
        seen, todo = set[str](), [name]
        while todo:
            for other in direct.get(todo.pop(), set()) - seen:
                seen.add(other)
                if other not in staying:
                    todo.append(other)
        culprits = {other for other in seen if other in staying and other != name}
        blockers[name] = tuple(sorted(culprits or {other for other in staying if other in updates and other != name}))
    return blockers


def _direct(name: str, update: PackageVersion, updates: Versions, staying: Versions) -> set[str]:
    """What `update` cannot have: packages that stay, and others that only might be updated."""
    blockers: set[str] = set()
    now = {
        **{other: known.old for other, known in updates.items()},
        **{other: v.version for other, v in staying.items()},
    }
    for clause in update.needs:
        if not any(need.name not in now or need.admits(now[need.name]) for need in clause):
            blockers.update(need.name for need in clause)
    for clause in update.breaks:
        blockers.update(bad.name for bad in clause if bad.name in staying and bad.admits(staying[bad.name].version))
    for other, known in staying.items():
        for clause in known.needs:
            if clause and all(need.name == name and not need.admits(update.version) for need in clause):
                blockers.add(other)
    return blockers


def brought_by(name: str, updates: Versions) -> tuple[str, ...]:
    """The names of `updates` that need the package `name`, over others too; sorted."""
    bringing, todo = set[str](), [name]
    while todo:
        needed = todo.pop()
        for other, update in updates.items():
            if other not in bringing and any(need.name == needed for clause in update.needs for need in clause):
                bringing.add(other)
                todo.append(other)
    return tuple(sorted(bringing - {name}))
