"""A database whose owner sets traps for whoever dumps it: nothing of it runs as the server's account."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import pg
from tests.contract.dump_parts import Dumps, folder, programs
from tests.contract.storehouse import PROGRAM, execute
from tests.soak import few

pytestmark = [pytest.mark.packages, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's server")]

PLAN, MAKING = "20261123T081500.000Z", "runner_restoring_20261123T081500.000Z"
# Every one that is asked for here, and every way to write where only the server's account may.
DEED = """
create schema k; grant usage on schema k to public;
create function k.deed() returns boolean language plpgsql as $f$ begin
    begin execute 'reset session authorization'; execute 'reset role'; exception when others then null; end;
    begin execute $c$copy (select current_user) to program 'cat >> SPOT'$c$; exception when others then null; end;
    begin execute 'copy (select current_user) to ''SPOT'''; exception when others then null; end;
    return true;
end $f$;
create function k.evil(anyelement) returns boolean language sql immutable as 'select k.deed()';
create table k.t (i int); insert into k.t values (1), (2);
"""
SORTS = {
    "path": "create function k.count(anyelement) returns bigint language sql as 'select k.deed()::int::bigint';"
    "create function k.format(text, text, text) returns text language sql as 'select k.deed()::text';"
    "create function k.same(text, text) returns boolean language sql as 'select k.deed()';"
    "create operator k.= (function = k.same, leftarg = text, rightarg = text);"
    "create operator k.~ (function = k.same, leftarg = text, rightarg = text);"
    "alter database trap set search_path = k, pg_catalog;",
    "catalogue": "create table k.pg_class as select 1 as oid; create view k.pg_database as select k.deed() as datname;"
    "alter database trap set search_path = k, pg_catalog;",
    "casts": "create type k.c as (i int); create function k.cast(k.c) returns text language sql as 'select k.deed()::text';"
    "create cast (k.c as text) with function k.cast(k.c) as implicit; create table k.u (c k.c);"
    "insert into k.u values (row(1));",
    "policy": "alter table k.t enable row level security; alter table k.t force row level security;"
    "create policy p on k.t using (k.evil(i));",
    "rule": "create view k.v as select k.evil(1) as e; create rule r as on insert to k.t do also select k.evil(1);",
    "folded": "create index on k.t (i) where k.evil(1); create statistics k.s on (k.evil(i)), i from k.t;",
    "settings": "alter database trap set row_security = on; alter database trap set statement_timeout = '1ms';"
    "alter database trap set default_transaction_read_only = on; alter database trap set lock_timeout = '1ms';"
    "alter database trap set client_encoding = 'SQL_ASCII'; alter database trap set datestyle = 'German';"
    "alter database trap set standard_conforming_strings = off;"
    "alter database trap set application_name = 'x';",
    "names": 'create schema "\\! touch SPOT\n;"; create table k."$(touch SPOT)`touch SPOT`\n\\! touch SPOT\n--" ("\\copy" int);'
    "comment on table k.t is E'\\n\\\\! touch SPOT\\n\\\\copy k.t to ''SPOT'''; comment on database trap is E'\\\\! touch SPOT';",
    "objects": "select lo_from_bytea(4711, '\\x5c21'); grant all on large object 4711 to public;"
    "alter default privileges in schema k grant all on tables to public;",
}


@pytest.fixture(scope="module")
def dumps() -> Iterator[Dumps]:
    with pg.cluster() as cluster, folder(cluster) as place:
        cluster.sql("create role mallory login")
        yield place


@pytest.fixture
def spot(dumps: Dumps) -> Iterator[Path]:
    """Where the server's account could write, and a name that no command of a shell splits."""
    place = dumps.cluster.folder / "spot"
    yield place
    place.unlink(missing_ok=True)
    for name in (MAKING, "trap"):
        dumps.cluster.sql(f"drop database if exists {pg.identifier(name)} with (force)")


@pytest.mark.parametrize("sort", few(SORTS, "path", "settings", "names"))
def test_who_dumps_and_restores_runs_nothing_of_its_owner(dumps: Dumps, spot: Path, sort: str) -> None:
    cluster = dumps.cluster
    cluster.sql("create database trap owner mallory")
    script = f"set session authorization mallory;{DEED}{SORTS[sort]}".replace("SPOT", str(spot))
    cluster.sql(script, "trap")
    shutil.rmtree(dumps.home("trap"), ignore_errors=True)
    dumped = dumps.dump("trap")
    assert dumped.code == 0, dumped.out
    assert not spot.exists(), "who dumped it ran it"
    words = (f"--sha256={dumps.record('trap')['sha256']}", f"--plan={PLAN}", "--", str(dumps.file("trap")))
    for verb in ("db-restore", "db-verify"):
        said = execute((*PROGRAM, verb, *dumps.options, *words))
        assert said.code == 0, said.out
        assert not spot.exists(), f"{verb} ran it"
    assert dumps.record("trap")["tables"]["k.t"] == 2
    # It is no empty trap.
    cluster.sql("select k.deed()", "trap")
    assert spot.read_text().splitlines()[0] == cluster.user


LATER = "create index on k.t (i) where k.evil(1); create statistics k.s on (i + k.evil(1)::int), i from k.t;"


@pytest.mark.parametrize("when", ["of an extension", "meanwhile"])
def test_no_index_is_planned_with_whosever_its_function_is_and_whenever_it_is_made(
    dumps: Dumps, spot: Path, when: str
) -> None:
    """Whoever owns an extension puts his own functions into it; and no lock of a dump keeps indexes from being made."""
    cluster, options = dumps.cluster, ()
    cluster.sql("create database trap owner mallory")
    cluster.sql(f"set session authorization mallory;{DEED}".replace("SPOT", str(spot)), "trap")
    if when == "meanwhile":
        words = f"-X -q -h {cluster.sockets} -d trap -c 'set session authorization mallory; {LATER}'"
        made = programs(dumps.root.parent, pg_dump=f'"$REAL" "$@" || exit; {pg.BIN}/psql {words}')
        options = (f"--programs={made}",)
    else:
        member = "alter extension hstore add function k.evil(anyelement)"
        cluster.sql(f"set session authorization mallory; create extension hstore schema k; {LATER} {member}", "trap")
    shutil.rmtree(dumps.home("trap"), ignore_errors=True)
    dumped = dumps.dump("trap", *options)
    assert dumped.code == 0, dumped.out
    assert not spot.exists(), "who dumped it ran it"
    assert dumps.record("trap")["tables"]["k.t"] == 2
    # As it would have been run.
    cluster.sql("select count(*) from k.t", "trap")
    assert spot.exists()
