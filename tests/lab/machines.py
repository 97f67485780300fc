"""Two real hosts on this machine: papio and backup-server1, a cable between them and a disk.

Each host has a root filesystem of its own and its own mount, pid, uts, ipc and network
namespaces; /usr and /dev are this machine's. No namespace, mount or loop device has a name or a
life beyond the host's first process, and that one dies with this process, however it ends.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO, Literal, Self

from tests.lab.images import ADDRESS, BACKUP, STORE, do, make_images

CHECKOUT = Path(__file__).parents[2]
ENVIRONMENT = (
    "HOME=/root", "USER=root", "LOGNAME=root", "TERM=dumb", "LC_ALL=C", "LANGUAGE=",
    "PYTHONDONTWRITEBYTECODE=1",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)  # fmt: skip
# Arguments: image, mount point, host name, host folders to show as "SOURCE TARGET ro|rw" triples.
# The first line out is this process's number as this machine counts, the second says it is ready.
BOOT = r"""
read -r pid rest < /proc/self/stat; echo "$pid"
image=$1 root=$2 name=$3; shift 3
mount -o loop "$image" "$root"
cd "$root"
mount --bind /usr usr; mount -o remount,bind,ro usr
mkdir -p opt/sbin; mount --bind opt/sbin usr/local/sbin
mount --bind /dev dev; mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs tmpfs dev/shm; mount -t proc proc proc; mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755,size=64m tmpfs run
while [ $# -gt 0 ]; do
  mkdir -p ".$2"; mount --bind "$1" ".$2"; mount -o "remount,bind,$3" ".$2"; shift 3
done
mkdir -p run/sshd run/outside
pivot_root . run/outside
umount -l /run/outside
echo "$name" > /proc/sys/kernel/hostname
trap '' CHLD
echo ready
exec sleep infinity > /dev/null 2>&1
"""


class Process(subprocess.Popen[str]):
    """A command on a host; signals go to the command itself, not to what carried it in."""

    def send_signal(self, sig: int) -> None:
        """Signal the command; nothing happens if it has ended."""
        inside = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        children = inside.read_text().split() if self.poll() is None else []
        for child in children:
            os.kill(int(child), sig)
        if not children:
            super().send_signal(sig)


class Lab:
    """Both hosts, up from `with Lab() as lab:` until the block ends, whatever ends it.

    `binds` are folders of this machine that both hosts see at the same path, read only; the
    checkout and the running Python's environment are always among them.
    """

    python = sys.executable
    folder: Path
    """Where the images are, on this machine."""

    def __init__(self, *, binds: tuple[Path, ...] = (), disk_mb: int = 256, root_mb: int = 512) -> None:
        if os.geteuid() != 0:
            raise PermissionError("the lab needs root: it makes namespaces, mounts and loop devices")
        base = Path(sys.base_prefix)
        own = (CHECKOUT, Path(sys.prefix), *(() if base.is_relative_to("/usr") else (base,)))
        self._binds = tuple(dict.fromkeys((*own, *binds)))
        self._root_mb, self._disk_mb = root_mb, disk_mb
        self._holders: dict[str, subprocess.Popen[str]] = {}
        self._pids: dict[str, int] = {}
        self._started: list[Process] = []
        self._open = False

    def __enter__(self) -> Self:
        # Short, since sockets live below it.
        self.folder = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))
        self._open = True
        try:
            make_images(self.folder, root_mb=self._root_mb, disk_mb=self._disk_mb)
            self._start_switch()
            for host in ADDRESS:
                self.boot(host)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(
        self, host: str, *argv: str, check: bool = True, input: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root on a host and wait; stdin is closed unless there is `input`.

        A wrong exit code fails the test with what the command said, unless `check` is false; a
        command that outlives `timeout` seconds is killed and raises TimeoutExpired.
        """
        process = self.popen(host, *argv, stdin=DEVNULL if input is None else PIPE)
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        if check and process.returncode:
            raise AssertionError(f"{host}: {shlex.join(argv)}: exit {process.returncode}\n{out}{err}")
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def popen(self, host: str, *argv: str, stdin: int | IO[str] = DEVNULL, out: int | IO[str] = PIPE) -> Process:
        """Start a command as root on a host; stdout (unless `out`) and stderr are pipes.

        What is said is text, with surrogates for bytes that are no UTF-8.
        """
        enter = ("nsenter", "-t", str(self._pids[host]), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--")
        process = Process(
            (*enter, "env", "-i", *ENVIRONMENT, *argv),
            stdin=stdin, stdout=out, stderr=PIPE, start_new_session=True,
            encoding="utf-8", errors="surrogateescape",
        )  # fmt: skip
        self._started.append(process)
        return process

    def path(self, host: str, path: str) -> Path:
        """Where a host's absolute `path` is for this process, until that host crashes."""
        return Path(f"/proc/{self._pids[host]}/root{path}")

    def pid(self, host: str) -> int:
        """The first process of a host, as this machine counts."""
        return self._pids[host]

    def link(self, state: Literal["up", "down"]) -> None:
        """Plug or pull the cable of backup-server1; papio's end notices nothing by itself."""
        self._in_switch("ip", "link", "set", _port(BACKUP), state)

    def disk(self, what: Literal["mount", "umount", "readonly"]) -> None:
        """Mount or unmount the backup disk, or make it fail as a dying disk does: read-only, errors."""
        match what:
            case "mount":
                self.run(BACKUP, "mount", STORE)
            case "umount":
                self.run(BACKUP, "umount", STORE)
            case "readonly":
                self.run(BACKUP, "mount", "-o", "remount,abort", STORE)

    def crash(self, host: str) -> None:
        """Cut a host's power: no process says goodbye, no packet leaves; its disks keep what was written."""
        self._in_switch("ip", "link", "del", _port(host))
        self._kill(host)

    def boot(self, host: str) -> None:
        """Start a host from its own disks, as `crash` or the making of the lab left them."""
        binds = [text for bind in self._binds for text in (str(bind), str(bind), "ro")]
        usb = [str(self.folder / "usb"), "/mnt/usb", "rw"] if host == BACKUP else []
        mount_point = self.folder / f"{host}.root"
        mount_point.mkdir(exist_ok=True)
        script = ("sh", "-euc", BOOT, "boot", str(self.folder / f"{host}.img"), str(mount_point), host)
        self._hold(host, *script, *binds, *usb)
        self._plug(host)
        self.run(host, "/usr/sbin/sshd")
        if host == BACKUP:
            self.disk("mount")

    def close(self) -> None:
        """End both hosts, remove all that is theirs, close what `popen` opened; can be called twice."""
        for process in self._started:
            with process:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        for name in tuple(self._holders):
            self._kill(name)
        if self._open:
            self._open = False
            _wait("the disks to be let go of", lambda: not loops(self._images()))
            shutil.rmtree(self.folder, ignore_errors=True)

    def _hold(self, name: str, *argv: str) -> None:
        # Two death wishes, so that SIGKILL of this process ends the host too: unshare's, then its child's.
        spaces = ("unshare", "--net", *(("--mount", "--uts", "--ipc", "--pid") if name in ADDRESS else ()))
        holder = subprocess.Popen(
            ("setpriv", "--pdeathsig", "KILL", *spaces, "--fork", "--kill-child=KILL", "--", *argv),
            stdin=DEVNULL, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self._holders[name] = holder
        assert holder.stdout is not None and holder.stderr is not None
        first, second = holder.stdout.readline().strip(), holder.stdout.readline()
        if second != "ready\n":
            raise RuntimeError(f"{name} did not start: {holder.stderr.read()}")
        self._pids[name] = int(first)

    def _kill(self, name: str) -> None:
        holder = self._holders.pop(name)
        holder.kill()
        holder.communicate()
        pid = self._pids.pop(name, None)
        _wait(f"{name} to end", lambda: pid is None or not Path(f"/proc/{pid}/root/proc").exists())
        if name in ADDRESS:
            _wait(f"{name}'s disks", lambda: not loops(self._images(name)))

    def _images(self, host: str = "") -> list[Path]:
        own = [self.folder / f"{name}.img" for name in ADDRESS if host in ("", name)]
        return [*own, *(self.folder.glob("usb/*.img") if host in ("", BACKUP) else ())]

    def _start_switch(self) -> None:
        self._hold("switch", "sh", "-euc", "echo $$; echo ready; exec sleep infinity > /dev/null 2>&1")
        self._in_switch("ip", "link", "add", "bridge", "type", "bridge", "forward_delay", "0")
        self._in_switch("ip", "link", "set", "bridge", "up")

    def _plug(self, host: str) -> None:
        # The network card keeps its address over a reboot, or the other host's ARP table is stale.
        mac = f"02:00:00:00:00:0{ADDRESS[host][-1]}"
        peer = ("peer", "name", "eth0", "address", mac, "netns", str(self._pids[host]))
        self._in_switch("ip", "link", "add", _port(host), "type", "veth", *peer)
        self._in_switch("ip", "link", "set", _port(host), "master", "bridge", "up")
        self.run(host, "ip", "link", "set", "lo", "up")
        self.run(host, "ip", "addr", "add", f"{ADDRESS[host]}/24", "dev", "eth0")
        self.run(host, "ip", "link", "set", "eth0", "up")

    def _in_switch(self, *argv: str) -> None:
        do("nsenter", "-t", str(self._pids["switch"]), "-n", "--", *argv)


def _port(host: str) -> str:
    return host[:6]


def loops(images: Iterable[Path]) -> list[str]:
    """The loop devices that hold one of these files, under whatever path they were attached."""
    inodes = {str(image.stat().st_ino) for image in images if image.exists()}
    argv = ("losetup", "--list", "--noheadings", "--raw", "--output", "BACK-INO,NAME")
    rows = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    # One that is being let go of has no file any more.
    pairs = (row.split() for row in rows)
    return [pair[1] for pair in pairs if len(pair) == 2 and pair[0] in inodes]


def _wait(what: str, test: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise TimeoutError(f"the lab waited {seconds} s for {what}")
        time.sleep(0.01)
