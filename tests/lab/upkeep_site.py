"""A site whose backup server is a real Debian, and the runner's command as cron and a keeper call it."""

from __future__ import annotations

import contextlib
import email.policy
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path

from tests.contract.site import as_papio
from tests.lab.archive import SECURITY, Archive, Deb
from tests.lab.debian import World
from tests.lab.package_files import META, OLD

REPOSITORY = Path(__file__).parents[2]
DAILY, UPGRADE = "security-updates", "upgrade-backup-server1"
PATIENCE = 60.0
JOBS = """
[site]
name = "babase"
controller = "papio"
timezone = "America/New_York"
live = true
state = "{folder}/state"
known_hosts = "{folder}/known_hosts"
[people]
admin = ["keeper@site.test"]
experts = ["expert@site.test"]
[hosts.papio]
address = "papio.test"
[hosts.backup-server1]
address = "127.0.0.1"
port = {port}
key = "{key}"
packages = "apt"
hold = {hold}
[jobs.security-updates]
kind = "updates"
host = "backup-server1"
schedule = "25 6 * * *"
[jobs.upgrade-backup-server1]
kind = "upgrade"
host = "backup-server1"
reboot = "no"
[jobs.reboot-backup-server1]
kind = "reboot"
host = "backup-server1"
[hooks.mail]
sendmail = "{folder}/sendmail"
"""
# A file for each message; the name keeps their order.
SENDMAIL = """#!/bin/sh
exec cat >"{folder}/mail/$(date +%s.%N)"
"""


@contextlib.contextmanager
def upkept(base: Path, folder: Path) -> Iterator[tuple[World, Archive]]:
    """A Debian that one can log in to, with a kernel, old packages, and the archive from which they came."""
    with Archive(folder / "archive") as archive, World(base, folder / "world", archive) as world:
        archive.add(*OLD)
        world.install("demo-app", "demo-feature", META)
        world.serve_ssh()
        for name in ("vmlinuz", "initrd.img"):
            world.write(f"/boot/{name}-{os.uname().release}", name)
        # What is published within the same second as the lists were fetched looks unchanged to HTTP.
        time.sleep(1.1)
        yield world, archive


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A message as its reader sees it: folded lines are joined, so that a sentence can be looked for."""

    to: str
    subject: str
    text: str

    @property
    def flat(self) -> str:
        """The message without its log, all in one line."""
        return " ".join(self.text.partition("\nLog\n---\n")[0].split())


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """A call of the runner: its exit code, what was at the terminal, the messages it sent."""

    code: int
    said: str
    mails: tuple[Letter, ...] = ()

    @property
    def mail(self) -> Letter:
        """The one message of the run; more or fewer fail the test."""
        assert len(self.mails) == 1, (self.said, self.mails)
        return self.mails[0]


class Keeper:
    """Who keeps the site: a folder with jobs.toml, the Debian that it is about, and the runner's command."""

    def __init__(self, world: World, archive: Archive, folder: Path) -> None:
        self.world, self.archive, self.folder = world, archive, folder
        (folder / "mail").mkdir(parents=True)
        (folder / "sendmail").write_text(SENDMAIL.format(folder=folder))
        (folder / "sendmail").chmod(0o755)
        host_key = world.path("/etc/ssh/test_key.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{world.port} {host_key}")
        self.declare(world.hold)

    def declare(self, hold: Sequence[str]) -> None:
        """Write jobs.toml, in which the Debian holds what fits these."""
        declared = JOBS.format(
            folder=self.folder, port=self.world.port, key=self.world.key, hold=json.dumps(list(hold))
        )
        (self.folder / "jobs.toml").write_text(declared)

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start `runner argv` as the leader of a process group."""
        known = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "100"}
        return subprocess.Popen(
            (sys.executable, "-m", "runner", *as_papio(self.folder, argv)), cwd=self.folder, env=known, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ended(self, process: subprocess.Popen[str]) -> Ran:
        """Wait for the end of a started one."""
        out, err = process.communicate(timeout=PATIENCE)
        return Ran(code=process.returncode, said=out + err, mails=self.mails())

    def runner(self, *argv: str) -> Ran:
        """Run `runner argv` to its end."""
        return self.ended(self.start(*argv))

    def cron(self) -> Ran:
        """A day passes, then cron runs what is due."""
        self.a_day_passes()
        return self.runner("run")

    def typed(self, line: str, *more: str) -> Ran:
        """A person types that line, which some message named, and `more`."""
        command, *argv = shlex.split(line)
        assert command == "runner"
        return self.runner(*argv, *more)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """The runner is killed, and the ssh that it started: the machine under it lost its power."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def mails(self) -> tuple[Letter, ...]:
        """The messages since the last call, oldest first."""
        found = []
        for path in sorted((self.folder / "mail").iterdir()):
            message = message_from_bytes(path.read_bytes(), policy=email.policy.default)
            body = message.get_body()
            assert body
            found.append(Letter(to=message["To"], subject=message["Subject"], text=body.get_content()))
            path.unlink()
        return tuple(found)

    def a_day_passes(self) -> None:
        """All that the journal knows was a day earlier."""
        journal = self.folder / "state/journal.sqlite"
        if not journal.exists():
            return
        with contextlib.closing(sqlite3.connect(journal)) as database, database:
            for table in ("runs", "jobs"):
                rows = database.execute(f"SELECT rowid, started, ended FROM {table}").fetchall()
                for row, *times in rows:
                    back = [_a_day_before(at) for at in times]
                    database.execute(f"UPDATE {table} SET started = ?, ended = ? WHERE rowid = ?", (*back, row))
            for row, instant in database.execute("SELECT rowid, instant FROM instants").fetchall():
                database.execute("UPDATE instants SET instant = ? WHERE rowid = ?", (_a_day_before(instant), row))

    def rebooted(self) -> None:
        """The host has been started again since its packages were changed last, as far as anybody can see."""
        self.world.path("/var/lib/runner/since-boot.json").unlink(missing_ok=True)
        for path in self.world.path("/var/lib/dpkg/info").glob("*.list"):
            os.utime(path, (1, 1))

    def published(self, *debs: Deb) -> None:
        """The archive for security has these from now on."""
        self.archive.add(*debs, suite=SECURITY)


def _a_day_before(at: str | None) -> str | None:
    return at and (datetime.fromisoformat(at) - timedelta(days=1)).isoformat()


def commands(letter: Letter) -> tuple[str, ...]:
    """The lines of the message that a person can type: `runner ...`, alone on their lines."""
    told = letter.text.partition("\nLog\n---\n")[0]
    return tuple(line.strip() for line in told.splitlines() if line.strip().startswith("runner "))


def until(what: str, holds: Callable[[], object], seconds: float = 30) -> None:
    """Wait for `holds`; fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def present(text: str, sentences: Iterable[str]) -> None:
    """Fail the test unless each of the sentences is in the text."""
    missing = [one for one in sentences if one not in text]
    assert not missing, f"not said: {missing}\n{text}"
