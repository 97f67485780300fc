"""What is known of one name: type, mode, owner, time, target, device, extended attributes, content."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from typing import Any

from .. import tree

CHUNK = 1 << 20
SECOND = 10**9
# What only root may give back: a drill by anybody else says nothing of it.
ROOTS_OWN = ("security.", "trusted.")
WORDS = {"type": "type", "mode": "mode", "owner": "owner", "size": "size", "mtime_ns": "time", "rdev": "device",
         "target": "target", "xattrs": "ACL or extended attributes"}  # fmt: skip


def about(parent: int, name: bytes) -> dict[str, Any]:
    """Everything but the content of `name` in the open folder `parent`; raises OSError."""
    found = tree.status(parent, name)
    told: dict[str, Any] = {
        "type": tree.kind(found),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "owner": f"{found.st_uid}:{found.st_gid}",
        "mtime_ns": found.st_mtime_ns,
        "xattrs": _extended(tree.through(parent, name)),
    }
    if stat.S_ISREG(found.st_mode):
        told["size"] = found.st_size
    elif stat.S_ISLNK(found.st_mode):
        told["target"] = os.fsdecode(os.readlink(name, dir_fd=parent))
    elif stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode):
        told["rdev"] = found.st_rdev
    return told


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any], *, root: bool = True) -> list[str]:
    """In what `found` differs from `wanted`, in words; without `root` not in what only root gives back."""
    if wanted["type"] != found["type"]:
        return [f"the type ({found['type']}, not {wanted['type']})"]
    said = []
    for key, word in WORDS.items():
        old, new = wanted.get(key), found.get(key)
        if key == "xattrs":
            old, new = dict(wanted[key]), dict(found[key])
            names = sorted(name for name in {*old, *new} if root or not name.startswith(ROOTS_OWN))
            other = [name for name in names if old.get(name) != new.get(name)]
            said += [f"the {word} ({', '.join(map(ascii, other))})"] if other else []
        elif old != new and (root or key != "owner") and not (key == "mtime_ns" and _same_second(old, new)):
            said.append(f"the {word}" + (f" ({new}, not {old})" if key in ("mode", "owner", "size") else ""))
    return said


def digest(descriptor: int) -> str:
    """SHA-256 of an open file, as read from the disk where the kernel lets go of what it remembers."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    found = hashlib.sha256()
    place = 0
    while block := os.pread(descriptor, CHUNK, place):
        found.update(block)
        place += len(block)
    return found.hexdigest()


def open_file(parent: int, name: bytes) -> int:
    """A descriptor of the regular file `name`, which is never waited for; raises OSError."""
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)


def parts_of(path: bytes) -> tuple[bytes, ...]:
    """The names on the way to a path below a snapshot; the snapshot itself is b"."."""
    return tuple(path.split(b"/")) if path else (b".",)


def _same_second(old: object, new: object) -> bool:
    # A scratch folder may be on a disk that holds whole seconds only.
    return (
        isinstance(old, int) and isinstance(new, int) and new % SECOND == 0 and old // SECOND == new // SECOND
    )


def _extended(path: bytes) -> dict[str, str]:
    try:
        keys = os.listxattr(path, follow_symlinks=False)
        values = {key: os.getxattr(path, key, follow_symlinks=False) for key in keys}
    except OSError:
        return {}
    return {key: hashlib.sha256(value).hexdigest()[:32] for key, value in values.items()}
