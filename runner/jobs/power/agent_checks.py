"""`runner-agent boot-checks`: what one host says of its ext filesystems and of what its boots check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runner.agent.arguments import argv as words
from runner.agent.power import contract
from runner.agent.power.contract import LookAtBoot
from runner.jobs.disks import tune2fs
from runner.jobs.disks.tune2fs import Shape, Superblock
from runner.model.facts import Probe, Reading
from runner.tools import answers

ID = "fsck"


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
    took: tuple[contract.CheckTime, ...] = ()
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
    options = LookAtBoot(tuple(sorted(set(devices))), speed=speed)
    argv = ("runner-agent", *words("boot-checks", options))
    return Probe(id=ID, host=host, argv=argv, needs=("device",), timeout=60)


def read(reading: Reading) -> BootChecks | None:
    """What the probe found; None where the answer makes no sense or there is none."""
    answer = answers.read(reading.out, contract.BootChecks)
    if answer is None:
        return None
    return BootChecks(
        clock=answer.clock,
        memory=answer.memory,
        kernel=answer.kernel,
        files=answer.files,
        filesystems=tuple(_extfs(one) for one in answer.filesystems),
    )


def _extfs(looked: contract.ExtFilesystem) -> Extfs:
    text = looked.superblock if looked.exit == 0 else ""
    superblock = tune2fs.parse_superblock(text)
    used, inodes_used = tune2fs.parse_used(text)
    return Extfs(
        device=looked.device,
        asked=looked.devices,
        mount=looked.mount,
        place=looked.at,
        passno=looked.pass_,
        noauto=looked.noauto,
        nofail=looked.nofail,
        superblock=superblock,
        shape=tune2fs.parse_shape(text),
        used=looked.used or used,
        inodes_used=looked.inodes_used or inodes_used,
        table=looked.table,
        directories=looked.directories,
        extents=looked.extents,
        rotates=looked.rotates,
        speed=looked.speed or None,
        took=looked.checks,
        problem="" if superblock.state else _first_line(looked.error) or f"tune2fs ended with {looked.exit}",
    )


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
