"""`find`: the versions of one path over all sealed snapshots."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Hashable, Sequence
from typing import Any

from .. import tree
from ..answer import Refused, emit
from ..arguments import parse_as
from ..store.layout import Store, open_store, sealed
from .contract import Find


def run(argv: Sequence[str]) -> int:
    """Print one entry for each distinct inode with its attributes, oldest first; reads only.

    With a `snapshot` in the request only that one is looked at.
    A folder has an inode of its own in every snapshot: its versions differ by attributes alone.
    """
    store = open_store(parse_as(Find, argv).store)
    request = asked()
    parts = tree.components(request["path"])
    if not store.runner.is_dir():
        raise Refused(f"there is no store at {store.root}", "is its disk mounted?")
    versions: dict[Hashable, dict[str, Any]] = {}
    missing = 0
    only = request.get("snapshot")
    for name in sealed(store):
        if only is not None and name != only:
            continue
        found = _at(store, name, parts)
        if found is None:
            missing += 1
            continue
        key = tuple(found.values()) if found["type"] != "directory" else _without_inode(found)
        entry = versions.setdefault(key, {"first": name, "snapshots": 0, **found})
        entry["last"] = name
        entry["snapshots"] += 1
    emit({"versions": list(versions.values()), "missing": missing})
    return 0


def asked() -> dict[str, Any]:
    """The request on stdin; Refused if it names no `path`."""
    try:
        request = json.loads(sys.stdin.buffer.read())
    except ValueError:
        request = None
    if not isinstance(request, dict) or not isinstance(request.get("path"), str):
        raise Refused("the request on stdin names no path", 'give {"path": "/etc/hosts"}')
    return request


def _at(store: Store, name: str, parts: tuple[bytes, ...]) -> dict[str, Any] | None:
    try:
        parent = tree.above(str(store.root / name), parts)
    except OSError:
        return None
    try:
        last = parts[-1] if parts else b"."
        found = tree.status(parent, last)
        about: dict[str, Any] = {
            "type": tree.kind(found),
            "size": found.st_size,
            "mtime_ns": found.st_mtime_ns,
            "mode": stat.S_IMODE(found.st_mode),
            "uid": found.st_uid,
            "gid": found.st_gid,
            "inode": found.st_ino,
        }
        if stat.S_ISLNK(found.st_mode):
            about["target"] = os.fsdecode(os.readlink(last, dir_fd=parent))
        return about
    except OSError:
        return None
    finally:
        os.close(parent)


def _without_inode(found: dict[str, Any]) -> Hashable:
    return tuple(value for key, value in found.items() if key not in ("inode", "size"))
