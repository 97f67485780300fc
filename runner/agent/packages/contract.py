"""The options and answers of the verbs of packages."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ..arguments import Count, Rest


class LookOutdated(NamedTuple):
    """Options of `outdated`."""

    state: str = ""
    unit: str = ""


class AskAsPlanned(NamedTuple):
    """Options of `as-planned`: `changes` are NAME=OLD=NEW, `boot_free` is in bytes, `env` NAME=VALUE."""

    packages: str
    to_be_had: bool = False
    boot_free: Count = 0
    env: tuple[str, ...] = ()
    changes: Rest = ()


class AsPlanned(NamedTuple):
    """Answer of `as-planned`: whether all is as it was, else what is not, and what to do."""

    as_planned: bool
    error: str = ""
    do: str = ""


class KernelVersions(NamedTuple):
    """The kernel that runs and the newest that is installed, "" where none is found."""

    running: str = ""
    newest: str = ""


class Needrestart(NamedTuple):
    """What needrestart reports about the kernel (1: the newest runs)."""

    ksta: int


class Outdated(NamedTuple):
    """Answer of `outdated`: what on a host is older than its files. `kernel` is never missing in an answer.

    `changed` are packages (name, version) newer than the boot; `flag` is /run/reboot-required; `needrestart`
    is None where it is not installed. `boot_free` and `boot_size` are bytes; `entry` is None where no boot
    loader is known. `needs_restart` is for the unit that the options name.
    """

    kernel: Optional[KernelVersions] = None
    services: tuple[str, ...] = ()
    pid1: bool = False
    changed: tuple[tuple[str, str], ...] = ()
    flag: bool = False
    needrestart: Optional[Needrestart] = None
    boot_free: Optional[Count] = None
    boot_size: Optional[Count] = None
    initrd: bool = False
    entry: Optional[bool] = None
    needs_restart: Optional[bool] = None

    @property
    def running(self) -> str:
        """The release of the kernel that runs."""
        return self.kernel.running if self.kernel else ""

    @property
    def newest(self) -> str:
        """The release of the newest kernel, "" where none is found."""
        return self.kernel.newest if self.kernel else ""

    @property
    def ksta(self) -> Optional[int]:
        """What needrestart reports about the kernel, None where it is not installed."""
        return self.needrestart.ksta if self.needrestart else None
