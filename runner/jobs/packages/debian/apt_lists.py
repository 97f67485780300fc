"""What apt-get(8) says it would do (`-s`), and what apt-cache(8) shows of the versions it would install."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from runner.jobs.packages.debian import dpkg
from runner.jobs.packages.debian.apt_origins import is_security
from runner.model.packages import Update

# Inst NAME [OLD] (NEW ORIGIN [ARCH]) and whatever; these lines are not translated, and stayed the same in apt 3.
_INST = re.compile(
    r"Inst (?P<name>\S+) (?:\[(?P<old>[^]\s]+)\] )?"
    r"\((?P<new>[^\s()]+)(?: (?P<origin>[^\[].*?))?(?: \[(?P<arch>[a-z0-9-]+)\])?\)(?: .*)?"
)
_REMV = re.compile(r"Remv (\S+) .*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A version that could be installed: what it needs, and what must not be there with it."""

    name: str
    version: str
    needs: tuple[dpkg.Clause, ...] = ()
    breaks: tuple[dpkg.Clause, ...] = ()


def simulated(lines: Iterable[str]) -> tuple[Update, ...]:
    """The `Inst` lines of a simulation, in its order; others are passed over."""
    found = (_INST.fullmatch(line) for line in lines)
    return tuple(
        Update(
            name=one["name"], arch=one["arch"] or "", old=one["old"] or "", new=one["new"],
            origin=one["origin"] or "", security=is_security(one["origin"] or ""),
        )
        for one in found
        if one
    )  # fmt: skip


def removed(lines: Iterable[str]) -> tuple[str, ...]:
    """The names of the `Remv` lines of a simulation."""
    return tuple(found[1] for line in lines if (found := _REMV.fullmatch(line)))


def candidates(lines: Iterable[str], native: str) -> tuple[Candidate, ...]:
    """Read what `apt-cache show` told of some packages, with only the fields that are needed here."""
    paragraphs: list[dict[str, str]] = []
    for line in lines:
        field, _, text = line.partition(": ")
        if field == "Package":
            paragraphs.append({})
        if paragraphs:
            paragraphs[-1][field] = text
    return tuple(
        Candidate(
            name=dpkg.name_of(one["Package"], one.get("Architecture", ""), native),
            version=one.get("Version", ""),
            needs=(*dpkg.clauses(one.get("Pre-Depends", "")), *dpkg.clauses(one.get("Depends", ""))),
            breaks=(*dpkg.clauses(one.get("Breaks", "")), *dpkg.clauses(one.get("Conflicts", ""))),
        )
        for one in paragraphs
    )
