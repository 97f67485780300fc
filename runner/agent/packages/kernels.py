"""Which kernel runs, which would run after a reboot, and whether that boot has what it needs."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .contract import KernelVersions
from .families import ASIDE, FAMILIES, family

PREFIX = "vmlinuz-"
NO_KERNEL = re.compile(rf"(^0-rescue-)|(\.(old|bak|hmac|{ASIDE})$)")
INITRD = ("initrd.img-{}", "initramfs-{}.img", "initrd-{}", "initrd-{}.img")
CONFIGS = (
    "boot/grub/grub.cfg",
    "boot/grub2/grub.cfg",
    "boot/grub/grub.conf",
    "boot/grub/menu.lst",
    "boot/extlinux/extlinux.conf",
    "boot/efi/EFI/*/grub.cfg",
    "boot/loader/entries/*.conf",
)
LOADS = ("linux", "linux16", "linuxefi", "kernel")


def newest(root: Path) -> str:
    """The newest installed kernel's release, as `uname -r` would print it; "" if none is found."""
    try:
        names = [entry.name for entry in (root / "boot").iterdir() if entry.name.startswith(PREFIX)]
    except OSError:
        names = []
    releases = [name[len(PREFIX) :] for name in names]
    releases = [release for release in releases if release and not NO_KERNEL.search(release)]
    if releases:
        return max(releases, key=order)
    # Only where that is its family: the program that is asked would make a database for the answer.
    name = family(root)
    return FAMILIES[name].kernel() if name else ""


def order(release: str) -> list[tuple[int, int, str]]:
    """A key by which releases sort as the families name them: numbers as numbers, and above any text.

    So an update, 1160.2.1.el7, is newer than what it updates, 1160.el7: `sort --version-sort` has it wrong.
    """
    parts = re.findall(r"\d+|[A-Za-z]+|[^\dA-Za-z]+", release)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def boot(root: Path) -> dict[str, Any]:
    """Whether the newest kernel has an initrd and an entry of the boot loader, and the room in /boot.

    `entry` is None where no boot loader's configuration is found.
    """
    release = newest(root)
    folder = root / "boot" if (root / "boot").is_dir() else root
    space = os.statvfs(folder)
    return {
        "kernel": KernelVersions(platform.release(), release),
        "boot_free": space.f_bfree * space.f_frsize,
        "boot_size": space.f_blocks * space.f_frsize,
        "initrd": bool(release) and any(_filled(folder / each.format(release)) for each in INITRD),
        "entry": _entry(root, release),
    }


def _filled(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _entry(root: Path, release: str) -> bool | None:
    texts = list(_texts(root))
    if not texts or not release:
        return None
    return any(_boots(text, release) for text in texts)


def _texts(root: Path) -> Iterator[str]:
    for pattern in CONFIGS:
        for path in sorted(root.glob(pattern)):
            try:
                yield path.read_text("utf-8", "replace")
            except OSError:
                continue


def _boots(text: str, release: str) -> bool:
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        if words[0].lower() in LOADS and words[1].rpartition("/")[2] == f"{PREFIX}{release}":
            return True
        if words[0] == "version" and words[1] == release:
            return True
    return False
