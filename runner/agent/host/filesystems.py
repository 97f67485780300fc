"""The filesystems of this host as `probe` tells them, or the folders that play them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .mounts import Mount, mounts, uuid_of


def filesystems() -> list[dict[str, Any]]:
    """Every mount. Sizes and uuid only of those that no dead server can make hang."""
    uuids: dict[int, str] = {}
    told = []
    for mount in mounts():
        about: dict[str, Any] = {
            "mount": mount.point,
            "source": mount.source,
            "type": mount.type,
            "dev": mount.dev,
            "root": mount.root,
        }
        if mount.local:
            if mount.dev not in uuids:
                uuids[mount.dev] = uuid_of(mount)
            about.update(uuid=uuids[mount.dev], **_used(mount))
        told.append(about)
    return told


def stand_ins(folders: Sequence[str], root: str) -> list[dict[str, Any]]:
    """The folders that play a sandboxed host's filesystems; its own root folder plays `/`."""
    return [_stand_in(folder, "/" if folder == root else folder) for folder in folders]


def _stand_in(folder: str, point: str) -> dict[str, Any]:
    about: dict[str, Any] = {"mount": point, "source": folder, "type": "stand-in", "dev": 0}
    try:
        about["dev"] = Path(folder).stat().st_dev
        about.update(_numbers(folder))
    except OSError:
        return about
    return about


def _used(mount: Mount) -> dict[str, int]:
    # A mount that lies under another one cannot be asked by its path: the answer would be the other's.
    try:
        if os.major(mount.dev) and Path(mount.point).stat().st_dev != mount.dev:
            return {}
        return _numbers(mount.point)
    except OSError:
        return {}


def _numbers(path: str) -> dict[str, int]:
    space = os.statvfs(path)
    return {
        "size": space.f_blocks * space.f_frsize,
        "used": (space.f_blocks - space.f_bfree) * space.f_frsize,
        "inodes_used": space.f_files - space.f_ffree,
    }
