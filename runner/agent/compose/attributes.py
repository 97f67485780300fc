"""The attributes of a folder: which it has, and giving them to another."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import NamedTuple, Union

# Of what is under `system.` only ACLs are a folder's own; the rest is how a filesystem shows other things.
SYSTEM = "system."
ACLS = ("system.posix_acl_access", "system.posix_acl_default")


class Attributes(NamedTuple):
    """What a copy of a folder has of it, besides the names in it; ACLs are among the `extended`."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    extended: Mapping[str, bytes]


def attributes(descriptor: int, status: os.stat_result) -> Attributes:
    """Those of an open folder, as they were when it had this `status`."""
    known = extended(descriptor)
    return Attributes(status.st_mode & 0o7777, status.st_uid, status.st_gid, status.st_mtime_ns, known)


def give(descriptor: int, wanted: Attributes) -> None:
    """Let an open folder have these and no others, time last."""
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        os.fchown(descriptor, wanted.uid, wanted.gid)
    had = extended(descriptor)
    for key in had.keys() - wanted.extended.keys():
        os.removexattr(descriptor, key)
    for key, value in wanted.extended.items():
        if had.get(key) != value and _is_own(key):
            _set(descriptor, key, value)
    # An ACL sets the bits of the group.
    os.fchmod(descriptor, wanted.mode & 0o7777)
    os.utime(descriptor, ns=(status.st_atime_ns, wanted.mtime_ns))


def _set(descriptor: int, key: str, value: bytes) -> None:
    try:
        os.setxattr(descriptor, key, value)
    except OSError as problem:
        # One that only the source's kind of filesystem has, such as `btrfs.compression`, says nothing here.
        if problem.errno != errno.ENOTSUP:
            raise


def extended(place: Union[int, str]) -> dict[str, bytes]:  # noqa: UP007
    """The extended attributes of a folder, open or by its path, that are its own; none where there is no such thing."""
    try:
        keys = os.listxattr(place)
    except OSError as problem:
        if problem.errno == errno.ENOTSUP:
            return {}
        raise
    return {key: os.getxattr(place, key) for key in keys if _is_own(key)}


def _is_own(key: str) -> bool:
    return not key.startswith(SYSTEM) or key in ACLS
