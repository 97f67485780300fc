"""The lab's site: jobs.toml for its two hosts, something to copy, and the runner as people start it."""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.compare import differences, fingerprint
from tests.lab.images import BACKUP, PAPIO, STORE
from tests.lab.machines import CHECKOUT, Lab, Process
from tests.trees import make_tree

FILE, DATA, LOCAL = "/etc/runner/jobs.toml", "/srv/data", "/srv/backups/local"
REVERSE, MAIL, SENDMAIL = "/srv/backups/backup-server1", "/run/mail", "/usr/local/sbin/sendmail"
MIB = 1 << 20
STATE = "/var/lib/runner"
PLACES = {"papio": (BACKUP, STORE), "backup-server1": (PAPIO, REVERSE), "local": (PAPIO, LOCAL)}
NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")
JOBS = f"""
[site]
name = "lab"
controller = "papio"
live = true
state = "{STATE}"
[people]
admin = ["root@localhost"]
[hosts.papio]
address = "192.168.199.1"
filesystems = ["/", "{DATA}"]
[hosts.backup-server1]
address = "192.168.199.2"
filesystems = ["/"]
[disks.usb]
host = "backup-server1"
device = "/dev/disk/by-label/backups"
mount = "{STORE}"
[stores.papio]
host = "backup-server1"
path = "{STORE}"
disk = "usb"
retention = {{ min = 30, max = 400 }}
[stores.backup-server1]
host = "papio"
path = "{REVERSE}"
[stores.local]
host = "papio"
path = "{LOCAL}"
[jobs.backup-papio]
kind = "snapshot"
host = "papio"
store = "papio"
[jobs.backup-backup-server1]
kind = "snapshot"
host = "backup-server1"
store = "backup-server1"
[jobs.copy-data]
kind = "snapshot"
host = "papio"
store = "local"
filesystems = ["{DATA}"]
[hooks.mail]
sendmail = "{SENDMAIL}"
"""
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT(?:\d{6}Z|\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00:00|Z))")
# Run on papio: the path of a database below /proc/PID/root is not what SQLite makes of it.
AGE = """
import datetime, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
back = datetime.timedelta(days=int(sys.argv[2]))
database.create_function("aged", 1, lambda at: at and (datetime.datetime.fromisoformat(at) - back).isoformat())
for table in ("runs", "jobs"):
    database.execute(f"UPDATE {table} SET started = aged(started), ended = aged(ended)")
database.execute("UPDATE instants SET instant = aged(instant)")
database.execute("UPDATE steps SET result = json_remove(result, '$.head') WHERE result IS NOT NULL")
database.execute("DELETE FROM histories")
database.commit()
"""
# What changes while a host runs, or on this machine: it cannot be compared after the fact.
MOVING = (b"var/lib/runner", b"dev", b"proc", b"run", b"sys", b"tmp", b"mnt", b"usr", b"srv/backups", b"srv/data")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """How a call of the runner ended, with all that it said."""

    code: int
    said: str


@dataclass(kw_only=True)
class Network:
    """Bytes that papio sent, and connections that the backup server took."""

    sent: int = 0
    connections: int = 0


@dataclass(kw_only=True)
class Runner:
    """The runner on papio; `seen` holds what every sealed snapshot was like when it was first seen."""

    lab: Lab
    seen: dict[tuple[str, str], object] = field(default_factory=dict)

    def settle(self, *, files: int = 120) -> None:
        """Put jobs.toml on papio, a sendmail, a second filesystem at DATA with a hard tree in it."""
        for folder in ("/etc/runner", "/srv/backups", DATA):
            self.lab.run(PAPIO, "mkdir", "-p", folder)
        self.path(PAPIO, FILE).write_text(JOBS)
        self.settle_mail()
        self.make_room()
        self.lab.run(PAPIO, "truncate", "--size=160M", "/run/images/data.img")
        self.lab.run(PAPIO, "mke2fs", "-q", "-t", "ext4", "-b", "4096", "/run/images/data.img")
        self.mount_data()
        make_tree(self.data, files=files)
        # A hole is a hole; these are read time and again.
        for name, length in (("sparse", 21 << 20), ("all hole", 1 << 20)):
            os.truncate(self.data / "special" / name, length)

    def settle_mail(self) -> None:
        """Put a sendmail on papio that keeps what is mailed for `mail`."""
        self.path(PAPIO, SENDMAIL).write_text(f'#!/bin/sh\nexec cat >> "{MAIL}"\n')
        self.path(PAPIO, SENDMAIL).chmod(0o755)

    def make_room(self) -> None:
        """Make the place in papio's memory where the image of the second filesystem is."""
        self.lab.run(PAPIO, "mkdir", "/run/images")
        self.lab.run(PAPIO, "mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", "/run/images")

    def mount_data(self) -> None:
        """Mount papio's second filesystem."""
        self.lab.run(PAPIO, "mount", "-o", "loop", "/run/images/data.img", DATA)

    def path(self, host: str, path: str) -> Path:
        """Where a host's path is for this process."""
        return self.lab.path(host, path)

    @property
    def data(self) -> Path:
        """The second filesystem of papio, from outside."""
        return self.path(PAPIO, DATA)

    def argv(self, *argv: str) -> tuple[str, ...]:
        """Call the runner of this checkout on papio."""
        return ("env", f"PYTHONPATH={CHECKOUT}", self.lab.python, "-m", "runner", *argv, "-f", FILE)

    def run(self, *argv: str, timeout: float = 120) -> Ran:
        """Run it and wait."""
        done = self.lab.run(PAPIO, *self.argv(*argv), check=False, timeout=timeout)
        return Ran(code=done.returncode, said=done.stdout + done.stderr)

    def good(self, *argv: str) -> Ran:
        """Run it; anything but exit 0 fails the test with what it said."""
        ran = self.run(*argv)
        assert ran.code == 0, ran.said
        return ran

    def start(self, *argv: str) -> Process:
        """Start it and go on."""
        return self.lab.popen(PAPIO, *self.argv(*argv))

    def finish(self, process: Process, timeout: float = 120) -> Ran:
        """Wait for what `start` began."""
        out, err = process.communicate(timeout=timeout)
        return Ran(code=process.returncode, said=out + err)

    def store(self, store: str) -> Path:
        """The folder of a store, from outside."""
        return self.path(*PLACES[store])

    def sealed(self, store: str = "papio") -> list[str]:
        """The snapshots of a store, oldest first; each has its record or the test fails."""
        folder = self.store(store)
        names = sorted(one.name for one in folder.iterdir() if NAME.fullmatch(one.name)) if folder.is_dir() else []
        assert all((folder / ".runner/records" / f"{name}.json").is_file() for name in names)
        return names

    def partials(self, store: str = "papio") -> list[str]:
        """The interrupted snapshots of a store, oldest first."""
        folder = self.store(store) / ".partial"
        return sorted(one.name for one in folder.iterdir() if NAME.fullmatch(one.name)) if folder.is_dir() else []

    def days_pass(self, days: int = 1) -> None:
        """All that the journal and the store of papio know was that many days earlier."""
        self.lab.run(PAPIO, self.lab.python, "-c", AGE, f"{STATE}/journal.sqlite", str(days))
        store = self.store("papio")
        for name in self.sealed():
            (store / name).rename(store / earlier(name, days))
        records = store / ".runner/records"
        for path in (*sorted(records.iterdir()), store / ".runner/proven.json"):
            if path.suffix == ".json" and path.exists():
                path.write_text(earlier(path.read_text(), days))
            if NAME.match(path.name):
                path.rename(path.with_name(earlier(path.name, days)))
        # Its history is of the days that were: the next seal begins another, as for a store of before there was one.
        (store / ".runner/chain").unlink(missing_ok=True)
        latest = store / "latest"
        latest.unlink()
        latest.symlink_to(self.sealed()[-1])
        self.seen.clear()

    def fill(self, name: str, mib: int, pieces: int = 8) -> int:
        """Put some big files on papio that no snapshot has; how many bytes they are."""
        folder = self.data / name
        folder.mkdir()
        for number in range(pieces):
            content = random.Random(f"{name}{number}").randbytes(mib * MIB // pieces)
            (folder / f"{name}{number}").write_bytes(content)
        return mib * MIB

    def arrived(self, name: str) -> int:
        """How many of the files of `fill` are in the newest snapshot that is being made."""
        names = self.partials()
        folder = self.store("papio") / ".incoming" / (names[-1] if names else "none") / "1" / name
        return len(list(folder.glob(f"{name}*"))) if folder.is_dir() else 0

    def record(self, name: str, store: str = "papio") -> dict[str, Any]:
        """The record of a snapshot."""
        found: dict[str, Any] = json.loads((self.store(store) / ".runner/records" / f"{name}.json").read_text())
        return found

    def sent(self) -> int:
        """Bytes that papio has put on the cable since it was started."""
        told = json.loads(self.lab.run(PAPIO, "ip", "-s", "-j", "link", "show", "eth0").stdout)
        return int(told[0]["stats64"]["tx"]["bytes"])

    def opened(self) -> int:
        """Connections that backup-server1 has accepted since it was started."""
        rows = self.lab.run(BACKUP, "cat", "/proc/net/snmp").stdout.splitlines()
        names, values = (row.split() for row in rows if row.startswith("Tcp:"))
        return int(values[names.index("PassiveOpens")])

    def mail(self) -> str:
        """All that was mailed since the last call, soft line ends undone."""
        box = self.path(PAPIO, MAIL)
        text = box.read_text() if box.exists() else ""
        box.unlink(missing_ok=True)
        return text.replace("=\n", "")

    def pids(self, host: str, command: str) -> list[str]:
        """The ids of the processes of that host whose command line matches."""
        return self.lab.run(host, "pgrep", "-f", command, check=False).stdout.split()

    def rsync_silent(self, copy: str, original: str = DATA) -> str:
        """What rsync on papio finds different by content in a copy, `host:path` or a path of papio."""
        options = ("-aHAX", "--numeric-ids", "--modify-window=-1", "-n", "-i", "-c", "--delete")
        done = self.lab.run(PAPIO, "rsync", *options, "--", f"{original}/", f"{copy}/", check=False)
        return done.stdout + done.stderr

    def faithful(self, name: str) -> None:
        """Both filesystems of papio, as they are now, equal the snapshot of that name, or the test fails."""
        snapshot = self.store("papio") / name
        assert differences(self.data, snapshot / DATA[1:]) == []
        assert self.rsync_silent(f"{BACKUP}:{STORE}/{name}{DATA}") == ""
        below = tuple(path.decode() for path in MOVING)
        root = differences(self.path(PAPIO, "/"), snapshot, below=below)
        assert [text for text in root if not text.startswith(tuple(f"{path!r}" for path in MOVING))] == []

    @contextmanager
    def counted(self) -> Iterator[Network]:
        """What papio says to the backup server in this block, and over how many connections."""
        before, network = self._network(), Network()
        yield network
        after = self._network()
        network.sent, network.connections = after.sent - before.sent, after.connections - before.connections

    def _network(self) -> Network:
        cards = self.lab.run(PAPIO, "cat", "/proc/net/dev").stdout
        names, values = re.findall(r"(?m)^Tcp:(.*)", self.lab.run(BACKUP, "cat", "/proc/net/snmp").stdout)
        tcp = dict(zip(names.split(), map(int, values.split()), strict=True))
        (sent,) = re.findall(r"(?m)^ *eth0:(?: +\d+){8} +(\d+)", cards)
        return Network(sent=int(sent), connections=tcp["PassiveOpens"])

    @contextmanager
    def slow(self, mbit: int = 24) -> Iterator[None]:
        """Make papio's network card that slow, so that a transfer can be cut in its middle."""
        rate = ("tbf", "rate", f"{mbit}mbit", "burst", "64k", "latency", "400ms")
        self.lab.run(PAPIO, "tc", "qdisc", "replace", "dev", "eth0", "root", *rate)
        try:
            yield
        finally:
            # After a crash of papio the card is a new one, as fast as ever.
            self.lab.run(PAPIO, "tc", "qdisc", "del", "dev", "eth0", "root", check=False)

    @contextmanager
    def nothing_old_changes(self) -> Iterator[None]:
        """Afterwards no sealed snapshot has gone or changed since it was first seen, and new ones are seen."""
        yield
        for store in PLACES:
            names = self.sealed(store)
            for (_, name), before in [item for item in self.seen.items() if item[0][0] == store]:
                assert name in names, f"{name} of {store} is gone"
                assert fingerprint(self.store(store) / name) == before, f"{name} of {store} was touched"
            for name in names:
                if (store, name) not in self.seen:
                    self.seen[store, name] = fingerprint(self.store(store) / name)


def until(what: str, test: Callable[[], object], seconds: float = 20) -> None:
    """Wait for `test` to hold; fails the test after `seconds`."""
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def earlier(text: str, days: int) -> str:
    """A text with every moment in it, in a name or as ISO 8601, that many days earlier."""
    back = timedelta(days=days)

    def moved(found: re.Match[str]) -> str:
        if NAME.fullmatch(found[0]):
            at = datetime.strptime(found[0], "%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC)
            return f"{at - back:%Y-%m-%dT%H%M%SZ}"
        return (datetime.fromisoformat(found[0]) - back).isoformat()

    return MOMENT.sub(moved, text)
