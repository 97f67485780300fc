"""A real PostgreSQL cluster for tests: made by initdb, reached by its own socket folder only, thrown away.

Use: `with pg.cluster() as cluster: pg.fill(cluster)`, once a module (a fixture of scope "module").
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BIN = max(
    (path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()),
    key=lambda path: float(path.parent.name),
    default=Path("/usr/bin"),
)
# Servers refuse to run as root; elsewhere the one who runs the tests is the cluster's superuser.
USER = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
ODD = 'it\'s "odd"; DROP\nTABLE --x $$ \\ %s ünï'
CONNINFO_LIKE = "dbname=postgres user=nobody"
DATABASES = ("babase", "Ünïcode db", ODD, CONNINFO_LIKE, "--help", "empty")

ROLES = """
create role babase_owner nologin;
create role "Reader's role" login password 'a secret';
create role editor login in role babase_owner;
"""
BABASE = """
create extension hstore; create extension pgcrypto;
create schema "odd schema" authorization babase_owner;
create table members (id serial primary key, name text not null, about jsonb, tags hstore, raw bytea);
insert into members (name, about, tags, raw) select 'member ' || g, jsonb_build_object('n', g),
    hstore('k', g::text), sha256(g::text::bytea) from generate_series(1, 500) g;
create table "odd schema"."it's.a ""table""
; drop" ("a column" text, "sel;ect" int);
insert into "odd schema"."it's.a ""table""
; drop" select E'line\\n' || g || E'\\\\.\\n\\t', g from generate_series(1, 37) g;
create table births (day date not null, name text) partition by range (day);
create table births_2025 partition of births for values from ('2025-01-01') to ('2026-01-01');
create table births_2026 partition of births for values from ('2026-01-01') to ('2027-01-01');
insert into births select '2025-06-01'::date + g, 'b' || g from generate_series(0, 399) g;
create table animals (name text); create table baboons (troop int) inherits (animals);
insert into animals values ('a'), ('b'); insert into baboons values ('c', 1);
create table nothing (); create unlogged table scratch as select 1 as x;
create view grown as select * from members where id > 100;
create materialized view counted as select count(*) from members;
create function twice(i int) returns int language sql as 'select i * 2';
comment on table members is 'people; -- and others';
alter table members owner to babase_owner; grant select on members to "Reader's role";
select lo_from_bytea(0, convert_to('large object ' || g, 'UTF8')) from generate_series(1, 5) g;
alter database babase set work_mem = '8MB';
"""


ACCOUNTS = """
insert into pgbench_branches values (1, 0); insert into pgbench_tellers select g, 1, 0 from generate_series(1, 10) g;
insert into pgbench_accounts select g, 1, 0, '' from generate_series(1, 5000) g;
"""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running cluster below `folder`; `sockets` is the folder of its socket (port 5432)."""

    folder: Path
    user: str = USER
    bin: Path = BIN

    @property
    def sockets(self) -> Path:
        return self.folder / "s"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        """For programs of PostgreSQL: which server, as its superuser, as patient as a test must be."""
        return {"PATH": f"{self.bin}:{os.environ['PATH']}", "LC_ALL": "C", "PGHOST": str(self.sockets),
                "PGUSER": self.user, "PGTZ": "UTC", "HOME": str(self.folder), "PGOPTIONS": "-c statement_timeout=0"}  # fmt: skip

    def run(self, *argv: str | Path, given: bytes | None = None, ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        """Run a program as the cluster's superuser; fails unless it exits 0, where `ok`."""
        done = subprocess.run(
            (*as_user(self.user), *map(str, argv)), check=False, input=given, capture_output=True, cwd="/",
            env=self.environment, timeout=120, stdin=None if given is not None else subprocess.DEVNULL,
        )  # fmt: skip
        assert not ok or done.returncode == 0, (argv, done.stderr.decode())
        return done

    def sql(self, text: str, database: str = "postgres") -> str:
        """What psql prints (unaligned, rows only) for these statements."""
        words = ("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", conninfo(database), "-f", "-")
        return self.run(*words, given=text.encode()).stdout.decode().strip()

    def start(self, *settings: str) -> None:
        words = [f"-c listen_addresses= -c unix_socket_directories={self.sockets} -c fsync=off"]
        options = " ".join([*words, *(f"-c {one}" for one in settings)])
        self.run("pg_ctl", "-D", self.data, "-w", "-s", "-l", self.folder / "log", "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", self.data, "-w", "-s", "-m", "immediate", "stop", ok=False)

    def databases(self) -> list[str]:
        """Those that people may connect to, without the templates."""
        asked = "select json_agg(datname order by datname) from pg_database where not datistemplate"
        names: list[str] = json.loads(self.sql(asked))
        return names

    def counts(self, database: str) -> Mapping[str, int]:
        """Rows of every ordinary table by its quoted name, counted by a statement a table."""
        asked = """select json_agg(format('%I.%I', nspname, relname)) from pg_class c
            join pg_namespace n on n.oid = relnamespace
            where relkind = 'r' and nspname !~ '^pg_' and nspname <> 'information_schema'"""
        tables: list[str] = json.loads(self.sql(asked, database) or "null") or []
        return {
            one: int(self.sql(f"set search_path = ''; select count(*) from only {one}", database)) for one in tables
        }

    def contents(self, database: str) -> tuple[str, Mapping[str, list[str]]]:
        """A whole database in comparable form: its schema as pg_dump writes it, each table's sorted rows."""
        schema = self.run("pg_dump", "--schema-only", "-d", conninfo(database)).stdout.decode()
        rows = {
            one: sorted(self.sql(f"set search_path = ''; select t::text from only {one} t", database).splitlines())
            for one in self.counts(database)
        }
        objects = self.sql("select oid, md5(lo_get(oid)) from pg_largeobject_metadata", database).splitlines()
        # A token of newer releases is another one in each dump.
        lines = [line for line in schema.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]
        return "\n".join(lines), {**rows, "large objects": sorted(objects)}


def as_user(user: str) -> tuple[str, ...]:
    """What goes before a command so that `user` runs it."""
    return ("runuser", "-u", user, "--") if os.geteuid() == 0 else ()


def conninfo(database: str) -> str:
    """A connection string that can only mean this database."""
    quoted = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{quoted}'"


def identifier(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def cluster(*settings: str, initdb: Sequence[str] = ()) -> Iterator[Cluster]:
    """A fresh cluster, started; stopped and removed at the end, whatever happens."""
    # A socket's path may have 107 bytes: not below pytest's own folders.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    one = Cluster(folder=folder)
    try:
        folder.chmod(0o755)
        one.sockets.mkdir(mode=0o700)
        for path in (folder, one.sockets):
            shutil.chown(path, USER)
        words = ("--no-sync", "--auth=peer" if os.geteuid() == 0 else "--auth=trust", "--encoding=UTF8")
        one.run("initdb", "-D", one.data, "-U", USER, "--locale=C", *words, *initdb)
        rules = one.data / "pg_hba.conf"
        # Where no password gets in over the loopback, a restore without a superuser's rights wants this.
        rules.write_text(f"local all runner_restore scram-sha-256\n{rules.read_text()}")
        one.start(*settings)
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)


def fill(one: Cluster) -> None:
    """Roles and DATABASES: tables of odd names, large objects, extensions, partitions, pgbench's tables with few rows."""
    one.sql(ROLES)
    for name in DATABASES:
        owner = " owner babase_owner" if name == "babase" else ""
        one.sql(f"create database {identifier(name)}{owner}")
    one.sql(BABASE, "babase")
    one.run("pgbench", "-i", "-q", "-I", "dtp", "babase")
    one.sql(ACCOUNTS, "babase")
    for name in DATABASES[1:-1]:
        table = identifier(f"t of {name}"[:60])
        one.sql(f"create table {table} (x int); insert into {table} select generate_series(1, 11)", name)
