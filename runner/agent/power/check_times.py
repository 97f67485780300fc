"""How long checks at boot took, from the journal: when systemd began and finished each systemd-fsck unit."""

from __future__ import annotations

import json
import mmap
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import clock
from ..command import ask
from ..host.mounts import Mount, device_of, mounts, number_of, superblock, uuid_of
from .contract import CheckTime, WholeCheck

UNITS = ("--unit=systemd-fsck@*.service", "--unit=systemd-fsck-root.service")
ASK = ("journalctl", "--quiet", "--no-pager", "--reverse", "--lines=400", "--output=json", *UNITS)
# systemd.journal-fields(7): what PID 1 says when a unit is being started, and when it has started.
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
STARTED = "39f53479d3a045ac8e11786248231fbf"
ROOT = "systemd-fsck-root.service"
COUNTS = re.compile(r": ([0-9]{1,15})/[0-9]{1,15} files \([0-9.]+% non-contiguous\), ([0-9]{1,18})/[0-9]{1,18} blocks$")
MOST = 10
SLACK = 2 * 10**9

CHUNK = 1 << 20
CHUNKS = 24
LONGEST = 0.5


def times(*only: str) -> tuple[CheckTime, ...] | None:
    """All that the journal knows, newest first; None without systemd or without rights.

    `only` are further options of journalctl, such as `--boot`.
    """
    answer = ask((*ASK, *only), timeout=15)
    return parse(answer.out) if answer.exit == 0 else None


def parse(text: str) -> tuple[CheckTime, ...]:
    """Read the journal's JSON lines, newest first; a line that makes no sense is passed over."""
    begun: dict[tuple[str, str], tuple[int, int]] = {}
    counted: dict[tuple[str, str], tuple[int, int]] = {}
    timed: list[CheckTime] = []
    for entry in reversed(list(_entries(text))):
        # The fields with an underscore are the journal's own; only PID 1 speaks for a unit.
        own = entry.get("_PID") == "1" and entry.get("_UID") == "0"
        unit = entry.get("UNIT") if own else entry.get("_SYSTEMD_UNIT")
        key = (str(entry.get("_BOOT_ID")), str(unit))
        # By the clock that nobody sets: a boot is when the other one jumps.
        ticks, wall = _stamp(entry, "__MONOTONIC_TIMESTAMP"), _stamp(entry, "__REALTIME_TIMESTAMP")
        if not own:
            counts = COUNTS.search(str(entry.get("MESSAGE")))
            if counts:
                counted[key] = (int(counts[1]), int(counts[2]))
        elif entry.get("MESSAGE_ID") == STARTING:
            begun[key] = (ticks, wall)
            counted.pop(key, None)
        elif entry.get("MESSAGE_ID") == STARTED and key in begun:
            at, started = begun.pop(key)
            inodes, blocks = counted.pop(key, (None, None))
            timed.append(CheckTime(device(str(unit)), clock.at(started * 1000), (ticks - at) / 1e6, inodes, blocks))
    return tuple(reversed(timed))


def whole() -> tuple[WholeCheck, ...] | None:
    """The whole checks of ext filesystems that this boot made, newest first; None where the journal cannot be read.

    A unit that only looked whether a check is due is none.
    """
    seen, units = mounts(), times("--boot")
    if units is None:
        return None
    checks = (_whole(check, seen) for check in units)
    return tuple(check for check in checks if check)[:MOST]


def _whole(check: CheckTime, seen: Sequence[Mount]) -> WholeCheck | None:
    root = next((mount for mount in seen if mount.point == "/"), None)
    path = Path(check.device) if check.device else device_of(root) if root else None
    block = superblock(path) if path else b""
    if path is None or not block or not (check.inodes is not None or _within(check, block)):
        return None
    number = number_of(str(path))
    fits = [mount for mount in seen if number and mount.dev == number]
    mount = min(fits, key=lambda mount: len(mount.point), default=None)
    point, uuid = (mount.point, uuid_of(mount)) if mount else ("", "")
    return WholeCheck(device=str(path), mount=point, uuid=uuid, seconds=round(check.seconds, 1))


def _within(check: CheckTime, block: bytes) -> bool:
    """Whether the date of the last check, in its superblock, is that of this one."""
    last = (int.from_bytes(block[0x40:0x44], "little") | block[0x277] << 32) * 10**9
    begun = clock.nanoseconds(check.started.isoformat())
    return begun - SLACK <= last <= begun + int(check.seconds * 1e9) + SLACK


def device(unit: str) -> str:
    """The path of the device that a unit checks: systemd.unit(5), "string escaping"; "" for the root's."""
    if unit == ROOT:
        return ""
    name = unit.partition("@")[2].rpartition(".")[0]
    plain = re.sub(r"\\x([0-9a-f]{2})|-", lambda part: chr(int(part[1], 16)) if part[1] else "/", name)
    return "/" + plain.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def _entries(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


def _stamp(entry: Mapping[str, Any], name: str) -> int:
    text = str(entry.get(name))
    return int(text) if text.isascii() and text.isdigit() else 0


def speed(device: Path) -> float | None:
    """Bytes a second, from the middle of the disk on; None where it is too small or cannot be read so."""
    try:
        descriptor = os.open(device, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        return None
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if size < 4 * CHUNK * CHUNKS:
            return None
        start = size // 2 // CHUNK * CHUNK
        with mmap.mmap(-1, CHUNK) as page:
            # The first pays for waking the disk up and for the way there.
            os.preadv(descriptor, [page], start)
            return _timed(descriptor, page, start + CHUNK)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _timed(descriptor: int, page: mmap.mmap, start: int) -> float:
    begun = time.monotonic()
    read = 0
    for number in range(CHUNKS):
        read += os.preadv(descriptor, [page], start + number * CHUNK)
        if time.monotonic() - begun > LONGEST:
            break
    return read / max(time.monotonic() - begun, 1e-6)
