"""The system calls that a confined program may not make, as a filter for the kernel: seccomp(2). Pure.

What sets extended attributes of other people's systems (SELinux's labels, what overlayfs and others keep in `trusted.`)
needs CAP_SYS_ADMIN, and whoever has that may do nearly all. So all else that it is for is refused: capabilities(7).
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from typing import NamedTuple

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
# linux/filter.h: load a word, compare and jump, return.
_LOAD, _EQUAL, _MORE, _ANY, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_NUMBER, _MACHINE, _FIRST, _THIRD = 0, 4, 16, 32
# Those that are newer than this list are none, which the C library knows how to do without.
_NEWEST = 462
_ADVICE_POISON, _ADVICE_OFFLINE = 100, 101
# CLONE_NEWNS and its like: a new view would be one in which all may be mounted.
_NEW_SPACES = 0x7E020000


class Machine(NamedTuple):
    """How a processor calls: its name in the kernel's audit, and its numbers of the calls below."""

    audit: int
    numbers: Mapping[str, int]


# Mounts, and views of others; descriptors that lead out; what reaches into the kernel or other processes. Each
# with its number on x86_64, and on those that are numbered alike since.
_REFUSED = """
ioctl 16 29; madvise 28 233; socket 41 198; clone 56 220; ptrace 101 117; syslog 103 116; pivot_root 155 41;
chroot 161 51; mount 165 40; umount2 166 39; swapon 167 224; swapoff 168 225; sethostname 170 161;
setdomainname 171 162; quotactl 179 60; lookup_dcookie 212 18; add_key 248 217; request_key 249 218;
keyctl 250 219; ioprio_set 251 30; unshare 272 97; perf_event_open 298 241; fanotify_init 300 262;
fanotify_mark 301 263; name_to_handle_at 303 264; open_by_handle_at 304 265; setns 308 268;
process_vm_readv 310 270; process_vm_writev 311 271; kcmp 312 272; bpf 321 280; userfaultfd 323 282;
io_uring_setup 425 425; io_uring_enter 426 426; io_uring_register 427 427; open_tree 428 428; move_mount 429 429;
fsopen 430 430; fsconfig 431 431; fsmount 432 432; fspick 433 433; pidfd_getfd 438 438; process_madvise 440 440;
mount_setattr 442 442; quotactl_fd 443 443; statmount 457 457; listmount 458 458
"""
_ROWS = [row.split() for row in _REFUSED.split(";")]
MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(0xC000003E, {name: int(first) for name, first, _ in _ROWS}),
    "aarch64": Machine(0xC00000B7, {name: int(second) for name, _, second in _ROWS}),
}
_CLONE3 = 435


def refusing(machine: Machine) -> bytes:
    """The filter for a machine: `struct sock_filter` after each other."""
    no, none, no_terminal = (ERRNO | number for number in (errno.EPERM, errno.ENOSYS, errno.ENOTTY))
    numbers = dict(machine.numbers)
    ioctl, clone, madvise = (numbers.pop(name) for name in ("ioctl", "clone", "madvise"))
    steps = [
        *((_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, machine.audit), (_RETURN, 0, 0, no)),
        *((_LOAD, 0, 0, _NUMBER), (_MORE, 0, 1, _NEWEST), (_RETURN, 0, 0, none)),
        *((_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, none)),
        *((_EQUAL, 0, 1, ioctl), (_RETURN, 0, 0, no_terminal)),
    ]
    for number in sorted(numbers.values()):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, no)]
    steps += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, _FIRST), (_ANY, 0, 7, _NEW_SPACES), (_RETURN, 0, 0, no)]
    steps += [(_EQUAL, 0, 5, madvise), (_LOAD, 0, 0, _THIRD), (_EQUAL, 0, 1, _ADVICE_POISON), (_RETURN, 0, 0, no)]
    steps += [(_EQUAL, 0, 1, _ADVICE_OFFLINE), (_RETURN, 0, 0, no), (_RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
