"""Which hold keeps a package back that is not held itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.jobs.packages.debian.version import fits

Alternative = tuple[str, str, str]
Clause = tuple[Alternative, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A version that could be installed in place of `old`: what it needs, what it does not suffer.

    A clause is fulfilled by any of its alternatives (name, relation, version).
    """

    old: str
    new: str
    needs: tuple[Clause, ...] = ()
    breaks: tuple[Clause, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fixed:
    """A package that stays as it is: its version ("" if it must not come), what it needs."""

    version: str
    needs: tuple[Clause, ...] = ()


def kept_back(wishes: Mapping[str, Wish], fixed: Mapping[str, Fixed]) -> dict[str, tuple[str, ...]]:
    """For each of `wishes`, the names of `fixed` that stand in its way, over others too; sorted.

    Where no reason can be seen there is one all the same, so all of `fixed` that are wished for are named.
    """
    direct = {name: _direct(name, wish, wishes, fixed) for name, wish in wishes.items()}
    found: dict[str, tuple[str, ...]] = {}
    for name in wishes:
        seen, todo = set[str](), [name]
        while todo:
            for one in direct.get(todo.pop(), ()):
                if one not in seen:
                    seen.add(one)
                    if one not in fixed:
                        todo.append(one)
        culprits = {one for one in seen if one in fixed and one != name}
        found[name] = tuple(sorted(culprits or {one for one in fixed if one in wishes and one != name}))
    return found


def _direct(name: str, wish: Wish, wishes: Mapping[str, Wish], fixed: Mapping[str, Fixed]) -> set[str]:
    """What `wish` cannot have: fixed packages, and others that are only wished for."""
    found: set[str] = set()
    for clause in wish.needs:
        lacking = [one[0] for one in clause if not _there(one, wishes, fixed)]
        if clause and len(lacking) == len(clause):
            found.update(lacking)
    for clause in wish.breaks:
        found.update(one for one, *bound in clause if one in fixed and _fits(fixed[one].version, *bound))
    for other, kept in fixed.items():
        for clause in kept.needs:
            mine = [one for one in clause if one[0] == name]
            if mine and len(mine) == len(clause) and not any(_fits(wish.new, *one[1:]) for one in mine):
                found.add(other)
    return found


def _there(one: Alternative, wishes: Mapping[str, Wish], fixed: Mapping[str, Fixed]) -> bool:
    name, *bound = one
    if name in fixed:
        return _fits(fixed[name].version, *bound)
    return _fits(wishes[name].old, *bound) if name in wishes else True


def _fits(version: str, relation: str, bound: str) -> bool:
    return bool(version) and fits(version, relation, bound)


def brought_by(name: str, wishes: Mapping[str, Wish]) -> tuple[str, ...]:
    """The names of `wishes` that need the package `name`, over others too; sorted."""
    found, todo = set[str](), [name]
    while todo:
        wanted = todo.pop()
        for other, wish in wishes.items():
            if other not in found and any(one[0] == wanted for clause in wish.needs for one in clause):
                found.add(other)
                todo.append(other)
    return tuple(sorted(found - {name}))
