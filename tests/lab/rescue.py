"""A rescue system without Python: busybox, rsync and PostgreSQL's programs, in namespaces of its own.

It has no network and sees one block device. Of this machine it has libraries and PostgreSQL, to read only.
"""

from __future__ import annotations

import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.contract import pg

PATH = f"/bin:{pg.BIN}"
# Arguments: the new root, the block device, a folder of this machine for each of the places behind them.
BOOT = r"""
set -e
root=$1 device=$2 postgres=$3; shift 3
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir -p bin usr/lib usr/lib64 proc dev/shm etc root var run/postgresql tmp
chmod 1777 tmp dev/shm; ln -s usr/lib lib; ln -s usr/lib64 lib64; ln -s ../run var/run
chown "$postgres:$postgres" run/postgresql
cp "$(command -v busybox)" bin/busybox; cp "$(command -v rsync)" bin/rsync
for name in $(busybox --list); do [ -e "bin/$name" ] || ln -s busybox "bin/$name"; done
for folder in /usr/lib/*-linux-gnu /usr/lib/postgresql /usr/lib64 /usr/share/zoneinfo /usr/share/postgresql; do
    [ -d "$folder" ] || continue
    mkdir -p ".$folder"; mount --bind "$folder" ".$folder"; mount -o remount,bind,ro ".$folder"
done
while [ $# -gt 0 ]; do mkdir -p ".$2"; mount --bind "$1" ".$2"; shift 2; done
mount -t proc proc proc
for name in null zero random urandom tty; do cp -a "/dev/$name" dev/; done
cp -a "$device" dev/
printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:%s:%s::/:/bin/sh\n' "$postgres" "$postgres" > etc/passwd
printf 'root:x:0:\npostgres:x:%s:\n' "$postgres" > etc/group
exec chroot . /bin/sh -c 'echo up; exec sleep 1000000'
"""


class Rescue:
    """The running system, from `with` until the block ends; `given` are (folder here, place there)."""

    def __init__(self, folder: Path, device: str, given: tuple[tuple[Path, str], ...]) -> None:
        if shutil.which("busybox") is None:
            pytest.skip("there is no busybox: apt-get install busybox-static")
        self.root, self.device, self.given = folder / "rescue", device, given
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.root.mkdir()
        # It ends with this process, also when that is killed.
        wish, spaces = ("setpriv", "--pdeathsig", "KILL", "--"), ("--mount", "--pid", "--net", "--fork", "--kill-child")
        places = [str(word) for pair in self.given for word in pair]
        number = str(pwd.getpwnam(pg.USER).pw_uid)
        self._holder = subprocess.Popen(
            (*wish, "unshare", *spaces, "sh", "-c", BOOT, "boot", str(self.root), self.device, number, *places),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "up\n", "the rescue system did not start"
        return self

    def __exit__(self, *exception: object) -> None:
        if self._holder:
            self._holder.kill()
            self._holder.wait()
            assert self._holder.stdout
            self._holder.stdout.close()

    def sh(self, script: str, *, user: str = "") -> subprocess.CompletedProcess[str]:
        """Run a script in it with its own shell, as root or as `user`; the answer, whatever it is."""
        assert self._holder
        (inner,) = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        words = ("su", user, "-s", "/bin/sh", "-c", script) if user else ("sh", "-c", script)
        return subprocess.run(
            ("nsenter", "-t", inner, "-m", "-p", "-n", "-r", "-w", "--", "/bin/busybox", "env", "-i",
             f"PATH={PATH}", "HOME=/root", "LC_ALL=C", *words),
            check=False, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="backslashreplace", timeout=300,
        )  # fmt: skip
