"""backup-server1 as a machine that really boots, checks its disks, reboots and powers off.

It is emulated in software, so that it runs wherever its package is, and dies with this process.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL
from types import TracebackType
from typing import Self

from tests.contract.sshd import free_port
from tests.lab.images import do
from tests.vm import image, recipe
from tests.vm.monitor import Monitor

BOOT = 240.0
DISK_ID = "backup-disk"
BY_ID = f"/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_{DISK_ID}"


class Machine:
    """The machine with its own copy of the image's disks, on from `with` until the block ends.

    Its ssh is at `port` of 127.0.0.1; `key` and `known_hosts` are what a client needs. Nothing but that
    goes in or out of it.
    """

    monitor: Monitor

    def __init__(self, base: Path | None = None) -> None:
        """`base` is the folder of the image; without it the kept one, built if there is none."""
        self._base = base or image.image(first_boot)
        self._process: subprocess.Popen[bytes] | None = None
        # Short, since a socket lives below it.
        self.folder = Path(tempfile.mkdtemp(prefix="vm-", dir="/tmp"))
        self.port = free_port()
        self.key = self._base / image.KEY
        self.known_hosts = self.folder / "known_hosts"
        public = (self._base / f"{image.HOST_KEY}.pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")

    def __enter__(self) -> Self:
        try:
            for name in (image.ROOT, image.DISK):
                base = ("-b", str(self._base / name), "-F", "raw")
                do("qemu-img", "create", "-q", "-f", "qcow2", *base, str(self.folder / name))
            self._start("-incoming", f"exec:cat {shlex.quote(str(self._base / image.MEMORY))}")
            self._resume()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it and remove all that is its own; can be called twice."""
        if self._process:
            self.pull_plug()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def on(self) -> bool:
        """Whether its power is on; a machine that has halted or panicked is on."""
        return self._process is not None and self._process.poll() is None

    @property
    def console(self) -> str:
        """What its console has said since it was switched on."""
        return (self.folder / "console").read_text("utf-8", "backslashreplace")

    def press_button(self) -> None:
        """Switch it on: it boots from its disks as they are."""
        assert not self.on
        self._start()

    def pull_plug(self) -> None:
        """Cut its power; its disks keep what had been written."""
        assert self._process
        self.monitor.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def await_off(self, seconds: float = 90) -> None:
        """Wait until its power is off; subprocess.TimeoutExpired if it stays on."""
        assert self._process
        self._process.wait(seconds)
        self.monitor.close()

    def stay_off_after(self) -> None:
        """The next time it reboots itself its power fails instead."""
        self.monitor.ask("set-action", reboot="shutdown")

    def hold_reboot(self) -> None:
        """The next time it reboots itself it stands still, until `go_on`."""
        self.monitor.ask("set-action", reboot="shutdown", shutdown="pause")

    def await_held(self, seconds: float = BOOT) -> None:
        """Wait until it stands still where `hold_reboot` holds it."""
        self.monitor.await_event("STOP", seconds)

    def go_on(self) -> None:
        """Let a machine that stands still at its reboot boot."""
        self.monitor.ask("set-action", reboot="reset", shutdown="poweroff")
        self.monitor.ask("system_reset")
        self.monitor.ask("cont")

    def take_disk(self) -> None:
        """Unplug the backup disk, whatever is written to it."""
        self.monitor.ask("device_del", id=DISK_ID)

    def slow_disk(self, mb: int) -> None:
        """Make the backup disk give no more than that many MB a second, as an old cable does."""
        rest = {"bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0}
        self.monitor.ask("block_set_io_throttle", id=DISK_ID, bps=mb * 1_000_000, **rest)

    def run(self, *argv: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command there as root by ssh; a wrong exit code fails the test unless `check` is false."""
        done = subprocess.run(
            self.ssh(*argv), stdin=DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{shlex.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def ssh(self, *argv: str) -> tuple[str, ...]:
        """The command that runs `argv` there."""
        options = (
            f"UserKnownHostsFile={self.known_hosts}", "StrictHostKeyChecking=yes", "BatchMode=yes",
            "ConnectTimeout=10", "ServerAliveInterval=5", "LogLevel=ERROR",
        )  # fmt: skip
        words = [word for option in options for word in ("-o", option)]
        place = ("-F", "none", "-i", str(self.key), "-p", str(self.port), "root@127.0.0.1", "--")
        return ("ssh", *words, *place, shlex.join(argv))

    def boot_id(self) -> str:
        """The id of the boot it runs, or "" where nobody answers."""
        # The port is always open: only a banner says that somebody is there.
        if not self.answers():
            return ""
        with suppress(subprocess.TimeoutExpired):
            return self.run("cat", "/proc/sys/kernel/random/boot_id", check=False, timeout=20).stdout.strip()
        return ""

    def answers(self) -> bool:
        """Whether its sshd says who it is."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=3) as found:
            return found.recv(8).startswith(b"SSH-2.0")
        return False

    def await_boot(self, before: str = "", seconds: float = BOOT) -> str:
        """Wait until it answers with a boot that is not `before`; the new boot's id."""
        end = time.monotonic() + seconds
        while not (found := self.boot_id()) or found == before:
            assert time.monotonic() < end, f"not back after {seconds} s:\n{self.console[-3000:]}"
            assert self.on, f"its power is off:\n{self.console[-3000:]}"
            time.sleep(0.5)
        return found

    def await_settled(self, seconds: float = BOOT) -> str:
        """Wait until systemd has nothing left to start; `running` or `degraded`."""
        waited = self.run("systemctl", "is-system-running", "--wait", check=False, timeout=seconds)
        return waited.stdout.strip()

    def await_mounted(self, seconds: float = 60) -> None:
        """Wait until the backup disk is mounted; where the boot gave up on a slow one, it is asked for again."""
        end = time.monotonic() + seconds
        while self.run("findmnt", "--noheadings", recipe.STORE, check=False).returncode:
            assert time.monotonic() < end, f"{recipe.STORE} is not mounted after {seconds} s:\n{self.console[-3000:]}"
            self.run("systemctl", "start", recipe.MOUNT, check=False, timeout=seconds)
            time.sleep(0.5)

    def _start(self, *more: str) -> None:
        socket_path = self.folder / "monitor"
        socket_path.unlink(missing_ok=True)
        drives = (f"file={self.folder}/{image.ROOT},if=virtio", f"file={self.folder}/{image.DISK},if=none,id={DISK_ID}")
        words = [word for drive in drives for word in ("-drive", f"{drive},cache=unsafe{self._format()}")]
        argv = (
            "qemu-system-x86_64", *recipe.HARDWARE,
            "-kernel", str(self._base / image.KERNEL), "-initrd", str(self._base / image.INITRD), *words,
            "-device", f"scsi-hd,bus=bus.0,drive={DISK_ID},id={DISK_ID},serial={DISK_ID}",
            "-netdev", f"user,id=cable,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-10.0.2.15:22",
            "-serial", f"file:{self.folder}/console", "-qmp", f"unix:{socket_path},server=on,wait=off", *more,
        )  # fmt: skip
        with (self.folder / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                ("setpriv", "--pdeathsig", "KILL", "--", *argv),
                stdin=DEVNULL, stdout=errors, stderr=errors, start_new_session=True,
            )  # fmt: skip
        self.monitor = Monitor(socket_path)

    def _format(self) -> str:
        return ",format=qcow2"

    def _resume(self) -> None:
        end = time.monotonic() + 60
        while self.monitor.ask("query-status")["status"] == "inmigrate":
            assert time.monotonic() < end, "its memory does not load"
            time.sleep(0.05)
        self.monitor.ask("cont")
        # The memory is as old as the image, and so is its clock.
        self.run("date", "--utc", "--set", f"@{time.time():.0f}")


class _First(Machine):
    """The machine that boots from the image's own disks, and whose memory is kept."""

    def __enter__(self) -> Self:
        for name in (image.ROOT, image.DISK):
            (self.folder / name).symlink_to(self._base / name)
        self._start()
        return self

    def _format(self) -> str:
        return ",format=raw"


def first_boot(base: Path) -> None:
    """Boot the image in `base` for the first time and keep the memory of the machine that is up."""
    with _First(base) as machine:
        machine.await_boot()
        state = machine.await_settled()
        if state != "running":
            raise RuntimeError(f"the image is {state}: {machine.run('systemctl', '--failed').stdout}")
        machine.await_mounted()
        machine.run("sync")
        # No connection may be half closed in what is kept.
        time.sleep(1)
        machine.monitor.ask("stop")
        machine.monitor.ask("migrate", uri=f"exec:cat > {shlex.quote(str(base / image.MEMORY))}")
        end = time.monotonic() + 60
        while (told := machine.monitor.ask("query-migrate")["status"]) != "completed":
            if told == "failed" or time.monotonic() > end:
                raise RuntimeError(f"its memory could not be kept: {told}")
            time.sleep(0.2)
