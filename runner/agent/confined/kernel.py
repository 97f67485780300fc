"""The system calls that Python has no function for, checked. Linux only.

By these and not by unshare(1) and mount(8), whose starts would take longer than a small day's transfer.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Sequence

from ..answer import Refused

NEW_MOUNTS, NEW_NAMES, NEW_IPC, NEW_PIDS, NEW_NET = 0x00020000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
READ_ONLY, NO_SUID, NO_DEV, NO_EXEC, REMOUNT, BIND, ALL, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
# mount_setattr(2), linux/mount.h: the number is the same on every machine.
_MOUNT_SETATTR, _HERE, _RECURSIVE = 442, -100, 0x8000
_READ_ONLY, _NO_SUID, _NO_DEV = 1, 2, 4
# prctl(2)
_PARENTS_DEATH, _KEEP_CAPS, _SECCOMP, _DROP, _NO_NEW, _AMBIENT, _RAISE = 1, 8, 22, 24, 38, 47, 2
_FILTER = 2
_CAPABILITIES_3, _MOST = 0x20080522, 64
_EINVAL = 22


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Be in new namespaces of these sorts; Refused, as by all of these, where the kernel says no."""
    if _libc().unshare(flags):
        raise cannot("unshare")


def mount(source: str, at: str, flags: int, kind: str = "none", options: str = "") -> None:
    """mount(2)."""
    words = (os.fsencode(source), os.fsencode(at), kind.encode())
    if _libc().mount(*words, ctypes.c_ulong(flags), options.encode() or None):
        raise cannot(f"mount {at!a}")


def close_all() -> None:
    """Make every mount of ours read-only, without programs of other rights and without devices: mount_setattr(2)."""
    words = struct.pack("=4Q", _READ_ONLY | _NO_SUID | _NO_DEV, 0, 0, 0)
    if _libc().syscall(_MOUNT_SETATTR, _HERE, b"/", _RECURSIVE, words, ctypes.c_size_t(len(words))):
        raise cannot("mount_setattr")


def die_with_parent(number: int) -> None:
    """Be sent that signal when what began us is gone; whoever becomes somebody else is not told any more."""
    if _libc().prctl(_PARENTS_DEATH, number, 0, 0, 0):
        raise cannot("prctl")


def root_here() -> None:
    """Make the working folder, on which something is mounted, the root, and let go of the old one."""
    libc = _libc()
    if libc.pivot_root(b".", b".") or libc.umount2(b".", _DETACH):
        raise cannot("pivot_root")
    os.chdir("/")


def become(uid: int, rights: Sequence[int]) -> None:
    """Be that user, who has these capabilities, whatever is executed, and never gets others."""
    libc = _libc()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    for each in range(_MOST):
        # Beyond the last that this kernel has, it is an invalid argument.
        if each not in rights and libc.prctl(_DROP, each, 0, 0, 0) and ctypes.get_errno() != _EINVAL:
            raise cannot("prctl")
    if libc.prctl(_KEEP_CAPS, 1, 0, 0, 0):
        raise cannot("prctl")
    os.setresuid(uid, uid, uid)
    mask = sum(1 << each for each in rights)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    if libc.capset(struct.pack("=Ii", _CAPABILITIES_3, 0), struct.pack("=6I", low, low, low, high, high, high)):
        raise cannot("capset")
    if any(libc.prctl(_AMBIENT, _RAISE, each, 0, 0) for each in rights) or libc.prctl(_NO_NEW, 1, 0, 0, 0):
        raise cannot("prctl")


def give_up(uid: int, rights: Sequence[int]) -> None:
    """Be that user, with at most these of our capabilities, for ever; what cannot be given up is kept.

    Where user ids are not all known to the kernel, as in some containers, we stay who we are.
    """
    libc = _libc()
    libc.prctl(_NO_NEW, 1, 0, 0, 0)
    for each in range(_MOST):
        if each not in rights:
            libc.prctl(_DROP, each, 0, 0, 0)
    libc.prctl(_KEEP_CAPS, 1, 0, 0, 0)
    with contextlib.suppress(OSError):
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    head, held = struct.pack("=Ii", _CAPABILITIES_3, 0), ctypes.create_string_buffer(24)
    if libc.capget(head, held):
        return
    _, low, _, _, high, _ = struct.unpack("=6I", held.raw)
    mask = sum(1 << each for each in rights) & (high << 32 | low)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    libc.capset(head, struct.pack("=6I", low, low, 0, high, high, 0))


def refuse_calls(steps: bytes) -> None:
    """Have the kernel ask this filter before every call: `struct sock_filter` after each other."""
    text = ctypes.create_string_buffer(steps, len(steps))
    if _libc().prctl(_SECCOMP, _FILTER, struct.pack("@HP", len(steps) // 8, ctypes.addressof(text)), 0, 0):
        raise cannot("seccomp")


def cannot(what: str, number: int | None = None) -> Refused:
    """What is said where something here is not to be had; the reason is that of the last call, unless one is given."""
    why = os.strerror(number or ctypes.get_errno())
    return Refused(
        f"this host cannot confine what hears another ({what}: {why})",
        "that takes root with all its rights, which a container may lack: give it those, or write `confined = false` "
        "below [hosts.NAME] in jobs.toml, and root receives (docs/trust.md)",
    )
