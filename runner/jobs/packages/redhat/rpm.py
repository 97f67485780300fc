"""rpm(8): packages, their versions and the order of these, installed kernels, scriptlets that failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.model.packages import Update
from runner.model.plan import Argv
from runner.model.text import digit_order

# One package a line; rpm prints (none) for no epoch unless asked for the number.
INSTALLED = r"%{NAME}|%{EPOCHNUM}|%{VERSION}|%{RELEASE}|%{ARCH}\n"
# What rpm itself allows. Anything else is no package, whatever a repository says.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_VERSION = re.compile(r"(?:[0-9]+:)?[A-Za-z0-9_.+~^]+-[A-Za-z0-9_.+~^]+")
Pieces = tuple[tuple[int, int, str], ...]
_PIECES = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")
# dnf 4, yum 3, and rpm itself. A scriptlet that fails after the files are in place fails nothing else.
_SCRIPTLET = re.compile(
    r"(?:Error in|Non-fatal) (?P<when>[A-Z]+) scriptlet (?:failure )?in rpm package (?P<name>[^\s]+)"
    r"|(?:warning|error): %(?P<kind>[a-z]+)\((?P<nevra>[^()\s]+)\) scriptlet failed, exit status [0-9]+"
)
# The packages whose version and release are what `uname -r` tells, the usual ones first.
_KERNEL = re.compile(r"kernel(?:-(?:rt|debug|64k|uek|PAE|plus|lt|ml))?(?:-core)?")


class Package(NamedTuple):
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


def newer(update: Update) -> Package:
    """The package that an update brings."""
    return Package(name=update.name, arch=update.arch, version=update.new)


def package(name: str, arch: str, version: str) -> Package | None:
    """The package, or None where rpm would never accept such a name, architecture or version."""
    version = version.removeprefix("0:")
    if _NAME.fullmatch(name) and _NAME.fullmatch(arch) and _VERSION.fullmatch(version):
        return Package(name=name, arch=arch, version=version)
    return None


def parse(lines: Iterable[str]) -> tuple[Package, ...]:
    """Read lines in the format `INSTALLED`; other lines (`package x is not installed`) are no package."""
    rows = [row for row in (line.split("|") for line in lines) if len(row) == 5]
    packages = (package(name, arch, f"{epoch}:{version}-{release}") for name, epoch, version, release, arch in rows)
    return tuple(filter(None, packages))


def from_spec(text: str) -> Package | None:
    """Read `name-[epoch:]version-release.arch`, as `spec` writes it."""
    rest, _, arch = text.rpartition(".")
    name, version, release = (rest.rsplit("-", 2) + ["", ""])[:3]
    return package(name, arch, f"{version}-{release}")


def key(version: str) -> tuple[Pieces, Pieces, Pieces]:
    """A key by which versions sort as rpm orders them: by epoch, version, release."""
    epoch, colon, rest = version.rpartition(":")
    upstream, _, release = rest.partition("-")
    return (_pieces(epoch if colon else "0"), _pieces(upstream), _pieces(release))


def newest(packages: Iterable[Package]) -> Package | None:
    """The package with the newest version, None where there is none."""
    return max(packages, key=lambda package: key(package.version), default=None)


def newest_kernel(packages: Sequence[Package], running: str) -> str:
    """The release (as `uname -r` tells it) of the newest installed kernel of the running kernel's kind.

    Where no package brought the running kernel, of any kind; "" where no kernel is installed.
    """
    kernels = [package for package in packages if is_kernel(package.name)]
    kinds = {kernel.name for kernel in kernels if running in (_release(kernel), _release(kernel).rpartition(".")[0])}
    last = newest(kernel for kernel in kernels if kernel.name in kinds or not kinds)
    return _release(last) if last else ""


def is_kernel(name: str) -> bool:
    """Whether the package of that name is a kernel that can be booted."""
    return _KERNEL.fullmatch(name) is not None


def parse_needs_restarting(code: int | None, lines: Sequence[str]) -> tuple[str, ...] | None:
    """The packages for which `needs-restarting -r` wants a reboot; () where it wants none, None where that is unknown.

    Exit 1 is also `No such command`, and 0 is its end where it cannot read the database: the words count.
    """
    text = "\n".join(lines)
    if code == 1 and "Reboot is required" in text:
        return tuple(line.strip(" *") for line in lines if line.startswith("  * "))
    return () if code == 0 and "Reboot should not be necessary" in text else None


def failed_scriptlets(lines: Iterable[str]) -> tuple[str, ...]:
    """The packages whose scriptlets failed, as the log of a run has them: `httpd (postin)`; often the exit is 0."""
    scripts: dict[str, None] = {}
    for line in lines:
        if failure := _SCRIPTLET.search(line):
            name = failure["name"] or failure["nevra"]
            spec = from_spec(name)
            scripts[f"{spec.name if spec else name} ({_moment(failure['when'] or failure['kind'])})"] = None
    return tuple(scripts)


def _moment(word: str) -> str:
    return {"post": "postin", "pre": "prein"}.get(word.lower(), word.lower())


def _release(kernel: Package) -> str:
    return f"{kernel.version.partition(':')[2] or kernel.version}.{kernel.arch}"


def _pieces(text: str) -> Pieces:
    return tuple(map(_weight, (*_PIECES.findall(text), "")))


def _weight(piece: str) -> tuple[int, int, str]:
    # `~` comes before the end, `^` after it, then letters, then numbers, as numbers.
    if piece in ("~", "", "^"):
        return (("~", "", "^").index(piece), 0, "")
    return (4, *digit_order(piece)) if piece.isdecimal() else (3, 0, piece)
