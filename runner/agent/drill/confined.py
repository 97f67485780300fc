"""A view of the host for a server that runs what strangers wrote: its programs, its own folder, and nothing else.

A user id that nobody else has; no network; no other server's files, sockets, memory or processes; no way to more
rights. All of it ends with whoever started it: unshare(1), setpriv(1), mount_namespaces(7). What becomes root's script
below lies in folders of root's: whoever wrote a dump may change all that is in the server's own folder, at any moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from ..answer import Refused, plain
from ..command import ENVIRONMENT, ask
from ..database.contract import DatabaseServer
from ..store import lock

# Free on the systems that we know: above people's and packages' own, below those that systemd gives to services.
_IDS = range(61183, 60999, -1)
# What programs need, to read only; the configuration of the host is among it, as every user of it can read it.
_SEEN = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt", "etc")
_DEVICES = ("null", "zero", "random", "urandom")
# What the host unmounts meanwhile is unmounted in its copy too: a disk is to be free at once.
_APART = ("unshare", "--mount", "--net", "--ipc", "--uts", "--propagation", "slave", "--")
_SPACES = {"mnt": "mount", "net": "net", "ipc": "ipc", "uts": "uts"}
_SWEEP = ("sh", "-c", "kill -KILL -1 <&- >&- 2>&-")
_DYING = ("setpriv", "--pdeathsig", "KILL", "--")
# What it begins goes first where memory ends. A table's file is of one GiB; what it writes outside is a log.
_FIRST = ("sh", "-c", 'echo 1000 > /proc/self/oom_score_adj; exec "$@"', "sh")
_LONGEST = 2 << 30
PATIENCE = 20.0
_LOOK = 0.05
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?")
# Arguments: the folder, an empty folder for the root, a file for /etc/passwd, one more folder that is seen or "". It is
# there as long as somebody holds it, and is made once: each time is a moment in which all that is mounted is in use.
_SCRIPT = f"""
folder=$1 root=$2 passwd=$3 more=$4; umask 022
mount -t tmpfs -o mode=755,size=256m,nosuid tmpfs "$root"
for each in {" ".join(_SEEN)}; do
    if [ -L "/$each" ]; then cp -P "/$each" "$root/$each"
    elif [ -d "/$each" ]; then
        mkdir "$root/$each"; mount --rbind "/$each" "$root/$each"
        mount -o remount,bind,ro,nosuid "$root/$each"
    fi
done
if [ -n "$more" ]; then
    mkdir -p "$root$more"; mount --bind "$more" "$root$more"; mount -o remount,bind,ro,nosuid "$root$more"
fi
mount --bind "$passwd" "$root/etc/passwd"
mkdir "$root/dev" "$root/dev/shm" "$root/tmp" "$root/gone" "$root/proc"; chmod 1777 "$root/dev/shm" "$root/tmp"
for each in {" ".join(_DEVICES)}; do : > "$root/dev/$each"; mount --bind "/dev/$each" "$root/dev/$each"; done
mkdir -p "$root$folder"; mount --bind "$folder" "$root$folder"; mount -o remount,bind,nosuid,nodev "$root$folder"
mount --bind /proc "$root/proc"
cd "$root"; pivot_root . gone; cd /; umount -l /gone; umount -l /proc
echo made; exec cat
"""


class Untried(Refused):
    """This host lacks what it takes to try a dump: nothing is known of the dump."""


class ConfinedServer(DatabaseServer):
    """A server in a folder of its own, whose programs all run confined; made by `confined`.

    Its view, and its user id, which nobody else on this host has, are held until `release`.
    """

    uid: int = 0
    held: tuple[int, ...] = ()

    @property
    def before(self) -> tuple[str, ...]:
        """What goes before every program of it that talks to the server."""
        return (*_FIRST, *self._inside, *self._nobody)

    @property
    def serving(self) -> tuple[str, ...]:
        """What goes before the server itself: whatever code in it begins ends with it, and it ends with us."""
        apart = ("unshare", "--pid", "--fork", "--kill-child", "--")
        return (*_FIRST, *_DYING, *self._inside, *apart, *self._nobody, *_DYING)

    @property
    def _inside(self) -> tuple[str, ...]:
        words = (
            f"--{word}=/proc/{os.getpid()}/fd/{held}" for word, held in zip(_SPACES.values(), self.held, strict=False)
        )
        return ("nsenter", *words, "--")

    @property
    def _nobody(self) -> tuple[str, ...]:
        ids = (f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups")
        none = ("--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--")
        return ("prlimit", "--nproc=256", "--core=0", f"--fsize={_LONGEST}", "setpriv", *ids, *none)

    def release(self) -> None:
        """Give up the view, and the user id. Nothing that runs in it may be left."""
        for held in self.held:
            os.close(held)

    @property
    def folder(self) -> str:
        """The folder that its programs share with us."""
        return self.socket


def confined(folder: Path, name: str, programs: str, bin_folder: Path) -> ConfinedServer:
    """A server in `folder`, whose OS user there is called `name`; the folder belongs to it from now on.

    What the view needs is in the folder `view` beside it, which is ours alone. Raises Refused where this host cannot
    confine it: what a dump holds is code, and would run as somebody who is known.
    """
    if not _NAME.fullmatch(name):
        raise Refused(f"not the name of a user: {name!a}", "correct `user` of the job that dumps")
    server = ConfinedServer(socket=str(folder), programs=programs)
    server.uid, reserved = _reserved()
    server.held = (reserved,)
    view = folder.with_name("view")
    root, passwd = view / "root", view / "passwd"
    for each in (view, root, folder):
        each.mkdir(mode=0o700, exist_ok=True)
    # PostgreSQL must know the name of whom it runs as.
    passwd.write_text(f"root:x:0:0:root:/:/bin/false\n{name}:x:{server.uid}:{server.uid}::/:/bin/false\n")
    passwd.chmod(0o644)
    seen = any(bin_folder.is_relative_to(f"/{each}") for each in _SEEN)
    more = "" if seen else str(bin_folder.parent)
    os.chown(folder, server.uid, server.uid)
    try:
        server.held = (*_made(str(folder), str(root), str(passwd), more), reserved)
        tried = ask((*server.serving, "true"), timeout=30)
        if tried.exit != 0:
            raise _cannot(plain(tried.err, 200) or f"exit {tried.exit}")
    except BaseException:
        server.release()
        raise
    return server


def _made(*words: str) -> tuple[int, ...]:
    """Make the view, and hold its spaces open. Raises Refused."""
    with tempfile.TemporaryFile() as errors, subprocess.Popen(
        (*_APART, "sh", "-ec", _SCRIPT, "confined", *words), cwd="/", env=ENVIRONMENT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
    ) as maker:  # fmt: skip
        try:
            if maker.stdout and maker.stdout.readline() == b"made\n":
                return tuple(os.open(f"/proc/{maker.pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in _SPACES)
        finally:
            maker.kill()
        errors.seek(0)
        raise _cannot(plain(errors.read(4096).decode("utf-8", "replace"), 200))


def _cannot(why: str) -> Untried:
    return Untried(
        f"this host cannot confine the scratch server: {why}",
        "the drill needs root, and unshare and setpriv of util-linux 2.32 or newer, outside of a container",
    )


def end(folder: Path) -> bool:
    """End whatever runs as the one whose confined server's folder this is; whether nothing is left of it.

    By its user id, which it cannot change: it may rename what it works in, and trace what would have ended it.
    """
    try:
        uid = folder.lstat().st_uid
    except FileNotFoundError:
        return True
    if uid not in _IDS:
        return True
    until = time.monotonic() + PATIENCE
    while pids := _running(uid):
        if time.monotonic() > until:
            return False
        # At once, as itself: what it begins meanwhile is among them. Where even that cannot be begun, one by one.
        with contextlib.suppress(OSError):
            subprocess.run(_SWEEP, check=False, env=ENVIRONMENT, cwd="/", user=uid, group=uid, extra_groups=())
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK)
    return True


def memory(uid: int) -> int:
    """How many bytes of memory all processes of this user id have together, what they share counted once."""
    total = 0
    for each in Path("/proc").glob("[1-9]*"):
        with contextlib.suppress(OSError, LookupError, ValueError):
            # Not by the owner of the folder: a process can hide behind root there.
            if int(_line(each / "status", b"Uid:")[0]) == uid:
                total += int(_line(each / "smaps_rollup", b"Pss:")[0]) << 10
    return total


def _line(path: Path, word: bytes) -> list[bytes]:
    """The words after this one at the beginning of a line; raises OSError and LookupError."""
    return next((line.split()[1:] for line in path.read_bytes().splitlines() if line.startswith(word)), [])


def _running(uid: int) -> list[int]:
    """The processes of this user id that have not ended."""
    pids = []
    for each in Path("/proc").glob("[1-9]*"):
        with contextlib.suppress(OSError):
            # The name comes in brackets and may hold anything.
            state = (each / "stat").read_bytes().rpartition(b")")[2].split()[0]
            if each.stat().st_uid == uid and state not in b"ZX":
                pids.append(int(each.name))
    return pids


def _reserved() -> tuple[int, int]:
    """A user id that nobody has and no process runs as, and what holds it until it is closed. Raises Refused."""
    folder = lock.place("", "drill").parent
    for number in _IDS:
        try:
            pwd.getpwuid(number)
        except KeyError:
            held = os.open(folder / f"scratch-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _running(number):
                    return number, held
            os.close(held)
    raise Refused(f"all user ids from {_IDS[-1]} to {_IDS[0]} are taken", "free one: the scratch server needs it")
