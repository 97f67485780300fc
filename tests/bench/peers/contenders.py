"""Who runs against whom."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping

from tests.bench.peers.bare import INSECURE, BareRsync, has_insecure
from tests.bench.peers.contender import Contender, Place
from tests.bench.peers.linked import DIRVISH_SETTINGS, Dirvish, Rsnapshot
from tests.bench.peers.ours import Runner
from tests.bench.peers.packed import Borg, RdiffBackup, Restic

BARE, OURS, YARDSTICK = "rsync", "runner", "rsync-insecure"
COPYING = "rsnapshot-cp"

MADE: Mapping[str, Callable[[Place], Contender]] = {
    BARE: lambda place: BareRsync(place=place),
    OURS: lambda place: Runner(place=place),
    YARDSTICK: lambda place: BareRsync(place=place, name=YARDSTICK, options=(INSECURE,)),
    COPYING: lambda place: Rsnapshot(place=place, link_dest=False, name=COPYING),
    "rsnapshot": lambda place: Rsnapshot(place=place, link_dest=True, name="rsnapshot"),
    "dirvish": lambda place: Dirvish(place=place),
    "rdiff-backup": lambda place: RdiffBackup(place=place),
    "borg": lambda place: Borg(place=place),
    "restic": lambda place: Restic(place=place),
}
PEERS = tuple(name for name in MADE if name not in (BARE, OURS))

# How each says which it is.
_VERSIONS = {
    "rsync": ("rsync", "--version"),
    "rsnapshot": ("dpkg-query", "-W", "-f", "rsnapshot ${Version}", "rsnapshot"),
    "dirvish": ("dpkg-query", "-W", "-f", "dirvish ${Version}", "dirvish"),
    "rdiff-backup": ("rdiff-backup", "--version"),
    "borg": ("borg", "--version"),
    "restic": ("restic", "version"),
}


def lacking(name: str) -> str:
    """Why this contender cannot run here; "" if it can."""
    program = {YARDSTICK: "rsync", COPYING: "rsnapshot"}.get(name, name)
    if name != OURS and not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"):
        return f"{program} is not installed"
    if name == YARDSTICK and not has_insecure():
        return f"this rsync has no {INSECURE}, nor the walk that it leaves out"
    if name == "dirvish" and not DIRVISH_SETTINGS.is_dir():
        return f"{DIRVISH_SETTINGS} is not there"
    return ""


def versions() -> Mapping[str, str]:
    """What each program that is here says of itself, one line."""
    found = {}
    for name, argv in _VERSIONS.items():
        if not lacking(name):
            done = subprocess.run(argv, check=False, capture_output=True, text=True)
            found[name] = (done.stdout.splitlines() or ["no version"])[0]
    return found
