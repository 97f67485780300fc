"""The site of the virtual machine: papio, its controller, is this machine; the runner as people start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE
from types import TracebackType
from typing import Any, Self

from tests.contract.site import REPOSITORY, as_papio
from tests.vm.machine import BY_ID, Machine
from tests.vm.recipe import STORE

JOBS = """
[site]
name = "vm"
controller = "papio"
timezone = "America/New_York"
live = true
state = "{folder}/state"
known_hosts = "{known_hosts}"
[people]
admin = ["root@localhost"]
experts = ["experts@localhost"]
users = ["users@localhost"]
[hosts.papio]
address = "127.0.0.2"
filesystems = ["{data}"]
[hosts.backup-server1]
address = "127.0.0.1"
port = {port}
key = "{key}"
packages = "apt"
[disks.papio-snapshots]
host = "backup-server1"
device = "{device}"
mount = "{store}"
fsck_every = "120d"
[stores.papio]
host = "backup-server1"
path = "{store}"
disk = "papio-snapshots"
retention = {{ min = 30, max = 400 }}
[jobs.backup-papio]
kind = "snapshot"
host = "papio"
store = "papio"
[jobs.reboot-backup-server1]
kind = "reboot"
host = "backup-server1"
{reboot}
[jobs.halt-backup-server1]
kind = "halt"
host = "backup-server1"
{halt}
[hooks.mail]
sendmail = "{folder}/sendmail"
[hooks.fsck]
{fsck}
"""
# papio's data, and what the runner would write to this machine: all of it in memory.
PAPIO = """for folder in "$1" /usr/local/sbin /run/lock; do mount -t tmpfs -o mode=755,size=512m tmpfs "$folder"; done
echo ready; exec sleep infinity >/dev/null 2>&1"""
PRESS = 'start = "press the round button on the front"'
REBOOT, HALT = "reboot-backup-server1", "halt-backup-server1"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a call of the runner ended, with all that it said."""

    code: int
    said: str


@dataclass(kw_only=True)
class Site:
    """jobs.toml beside the machine's disks. What papio has is in memory, and only the runner's processes
    see it; it goes with this process, as every process of the runner does.
    """

    machine: Machine
    _ours: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.data.mkdir()
        own = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--fork", "--kill-child=KILL")
        holder = self._started(*own, "--", "sh", "-euc", PAPIO, "papio", str(self.data))
        assert holder.stdout and holder.stdout.readline() == "ready\n"
        (child,) = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
        self._inside = ("nsenter", f"--mount=/proc/{child}/ns/mnt", f"--wd={self.folder}", "--")
        self._seen = Path(f"/proc/{child}/root")
        self.declare()
        sendmail = self.folder / "sendmail"
        sendmail.write_text(
            f'#!/bin/sh\nprintf "\\nto: %s\\n" "$*" >> "{self.folder}/mail"\nexec cat >> "{self.folder}/mail"\n'
        )
        sendmail.chmod(0o755)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in reversed(self._ours):
            with process:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    @property
    def folder(self) -> Path:
        """Where jobs.toml is."""
        return self.machine.folder

    @property
    def data(self) -> Path:
        """What papio has, as the runner sees it."""
        return self.folder / "data"

    def declare(self, *, reboot: str = "", halt: str = PRESS, fsck: str = "") -> None:
        """Write jobs.toml with these keys of the two jobs and of the hook."""
        values = {"port": self.machine.port, "key": self.machine.key, "known_hosts": self.machine.known_hosts}
        places = {"folder": self.folder, "data": self.data, "device": BY_ID, "store": STORE}
        text = JOBS.format(**values, **places, reboot=reboot, halt=halt, fsck=fsck)
        (self.folder / "jobs.toml").write_text(text)

    def fill(self, name: str, mb: int) -> None:
        """Give papio a file of that size that cannot be compressed."""
        self._seen.joinpath(str(self.data)[1:], name).write_bytes(os.urandom(mb << 20))

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start the runner and go on."""
        return self._started(*self._inside, sys.executable, "-m", "runner", *as_papio(self.folder, argv))

    def finish(self, process: subprocess.Popen[str], timeout: float = 400) -> Ran:
        """Wait for what `start` began."""
        out, err = process.communicate(timeout=timeout)
        return Ran(code=process.returncode, said=out + err)

    def run(self, *argv: str, timeout: float = 400) -> Ran:
        """Run the runner to its end."""
        return self.finish(self.start(*argv), timeout)

    def good(self, *argv: str) -> str:
        """Run it; anything but exit 0 fails the test. What it said."""
        ran = self.run(*argv)
        assert ran.code == 0, ran.said
        return ran.said

    def plan(self, job: str) -> tuple[Any, str]:
        """Plan a job: plan.toml as read, and what a person is shown."""

        path = self.folder / "plan.toml"
        path.unlink(missing_ok=True)
        said = self.run("plan", job, "--out", str(path)).said
        return (tomllib.loads(path.read_text()) if path.exists() else {}), said

    def mail(self) -> str:
        """All mails so far, as they went out."""
        path = self.folder / "mail"
        return path.read_text() if path.exists() else ""

    def partials(self) -> list[str]:
        """The interrupted snapshots on the disk."""
        return [name for name in self._names(f"{STORE}/.partial") if name.endswith("Z")]

    def sealed(self) -> list[str]:
        """The snapshots on the disk that have their record."""
        return [name[:-5] for name in self._names(f"{STORE}/.runner/records") if name.endswith("Z.json")]

    def _names(self, folder: str) -> list[str]:
        return self.machine.run("ls", "--", folder, check=False).stdout.split()

    def _started(self, *argv: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            argv, cwd=self.folder, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"},
        )  # fmt: skip
        self._ours.append(process)
        return process
