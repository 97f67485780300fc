"""Whose rights a restore runs with: the code in a database is its owner's, and the server's account is not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import pg
from tests.contract.dump_parts import Dumps, folder
from tests.contract.storehouse import PROGRAM, Said, execute

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's server")

PLAN, MAKING = "20261123T081500.000Z", "runner_restoring_20261123T081500.000Z"
# Harmless while the trap is open; closed, the function tries every way to the server's account that there is.
EVIL = """
create role mallory login; create role karl; create role "Karl the 2nd" nologin;
"""
TRAP = """
create schema k authorization mallory; grant usage on schema k to public;
create function k.deed() returns boolean language plpgsql as $f$
declare who text; begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'closed') then
        return true;
    end if;
    foreach who in array array['none', 'postgres'] loop
        begin
            execute pg_catalog.format('set session authorization %s', case who when 'none' then 'default' else who end);
        exception when others then null; end;
        begin execute pg_catalog.format('set role %s', who); exception when others then null; end;
        begin execute $c$copy (select current_user) to program 'cat >> SPOT'$c$;
        exception when others then null; end;
        begin execute 'copy (select current_user) to ''SPOT''';
        exception when others then null; end;
    end loop;
    begin
        execute $c$create or replace function public.admins() returns int language sql security definer as 'select 666'$c$;
    exception when others then null; end;
    begin execute 'create table public.planted as select 1'; exception when others then null; end;
    begin execute 'insert into public.of_karl values (666)'; exception when others then null; end;
    begin set role mallory; exception when others then null; end;
    return true;
end $f$;
create function k.evil(i anyelement) returns boolean language sql immutable as 'select k.deed()';
alter function k.deed() owner to mallory; alter function k.evil(anyelement) owner to mallory;
create function public.admins() returns int language sql security definer as 'select 1';
create table public.of_karl (i int); alter table public.of_karl owner to karl;
insert into public.of_karl values (1);
set session authorization mallory;
"""
SORTS = {
    "check": "create table k.t (i int check (k.evil(i))); insert into k.t values (1);",
    "domain": "create domain k.d as int check (k.evil(value)); create table k.t (i k.d); insert into k.t values (1);",
    "generated": "create table k.t (i int, e boolean generated always as (k.evil(i)) stored); insert into k.t values (1);",
    "matview": "create table k.t (i int); insert into k.t values (1);"
    "create materialized view k.m as select k.evil(i) from k.t;",
    "index": "create table k.t (i int); insert into k.t values (1); create index on k.t (k.evil(i));",
    "trigger": "create table k.t (i int); insert into k.t values (1); create function k.fire() returns trigger language plpgsql"
    " as $$ begin perform k.evil(1); return new; end $$; create trigger x before insert on k.t"
    " for each row execute function k.fire();",
    "rule": "create table k.t (i int); insert into k.t values (1);"
    "create rule r as on insert to k.t do also select k.evil(1);",
    "default": "create domain k.d as int check (k.evil(value));"
    "create table k.t (i k.d[] default '{1}'::k.d[]); insert into k.t default values;",
    "partition": "create table k.t (i int) partition by list ((k.evil(i)));"
    "create table k.p partition of k.t for values in (true); insert into k.t values (1);",
    "validated": "create table k.t (i int); insert into k.t values (1);"
    "create function k.whole(t k.t) returns boolean language sql immutable as 'select k.evil(1)';"
    "alter table k.t add constraint c check (k.whole(t));",
    # A superuser's own table that somebody else's function guards.
    "of-postgres": "reset session authorization; create table public.t (i int check (k.evil(i)));"
    "insert into public.t values (1);",
}


@pytest.fixture(scope="module")
def spot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server's account could write a file."""
    place = Path("/tmp") / f"evil-{os.getpid()}"
    return place / "written"


@pytest.fixture(scope="module")
def dumps(spot: Path) -> Iterator[Dumps]:
    with pg.cluster() as cluster, folder(cluster) as place:
        cluster.sql(EVIL)
        spot.parent.mkdir(mode=0o777)
        spot.parent.chmod(0o777)
        yield place
        spot.unlink(missing_ok=True)
        spot.parent.rmdir()


@pytest.fixture(autouse=True)
def _nothing_left(dumps: Dumps, spot: Path) -> Iterator[None]:
    yield
    spot.unlink(missing_ok=True)
    verb(dumps, "db-drop", f"--plan={PLAN}")
    dumps.cluster.sql("drop role if exists closed")
    assert dumps.cluster.sql("select count(*) from pg_roles where rolname like 'runner%'") == "0"
    for name in dumps.cluster.databases():
        if name != "postgres":
            dumps.cluster.sql(f"drop database {pg.identifier(name)}")


def verb(dumps: Dumps, name: str, *words: str, plan: str = PLAN) -> Said:
    return execute((*PROGRAM, name, *dumps.options, *words))


def dumped(dumps: Dumps, database: str = "trap") -> tuple[str, ...]:
    """What names the dump to the verbs of a restore."""
    shutil.rmtree(dumps.home(database), ignore_errors=True)
    assert dumps.dump(database).code == 0
    return (f"--sha256={dumps.record(database)['sha256']}", f"--plan={PLAN}", "--", str(dumps.file(database)))


def restored(dumps: Dumps, *words: str) -> Said:
    result = verb(dumps, "db-restore", *words)
    assert result.code == 0, result.out
    verified = verb(dumps, "db-verify", *words)
    assert verified.code == 0, verified.out
    return result


def trapped(dumps: Dumps, spot: Path, sort: str) -> tuple[str, ...]:
    """A dump of a database that holds this trap, which is closed from now on."""
    dumps.cluster.sql("create database trap")
    dumps.cluster.sql(TRAP.replace("SPOT", str(spot)) + SORTS[sort], "trap")
    words = dumped(dumps)
    dumps.cluster.sql("create role closed")
    return words


@pytest.mark.parametrize("sort", SORTS)
def test_the_code_in_a_database_never_runs_as_the_servers_account(dumps: Dumps, spot: Path, sort: str) -> None:
    words = trapped(dumps, spot, sort)
    restored(dumps, *words)
    assert not spot.exists(), spot.read_text()
    dumps.cluster.sql("drop role closed")
    assert dumps.cluster.contents(MAKING) == dumps.cluster.contents("trap")


ORDINARY = """
create schema k authorization mallory; create schema "of Karl" authorization karl;
create schema extensions; create extension hstore schema extensions; create extension pgcrypto;
create extension postgres_fdw; create function public.told() returns event_trigger language plpgsql as $$ begin end $$;
create event trigger told on ddl_command_end execute function public.told();
create function public.mine() returns int language sql security definer as 'select 1';
create table public.everybodys (id int primary key, tags extensions.hstore);
insert into public.everybodys values (1, 'a=>1'), (2, 'b=>2');
create table "of Karl".t (id serial primary key, of_all int references public.everybodys);
insert into "of Karl".t (of_all) select 1 + g % 2 from generate_series(1, 40) g;
alter table "of Karl".t owner to karl;
create table public.given (i int, constraint c check (i > 0)); insert into public.given values (1);
alter table public.given owner to "Karl the 2nd";
create view public.seen as select * from "of Karl".t;
create materialized view k.counted as select count(*) from public.everybodys; alter materialized view k.counted owner to mallory;
grant select on public.everybodys to mallory; grant select (id) on "of Karl".t to mallory;
revoke execute on function public.mine() from public; refresh materialized view k.counted;
alter table public.given enable row level security; create policy p on public.given to karl using (true);
alter default privileges for role karl in schema "of Karl" grant select on tables to mallory;
create server other foreign data wrapper postgres_fdw; create user mapping for karl server other;
grant usage on foreign server other to mallory;
set session authorization mallory; create foreign table k.far (i int) server other;
create sequence k.numbers start 7; select nextval('k.numbers'); create table k.part (i int) partition by list (i);
create table k.p1 partition of k.part for values in (1); insert into k.part values (1);
select lo_from_bytea(4711, 'of mallory'); reset session authorization;
comment on table k.part is 'a comment'; select lo_from_bytea(4712, 'of postgres');
grant select on large object 4712 to karl;
"""


def test_what_several_owners_made_comes_back_whole_and_is_theirs(dumps: Dumps) -> None:
    cluster = dumps.cluster
    cluster.sql("create database several owner karl")
    cluster.sql(ORDINARY, "several")
    restored(dumps, *dumped(dumps, "several"))
    assert cluster.contents(MAKING) == cluster.contents("several")
    assert cluster.sql("select pg_get_userbyid(datdba) from pg_database where datname like 'runner%'") == "karl"
    for asked in ("select * from k.counted", "select event, enabled from (select evtevent, evtenabled from"
                  " pg_event_trigger) e (event, enabled)", "select nextval('k.numbers')"):  # fmt: skip
        assert cluster.sql(asked, MAKING) == cluster.sql(asked, "several"), asked


def test_with_a_superusers_rights_all_of_it_runs_as_the_servers_account(dumps: Dumps, spot: Path) -> None:
    words = trapped(dumps, spot, "check")
    verb(dumps, "db-restore", "--superuser", *words)
    assert spot.read_text().splitlines()[0] == "postgres"


def test_what_a_killed_restore_left_is_cleared_by_the_next_and_nobody_elses_role_is(dumps: Dumps) -> None:
    cluster = dumps.cluster
    cluster.sql("create database several")
    cluster.sql(
        "create schema k authorization mallory; create table k.t (); alter table k.t owner to mallory", "several"
    )
    words = dumped(dumps, "several")
    cluster.sql("create role runner_restore login")
    refused = verb(dumps, "db-restore", *words)
    assert refused.code == 1 and "a role runner_restore that this tool did not make" in refused.answer["error"]
    assert verb(dumps, "db-drop", f"--plan={PLAN}").code == 1
    mark = "made by runner restore-db, for as long as a restore takes"
    left = '"runner_restoring_20261122T081500.000Z"'
    cluster.sql(f"comment on role runner_restore is '{mark}'")
    cluster.sql(f"create database {left}")
    cluster.sql("create table public.t (); grant insert on public.t to runner_restore", left.strip('"'))
    assert verb(dumps, "db-drop", f"--plan={PLAN}").code == 0
    restored(dumps, *words)
    cluster.sql(f"drop database {left}")


def test_a_server_that_lets_the_role_not_in_is_refused_with_the_line_to_add(dumps: Dumps) -> None:
    cluster, rules = dumps.cluster, dumps.cluster.data / "pg_hba.conf"
    cluster.sql("create database several")
    cluster.sql(
        "create schema k authorization mallory; create table k.t (); alter table k.t owner to mallory", "several"
    )
    words, before = dumped(dumps, "several"), rules.read_text()
    rules.write_text(before.replace("local all runner_restore scram-sha-256\n", ""))
    cluster.sql("select pg_reload_conf()")
    try:
        refused = verb(dumps, "db-restore", *words)
    finally:
        rules.write_text(before)
        cluster.sql("select pg_reload_conf()")
    assert refused.code == 1
    assert f"put `local all runner_restore scram-sha-256` at the top of {rules}" in refused.answer["do"]
    assert "--as-superuser" in refused.answer["do"]


def test_a_database_with_a_subscription_is_dropped_again_and_its_slot_is_not_asked_for(dumps: Dumps) -> None:
    dumps.cluster.sql("create database several")
    dumps.cluster.sql(
        "create subscription s connection 'host=192.0.2.1 dbname=x' publication p with (connect = false)", "several"
    )
    words = dumped(dumps, "several")
    restored(dumps, *words)
    assert verb(dumps, "db-drop", f"--plan={PLAN}").answer == {"dropped": True}
    dumps.cluster.sql("alter subscription s set (slot_name = none); drop subscription s", "several")
