"""How a key may end this host, what a job looks at before, and how often it may in a day."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ... import durable, regular
from ...answer import Denied, Refused
from .. import refusals
from ..rights import Rights
from . import disks
from .here import Here

ENDS: Mapping[tuple[str, ...], str] = {
    ("systemctl", "reboot"): "reboot",
    ("systemctl", "reboot", "--check-inhibitors=yes"): "reboot",
    ("shutdown", "-r", "now"): "reboot",
    ("systemctl", "poweroff"): "poweroff",
    ("systemctl", "poweroff", "--check-inhibitors=yes"): "poweroff",
    ("shutdown", "-h", "-P", "now"): "poweroff",
}
# A day has one, and each that a mistake wants again. A thief who can do it for ever serves nobody.
MOST = 4
_LOOKS = (("systemctl", "--version"), ("cat", "--", "/etc/fstab"))
# Who is connected to the database: SHA-256 of the words that ask it, as JSON (see docs/decisions/0012).
SESSIONS = "589024270904ae963d134ceb9f2a6e93ec30945f5774af0173ff3ccac27c7dd6"
_WORDS = (("sync",),)
_CHECK = ("e2fsck", "-p", "-f", "--")
_EVERY, _MOUNTS = re.compile(r"[0-9]{1,9}[ds]?"), re.compile(r"-?[0-9]{1,5}")
_DAY = 86_400 * 10**9
_LONGEST = 4096


def digest(words: Sequence[str]) -> str:
    """By what these words are known."""
    return hashlib.sha256(json.dumps(list(words)).encode()).hexdigest()


def is_look(rights: Rights, words: tuple[str, ...], here: Here) -> bool:
    """Whether a job that ends a host asks this before, and the key may end it."""
    return bool(rights.power) and (words in _LOOKS or digest(words) == SESSIONS)


def is_step(rights: Rights, words: tuple[str, ...], here: Here) -> bool:
    """Whether such a job does this, to the disks of the key's stores or to no disk at all."""
    if not rights.power:
        return False
    if words in ENDS:
        return ENDS[words] in rights.power
    if words[:2] in (("umount", "--"), ("mount", "--")):
        return len(words) == 3 and disks.is_own_mount(rights, words[2])
    if words[:1] == ("tune2fs",) and words[1::2] == ("-i", "-c", "--") and len(words) == 7:
        every, most, device = words[2::2]
        fits = _EVERY.fullmatch(every) is not None and _MOUNTS.fullmatch(most) is not None
        return fits and here.is_own_device(rights, device)
    return words in _WORDS


def is_detached(rights: Rights, words: tuple[str, ...], here: Here) -> bool:
    """Whether such a job has this go on without its connection: the check of a disk."""
    return bool(rights.power) and words[:-1] == _CHECK and here.is_own_device(rights, words[-1])


def count(key: str, folder: Path = refusals.FOLDER) -> None:
    """Count one more end of this host; Denied where it had as many in a day as it may. For whoever is about to.

    What cannot be counted is not done. Times are this host's; one that lies ahead counts, whatever the clock did.
    """
    file, now = folder / "ends.json", time.time_ns()
    try:
        with refusals.locked(folder):
            ends = [each for each in _known(file) if abs(now - each) < _DAY]
            if len(ends) >= MOST:
                raise Denied(
                    f"the key {key} ended this host {len(ends)} times in the last 24 hours, which is all it may",
                    f"wait, or end it at its console; a person there who knows why: rm {file}",
                )
            durable.write_json(file, {"ends": [*ends, now]})
    except OSError as problem:
        do = f"see at its console why {folder} cannot be written"
        raise Refused(f"that the host ends cannot be counted: {problem.strerror}", do) from problem


def _known(file: Path) -> list[int]:
    try:
        return [int(each) for each in json.loads(regular.content(file, _LONGEST))["ends"]]
    except FileNotFoundError:
        return []
    except (ValueError, LookupError, TypeError) as problem:
        raise Refused(f"{file} cannot be read", f"remove it at the console: rm {file}") from problem
