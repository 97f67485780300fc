"""`about`: what this host is, beside its files: what somebody needs who makes it again on an empty machine."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..answer import Refused, emit
from ..arguments import parse
from ..packages import changed
from ..packages.installed import listed
from . import about_disks

LONGEST = 1 << 20
FAMILIES = {"debian": "debian", "ubuntu": "debian", "rhel": "redhat", "fedora": "redhat", "centos": "redhat"}
BOOT = (
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
    "/boot/loader/entries",
    "/boot/efi/EFI",
    "/boot/extlinux",
)


def run(argv: Sequence[str]) -> int:
    """Print `{"facts": {...}, "files": {NAME: TEXT}}`; reads only, and tells in `facts.missing` what it could not.

    Two answers are the same as long as the host is: nothing in them counts, measures use or tells the time.
    """
    parse(argv, words=0)
    emit(read())
    return 0


def read() -> dict[str, Any]:
    """See `run`."""
    disks, files, missing = about_disks.read()
    system = _system(Path("/etc/os-release"), Path("/usr/lib/os-release"))
    families = (FAMILIES.get(word, "") for word in (system["id"], *system["like"].split()))
    facts = {
        "format": 1,
        "hostname": platform.node(),
        "system": system["name"],
        "family": next((one for one in families if one), ""),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "firmware": "efi" if Path("/sys/firmware/efi").is_dir() else "bios",
        "boot": [path for path in BOOT if os.path.lexists(path)],
        **disks,
    }
    files |= _packages(missing)
    for name, path in (("fstab.txt", "/etc/fstab"), ("command-line.txt", "/proc/cmdline")):
        files |= _file(name, path, missing)
    files |= about_disks.said("mounts.txt", (("findmnt", "--real", "--list"),), missing)
    files |= _network(missing)
    cut = [name for name, text in files.items() if len(text) > LONGEST]
    missing += [f"{name}: cut off, it is too long" for name in cut]
    return {"facts": {**facts, "missing": missing}, "files": {k: text[:LONGEST] for k, text in files.items()}}


def _system(*paths: Path) -> dict[str, str]:
    """What os-release(5) says, from the first of the files that is there."""
    text = ""
    for path in paths:
        try:
            text = text or path.read_text("utf-8", "backslashreplace")
        except OSError:
            continue
    found = dict(re.findall(r"""^(ID|ID_LIKE|PRETTY_NAME)=["']?([^"'\n]*)""", text, re.MULTILINE))
    words = {"id": "ID", "like": "ID_LIKE", "name": "PRETTY_NAME"}
    return {word: found.get(key, "") for word, key in words.items()}


def _packages(missing: list[str]) -> dict[str, str]:
    # Asked of a host that has no packages of its own, rpm would make a database for the answer.
    family = changed.family(Path("/"))
    if not family:
        missing.append("packages.txt: neither dpkg nor rpm has packages here")
        return {}
    try:
        lines = listed(family, {})
    except Refused as refused:
        missing.append(f"packages.txt: {refused.error}")
        return {}
    return {"packages.txt": "".join(f"{line}\n" for line in sorted(lines))}


def _file(name: str, path: str, missing: list[str]) -> dict[str, str]:
    try:
        return {name: Path(path).read_text("utf-8", "backslashreplace")}
    except OSError as problem:
        missing.append(f"{name}: {path}: {problem.strerror}")
        return {}


def _network(missing: list[str]) -> dict[str, str]:
    # In brief: the long form tells how many seconds an address is still good for.
    commands = (("ip", "-brief", "link"), ("ip", "-brief", "address"), ("ip", "route"))
    return about_disks.said("network.txt", commands, missing)
