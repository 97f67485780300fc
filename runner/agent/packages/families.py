"""The families of packages, a row each: how a host's packages are listed and named, and who changes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..command import ask

PATIENCE = 40


class Family(NamedTuple):
    """What differs. `listing` prints STATE, NAME, ARCHITECTURE and VERSION, a line a package.

    `needed` is a file without which there is no list: a variable of the environment, the folder that it
    says otherwise, a name. `signs` are what is there below the root on a host of this family. `split`
    takes a package's label apart: name, architecture. `native` are the architectures of one that is named
    without any. `offered` are the versions by name that can be had, None where that cannot be told.
    `programs` change packages, `reads` are words with which they only read, `locks` what they hold.
    """

    listing: tuple[str, ...]
    signs: tuple[str, ...]
    split: Callable[[str], tuple[str, str]]
    programs: tuple[str, ...]
    reads: Mapping[str, re.Pattern[bytes]]
    locks: tuple[str, ...]
    needed: tuple[str, ...] = ()
    native: Callable[[], tuple[str, ...]] = tuple
    offered: Callable[[Sequence[str]], Mapping[str, set[str]] | None] = lambda names: None


def _colon(label: str) -> tuple[str, str]:
    name, _, arch = label.partition(":")
    return name, arch


def _dot(label: str) -> tuple[str, str]:
    # rpm's names have dots of their own, and dpkg's none of its colons.
    name, _, arch = label.rpartition(".")
    return name, arch


def _native() -> tuple[str, ...]:
    return (ask(("dpkg", "--print-architecture"), timeout=PATIENCE).out.strip(), "all")


def _madison(names: Sequence[str]) -> Mapping[str, set[str]] | None:
    answer = ask(("apt-cache", "madison", *names), timeout=PATIENCE)
    if answer.exit != 0:
        return None
    known: dict[str, set[str]] = {}
    for line in answer.out.splitlines():
        label, _, rest = line.partition("|")
        known.setdefault(label.strip().partition(":")[0], set()).add(rest.partition("|")[0].strip())
    return known


FAMILIES: Mapping[str, Family] = {
    "dpkg": Family(
        listing=("dpkg-query", "-W", "-f=${db:Status-Abbrev}\\t${Package}\\t${Architecture}\\t${Version}\\n"),
        # Where there is no database dpkg-query ends with 0 as if nothing were installed.
        needed=("DPKG_ADMINDIR", "/var/lib/dpkg", "status"),
        signs=("var/lib/dpkg/status",),
        split=_colon,
        native=_native,
        offered=_madison,
        programs=("dpkg", "apt-get", "apt", "aptitude"),
        reads={
            "dpkg": re.compile(
                rb"--audit|-C|-[lsLSpV]|--(list|status|search|verify|print-.*|get-selections|compare-versions)"
            ),
            "apt-get": re.compile(rb"-s|--simulate|--just-print|--print-uris|check"),
        },
        locks=("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock"),
    ),
    "rpm": Family(
        listing=("rpm", "-qa", "--qf", "ii \\t%{NAME}\\t%{ARCH}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"),
        signs=("var/lib/rpm", "usr/lib/sysimage/rpm"),
        split=_dot,
        programs=("yum", "dnf", "rpm"),
        reads={"rpm": re.compile(rb"-q.*|--query|-V.*|--verify|--eval|-E|--version")},
        locks=("var/lib/rpm/.rpm.lock",),
    ),
}
PROGRAMS = frozenset(name for each in FAMILIES.values() for name in each.programs)
# Looks of our own run beside one that is asked about.
READS = {name: words for each in FAMILIES.values() for name, words in each.reads.items()}
LOCKS = tuple(path for each in FAMILIES.values() for path in each.locks)


def family(root: Path) -> str:
    """Whose packages this host has, a word of FAMILIES, or "" where there is no sign of any."""
    found = (name for name, each in FAMILIES.items() if any((root / sign).exists() for sign in each.signs))
    return next(found, "")
