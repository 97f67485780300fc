"""The families of packages, a row each: how a host's packages are listed and named, and who changes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..answer import plain
from ..command import ask

PATIENCE = 40


class FamilyRow(NamedTuple):
    """What differs. `listing` prints STATE, NAME, ARCHITECTURE and VERSION, a line a package.

    `needed` is a file without which there is no list: a variable of the environment, the folder that is meant
    without it, a name. `signs` are what is there below the root on a host of this family. `mark` stands between
    the name and the architecture in a package's label, and `native` are the architectures that are meant
    without one. `offered` are the versions by name that can be had, None where that cannot be known.
    `dated` are the packages below a root that were installed after a time in seconds: versions by label, ""
    where only `listing` has them. `kernel` is the release of the kernel that was installed last, as the
    database has it, "" if it does not.
    `failed` are packages and why each failed, of what its programs wrote into the file of RUNNER_EVENTS.
    `programs` change packages, `reads` are words with which they only read, `locks` what they hold.
    `beside` are endings of new configuration files that are put beside a person's, `aside` a pattern of
    endings that make a kernel's file none.
    """

    listing: tuple[str, ...]
    signs: tuple[str, ...]
    mark: str
    dated: Callable[[Path, int], dict[str, str]]
    programs: tuple[str, ...]
    reads: Mapping[str, re.Pattern[bytes]]
    locks: tuple[str, ...]
    beside: tuple[str, ...]
    aside: str
    needed: tuple[str, ...] = ()
    native: Callable[[], tuple[str, ...]] = tuple
    offered: Callable[[Sequence[str]], Mapping[str, set[str]] | None] = lambda names: None
    kernel: Callable[[], str] = str
    failed: Callable[[bytes], tuple[tuple[str, str], ...]] = lambda events: ()

    def split(self, label: str) -> tuple[str, str]:
        """The name and the architecture in a label, "" where it has none; a name may have a mark of its own."""
        name, mark, arch = label.rpartition(self.mark)
        return (name, arch) if mark else (label, "")


def _native() -> tuple[str, ...]:
    return (ask(("dpkg", "--print-architecture"), timeout=PATIENCE).out.strip(), "all")


def _madison(names: Sequence[str]) -> Mapping[str, set[str]] | None:
    answer = ask(("apt-cache", "madison", *names), timeout=PATIENCE)
    if answer.exit != 0:
        return None
    versions: dict[str, set[str]] = {}
    for line in answer.out.splitlines():
        label, _, rest = line.partition("|")
        versions.setdefault(label.strip().partition(":")[0], set()).add(rest.partition("|")[0].strip())
    return versions


def _apt_failed(events: bytes) -> tuple[tuple[str, str], ...]:
    rows = (plain(line).split(":", 3) for line in events.split(b"\n") if line.startswith(b"pmerror:"))
    # Before a package is unpacked it is named by its file, NAME_VERSION_ARCHITECTURE.deb.
    known = ((row[1].rpartition("/")[2].partition("_")[0], row[3].strip()) for row in rows if len(row) == 4)
    return tuple(dict.fromkeys(known))


def _unpacked_since(root: Path, time: int) -> dict[str, str]:
    # dpkg writes the list of a package's files whenever it unpacks it.
    lists = (root / "var/lib/dpkg/info").glob("*.list")
    return {path.name[: -len(".list")]: "" for path in lists if _changed_since(path, time)}


def _changed_since(path: Path, time: int) -> bool:
    try:
        return path.stat().st_mtime > time
    except OSError:
        return False


def _installed_since(root: Path, time: int) -> dict[str, str]:
    shape = "%{INSTALLTIME} %{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"
    answer = ask(("rpm", f"--root={root}", "-qa", "--qf", shape), timeout=60)
    rows = (line.split(" ") for line in answer.out.splitlines())
    return {
        row[1]: row[2].removeprefix("0:") for row in rows if len(row) == 3 and row[0].isdigit() and int(row[0]) > time
    }


def _last_kernel() -> str:
    # Kernels that are not in /boot by that name: the one installed last is what is booted next.
    shape = "%{INSTALLTIME} %{VERSION}-%{RELEASE}.%{ARCH}\\n"
    answer = ask(("rpm", "-q", "kernel-core", "kernel", "--qf", shape), timeout=30)
    rows = (line.split(" ") for line in answer.out.splitlines())
    dated = [(int(row[0]), row[1]) for row in rows if len(row) == 2 and row[0].isdecimal()]
    return max(dated)[1] if dated else ""


FAMILIES: Mapping[str, FamilyRow] = {
    "dpkg": FamilyRow(
        listing=("dpkg-query", "-W", "-f=${db:Status-Abbrev}\\t${Package}\\t${Architecture}\\t${Version}\\n"),
        # Where there is no database dpkg-query ends with 0 as if nothing were installed.
        needed=("DPKG_ADMINDIR", "/var/lib/dpkg", "status"),
        signs=("var/lib/dpkg/status",),
        mark=":",
        dated=_unpacked_since,
        native=_native,
        offered=_madison,
        failed=_apt_failed,
        programs=("dpkg", "apt-get", "apt", "aptitude"),
        reads={
            "dpkg": re.compile(
                rb"--audit|-C|-[lsLSpV]|--(list|status|search|verify|print-.*|get-selections|compare-versions)"
            ),
            "apt-get": re.compile(rb"-s|--simulate|--just-print|--print-uris|check"),
        },
        locks=("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock"),
        beside=(".dpkg-dist", ".ucf-dist"),
        aside="dpkg-[a-z]+",
    ),
    "rpm": FamilyRow(
        listing=("rpm", "-qa", "--qf", "ii \\t%{NAME}\\t%{ARCH}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"),
        signs=("var/lib/rpm", "usr/lib/sysimage/rpm"),
        mark=".",
        dated=_installed_since,
        kernel=_last_kernel,
        programs=("yum", "dnf", "rpm"),
        reads={"rpm": re.compile(rb"-q.*|--query|-V.*|--verify|--eval|-E|--version")},
        locks=("var/lib/rpm/.rpm.lock",),
        beside=(".rpmnew", ".rpmsave"),
        aside="rpm[a-z]+",
    ),
}
PROGRAMS = frozenset(name for row in FAMILIES.values() for name in row.programs)
# Looks of our own run beside one that is asked about.
READS = {name: words for row in FAMILIES.values() for name, words in row.reads.items()}
LOCKS = tuple(path for row in FAMILIES.values() for path in row.locks)
BESIDE = tuple(ending for row in FAMILIES.values() for ending in row.beside)
ASIDE = "|".join(row.aside for row in FAMILIES.values())


def family(root: Path) -> str:
    """Whose packages this host has, a word of FAMILIES, or "" where there is no sign of any."""
    signs = ((name, sign) for name, row in FAMILIES.items() for sign in row.signs)
    return next((name for name, sign in signs if (root / sign).exists()), "")
