"""`find`: the versions of one path over all sealed snapshots. `in-newest`: whether the newest of a host has it."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Sequence
from typing import Any

from .. import tree
from ..answer import Refused, reply
from ..arguments import MOST, parse_as
from ..store.layout import StoreFolder, open_store, read_json, sealed
from .contract.find import FileVersion, Find, InNewest, SeenInNewest, Versions


def run(argv: Sequence[str]) -> int:
    """Print one entry for each distinct inode with its attributes, oldest first; reads only.

    With a `snapshot` in the request only that one is looked at.
    A folder has an inode of its own in every snapshot: its versions differ by attributes alone.
    """
    store = open_store(parse_as(Find, argv).store)
    query = request("path", '{"path": "/etc/hosts"}')
    parts = tree.components(query["path"])
    if not store.runner.is_dir():
        raise Refused(f"there is no store at {store.root}", "is its disk mounted?")
    versions: dict[FileVersion, FileVersion] = {}
    missing = 0
    for name in sealed(store):
        if query.get("snapshot") not in (None, name):
            continue
        version = _at(store, name, parts)
        if version is None:
            missing += 1
            continue
        alike = version._replace(first="", last="")
        if version.type == "directory":
            alike = alike._replace(inode=0, size=0)
        before = versions.get(alike)
        versions[alike] = before._replace(last=name, snapshots=before.snapshots + 1) if before else version
    reply(Versions(tuple(versions.values()), missing))
    return 0


def in_newest(argv: Sequence[str]) -> int:
    """Print what `read` gives."""
    reply(read(argv))
    return 0


def read(argv: Sequence[str]) -> SeenInNewest:
    """What the path is in the newest sealed snapshot of that host. Reads only; raises OSError as `find`."""
    options = parse_as(InNewest, argv)
    store, parts = open_store(options.store), tree.components(options.path)
    own = (name for name in reversed(sealed(store)) if read_json(store.record(name)).get("host") == options.host)
    newest = next(own, "")
    version = _at(store, newest, parts) if newest else None
    return SeenInNewest(newest, version.type if version else "")


# More than any path or pattern is.
_LONGEST = 1 << 20


def request(key: str, example: str) -> dict[str, Any]:
    """The request on stdin; Refused unless there is some text for `key` in it, as in the example."""
    try:
        query = json.loads(sys.stdin.buffer.read(_LONGEST))
    except (ValueError, RecursionError):
        query = None
    if not isinstance(query, dict) or not isinstance(query.get(key), str) or not query[key]:
        raise Refused(f"the request on stdin names no {key}", f"give {example}")
    return query


def mtime(status: os.stat_result) -> int:
    """Its time in nanoseconds, as near as an answer can hold it."""
    return max(-MOST, min(status.st_mtime_ns, MOST))


def _at(store: StoreFolder, name: str, parts: tuple[bytes, ...]) -> FileVersion | None:
    """What the path is in snapshot `name`; None where it is not there. Raises OSError where that cannot be seen."""
    last = parts[-1] if parts else b"."
    try:
        with tree.parent_of(str(store.root / name), parts) as parent:
            status = tree.status(parent, last)
            target = os.fsdecode(os.readlink(last, dir_fd=parent)) if stat.S_ISLNK(status.st_mode) else None
    except OSError as problem:
        if tree.is_absence(problem):
            return None
        raise
    return FileVersion(
        first=name,
        last=name,
        snapshots=1,
        type=tree.kind(status),
        size=status.st_size,
        mtime_ns=mtime(status),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        # Some filesystems use all 64 bits.
        inode=status.st_ino & MOST,
        target=target,
    )
