"""Which packages are installed, and what became of them: two lists are compared, no message is read."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import durable
from ..answer import Refused
from ..command import ENVIRONMENT
from ..host import processes
from ..store.layout import read_json
from .families import FAMILIES, family

PATIENCE = 600
UNFINISHED = {
    "H": "half-installed",
    "U": "unpacked",
    "F": "half-configured",
    "W": "triggers-awaited",
    "t": "triggers-pending",
}
ABSENT = "nc"

NAME = "since-boot.json"


class InstalledPackages(NamedTuple):
    """Versions by (name, architecture), and those whose installation is unfinished."""

    versions: Mapping[tuple[str, str], tuple[str, ...]]
    unfinished: tuple[tuple[str, str], ...]


def listed(family: str, environment: Mapping[str, str]) -> list[str]:
    """What is installed, as `family` (a word of FAMILIES) lists it, a line a package. Raises Refused.

    An empty family has no packages.
    """
    if not family:
        return []
    if family not in FAMILIES:
        raise Refused(f"no such kind of packages: {family!a}", f"there are: {', '.join(FAMILIES)}")
    listing, needed = FAMILIES[family].listing, FAMILIES[family].needed
    try:
        done = subprocess.run(
            listing,
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
    if needed:
        variable, folder, name = needed
        status = Path(environment.get(variable, folder), name)
        if not status.is_file():
            raise Refused(f"the list of packages cannot be read: no {status}", "have it restored from a backup")
    if done.returncode != 0:
        raise Refused(f"{listing[0]} ended with {done.returncode}", "run it by hand")
    return done.stdout.decode("utf-8", "backslashreplace").splitlines()


def installed(lines: list[str]) -> InstalledPackages:
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
    return InstalledPackages(versions, tuple(sorted(unfinished)))


def changes(before: InstalledPackages, after: InstalledPackages) -> dict[str, Any]:
    """What was upgraded, installed and removed, and what is unfinished now.

    A package of which several versions may be there at once, as with kernels, is never upgraded: one is
    installed, another removed. An architecture is named where a name has more than one.
    """
    known = {*before.versions, *after.versions}
    names = Counter(name for name, _ in known)
    changed: dict[str, list[list[str]]] = {"upgraded": [], "installed": [], "removed": []}
    for name, arch in sorted(known):
        old, new = before.versions.get((name, arch), ()), after.versions.get((name, arch), ())
        shown = f"{name}:{arch}" if names[name] > 1 else name
        if old == new:
            continue
        if len(old) == 1 and len(new) == 1:
            changed["upgraded"].append([shown, old[0], new[0]])
            continue
        changed["installed"].extend([shown, each] for each in sorted(set(new) - set(old)))
        changed["removed"].extend([shown, each] for each in sorted(set(old) - set(new)))
    return {**changed, "unfinished": [list(each) for each in after.unfinished]}


def remember(state: Path, fresh: Iterable[Sequence[str]]) -> None:
    """Note in `state` packages (name, version) that are new since this boot. Raises OSError."""
    known = {**_remembered(state), **{str(name): str(version) for name, version in fresh}}
    boot = processes.boot_id()
    durable.write_json(state / NAME, {"boot_id": boot, "changed": sorted(map(list, known.items()))})


def since_boot(state: Path, root: Path) -> list[list[str]]:
    """Packages (name, version) that are known to be newer than this boot: what was noted, and what the
    package manager dates after it (true only as far as the clock was). Sorted by name.
    """
    return sorted(list(each) for each in {**_remembered(state), **_dated(root)}.items())


def _remembered(state: Path) -> dict[str, str]:
    notes = read_json(state / NAME)
    changed = notes.get("changed")
    if notes.get("boot_id") != processes.boot_id() or not isinstance(changed, list):
        return {}
    return {str(each[0]): str(each[1]) for each in changed if isinstance(each, list) and len(each) == 2}


def _dated(root: Path) -> dict[str, str]:
    time, name = processes.booted(root), family(root)
    if not time or not name:
        return {}
    row = FAMILIES[name]
    labels = row.dated(root, time)
    if all(labels.values()):
        return labels
    environment = {row.needed[0]: str(root / row.needed[1].lstrip("/"))} if row.needed else {}
    try:
        versions = installed(listed(name, environment)).versions
    except Refused:
        return labels
    by_name = {name: each[0] for (name, _), each in versions.items()}
    by_label = {label: versions.get(row.split(label), (by_name.get(label, ""),))[0] for label in labels}
    return {row.split(label)[0]: version for label, version in by_label.items() if version}
