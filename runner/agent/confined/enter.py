"""Confine a program that is about to be begun: what it sees, who it is, what it may ask of the kernel and take.

mount_namespaces(7), capabilities(7), seccomp(2).
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Sequence
from pathlib import Path

from ..answer import Refused
from ..host.mounts import mounts
from . import kernel, resolve
from .calls import MACHINES, refusing
from .kernel import BIND, NO_DEV, NO_EXEC, NO_SUID, READ_ONLY, REMOUNT
from .stage import Stage, alike
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


def new_processes() -> None:
    """What we begin from now on is in a process namespace of its own, whose first is the first that we begin."""
    kernel.unshare(kernel.NEW_PIDS)


def confine(view: View, uid: int) -> None:
    """Confine this process, for what it executes next. It is the first that was begun after `new_processes`.

    It keeps what is open and inheritable. Raises Refused.
    """
    # Where memory runs out the kernel ends this before what the host is for: proc_pid_oom_score_adj(5).
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    kernel.unshare(kernel.NEW_MOUNTS | kernel.NEW_NAMES | kernel.NEW_IPC | kernel.NEW_NET)
    kernel.mount("none", "/", kernel.ALL | kernel.PRIVATE)
    _see(view)
    _bound(view.memory)
    _become(uid, RIGHTS)


def look(view: View, uid: int) -> None:
    """As `confine`, for what only reads: what `view` has to read, or where that is `/` all of the host."""
    kernel.unshare(kernel.NEW_MOUNTS | kernel.NEW_NAMES | kernel.NEW_IPC | kernel.NEW_NET)
    kernel.mount("none", "/", kernel.ALL | kernel.PRIVATE)
    if "/" in view.reads:
        _see_all([path for path in view.reads if path != "/"], view.hidden)
    else:
        _see(view)
    _bound(view.memory)
    _become(uid, (_DAC_READ_SEARCH,))


def _become(uid: int, rights: Sequence[int]) -> None:
    machine = MACHINES.get(os.uname().machine)
    kernel.become(uid, (*rights, *(LABELS if machine else ())))
    if machine:
        kernel.refuse_calls(refusing(machine))


def _see_all(shown: Sequence[str], hidden: Sequence[str]) -> None:
    """Leave the root as it is, and let nothing in it be written, and no device be opened."""
    opened = _opened([PlaceSeen(path, may_lack=True) for path in shown])
    kernel.close_all()
    folders = [folder for folder in dict.fromkeys(hidden) if folder not in shown and Path(folder).is_dir()]
    # What is in another of them is hidden with that.
    covers = [Stage(each) for each in folders if not any(each.startswith(f"{other}/") for other in folders)]
    for place, held in opened:
        for cover in covers:
            if place.path.startswith(f"{cover.at}/"):
                cover.put(place, held, place.path[len(cover.at) :])
        os.close(held)
    for cover in covers:
        cover.close()
    _show_processes("")


def _see(view: View) -> None:
    """Make a root of its places, in which nothing but what is writable can be written."""
    wanted = places(view._replace(hidden=_wherever(view)), [each.point for each in mounts()])
    opened = dict(_opened([place for place in wanted if not place.empty]))
    stage = Stage(_STAGE)
    for place in wanted:
        if place.empty:
            stage.cover(place.path)
        elif place in opened:
            stage.put(place, opened[place], place.path)
            os.close(opened[place])
    _show_processes(stage.at)
    stage.close()
    os.chdir(_STAGE)
    kernel.root_here()


def _wherever(view: View) -> tuple[str, ...]:
    """Where what it hides is seen: where it really is, and behind a place that is itself a link."""
    hidden = [os.path.realpath(each) for each in view.hidden]
    for place in (*view.reads, *view.writes):
        real = os.path.realpath(place)
        if real != place:
            hidden += [f"{place}{each[len(real) :]}" for each in hidden if each.startswith(f"{real}/")]
    return tuple(hidden)


def _opened(wanted: Sequence[PlaceSeen]) -> list[tuple[PlaceSeen, int]]:
    """The places themselves, wherever their names lead in a moment, without those that may lack and do."""
    there = []
    for place in wanted:
        try:
            there.append((place, resolve.opened(place.path, itself=place.fixed)))
        except OSError as problem:
            if not place.may_lack:
                raise kernel.cannot(f"open {place.path!a}", problem.errno) from None
    return there


def _show_processes(root: str) -> None:
    """Its own processes at /proc, as the C library wants them for modes; alone where the kernel can (5.8).

    It looks as what is there without it: of a host that is copied, it is a folder as others are.
    """
    at, closed = f"{root}/proc", NO_SUID | NO_DEV | NO_EXEC
    Path(at).mkdir(0o755, exist_ok=True)
    seen = Path(at).stat()
    try:
        kernel.mount("proc", at, closed, "proc", "subset=pid")
    except Refused:
        kernel.mount("proc", at, closed, "proc")
    alike(at, seen)
    kernel.mount("none", at, REMOUNT | BIND | READ_ONLY | closed)


def _bound(memory: int) -> None:
    """No core of what it has read, and bounds for what it takes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for limit, most in ((resource.RLIMIT_NPROC, _PROCESSES), (resource.RLIMIT_AS, memory)):
        hard = resource.getrlimit(limit)[1]
        if most and (hard == resource.RLIM_INFINITY or hard > most):
            resource.setrlimit(limit, (most, most))
