"""What `about` answers of a machine."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, FileNameOrNone


class BlockDevice(NamedTuple):
    """A disk, a partition, or what is built on one; sizes in bytes, "" for what is not known.

    `table` names the file with a disk's partition table.
    """

    name: str
    type: str = ""
    size: Count = 0
    fstype: str = ""
    label: str = ""
    uuid: str = ""
    mountpoint: str = ""
    model: str = ""
    serial: str = ""
    parts: tuple[BlockDevice, ...] = ()
    table: FileNameOrNone = ""

    @property
    def all(self) -> tuple[BlockDevice, ...]:
        """Itself and everything on it, outer ones first."""
        return (self, *(device for part in self.parts for device in part.all))


class MountedFilesystem(NamedTuple):
    """A filesystem that was mounted; `inodes` is 0 where they are made as they are needed."""

    mount: str
    source: str
    type: str
    uuid: str = ""
    label: str = ""
    size: Count = 0
    inodes: Count = 0


class MachineFacts(NamedTuple):
    """What a host is. `family` is debian, redhat or "", `firmware` efi or bios, `boot` what there is of a boot loader.

    `missing` says what could not be read. `dumps` are the host's folders of dumps, known where this is kept.
    """

    format: int = 0
    hostname: str = ""
    system: str = ""
    family: str = ""
    machine: str = ""
    kernel: str = ""
    firmware: str = ""
    boot: tuple[str, ...] = ()
    disks: tuple[BlockDevice, ...] = ()
    filesystems: tuple[MountedFilesystem, ...] = ()
    swaps: tuple[BlockDevice, ...] = ()
    missing: tuple[str, ...] = ()
    dumps: tuple[str, ...] = ()


class About(NamedTuple):
    """Answer of `about`: the facts, and texts by the name of the file they are kept in."""

    facts: MachineFacts
    files: dict[str, str]
