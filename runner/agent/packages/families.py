"""The families of packages, a row each: how a host's packages are listed and named, and who changes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..answer import plain
from ..command import ask

PATIENCE = 40


class OwnCommand(NamedTuple):
    """A command that jobs about packages say: how many words of it are always the same, and SHA-256 of these.

    `rest` is what the words after them are (see policy/upkeep/commands.py), `use` who says it: a look, a step of a
    plan, or what a plan has go on without its connection. `upgrade`: only a job of that kind, which frees what is held.
    `ends`: also a job that ends the host.
    """

    digest: str
    fixed: int
    use: str
    rest: str = ""
    upgrade: bool = False
    ends: bool = False


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
    `own` are the commands of our jobs, `change` is a pattern of what names a package in its new version to them.
    `strange` are those of such words that are no upgrade of what is installed here, nor come with one, by the lists and
    settings of this host; `held` has what it holds freed. All of them, where that cannot be known.
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
    own: tuple[OwnCommand, ...]
    change: re.Pattern[str]
    strange: Callable[[Sequence[str], bool], tuple[str, ...]]
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


# Inst NAME [OLD] (NEW ...): a package whose new version a simulation would install.
_INST = re.compile(r"Inst (\S+) (?:\[\S+\] )?\((\S+) .*")


def _strange_to_apt(words: Sequence[str], held: bool) -> tuple[str, ...]:
    freed = ("--ignore-hold",) if held else ()
    answer = ask(("apt-get", "-s", "-q", "--with-new-pkgs", *freed, "upgrade"), timeout=PATIENCE)
    offered = {f"{row[1]}={row[2]}" for row in map(_INST.fullmatch, answer.out.splitlines()) if row}
    return tuple(word for word in words if word not in offered)


def _strange_to_rpm(words: Sequence[str], held: bool) -> tuple[str, ...]:
    program = "dnf" if ask(("dnf", "--version"), timeout=PATIENCE).exit == 0 else "yum"
    options = ("--color=never", "--setopt=obsoletes=0", "--setopt=best=0")
    answer = ask((program, "-C", *options, "--assumeno", "upgrade"), timeout=2 * PATIENCE)
    # Its table breaks rows where they are long; a package, its architecture and its version stand side by side.
    table = answer.out.split()
    offered = {f"{name}-{version}.{arch}" for name, arch, version in zip(table, table[1:], table[2:])}  # noqa: B905
    return tuple(word for word in words if word not in offered)


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
        change=re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*(?::[a-z0-9-]+)?=[A-Za-z0-9][A-Za-z0-9.+:~_-]*(?<!-)"),
        strange=_strange_to_apt,
        own=(
            # What the survey of jobs/packages/debian asks, then apt, dpkg, and the holds.
            OwnCommand("95fa50136a37f0114d46d9428619d1077a5f61e3a7b7674435688d0fbc0e81ee", 4, "look", "patterns"),
            OwnCommand("13c61df32b737d98eef7cbe367960edbdd6f06b9240202455294acc74adaa396", 2, "look", ends=True),
            OwnCommand("e3073203d03f0f470fec29e494df4357f50f135a9cf7b2d9b497fede70ab9c2d", 14, "step"),
            OwnCommand("213697ead1a5867b4193529a79120436c7049735f6ba44d940a77485104a5960", 14, "step"),
            OwnCommand("374305ba336209b73cab2d24879c2cb669ad0ef8bbf0757a12fb6ebafb28e625", 3, "step"),
            OwnCommand("865d18f46877864ae93e46357982504a4ebb0b5a345ce1f7f151b5fc14bba64a", 4, "step", "names"),
            OwnCommand("8271b70b8d3a86e6d79282cab2b5f232cdc022866f402328a5f711df621a4e86", 4, "step", "names"),
            OwnCommand("ec01855027388dbecbfdb711f2defa8eae39a255873ee8a407b9a732475401c6", 28, "detached", "changes"),
            OwnCommand("57700d477733c558c479deacec29aaafe511edac248a5f3ccc7e18a71fdf4163", 5, "detached"),
            OwnCommand(
                "cd6b22fc48b25109b0b3b94ae4d8ae272eb9a14674b25f0def8ebd56c17d40af", 4, "detached", "freeing", True
            ),
        ),
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
        change=re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*-(?:[0-9]+:)?[A-Za-z0-9_.+~^]+-[A-Za-z0-9_.+~^]+"),
        strange=_strange_to_rpm,
        own=(
            # What is looked at with either program, then the lists fetched, what is installed seen, and installing.
            OwnCommand("4998dcbe7997523ce091f3658074db9d4544a636629d2b2745f2ab2626cd3bfd", 5, "look", "patterns"),
            OwnCommand("233848c5c911de45ede2f19b1305b2118ebcad00a966cac9498c3ba01a050c6a", 5, "look", "patterns"),
            OwnCommand("921644b8b3fe3c61f36a419550666d119e762fff8e7a5bff45d42139b90d6e6a", 5, "look", "patterns"),
            OwnCommand("bdffbd2c405fce352b99a94b25c31acc43b2a6851b82c227ba2aea4333624ede", 9, "step"),
            OwnCommand("9b07a83d5551e4829f2b48847d41d653eb2f842b4a2f9f8af51993971744a81f", 9, "step"),
            OwnCommand("b2b56a621d587fbe887fb5306376c1d4ce56a7decbe635cfc9c1cdcf26283344", 11, "step"),
            OwnCommand("6ef4536b4ec3083db4a8a3572f820c7e698a3a168c384beb7ab72ec5f42c7121", 11, "step"),
            OwnCommand("57a82577f1589683a10c5505f6694702dab271abe4b2482ee500e062dfd06c8a", 3, "step", "labels"),
            OwnCommand("d9574c0a3d7c6d5bdc9a9039ce7f5a584cce9029c73e88b1e3733314b62a79c1", 7, "detached", "kept"),
            OwnCommand("6dac6d3ea06f4a28c1781ba4ef713d75a4b085211167f16fc39a2967d4c8a62b", 8, "detached", "kept"),
        ),
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
