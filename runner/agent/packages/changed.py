"""Which packages are newer than the boot: what was loaded from their older versions may still run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from .. import durable
from ..answer import Refused
from ..command import ask
from ..host import processes
from ..store.layout import read_json
from .installed import installed, listed

NAME = "since-boot.json"


def remember(state: Path, fresh: Iterable[Sequence[str]]) -> None:
    """Note in `state` packages (name, version) that are new since this boot. Raises OSError."""
    known = {**_remembered(state), **{str(name): str(version) for name, version in fresh}}
    boot = processes.boot_id()
    durable.write_json(state / NAME, {"boot_id": boot, "changed": sorted(map(list, known.items()))}, 0o644)


def since_boot(state: Path, root: Path) -> list[list[str]]:
    """Packages (name, version) that are known to be newer than this boot: what was noted, and what the
    package manager dates after it (true only as far as the clock was). Sorted by name.
    """
    return sorted(list(each) for each in {**_remembered(state), **_dated(root)}.items())


def family(root: Path) -> str:
    """Whose packages this host has: dpkg, rpm, or "" where there is no sign of either."""
    if (root / "var/lib/dpkg/status").is_file():
        return "dpkg"
    known = ("var/lib/rpm", "usr/lib/sysimage/rpm")
    return "rpm" if any((root / each).is_dir() for each in known) else ""


def _remembered(state: Path) -> dict[str, str]:
    found = read_json(state / NAME)
    told = found.get("changed")
    if found.get("boot_id") != processes.boot_id() or not isinstance(told, list):
        return {}
    return {str(each[0]): str(each[1]) for each in told if isinstance(each, list) and len(each) == 2}


def _dated(root: Path) -> dict[str, str]:
    booted = processes.booted(root)
    if not booted:
        return {}
    kind = family(root)
    if kind == "rpm":
        return _rpm_dated(root, booted)
    return _dpkg_dated(root, booted) if kind == "dpkg" else {}


def _dpkg_dated(root: Path, booted: int) -> dict[str, str]:
    # dpkg writes the list of a package's files whenever it unpacks it.
    fresh = []
    for path in (root / "var/lib/dpkg/info").glob("*.list"):
        try:
            if path.stat().st_mtime > booted:
                fresh.append(path.name[: -len(".list")])
        except OSError:
            continue
    if not fresh:
        return {}
    try:
        found = installed(listed("dpkg", {"DPKG_ADMINDIR": str(root / "var/lib/dpkg")}))
    except Refused:
        return dict.fromkeys(fresh, "")
    known = {f"{name}:{arch}": (name, each[0]) for (name, arch), each in found.versions.items()}
    known.update({name: (name, each[0]) for (name, _), each in found.versions.items()})
    return dict(known[each] for each in fresh if each in known)


def _rpm_dated(root: Path, booted: int) -> dict[str, str]:
    shape = "%{INSTALLTIME} %{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"
    answer = ask(("rpm", f"--root={root}", "-qa", "--qf", shape), timeout=60)
    fresh = {}
    for line in answer.out.splitlines():
        fields = line.split(" ")
        if len(fields) == 3 and fields[0].isdigit() and int(fields[0]) > booted:
            fresh[fields[1]] = fields[2].removeprefix("0:")
    return fresh
