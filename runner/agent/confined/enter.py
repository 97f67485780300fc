"""Confine a program that is about to be begun: what it sees, who it is, what it may ask of the kernel and take.

mount_namespaces(7), capabilities(7), seccomp(2).
"""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Sequence
from pathlib import Path

from ..answer import Refused
from ..host.mounts import mounts
from . import kernel
from .calls import MACHINES, refusing
from .kernel import BIND, NO_DEV, NO_EXEC, NO_SUID, READ_ONLY, REMOUNT
from .view import PlaceSeen, View, places

# What a copy with its owners, modes, devices and capabilities takes.
_CHOWN, _DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER, _FSETID, _MKNOD, _SETFCAP = 0, 1, 2, 3, 4, 27, 31
RIGHTS = (_CHOWN, _DAC_OVERRIDE, _FOWNER, _FSETID, _MKNOD, _SETFCAP)
# CAP_SYS_ADMIN, and CAP_MAC_ADMIN for labels that this host's SELinux does not know: attributes that nobody else sets.
LABELS = (21, 33)
# Of all that receive at once.
_PROCESSES = 256
# A folder that is there everywhere. What is below it is hidden for a moment, and from us alone.
_STAGE = "/tmp"  # noqa: S108
_SIZE = "mode=755,size=1m,nr_inodes=4096"
_OPEN = os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW


def new_processes() -> None:
    """What we begin from now on is in a process namespace of its own, whose first is the first that we begin."""
    kernel.unshare(kernel.NEW_PIDS)


def confine(view: View, uid: int) -> None:
    """Confine this process, for what it executes next. It is the first that was begun after `new_processes`.

    It keeps what is open and inheritable. Raises Refused.
    """
    kernel.unshare(kernel.NEW_MOUNTS | kernel.NEW_NAMES | kernel.NEW_IPC | kernel.NEW_NET)
    kernel.mount("none", "/", kernel.ALL | kernel.PRIVATE)
    _see(places(view, [each.point for each in mounts()]))
    _bound(view.memory)
    _become(uid, RIGHTS)


def look(view: View, hidden: Sequence[str], uid: int) -> None:
    """As `confine`, for what only reads: what `view` has to read, or where that is `/` all of the host.

    Of what is in the folders `hidden` it sees only what `view` names.
    """
    kernel.unshare(kernel.NEW_MOUNTS | kernel.NEW_NAMES | kernel.NEW_IPC | kernel.NEW_NET)
    kernel.mount("none", "/", kernel.ALL | kernel.PRIVATE)
    if "/" in view.reads:
        _see_all([path for path in view.reads if path != "/"], hidden)
    else:
        _see(places(view, [each.point for each in mounts()]))
    _bound(view.memory)
    _become(uid, (_DAC_READ_SEARCH,))


def _become(uid: int, rights: Sequence[int]) -> None:
    machine = MACHINES.get(os.uname().machine)
    kernel.become(uid, (*rights, *(LABELS if machine else ())))
    if machine:
        kernel.refuse_calls(refusing(machine))


def _see_all(shown: Sequence[str], hidden: Sequence[str]) -> None:
    """Leave the root as it is, and let nothing in it be written, and no device be opened."""
    wanted = [PlaceSeen(path, may_lack=True) for path in shown]
    opened = [(place, held) for place in wanted if (held := _opened(place)) is not None]
    kernel.close_all()
    covers = [folder for folder in dict.fromkeys(hidden) if folder not in shown and Path(folder).is_dir()]
    for folder in covers:
        kernel.mount("tmpfs", folder, NO_SUID | NO_DEV, "tmpfs", _SIZE)
    for place, held in opened:
        if any(place.path.startswith(f"{folder}/") for folder in covers):
            _put(place, held, "")
        os.close(held)
    for folder in covers:
        kernel.mount("none", folder, REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEV)
    _show_processes("")


def _see(wanted: tuple[PlaceSeen, ...]) -> None:
    """Make a root of the places, in which nothing but what is writable can be written."""
    opened = [(place, held) for place in wanted if (held := _opened(place)) is not None]
    kernel.mount("tmpfs", _STAGE, NO_SUID | NO_DEV, "tmpfs", _SIZE)
    for place, held in opened:
        _put(place, held, _STAGE)
        os.close(held)
    _show_processes(_STAGE)
    os.chdir(_STAGE)
    kernel.root_here()
    kernel.mount("none", "/", REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEV)


def _opened(place: PlaceSeen) -> int | None:
    """The place itself, wherever its name leads in a moment; None where it may lack."""
    try:
        held = os.open(place.path, _OPEN)
    except OSError as problem:
        if place.may_lack:
            return None
        raise kernel.cannot(f"open {place.path!a}", problem.errno) from None
    if stat.S_ISLNK(os.fstat(held).st_mode) and not place.may_lack:
        raise Refused(f"{place.path!a} is a link", "name the place that it leads to")
    return held


def _put(place: PlaceSeen, held: int, root: str) -> None:
    at, kind = Path(root + place.path), os.fstat(held).st_mode
    if not os.path.lexists(at):
        at.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if stat.S_ISLNK(kind):
            at.symlink_to(os.readlink("", dir_fd=held))
        elif stat.S_ISDIR(kind):
            at.mkdir(0o755)
        else:
            at.touch()
    if stat.S_ISLNK(kind):
        return
    kernel.mount(f"/proc/self/fd/{held}", str(at), BIND)
    # The one device of the view is there to be opened.
    closed = NO_SUID | (0 if stat.S_ISCHR(kind) else NO_DEV) | (0 if place.writable else READ_ONLY)
    kernel.mount("none", str(at), REMOUNT | BIND | closed)


def _show_processes(root: str) -> None:
    """Its own processes at /proc, as the C library wants them for modes; alone where the kernel can (5.8)."""
    at, closed = f"{root}/proc", READ_ONLY | NO_SUID | NO_DEV | NO_EXEC
    Path(at).mkdir(0o755, exist_ok=True)
    try:
        kernel.mount("proc", at, closed, "proc", "subset=pid")
    except Refused:
        kernel.mount("proc", at, closed, "proc")


def _bound(memory: int) -> None:
    """No core of what it has read, and bounds for what it takes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for limit, most in ((resource.RLIMIT_NPROC, _PROCESSES), (resource.RLIMIT_AS, memory)):
        hard = resource.getrlimit(limit)[1]
        if most and (hard == resource.RLIM_INFINITY or hard > most):
            resource.setrlimit(limit, (most, most))
