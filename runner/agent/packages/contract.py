"""What the verbs of packages are told, and what they answer."""

from __future__ import annotations

from typing import NamedTuple, Optional


class LookOutdated(NamedTuple):
    """Options of `outdated`."""

    state: str = ""
    unit: str = ""


class Kernel(NamedTuple):
    """The kernel that runs and the newest that is installed, "" where none is found."""

    running: str = ""
    newest: str = ""


class Needrestart(NamedTuple):
    """What needrestart says of the kernel (1: the newest runs)."""

    ksta: int


class Outdated(NamedTuple):
    """Answer of `outdated`: what on a host is older than its files. `kernel` is never missing in an answer.

    `changed` are packages (name, version) newer than the boot; `flag` is /run/reboot-required; `needrestart`
    is None where it is not installed. `boot_free` and `boot_size` are bytes; `entry` is None where no boot
    loader is known. `needs_restart` says it of the unit that was asked for.
    """

    kernel: Optional[Kernel] = None
    services: tuple[str, ...] = ()
    pid1: bool = False
    changed: tuple[tuple[str, str], ...] = ()
    flag: bool = False
    needrestart: Optional[Needrestart] = None
    boot_free: Optional[int] = None
    boot_size: Optional[int] = None
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
        """What needrestart says of the kernel, None where it is not installed."""
        return self.needrestart.ksta if self.needrestart else None
