"""Servers and databases that are not as most are: dumped, drilled and restored all the same, or told in words."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract import pg
from tests.contract.dump_parts import AT, Dumps, folder
from tests.contract.storehouse import PROGRAM, Said, execute, frame

pytestmark = pytest.mark.packages

PLAN = "20261128T000000.000Z"
SNAPSHOT = "2026-11-28T000000Z"
MAKES = {
    "icu": """create database icu template template0 locale_provider icu icu_locale 'de-DE';
        \\c icu
        create table t (x text collate "de-x-icu"); insert into t values ('ä'), ('b');""",
    "careful": """create database careful;
        \\c careful
        create table t as select generate_series(1, 600000) as x;
        alter database careful set default_transaction_read_only = on;
        alter database careful set statement_timeout = '20ms';""",
    "pattern": """create database pattern is_template true;
        \\c pattern
        create table t as select generate_series(1, 3) as x;""",
    "far": """create database far;
        \\c far
        create extension postgres_fdw;
        create server s foreign data wrapper postgres_fdw options (host 'nowhere.invalid', dbname 'x');
        create foreign table f (x int) server s;
        create table parts (d int) partition by range (d);
        create table p1 partition of parts for values from (0) to (10);
        create foreign table p2 partition of parts for values from (10) to (20) server s;
        insert into parts values (1);""",
    "rows": """create database rows;
        \\c rows
        create role reader login; grant pg_read_all_data to reader;
        create table seen as select g as x from generate_series(1, 10) g;
        alter table seen enable row level security; create policy p on seen using (x > 5);
        create unlogged table quick as select 1 as x;
        create materialized view m as select * from seen;
        create table made (a int, b int generated always as (a * 2) stored); insert into made values (1);""",
    "spaced": "create database spaced tablespace fast;",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[pg.Cluster]:
    """One that answers in German, where this host can."""
    real = pg.Cluster.environment.fget
    assert real is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pg.Cluster, "environment", property(lambda self: {**real(self), "LANGUAGE": "de"}))
        with pg.cluster("lc_messages=C.UTF-8") as one:
            space = one.folder / "space"
            space.mkdir()
            shutil.chown(space, pg.USER)
            one.sql(f"create tablespace fast location '{space}'")
            for text in MAKES.values():
                one.sql(text)
            one.sql("create database shut allow_connections false")
            yield one


@pytest.fixture
def dumps(cluster: pg.Cluster) -> Iterator[Dumps]:
    with folder(cluster) as one:
        yield one


def drilled(dumps: Dumps, *names: str) -> Said:
    """What a drill says of these dumps, as if they came out of a snapshot."""
    base = dumps.root.parent / "drill"
    base.mkdir(mode=0o700)
    shutil.copytree(dumps.root, base / "dumps" / SNAPSHOT)
    (base / "cluster").mkdir(mode=0o700)
    files = [(f"globals/{AT}.sql", "globals", ""), *((f"databases/{name}/{AT}.dump", "dump", name) for name in names)]
    known = [
        {"snapshot": SNAPSHOT, "path": path, "type": "file", "what": what, "database": name, "time": AT}
        for path, what, name in files
    ]
    last = {"databases": list(names), "bytes": 0, "tried": {}}
    out = "".join(json.dumps(each) + "\n" for each in (*known, last)).encode()
    argv = (*PROGRAM, "try-dumps", str(base), f"--user={dumps.cluster.user}")
    return execute(argv, frame("x", Said(code=0, out=out)))


def restored(dumps: Dumps, name: str) -> Said:
    """The last answer of the verbs that make `name` anew from its dump, as `new_<name>`."""
    file = str(dumps.file(name))
    known = (*dumps.options, f"--sha256={dumps.record(name)['sha256']}")
    for verb, options in (
        ("db-fits", (f"--into=new_{name}",)),
        ("db-restore", (f"--plan={PLAN}",)),
        ("db-verify", (f"--plan={PLAN}",)),
        ("db-publish", (f"--plan={PLAN}", f"--into=new_{name}")),
    ):
        result = execute((*PROGRAM, verb, *known, *options, "--", file))
        if result.code:
            break
    return result


def test_all_of_them_are_listed_dumped_drilled_and_restored(dumps: Dumps) -> None:
    listed = execute((*PROGRAM, "databases", *dumps.options)).answer
    assert [one["name"] for one in listed["databases"]] == sorted([*MAKES, "postgres"])
    assert listed["closed"] == ["shut"]
    assert dumps.globals().code == 0
    for name in MAKES:
        assert dumps.dump(name).code == 0
        assert dumps.record(name)["tables"] == dumps.cluster.counts(name)
    # Its own, though none of its tables names it: CREATE DATABASE does.
    assert dumps.record("spaced")["tablespaces"] == ["fast"]
    result = drilled(dumps, *MAKES)
    assert result.code == 0, result.answer
    assert sorted(one["database"] for one in result.answer["databases"]) == sorted(MAKES)
    for name in MAKES:
        assert (result := restored(dumps, name)).code == 0, (name, result)
        assert dumps.cluster.counts(f"new_{name}") == dumps.cluster.counts(name)


def test_what_the_readmes_say_of_a_read_only_database_brings_it_back(dumps: Dumps) -> None:
    assert dumps.dump("careful").code == 0
    option = "PGOPTIONS=-cdefault_transaction_read_only=off"
    assert f"env {option}" in (dumps.root / "README.txt").read_text()
    restore = ("pg_restore", "--create", "--exit-on-error", "-d", "postgres")
    with pg.cluster() as other, dumps.file("careful").open("rb") as given:
        content = given.read()
        assert other.run(*restore, given=content, ok=False).returncode == 1
        other.sql("drop database careful")
        other.run("env", option, *restore, given=content)
        assert other.counts("careful") == dumps.cluster.counts("careful")


def test_a_database_without_dumps_is_missed_beside_the_names_of_those_that_have_some(dumps: Dumps) -> None:
    cluster = dumps.cluster
    cluster.sql('create database "Über uns"')
    assert dumps.dump("Über uns").code == 0
    cluster.sql('drop database "Über uns"')
    for given in (b"", b"[]", b'{"database": null}', b'{"database": ""}', b"[" * 200_000):
        refused = execute((*PROGRAM, "db-newest", "/", str(dumps.root)), given).answer
        assert refused["error"] == "the request on stdin names no database"
    result = execute((*PROGRAM, "db-newest", "/", str(dumps.root)), b'{"database": "no such"}')
    assert result.code == 1 and "'\\xdcber uns'" in result.answer["do"]


def test_a_database_that_nobody_may_connect_to_is_not_said_to_be_gone(dumps: Dumps) -> None:
    result = dumps.dump("shut")
    assert result.code == 1 and "shut" in result.answer["error"]
    told = dumps.dumped("shut", "dropped", options=("--require",)).answer
    assert (told["gone"], [one["database"] for one in told["missing"]]) == (["dropped"], ["shut"])


def test_a_lock_is_told_whatever_language_the_server_speaks(dumps: Dumps) -> None:
    words = (*pg.as_user(dumps.cluster.user), "psql", "-qXd", "icu")
    with subprocess.Popen(
        words, env=dumps.cluster.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin and holder.stdout
        holder.stdin.write(b"begin; lock table t;\n\\echo held\n")
        holder.stdin.flush()
        assert b"held" in holder.stdout.readline()
        result = dumps.dump("icu", "--lock-wait=1")
        holder.communicate(b"rollback;\n")
    assert result.code == 1 and "stayed locked for 1 s" in result.answer["error"], result


def test_rows_that_are_hidden_from_who_dumps_are_a_failure_and_not_a_smaller_dump(dumps: Dumps) -> None:
    cluster = dumps.cluster
    (cluster.data / "pg_hba.conf").write_text("local all all trust\n")
    cluster.run("pg_ctl", "-D", cluster.data, "reload")
    service = dumps.root.parent / "services"
    service.write_text(f"[r]\nhost={cluster.sockets}\nuser=reader\ndbname=postgres\n")
    by = (f"--user={cluster.user}", "--service=r", f"--service-file={service}")
    result = Dumps(root=dumps.root, cluster=cluster, options=by).dump("rows")
    assert result.code == 1 and "pg_dump ended 1" in result.answer["error"]
    assert dumps.listed()["databases"] == {"rows": []}


@contextmanager
def standby(of: pg.Cluster, place: Path) -> Iterator[pg.Cluster]:
    place.chmod(0o755)
    one = pg.Cluster(folder=place)
    one.sockets.mkdir(mode=0o700)
    for path in (place, one.sockets):
        shutil.chown(path, pg.USER)
    of.run("pg_basebackup", "-D", one.data, "-R", "-c", "fast", "--no-sync")
    try:
        one.start()
        yield one
    finally:
        one.stop()


def test_a_standby_is_dumped_without_the_rows_of_unlogged_tables_and_its_dump_comes_back(dumps: Dumps) -> None:
    place = dumps.root.parent / "standby"
    place.mkdir()
    with pg.cluster() as main:
        main.sql("create unlogged table quick as select 1 as x; create table t as select generate_series(1, 9) x")
        with standby(main, place) as second:
            by = (f"--user={second.user}", f"--socket={second.sockets}")
            near = Dumps(root=dumps.root, cluster=second, options=by)
            result = near.dump("postgres")
            assert result.code == 0, result
            assert execute((*PROGRAM, "databases", *by)).answer["standby"] is True
    assert near.record("postgres")["tables"] == {"public.quick": 0, "public.t": 9}
    assert (result := restored(dumps, "postgres")).code == 0, result
