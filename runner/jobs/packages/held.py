"""Which packages the hold patterns of jobs.toml mean on a host, as it is today."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runner.jobs.packages.debian.version import fits as satisfies
from runner.jobs.packages.redhat import rpm
from runner.model.packages import Held, Update

_VERSION = re.compile(r"[0-9]\.[0-9]")

Alternative = tuple[str, str, str]
Clause = tuple[Alternative, ...]

# What dnf says of a package that it may not take; only the names of known updates are looked for in it.
_FILTERED = re.compile(r"package ([^\s]+) is filtered out by exclude filtering")


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a package's name fits one of the patterns, with or without its architecture."""
    names = (name, name.partition(":")[0])
    return any(fnmatchcase(one, pattern) for one in names for pattern in patterns)


def wanted(patterns: Sequence[str], installed: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The installed packages that should be held, sorted.

    Those are the ones whose name fits, and each metapackage that would bring the next of them: all that it
    depends on is at an exact version, fits, and has a version in its very name, so that the next one has
    another name. `installed` maps every name to what it so depends on.
    """
    named = {name for name in installed if fits(name, patterns)}
    bringing = {
        name
        for name, brings in installed.items()
        if brings and all(_VERSION.search(one) and fits(one, patterns) for one in brings)
    }
    return tuple(sorted(named | bringing))


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
    return bool(version) and satisfies(version, relation, bound)


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


def held_back(staying: Sequence[Update], keep: Collection[str], problems: Sequence[str]) -> tuple[Held, ...]:
    """The updates that stay where they are: those of `keep` by their own hold, the others by holds of these.

    dnf's `problems` say which; where they do not, all that are held are named, since one of them it is.
    """
    own = tuple(dict.fromkeys(one.name for one in staying if one.name in keep))
    blocks = _blocks(problems)
    found = []
    for one in staying:
        by = () if one.name in keep else _named(one, blocks, own) or own
        found.append(Held(update=one, by=by))
    return tuple(found)


def _named(update: Update, blocks: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    spec = rpm.Package(name=update.name, arch=update.arch, version=update.new).spec
    said = " ".join(block for block in blocks if spec in block)
    names = {one.name for one in map(rpm.from_spec, _FILTERED.findall(said)) if one}
    return tuple(name for name in own if name in names)


def _blocks(problems: Sequence[str]) -> list[str]:
    blocks: list[str] = []
    for line in problems:
        if line.startswith("Problem") or not blocks:
            blocks.append(line)
        else:
            blocks[-1] += f" {line}"
    return blocks
