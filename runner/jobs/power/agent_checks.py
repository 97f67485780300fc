"""`runner-agent boot-checks`: the ext filesystems of one host, and what its boots check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.agent.arguments import argv as words
from runner.agent.power.contract import BootChecks, ExtFilesystem, LookAtBoot
from runner.jobs.disks import tune2fs
from runner.jobs.disks.tune2fs import Shape, Superblock
from runner.model.facts import Probe, Reading
from runner.tools import answers

ID = "fsck"


@dataclass(frozen=True, kw_only=True, slots=True)
class Extfs:
    """One ext2, ext3 or ext4 filesystem as its host saw it, with its superblock read.

    `used` (bytes) and `inodes_used` are the mounted filesystem's own, or else the superblock's.
    `problem` says why it cannot be read.
    """

    seen: ExtFilesystem
    superblock: Superblock
    shape: Shape
    used: int
    inodes_used: int
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HostChecks:
    """All filesystems of a host, and the `answer` that they are from."""

    answer: BootChecks
    filesystems: tuple[Extfs, ...]


def probe(host: str, devices: Sequence[str], *, speed: bool = True) -> Probe:
    """Ask `host` for its ext filesystems and for `devices` (as declared), mounted or not. Reads only.

    With `speed` some megabytes are read from each disk, half a second at most, to see how fast it is.
    """
    options = LookAtBoot(tuple(sorted(set(devices))), speed=speed)
    argv = ("runner-agent", *words("boot-checks", options))
    return Probe(id=ID, host=host, argv=argv, needs=("device",), timeout=60)


def read(reading: Reading) -> HostChecks | None:
    """What the probe answered; None where the answer makes no sense or there is none."""
    answer = answers.read(reading.out, BootChecks)
    return HostChecks(answer=answer, filesystems=tuple(map(_extfs, answer.filesystems))) if answer else None


def _extfs(seen: ExtFilesystem) -> Extfs:
    text = seen.superblock if seen.exit == 0 else ""
    superblock = replace(
        tune2fs.parse_superblock(text), mounted=bool(seen.mount), backup_differs=seen.backup_differs is True
    )
    used, inodes_used = tune2fs.parse_used(text)
    # Its first words are always its version.
    errors = (line.strip() for line in seen.error.splitlines() if not line.startswith("dumpe2fs 1."))
    why = next(filter(None, errors), f"dumpe2fs ended with {seen.exit}")
    return Extfs(
        seen=seen,
        superblock=superblock,
        shape=tune2fs.parse_shape(text),
        used=seen.used or used,
        inodes_used=seen.inodes_used or inodes_used,
        problem="" if superblock.state else why,
    )
