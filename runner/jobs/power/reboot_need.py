"""Whether a host needs a reboot, and why, in words: no package manager tells the whole of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from runner.tools.detached import Outdated

_LISTED = 12


def reasons(outdated: Outdated, patterns: Sequence[str]) -> tuple[str, ...]:
    """Every reason for a reboot now, in words. `patterns` are of the names of packages that only a reboot takes up.

    No witness is trusted alone to deny the need: the flag is gone after a boot of the old kernel, and times
    of installation are wrong where the clock was.
    """
    texts = []
    if outdated.running and outdated.newest not in ("", outdated.running):
        texts.append(f"kernel {outdated.running} runs, and {outdated.newest} is installed")
    packages = needing(outdated.changed, patterns)
    if packages:
        more = f" and {len(packages) - _LISTED} more" if len(packages) > _LISTED else ""
        texts.append(f"changed since the boot: {', '.join(packages[:_LISTED])}{more}")
    if outdated.pid1:
        texts.append("process 1 still runs files that were replaced")
    if outdated.flag:
        texts.append("a package asked for it (/run/reboot-required)")
    return tuple(texts)


def needing(packages: Iterable[tuple[str, str]], patterns: Sequence[str]) -> tuple[str, ...]:
    """Those of the packages (name, version) that only a reboot takes up: `glibc 2.34-100.el9`, each once."""
    texts = (
        f"{name} {version}".rstrip()
        for name, version in packages
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    )
    return tuple(dict.fromkeys(texts))
