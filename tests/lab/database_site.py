"""A real PostgreSQL on the lab's papio, a site that dumps, copies, drills and prunes, and days that pass."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.agent.database.contract import encoded
from tests.contract import pg
from tests.lab.images import BACKUP, PAPIO, STORE
from tests.lab.machines import CHECKOUT, Lab
from tests.lab.site import FILE, JOBS, MAIL, SENDMAIL, Ran, Runner, earlier

DUMPS, HOME, POSTGRES = "/srv/babase_database/postgres", "/var/lib/postgresql", 26
ODD = 'it\'s "odd"; DROP --x ünï'
DATABASES = ("babase", ODD)
# What the lab binds into papio from this machine.
OTHERS = sorted({"/usr", str(CHECKOUT), sys.prefix, sys.base_prefix})
MORE = f"""
[jobs.dump-babase]
kind = "dump"
host = "papio"
to = "{DUMPS}"
schedule = "0 2 * * *"
[jobs.purge-papio]
kind = "prune"
store = "papio"
[jobs.drill-papio]
kind = "drill"
store = "papio"
canaries = ["/etc/passwd", "/home/karl/thesis"]
database = "dump-babase"
most = "100 MiB"
[jobs.check-papio]
kind = "check"
store = "papio"
proven_every = "10d"
after = ["backup-papio"]
schedule = "45 6 * * *"
[hooks.mail]"""
NIGHTLY = f'store = "papio"\nafter = ["dump-babase"]\nexclude = {json.dumps(OTHERS)}\nschedule = "15 3 * * *"\n[jobs.backup-backup'
COUNTS = """
select coalesce(json_object_agg(name, (xpath('/row/c/text()', query_to_xml(
    'select count(*) as c from only ' || name, false, true, '')))[1]::text::int), '{}')
from (select format('%I.%I', nspname, relname) as name from pg_class join pg_namespace n on n.oid = relnamespace
    where relkind = 'r' and nspname !~ '^pg_' and nspname <> 'information_schema') tables
"""
STALE = re.compile(r"database(?: \S.*?)?: stale since \d{4}-\d\d-\d\d \d\d:\d\d UTC")


@dataclass(frozen=True, kw_only=True)
class Cluster(pg.Cluster):
    """The server of papio, at the places that a Debian has; nobody else's programs reach it."""

    lab: Lab
    folder: Path = Path(HOME)
    user: str = "postgres"

    def run(self, *argv: str | Path, given: bytes | None = None, ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        """Run a program on papio as `postgres`; fails unless it exits 0, where `ok`."""
        done = self.lab.run(PAPIO, *self.words(*argv), check=ok, input=None if given is None else given.decode())
        out, err = (text.encode(errors="surrogateescape") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def words(self, *argv: str | Path) -> tuple[str, ...]:
        """What goes to papio for a program to be run by `postgres`."""
        who = ("setpriv", f"--reuid={POSTGRES}", f"--regid={POSTGRES}", "--clear-groups")
        know = ("env", "--chdir=/", f"PATH={self.bin}:/usr/bin:/bin", "PGTZ=UTC", f"HOME={HOME}")
        return (*who, *know, *map(str, argv))

    def make(self) -> None:
        """Give papio the account, and a place in memory that no snapshot holds; make and start the server."""
        etc = self.lab.path(PAPIO, "/etc")
        for file, line in (
            ("passwd", f"postgres:x:{POSTGRES}:{POSTGRES}::{HOME}:/bin/bash"),
            ("group", f"postgres:x:{POSTGRES}:"),
            ("shadow", "postgres:*:19000:0:99999:7:::"),
        ):
            (etc / file).write_text(f"{(etc / file).read_text()}{line}\n")
        # Both are what a Debian has; in a small image of ours they are not.
        self.lab.run(PAPIO, "ln", "-sfT", "/run", "/var/run")
        self.lab.run(PAPIO, "mkdir", "-p", "/run/postgresql", HOME, DUMPS)
        self.lab.run(PAPIO, "mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", HOME)
        self.lab.run(PAPIO, "chown", "postgres:", "/run/postgresql", HOME, DUMPS)
        self.lab.run(PAPIO, "chmod", "700", DUMPS)
        words = ("--no-sync", "--auth=peer", "--encoding=UTF8", "--locale=C")
        self.run("initdb", "-D", self.data, "-U", "postgres", *words)
        # `peer` lets in nobody else: as the message of a restore asks for.
        rules = self.lab.path(PAPIO, str(self.data)) / "pg_hba.conf"
        rules.write_text(f"local all runner_restore scram-sha-256\n{rules.read_text()}")
        self.start()

    @property
    def sockets(self) -> Path:
        """The folder in which PostgreSQL's programs look when they are told nothing."""
        return Path("/run/postgresql")

    def fill(self) -> None:
        """Roles, extensions, large objects, names of all sorts."""
        self.sql(pg.ROLES)
        self.sql("create database babase owner babase_owner")
        self.sql(pg.BABASE, "babase")
        self.sql(f"create database {pg.identifier(ODD)}")
        self.sql('create table "t ""of"" it" as select generate_series(1, 11) as x', ODD)

    def counts(self, database: str) -> Mapping[str, int]:
        """Rows of every ordinary table by its quoted name, by one question."""
        found: dict[str, int] = json.loads(self.sql(COUNTS, database))
        return found

    def text(self, database: str) -> str:
        """The whole database as pg_dump writes it, rows and large objects too."""
        lines = self.run("pg_dump", "-d", pg.conninfo(database)).stdout.decode().splitlines()
        # A token of newer releases is another one in each dump.
        return "\n".join(line for line in lines if not line.startswith(("\\restrict", "\\unrestrict")))

    def names(self) -> list[str]:
        """Every database that is no template, but `postgres`."""
        return [name for name in self.databases() if name != "postgres"]

    @contextlib.contextmanager
    def someone(self, database: str) -> Iterator[subprocess.Popen[str]]:
        """A session that sits in a database until it is ended."""
        words = self.words("psql", "-XAtq", "-d", pg.conninfo(database), "-c", "select pg_sleep(600)")
        process = self.lab.popen(PAPIO, *words)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


class Keeper(Runner):
    """The runner on papio and who keeps it: mails that are read, days that pass, copies that are damaged."""

    def settle(self, *, files: int = 0) -> None:
        """Put jobs.toml on papio, and something in a home."""
        del files
        # As a job of kind `disk` mounts it; without that the check of the store asks for a person.
        self.lab.run(BACKUP, "mount", "-o", "remount,nosuid,nodev", STORE)
        self.lab.run(PAPIO, "mkdir", "-p", "/etc/runner")
        declared = JOBS.replace('filesystems = ["/", "/srv/data"]', 'filesystems = ["/"]')
        declared = declared.replace('store = "papio"\n[jobs.backup-backup', NIGHTLY)
        self.path(PAPIO, FILE).write_text(declared.replace("\n[hooks.mail]", MORE))
        self.path(PAPIO, SENDMAIL).write_text(f'#!/bin/sh\nexec cat >> "{MAIL}"\n')
        self.path(PAPIO, SENDMAIL).chmod(0o755)
        self.path(PAPIO, "/home/karl/thesis").write_text("a year of work\n")

    def policy(self, text: str) -> None:
        """Let the store of papio have this retention."""
        file = self.path(PAPIO, FILE)
        file.write_text(re.sub(r"retention = \{.*\}", f"retention = {{ {text} }}", file.read_text()))

    def told(self, *argv: str, code: int = 0) -> str:
        """Run it; what it said in one line. Another exit code fails the test."""
        ran = self.run(*argv)
        assert ran.code == code, (ran.code, ran.said)
        return flat(ran)

    def letter(self) -> str:
        """What was mailed since the last call, in one line."""
        return " ".join(self.mail().split())

    @property
    def proven(self) -> Mapping[str, Mapping[str, str]]:
        """What the store says was proven last, by sort."""
        path = self.store("papio") / ".runner/proven.json"
        found: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def dumped(self, database: str, where: str = "", end: str = "dump") -> Path:
        """The newest dump of a database in papio's folder, or in a snapshot."""
        top = self.store("papio") / where if where else self.path(PAPIO, "/")
        return max((top / DUMPS[1:] / "databases" / encoded(database)).glob(f"*.{end}"))

    @contextlib.contextmanager
    def damaged(self, path: Path, at: int = -100) -> Iterator[None]:
        """One byte of a file is another one, as a dying disk has it: the inode, its times and size are the same."""
        before, about = path.read_bytes(), path.stat()
        place = at % len(before)
        try:
            write(path, before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :], about.st_mtime_ns)
            yield
        finally:
            write(path, before, about.st_mtime_ns)

    def days_pass(self, days: int = 1) -> None:
        """All that the journal, the store and the dumps know was that many days earlier."""
        Runner.days_pass(self, days)
        for path in self.path(PAPIO, DUMPS).rglob("*.json"):
            made_for = re.compile(r'"instant": "[^"]+"')
            path.write_text(made_for.sub(lambda line: earlier(line[0], days), path.read_text()))


def write(path: Path, content: bytes, mtime_ns: int) -> None:
    """Write into a file that is there."""
    with path.open("r+b") as stream:
        stream.write(content)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def flat(ran: Ran) -> str:
    """All that was said, in one line."""
    return " ".join(ran.said.split())
