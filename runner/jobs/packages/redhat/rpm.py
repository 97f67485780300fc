"""rpm(8): packages, their versions and the order of these, installed kernels, scriptlets that failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import zip_longest

from runner.model.plan import Argv

# One package a line; rpm prints (none) for no epoch unless asked for the number.
INSTALLED = r"%{NAME}|%{EPOCHNUM}|%{VERSION}|%{RELEASE}|%{ARCH}\n"
# What rpm itself allows. Anything else is no package, whatever a repository says.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_VERSION = re.compile(r"(?:[0-9]+:)?[A-Za-z0-9_.+~^]+-[A-Za-z0-9_.+~^]+")
_PIECES = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")
# dnf 4, yum 3, and rpm itself. A scriptlet that fails after the files are in place fails nothing else.
_SCRIPTLET = re.compile(
    r"(?:Error in|Non-fatal) (?P<when>[A-Z]+) scriptlet (?:failure )?in rpm package (?P<name>[^\s]+)"
    r"|(?:warning|error): %(?P<kind>[a-z]+)\((?P<nevra>[^()\s]+)\) scriptlet failed, exit status [0-9]+"
)
# The packages whose version and release are what `uname -r` tells, the usual ones first.
_KERNEL = re.compile(r"kernel(?:-(?:rt|debug|64k|uek|PAE|plus|lt|ml))?(?:-core)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A package: `version` is `epoch:version-release`, without an epoch of 0."""

    name: str
    arch: str
    version: str

    @property
    def spec(self) -> str:
        """What names exactly this package to dnf and yum."""
        return f"{self.name}-{self.version}.{self.arch}"

    @property
    def label(self) -> str:
        """What names it to rpm: old ones know no epoch here."""
        return f"{self.name}-{self.version.partition(':')[2] or self.version}.{self.arch}"


def look(packages: Iterable[Package]) -> Argv:
    """Name each of `packages` that is installed in exactly that version; exit 0 only if all are."""
    return ("rpm", "--query", "--", *(package.label for package in packages))


def package(name: str, arch: str, version: str) -> Package | None:
    """The package, or None where rpm would never accept such a name, architecture or version."""
    version = version.removeprefix("0:")
    if _NAME.fullmatch(name) and _NAME.fullmatch(arch) and _VERSION.fullmatch(version):
        return Package(name=name, arch=arch, version=version)
    return None


def parse(lines: Iterable[str]) -> tuple[Package, ...]:
    """Read lines in the format `INSTALLED`; other lines (`package x is not installed`) are no package."""
    found = []
    for line in lines:
        parts = line.split("|")
        if len(parts) == 5:
            name, epoch, version, release, arch = parts
            found.append(package(name, arch, f"{epoch}:{version}-{release}"))
    return tuple(one for one in found if one)


def from_spec(text: str) -> Package | None:
    """Read `name-[epoch:]version-release.arch`, as `spec` writes it."""
    rest, _, arch = text.rpartition(".")
    name, version, release = (rest.rsplit("-", 2) + ["", ""])[:3]
    return package(name, arch, f"{version}-{release}")


def compare(one: str, other: str) -> int:
    """Order two versions as rpm does: below 0 where `one` is older, 0 where they are the same."""
    for left, right in zip(_split(one), _split(other), strict=True):
        if (order := _order(left, right)) != 0:
            return order
    return 0


def newest(packages: Iterable[Package]) -> Package | None:
    """The package with the newest version, None where there is none."""
    return max(packages, key=_BY_VERSION, default=None)


def newest_kernel(packages: Sequence[Package], running: str) -> str:
    """The release (as `uname -r` tells it) of the newest installed kernel of the running kernel's kind.

    Where no package brought the running kernel, of any kind; "" where no kernel is installed.
    """
    kernels = [one for one in packages if _KERNEL.fullmatch(one.name)]
    kinds = {one.name for one in kernels if running in (_release(one), _release(one).rpartition(".")[0])}
    last = newest(one for one in kernels if one.name in kinds or not kinds)
    return _release(last) if last else ""


def is_kernel(name: str) -> bool:
    """Whether the package of that name is a kernel that can be booted."""
    return _KERNEL.fullmatch(name) is not None


def parse_needs_restarting(code: int | None, lines: Sequence[str]) -> tuple[str, ...] | None:
    """The packages for which `needs-restarting -r` wants a reboot; () where it wants none, None where it did not say.

    Exit 1 is also `No such command`, and 0 what it says of a database that it cannot read: the words count.
    """
    text = "\n".join(lines)
    if code == 1 and "Reboot is required" in text:
        return tuple(line.strip(" *") for line in lines if line.startswith("  * "))
    return () if code == 0 and "Reboot should not be necessary" in text else None


def failed_scriptlets(lines: Iterable[str]) -> tuple[str, ...]:
    """The packages whose scriptlets failed, as a run's log tells: `httpd (postin)`; often the exit is 0."""
    found: dict[str, None] = {}
    for line in lines:
        if seen := _SCRIPTLET.search(line):
            name = seen["name"] or seen["nevra"]
            label = from_spec(name)
            found[f"{label.name if label else name} ({_moment(seen['when'] or seen['kind'])})"] = None
    return tuple(found)


def _older(one: Package, other: Package) -> int:
    return compare(one.version, other.version)


_BY_VERSION = cmp_to_key(_older)


def _moment(word: str) -> str:
    return {"post": "postin", "pre": "prein"}.get(word.lower(), word.lower())


def _release(kernel: Package) -> str:
    return f"{kernel.version.partition(':')[2] or kernel.version}.{kernel.arch}"


def _split(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.rpartition(":")
    upstream, _, release = rest.partition("-")
    return (epoch if colon else "0", upstream, release)


def _order(one: str, other: str) -> int:
    """Compare piece by piece: numbers as numbers, `~` before the end, `^` after it, letters before numbers."""
    for left, right in zip_longest(_PIECES.findall(one), _PIECES.findall(other), fillvalue=""):
        if left == right:
            continue
        left_rank, right_rank = _rank(left), _rank(right)
        if left_rank != right_rank:
            return -1 if left_rank < right_rank else 1
        if left.isdecimal():
            if int(left) != int(right):
                return -1 if int(left) < int(right) else 1
        else:
            return -1 if left < right else 1
    return 0


def _rank(piece: str) -> int:
    if piece in ("~", "", "^"):
        return ("~", "", "^").index(piece)
    return 4 if piece.isdecimal() else 3
