"""Whether a host needs a reboot, and why, in words: no package manager tells the whole of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runner.model.packages import Kernel

# What only a reboot takes up, or what everything that runs has loaded: dnf's list and yum-utils', and openssl,
# which dnf's leaves out; and the same for Debian. A kernel's modules and headers need no reboot of their own.
_KERNELS = ("kernel", "kernel-core", "kernel-rt", "kernel-rt-core", "kernel-uek", "kernel-PAE", "linux-image-*")
_FIRMWARE = ("linux-firmware", "microcode_ctl", "firmware-*", "*-microcode")
_SYSTEM = ("glibc", "systemd", "systemd-libs", "udev", "dbus", "dbus-broker", "dbus-daemon", "dbus-libs")
_CRYPTO = ("openssl", "openssl-libs", "gnutls", "libssl[0-9]*", "libgnutls[0-9]*")
PATTERNS = (*_KERNELS, *_FIRMWARE, *_SYSTEM, *_CRYPTO, "libc6", "libsystemd0", "libudev1", "libdbus-1-3")
_LISTED = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness:
    """What speaks for a reboot: the kernels, the packages (name, version) changed since the boot, whether
    a package asked for one (`flag`), whether process 1 runs replaced files, and what else said so, in words.
    """

    kernel: Kernel = Kernel()
    changed: tuple[tuple[str, str], ...] = ()
    flag: bool = False
    pid1: bool = False
    extra: tuple[str, ...] = ()


def reasons(seen: Witness, patterns: Sequence[str] = PATTERNS) -> tuple[str, ...]:
    """Every reason for a reboot now, in words; none where no witness speaks for it.

    No witness is trusted alone to say that there is no need: the flag is gone after a boot of the old
    kernel, and times of installation are wrong where the clock was.
    """
    reasons = []
    if seen.kernel.running and seen.kernel.newest not in ("", seen.kernel.running):
        reasons.append(f"kernel {seen.kernel.running} runs, and {seen.kernel.newest} is installed")
    packages = needing(seen.changed, patterns)
    if packages:
        more = f" and {len(packages) - _LISTED} more" if len(packages) > _LISTED else ""
        reasons.append(f"changed since the boot: {', '.join(packages[:_LISTED])}{more}")
    if seen.pid1:
        reasons.append("process 1 still runs files that were replaced")
    if seen.flag:
        reasons.append("a package asked for it (/run/reboot-required)")
    return (*reasons, *seen.extra)


def needing(packages: Iterable[tuple[str, str]], patterns: Sequence[str]) -> tuple[str, ...]:
    """Those of the packages (name, version) that only a reboot takes up: `glibc 2.34-100.el9`, each once."""
    names = (
        f"{name} {version}".rstrip()
        for name, version in packages
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    )
    return tuple(dict.fromkeys(names))
