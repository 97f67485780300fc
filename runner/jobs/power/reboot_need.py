"""Whether a host needs a reboot, and why, in words: no package manager tells the whole of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runner.model.packages import Kernel

_LISTED = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness:
    """What speaks for a reboot: the kernels, the packages (name, version) changed since the boot, whether
    a package asked for one (`flag`), whether process 1 runs replaced files, and what else said so, in words.
    """

    kernel: Kernel = Kernel()
    changed: tuple[tuple[str, str], ...] = ()
    flag: bool = False
    pid1: bool = False
    extra: tuple[str, ...] = ()


def reasons(seen: Witness, patterns: Sequence[str]) -> tuple[str, ...]:
    """Every reason for a reboot now, in words; none where no witness speaks for it. `patterns` are of the names of
    packages that only a reboot takes up.

    No witness is trusted alone to say that there is no need: the flag is gone after a boot of the old
    kernel, and times of installation are wrong where the clock was.
    """
    said = []
    if seen.kernel.running and seen.kernel.newest not in ("", seen.kernel.running):
        said.append(f"kernel {seen.kernel.running} runs, and {seen.kernel.newest} is installed")
    named = needing(seen.changed, patterns)
    if named:
        more = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
        said.append(f"changed since the boot: {', '.join(named[:_LISTED])}{more}")
    if seen.pid1:
        said.append("process 1 still runs files that were replaced")
    if seen.flag:
        said.append("a package asked for it (/run/reboot-required)")
    return (*said, *seen.extra)


def needing(packages: Iterable[tuple[str, str]], patterns: Sequence[str]) -> tuple[str, ...]:
    """Those of the packages (name, version) that only a reboot takes up: `glibc 2.34-100.el9`, each once."""
    found = {
        f"{name} {version}".rstrip(): None
        for name, version in packages
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    }
    return tuple(found)
