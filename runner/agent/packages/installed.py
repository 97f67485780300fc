"""Which packages are installed, and what became of them: two lists compared, no message read."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..answer import Refused
from ..command import ENVIRONMENT

LISTS = {
    "dpkg": ("dpkg-query", "-W", "-f=${db:Status-Abbrev}\\t${Package}\\t${Architecture}\\t${Version}\\n"),
    "rpm": ("rpm", "-qa", "--qf", "ii \\t%{NAME}\\t%{ARCH}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"),
}
PATIENCE = 600
UNFINISHED = {
    "H": "half-installed",
    "U": "unpacked",
    "F": "half-configured",
    "W": "triggers-awaited",
    "t": "triggers-pending",
}
ABSENT = "nc"


class Installed(NamedTuple):
    """Versions by (name, architecture), and those whose installation has not come to its end."""

    versions: Mapping[tuple[str, str], tuple[str, ...]]
    unfinished: tuple[tuple[str, str], ...]


def listed(family: str, environment: Mapping[str, str]) -> list[str]:
    """What `family` (dpkg or rpm) says is installed, a line a package. Raises Refused.

    An empty family has no packages.
    """
    if not family:
        return []
    if family not in LISTS:
        raise Refused(f"no such kind of packages: {family!a}", f"there are: {', '.join(LISTS)}")
    try:
        done = subprocess.run(
            LISTS[family],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**ENVIRONMENT, **environment},
            cwd="/",
            timeout=PATIENCE,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Refused(f"the list of packages cannot be read: {problem}", "run it by hand") from None
    # Where there is no database dpkg-query ends with 0 as if nothing were installed.
    status = Path(environment.get("DPKG_ADMINDIR", "/var/lib/dpkg"), "status")
    if family == "dpkg" and not status.is_file():
        raise Refused(f"the list of packages cannot be read: no {status}", "have it restored from a backup")
    if done.returncode != 0:
        raise Refused(f"{LISTS[family][0]} ended with {done.returncode}", "run it by hand")
    return done.stdout.decode("utf-8", "backslashreplace").splitlines()


def installed(lines: list[str]) -> Installed:
    """Read what `listed` gave."""
    versions: dict[tuple[str, str], tuple[str, ...]] = {}
    unfinished = []
    for line in lines:
        fields = line.split("\t")
        if len(fields) != 4 or len(fields[0]) < 2 or fields[0][1] in ABSENT:
            continue
        state, name, arch, version = fields
        versions[name, arch] = (*versions.get((name, arch), ()), version.removeprefix("0:"))
        if state[1] in UNFINISHED:
            unfinished.append((name, UNFINISHED[state[1]]))
        elif state[2:].strip():
            unfinished.append((name, "must be installed again"))
    return Installed(versions, tuple(sorted(unfinished)))


def changes(before: Installed, after: Installed) -> dict[str, Any]:
    """What was upgraded, installed and removed, and what is unfinished now.

    A package of which several versions may be there at once, as with kernels, is never upgraded: one is
    installed, another removed. An architecture is named where a name has more than one.
    """
    known = {*before.versions, *after.versions}
    names = Counter(name for name, _ in known)
    told: dict[str, list[list[str]]] = {"upgraded": [], "installed": [], "removed": []}
    for name, arch in sorted(known):
        old, new = before.versions.get((name, arch), ()), after.versions.get((name, arch), ())
        shown = f"{name}:{arch}" if names[name] > 1 else name
        if old == new:
            continue
        if len(old) == 1 and len(new) == 1:
            told["upgraded"].append([shown, old[0], new[0]])
            continue
        told["installed"].extend([shown, each] for each in sorted(set(new) - set(old)))
        told["removed"].extend([shown, each] for each in sorted(set(old) - set(new)))
    return {**told, "unfinished": [list(each) for each in after.unfinished]}
