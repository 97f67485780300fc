"""`runner-agent boot-checks`: what one host says of its ext filesystems and of what its boots check."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runner.jobs.disks import tune2fs
from runner.jobs.disks.tune2fs import Shape, Superblock
from runner.model.facts import Probe, Reading

ID = "fsck"


@dataclass(frozen=True, kw_only=True, slots=True)
class Took:
    """A check unit of a boot as the journal has it; the counts are e2fsck's, None where it counted nothing."""

    started: datetime
    seconds: float
    inodes: int | None = None
    blocks: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Extfs:
    """One ext2, ext3 or ext4 filesystem; `asked` are the declared devices that it is on.

    `mount` is where it is mounted now, `place` where fstab mounts it, "" for nowhere. `passno` is the last
    column of its line in fstab, None without a line. `used` (bytes) and `inodes_used` are the mounted
    filesystem's own, or else the superblock's. By the group table, None where that cannot be read: `table`,
    the bytes of inode tables that a check reads, and `directories`. `speed` is in bytes a second.
    `problem` says why it cannot be read.
    """

    device: str
    asked: tuple[str, ...] = ()
    mount: str = ""
    place: str = ""
    passno: int | None = None
    noauto: bool = False
    nofail: bool = False
    superblock: Superblock = Superblock()
    shape: Shape = Shape()
    used: int = 0
    inodes_used: int = 0
    table: int | None = None
    directories: int | None = None
    extents: bool | None = None
    rotates: bool | None = None
    speed: float | None = None
    took: tuple[Took, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BootChecks:
    """All filesystems of a host, its clock, its memory in bytes, and what is said to all checks at boot.

    `kernel` are the words of the kernel's command line that force or skip checks, `files` those found.
    """

    clock: datetime | None = None
    memory: int | None = None
    kernel: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    filesystems: tuple[Extfs, ...] = ()


def probe(host: str, devices: Sequence[str], *, speed: bool = True) -> Probe:
    """Ask `host` for its ext filesystems and for `devices` (as declared), mounted or not. Reads only.

    With `speed` some megabytes are read from each disk, half a second at most, to see how fast it is.
    """
    words = (*(("--speed",) if speed else ()), "--", *sorted(set(devices)))
    argv = ("runner-agent", "boot-checks", *words)
    return Probe(id=ID, host=host, argv=argv, needs=("device",), timeout=60)


def read(reading: Reading) -> BootChecks | None:
    """What the probe found; None where the answer makes no sense or there is none."""
    try:
        told = json.loads(reading.out.strip().splitlines()[-1])
        return BootChecks(
            clock=_time(told["clock"]),
            memory=_count(told["memory"]),
            kernel=tuple(str(word) for word in told["kernel"]),
            files=tuple(str(path) for path in told["files"]),
            filesystems=tuple(_extfs(one) for one in told["filesystems"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _extfs(told: Mapping[str, Any]) -> Extfs:
    text = str(told["superblock"]) if told["exit"] == 0 else ""
    superblock = tune2fs.parse_superblock(text)
    used, inodes_used = tune2fs.parse_used(text)
    return Extfs(
        device=str(told["device"]),
        asked=tuple(str(path) for path in told["asked"]),
        mount=str(told["mount"]),
        place=str(told["at"]),
        passno=_count(told["pass"]),
        noauto=told["noauto"] is True,
        nofail=told["nofail"] is True,
        superblock=superblock,
        shape=tune2fs.parse_shape(text),
        used=_count(told["used"]) or used,
        inodes_used=_count(told["inodes_used"]) or inodes_used,
        table=_count(told["table"]),
        directories=_count(told["directories"]),
        extents=_truth(told["extents"]),
        rotates=_truth(told["rotates"]),
        speed=float(told["speed"]) if told["speed"] else None,
        took=tuple(_took(one) for one in told["checks"]),
        problem=""
        if superblock.state
        else _first_line(str(told["error"])) or f"tune2fs ended with {told['exit']}",
    )


def _took(told: Mapping[str, Any]) -> Took:
    return Took(
        started=_time(told["started"]),
        seconds=float(told["seconds"]),
        inodes=_count(told["inodes"]),
        blocks=_count(told["blocks"]),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _count(told: object) -> int | None:
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def _truth(told: object) -> bool | None:
    return told if isinstance(told, bool) else None


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
