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
from tests.soak import few

pytestmark = [pytest.mark.packages, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's server")]

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
    # A superuser reads a table of which the checks could say that it has no such row.
    "check-of-child": "create table k.t (i int); create table k.c (check (k.evil(1))) inherits (k.t);"
    "insert into k.c values (1); reset session authorization;"
    "create materialized view public.m as select i from k.t where i > 0;",
    "check-in-union": "create table k.c (i int, check (k.evil(1))); insert into k.c values (1);"
    "reset session authorization; create materialized view public.m as select i from"
    " (select i from k.c union all select i from k.c) x where i > 0;",
    "check-of-domain": "create domain k.d as int check (k.evil(value)); create table k.t (i int);"
    "create table k.c (check ('{1}'::k.d[] is not null)) inherits (k.t); insert into k.c values (1);"
    "reset session authorization; create materialized view public.m as select i from k.t where i > 0;",
    "check-later": "create table k.t (i int); create table k.c () inherits (k.t); insert into k.c values (1);"
    "alter table k.c add constraint later check (k.evil(1)) not valid; reset session authorization;"
    "create materialized view public.m as select i from k.t where i > 0;",
    # A superuser's own table that somebody else's function guards.
    "folded": "create table k.t (i int); insert into k.t values (1); create index on k.t (i) where k.evil(1);",
    "of-postgres": "reset session authorization; create table public.t (i int check (k.evil(i)));"
    "insert into public.t values (1);",
}
# A superuser's own things, that somebody else's code takes part in; the server evaluates them as their owner.
HIS_TABLE = "reset session authorization; create table public.t (i int); insert into public.t values (1), (2);"
HIS = {
    "matview": "create view k.v as select k.evil(1) as e; reset session authorization;"
    "create materialized view public.m as select e from k.v;",
    "matview-of-matview": "create view k.v as select k.evil(1) as e; reset session authorization;"
    "create view public.v as select e from k.v; create materialized view public.m as select e from public.v;"
    "create materialized view public.n as select e from public.m;",
    "matview-of-function": "reset session authorization;"
    "create function public.mine(i int) returns boolean language plpgsql as $$ begin return K.Evil(i); end $$;"
    "create materialized view public.m as select public.mine(1);",
    "rule": "create table k.g (i int primary key, j int); create view k.v as select i, j, k.evil(j) as e from k.g group by i;"
    "insert into k.g values (1, 1); reset session authorization; create materialized view public.m as select e from k.v;",
    "index": HIS_TABLE + "create index on public.t (k.evil(i));",
    "index-of-function": HIS_TABLE + "create function public.mine(i int) returns boolean immutable language plpgsql"
    " as $$ begin return k.evil(i); end $$; create index on public.t (public.mine(i));",
    "partial": HIS_TABLE + "create index on public.t (i) where k.evil(i);",
    "domain": "create domain k.d as int check (k.evil(value));" + HIS_TABLE + "create index on public.t ((i::k.d));",
    "operator": "create function k.like(i int, j int) returns boolean immutable language sql as 'select k.evil(i)';"
    "create operator k.=== (function = k.like, leftarg = int, rightarg = int);"
    + HIS_TABLE
    + "create index on public.t ((i operator(k.===) 1));",
    "exclusion": HIS_TABLE + "delete from public.t where i = 2;"
    "alter table public.t add constraint x exclude using btree (k.evil(i) with =);",
    "statistics": HIS_TABLE + "create statistics public.s on (k.evil(i)), i from public.t;",
    "validated": HIS_TABLE + "set session authorization mallory; create function k.whole(t public.t) returns boolean"
    " language sql immutable as 'select k.evil(1)'; reset session authorization;"
    "alter table public.t add constraint c check (k.whole(t));",
    "constant": "create domain k.d as int check (k.evil(value)); reset session authorization;"
    "create table public.t (i int, a k.d[] default '{1}'::k.d[]);",
    "partition-key": "reset session authorization;"
    "create table public.t (i int) partition by list ((k.evil(1) and i > 0));"
    "create table public.p partition of public.t for values in (true); insert into public.t values (1);",
    "attached": "create domain k.d as int check (k.evil(value)); reset session authorization;"
    "create table public.t (a k.d[]) partition by list (a); create table public.p partition of public.t for values in ('{1}');",
    "range": "create function k.less(i int, j int) returns float language sql immutable as"
    " 'select case when k.evil(i) then i - j end'; create type k.r as range (subtype = int, subtype_diff = k.less);"
    "reset session authorization; create table public.t (r k.r);"
    "insert into public.t select k.r(g, g + 5) from generate_series(1, 50) g;",
    "read-by-key": "create table k.t (i int primary key); insert into k.t values (1);"
    "create index on k.t (i) where k.evil(1); reset session authorization;"
    "create table public.t (i int references k.t); insert into public.t values (1);",
    "read-by-matview": "create table k.t (i int); insert into k.t values (1); create index on k.t (i) where k.evil(1);"
    "reset session authorization; create materialized view public.m as select i from k.t;",
    # What the text of a superuser's function names, and how.
    **{
        f"function-that-{name}": f"{made} reset session authorization; create function public.mine() returns int"
        f" language plpgsql as $$ declare n int; begin {body} end $$;"
        " create materialized view public.m as select public.mine() as x;"
        for name, made, body in (
            (
                "reads",
                "create table k.t (i int); insert into k.t values (1); create index on k.t (i) where k.evil(1);",
                "return (select max(i) from k.t);",
            ),
            (
                "compares",
                "create function k.same(i int, j int) returns boolean language sql as 'select k.evil(1)';"
                "create operator k.=== (function = k.same, leftarg = int, rightarg = int);",
                "if 1 operator(k.===) 2 then return 1; end if; return 2;",
            ),
            (
                "casts",
                "create type k.e as enum ('a'); create function k.conv(k.e) returns int language sql as"
                " 'select case when k.evil(1) then 1 end'; create cast (k.e as int) with function k.conv(k.e) as assignment;"
                "create table k.t (e k.e); insert into k.t values ('a');",
                "select e into n from k.t; return n;",
            ),
            (
                "writes",
                "create table k.t (i int); create function k.fire() returns trigger language plpgsql as"
                " $$ begin perform k.evil(1); return new; end $$;"
                "create trigger x before insert on k.t for each row execute function k.fire();",
                "insert into k.t values (1); return 1;",
            ),
            (
                "writes-his",
                "create function k.fire() returns trigger language plpgsql as"
                " $$ begin perform k.evil(1); return new; end $$; reset session authorization;"
                "create table public.t (i int);"
                "create trigger x before insert on public.t for each row execute function k.fire();",
                "insert into public.t values (1); return 1;",
            ),
            (
                "makes-statements",
                "create table k.t (i int); insert into k.t values (1);create index on k.t (i) where k.evil(1);",
                "execute 'select max(i) from k.' || 't' into n; return n;",
            ),
        )
    },
    # What is planned with although it is not named.
    "read-with-child": "create table k.t (i int); create table k.c () inherits (k.t); insert into k.c values (1);"
    "create index on k.c (i) where k.evil(1); reset session authorization;"
    "create materialized view public.m as select i from k.t;",
    "read-with-partition": "create table k.t (i int) partition by list (i);"
    "create table k.c partition of k.t for values in (1); insert into k.t values (1);"
    "create index on k.c (i) where k.evil(1); reset session authorization;"
    "create materialized view public.m as select i from k.t;",
    "key-of-partitions": "create table k.t (i int primary key) partition by list (i);"
    "create table k.c partition of k.t for values in (1); insert into k.t values (1);"
    "create index on k.c (i) where k.evil(1); reset session authorization;"
    "create table public.t (i int references k.t); insert into public.t values (1);",
    "child-of-his": "create table k.c (i int); create index on k.c (i) where k.evil(1); reset session authorization;"
    "create table public.t (i int); alter table k.c inherit public.t; insert into k.c values (1);"
    "create materialized view public.m as select i from public.t;",
    "partition-of-his": "create table k.c (i int); create index on k.c (i) where k.evil(1); reset session authorization;"
    "create table public.t (i int) partition by list (i);"
    "alter table public.t attach partition k.c for values in (1); insert into public.t values (1);"
    "create materialized view public.m as select i from public.t;",
    "planned-with-statistics": "create table k.t (i int); insert into k.t values (1);"
    "create statistics k.s on (i + case when k.evil(1) then 1 end), i from k.t; reset session authorization;"
    "create materialized view public.m as select i from k.t group by i;",
    "event": "create function k.told() returns event_trigger language plpgsql as $$ begin perform k.evil(1); end $$;"
    "reset session authorization; create event trigger told on ddl_command_start execute function k.told();",
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


@pytest.mark.parametrize("sort", few(SORTS, "check", "trigger", "rule", "partition", "of-postgres", "check-in-union"))
def test_the_code_in_a_database_never_runs_as_the_servers_account(dumps: Dumps, spot: Path, sort: str) -> None:
    words = trapped(dumps, spot, sort)
    restored(dumps, *words)
    assert not spot.exists(), spot.read_text()
    dumps.cluster.sql("drop role closed")
    assert dumps.cluster.contents(MAKING) == dumps.cluster.contents("trap")


OFTEN = "matview", "index-of-function", "exclusion", "partition-key", "key-of-partitions", "function-that-casts"


@pytest.mark.parametrize("sort", few(HIS, *OFTEN))
def test_a_superusers_thing_that_would_run_somebody_elses_code_is_refused_by_name(
    dumps: Dumps, spot: Path, sort: str
) -> None:
    dumps.cluster.sql("create database trap")
    dumps.cluster.sql(TRAP.replace("SPOT", str(spot)) + HIS[sort], "trap")
    words = dumped(dumps)
    dumps.cluster.sql("create role closed")
    refused = verb(dumps, "db-restore", *words)
    assert not spot.exists(), spot.read_text()
    assert refused.code == 1, refused.out
    what, found, code = refused.answer["error"].partition("is a superuser's, and code of 'mallory' would run with it")
    assert found and (" public " in what or "EVENT TRIGGER" in what) and " k " in code, refused.answer
    assert "--as-superuser" in refused.answer["do"]


LENT = """
create schema app authorization karl; create table app.karls (i int); alter table app.karls owner to karl;
create schema k authorization mallory; set session authorization mallory;
create function k.deed() returns boolean language plpgsql as $$ begin
    if exists (select from pg_catalog.pg_roles where rolname = 'closed') then
        begin create function app.lower(text) returns text language sql as 'select $1';
        exception when insufficient_privilege then null; end;
    end if; return true; end $$;
create function k.evil(i int) returns boolean language sql immutable as 'select k.deed()';
"""


def lent(dumps: Dumps, more: str) -> tuple[str, ...]:
    """A dump of a database with these things of mallory's, beside a schema of karl's that she has no right on."""
    dumps.cluster.sql("create database lent")
    dumps.cluster.sql(LENT + more, "lent")
    return dumped(dumps, "lent")


def test_a_table_that_is_called_as_others_schemas_are_earns_nothing_in_them(dumps: Dumps) -> None:
    cluster = dumps.cluster
    words = lent(dumps, 'create table k."x app y" (i int check (k.evil(i))); insert into k."x app y" values (1);')
    cluster.sql("create role closed")
    restored(dumps, *words)
    assert cluster.contents(MAKING) == cluster.contents("lent")


OF_MALLORY = "reset session authorization; create table app.t (i int); alter table app.t owner to mallory;"


def test_code_that_guards_rows_may_not_make_anything_in_the_schema_of_their_table(dumps: Dumps) -> None:
    cluster = dumps.cluster
    words = lent(dumps, f"{OF_MALLORY}alter table app.t add check (k.evil(i)); insert into app.t values (1);")
    cluster.sql("create role closed")
    restored(dumps, *words)
    assert cluster.contents(MAKING) == cluster.contents("lent")


def test_what_code_makes_in_a_schema_that_is_lent_to_its_owner_ends_the_restore(dumps: Dumps) -> None:
    cluster = dumps.cluster
    words = lent(dumps, f"{OF_MALLORY}create index on app.t (k.evil(i)); insert into app.t values (1);")
    restored(dumps, *words)
    assert cluster.contents(MAKING) == cluster.contents("lent")
    verb(dumps, "db-drop", f"--plan={PLAN}")
    cluster.sql("create role closed")
    refused = verb(dumps, "db-restore", *words)
    assert refused.code == 1 and "code of 'mallory' made 'app lower(text)'" in refused.answer["error"], refused.out


EVERY_SORT = """
create schema app authorization karl; grant usage, create on schema app to mallory; set session authorization mallory;
create table app."a t" (id serial primary key, n int generated always as identity, j jsonb, s text collate "C" unique);
create index on app."a t" (s); insert into app."a t" (s) values ('x'); create view app.v as select * from app."a t";
create type app.r as range (subtype = int); create type app.e as enum ('a'); create type app.c as (i int, e app.e);
create domain app.d as int check (value > 0); create table app.u (d app.d, r app.r[], c app.c, e app.e);
create function app.f(i int, j character varying[], out k app.e) language sql as $$ select 'a'::app.e $$;
create function app."odd (name)"() returns int language sql as 'select 1';
create procedure app.p(i app.d) language sql as 'select 1';
create aggregate app.a(*) (sfunc = int8inc, stype = int8, initcond = '0'); create aggregate app.b(int) (sfunc = int4pl, stype = int);
create function app.same(i app.e, j app.e) returns boolean language sql as 'select true';
create operator app.=== (function = app.same, leftarg = app.e, rightarg = app.e); create collation app.col from "C";
create text search configuration app.ts (copy = pg_catalog.simple); create text search dictionary app.dict (template = simple);
create materialized view app.m as select 1 as i; create statistics app.st on id, s from app."a t";
create table app.part (i int) partition by list (i); create table app.p1 partition of app.part for values in (1);
reset session authorization; revoke usage, create on schema app from mallory;
"""


def test_every_sort_of_thing_comes_back_where_its_owner_may_make_nothing(dumps: Dumps) -> None:
    dumps.cluster.sql("create database lent")
    dumps.cluster.sql(EVERY_SORT, "lent")
    restored(dumps, *dumped(dumps, "lent"))
    assert dumps.cluster.contents(MAKING) == dumps.cluster.contents("lent")


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
create function k.used(i int) returns int language sql immutable as 'select i'; alter function k.used owner to mallory;
create function public.twice(i int) returns int language sql immutable as 'select 2 * i';
create view public.ours as select public.twice(id) as two, tags from public.everybodys;
create materialized view public.kept as select o.two, t.id from public.ours o join "of Karl".t on t.of_all * 2 = o.two;
create index on public.everybodys (public.twice(id)) where id > 0; create index on public.everybodys using gin (tags);
create index on public.kept (two); create statistics public.both on (id + 1), tags from public.everybodys;
create table public.booked (r int4range, who int, exclude using gist (r with &&) where (who > 0));
alter table public.everybodys add constraint positive check (id > 0);
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
