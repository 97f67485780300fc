"""The disks on which a key has its stores: a reboot checks them before, a halt unmounts them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ...answer import Refused
from ...arguments import PATH
from ...host.mounts import mounts, number_of, superblock, unescaped
from ..rights import Rights

_FSTAB = "/etc/fstab"
_UUID = slice(0x68, 0x78)


def is_device(word: str) -> bool:
    """Whether the word is the name of a block device, or of one that is not there, and nobody but root has a say in it.

    In /dev/shm anybody makes names, and a link of his leads elsewhere by the time that it is looked at.
    """
    if PATH.fullmatch(word) is None or not word.startswith("/dev/"):
        return False
    from ...confined import resolve  # noqa: PLC0415  (few ask)

    with contextlib.suppress(Refused):
        try:
            return stat.S_ISBLK(_status(resolve.opened(word)).st_mode)
        except OSError:
            folder = _status(resolve.opened(_nearest(word)))
            return folder.st_uid == 0 and not folder.st_mode & 0o022
    return False


def _nearest(path: str) -> str:
    """The folder above that is there."""
    return next(str(each) for each in Path(path).parents if each.is_dir())


def _status(place: int) -> os.stat_result:
    try:
        return os.fstat(place)
    finally:
        os.close(place)


def is_own_mount(rights: Rights, point: str) -> bool:
    """Whether a store of the key lies on what is mounted at `point`, which is not the root of the host."""
    return (
        PATH.fullmatch(point) is not None
        and point != "/"
        and any(path == point or path.startswith(f"{point}/") for path in rights.stores)
    )


def is_own_device(rights: Rights, device: str, fstab: str = _FSTAB) -> bool:
    """Whether `device` is mounted where a store of the key lies, or fstab mounts it there."""
    number = number_of(device) if is_device(device) else 0
    if not number:
        return False
    if any(mount.dev == number and is_own_mount(rights, mount.point) for mount in mounts()):
        return True
    uuid = superblock(Path(device))[_UUID].hex()
    return any(
        number_of(source) == number or (uuid and _uuid(source) == uuid)
        for source, point in _entries(fstab)
        if is_own_mount(rights, point)
    )


def _uuid(source: str) -> str:
    """The UUID by which a line of fstab finds its filesystem, without hyphens; "" where it is found in another way."""
    name, _, value = source.partition("=")
    return value.strip('"').replace("-", "").lower() if name == "UUID" else ""


def _entries(fstab: str) -> Iterator[tuple[str, str]]:
    """What is mounted where, as fstab says; nothing where it cannot be read."""
    try:
        lines = Path(fstab).read_bytes().split(b"\n")
    except OSError:
        return
    for line in lines:
        words = line.split()
        if len(words) >= 3 and not words[0].startswith(b"#"):
            yield unescaped(words[0]), unescaped(words[1])
