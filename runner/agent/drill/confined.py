"""A view of the host for a server that runs what strangers wrote: its programs, its own folder, and nothing else.

A user id that nobody else has; no network; no other server's files, sockets, memory or processes; no way to more
rights. All of it ends with whoever started it: unshare(1), setpriv(1), mount_namespaces(7).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
from pathlib import Path

from ..answer import Refused, plain
from ..command import ask
from ..database.contract import DatabaseServer

# Free on the systems that we know: above people's and packages' own, below those that systemd gives to services.
_IDS = range(61183, 60999, -1)
# What programs need, to read only; the configuration of the host is among it, as every user of it can read it.
_SEEN = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt", "etc")
_DEVICES = ("null", "zero", "random", "urandom")
_APART = ("unshare", "--mount", "--net", "--ipc", "--uts", "--propagation", "private")
_DYING = ("setpriv", "--pdeathsig", "KILL", "--")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?")
# Arguments: the folder, an empty folder in it for the root, a file for /etc/passwd, the user id, one more folder that
# is seen or "", and the command.
_SCRIPT = f"""
folder=$1 root=$2 passwd=$3 id=$4 more=$5; shift 5; umask 022; ulimit -c 0
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
exec setpriv --reuid="$id" --regid="$id" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
"""


class ConfinedServer(DatabaseServer):
    """A server in a folder of its own, whose programs all run confined; made by `confined`."""

    view: tuple[str, ...] = ()
    uid: int = 0

    @property
    def before(self) -> tuple[str, ...]:
        """What goes before every program of it that talks to the server."""
        return (*_APART, "--", *self.view)

    @property
    def serving(self) -> tuple[str, ...]:
        """What goes before the server itself: whatever code in it begins ends with it, and it ends with us."""
        return (*_DYING, *_APART, "--pid", "--fork", "--kill-child", "--", *self.view, *_DYING)

    @property
    def folder(self) -> str:
        """The folder that its programs share with us."""
        return self.socket


def confined(folder: Path, name: str, programs: str, bin_folder: Path) -> ConfinedServer:
    """A server in `folder`, whose OS user there is called `name`; the folder belongs to it from now on.

    Raises Refused where this host cannot confine it: what a dump holds is code, and would run as somebody who is known.
    """
    if not _NAME.fullmatch(name):
        raise Refused(f"not the name of a user: {name!a}", "correct `user` of the job that dumps")
    server = ConfinedServer(socket=str(folder), programs=programs)
    server.uid = _free()
    root, passwd = folder / "root", folder / "passwd"
    root.mkdir(mode=0o700)
    # PostgreSQL must know the name of whom it runs as.
    passwd.write_text(f"root:x:0:0:root:/:/bin/false\n{name}:x:{server.uid}:{server.uid}::/:/bin/false\n")
    passwd.chmod(0o644)
    seen = any(bin_folder.is_relative_to(f"/{each}") for each in _SEEN)
    more = "" if seen else str(bin_folder.parent)
    server.view = ("sh", "-ec", _SCRIPT, "confined", str(folder), str(root), str(passwd), str(server.uid), more)
    os.chown(folder, server.uid, server.uid)
    tried = ask((*server.serving, "true"), timeout=30)
    if tried.exit != 0:
        raise Refused(
            f"this host cannot confine the scratch server: {plain(tried.err, 200) or f'exit {tried.exit}'}",
            "the drill needs root, and unshare and setpriv of util-linux 2.32 or newer, outside of a container",
        )
    return server


def _free() -> int:
    """A user id that nobody has, and no process runs as. Raises Refused where there is none."""
    used = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            used.add(path.stat().st_uid)
    for number in _IDS:
        try:
            pwd.getpwuid(number)
        except KeyError:
            if number not in used:
                return number
    raise Refused(f"all user ids from {_IDS[-1]} to {_IDS[0]} are taken", "free one: the scratch server needs it")
