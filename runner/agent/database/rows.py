"""What a database holds: its tables with their rows, its large objects, whose it is and what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .session import SqlSession

# Ordinary tables whose rows a dump carries: what belongs to an extension comes with the extension.
_TABLES = """
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
and not exists (select from pg_depend d
    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
"""
_LOCK = f"select format('lock table only %I.%I in access share mode', nspname, relname) {_TABLES} \\gexec"
# A standby has nothing of unlogged tables, and pg_dump leaves their rows out there.
_EMPTY = "c.relpersistence = 'u' and pg_is_in_recovery()"
# To plan a query is to run what the indexes and statistics of its table call with constants, as whoever asks, and whose
# table it is makes one at any moment. So a superuser plans none: the rows are written to nowhere, of each the column
# that is least.
_UNPLANNED = "current_setting('is_superuser') = 'on'"
_LEAST = """(select format('(%I)', attname) from pg_attribute a
    where attrelid = c.oid and attnum > 0 and not attisdropped
    and coalesce(to_jsonb(a)->>'attgenerated', '') = ''
    order by attlen < 0, attlen, attnum limit 1)"""
_COUNT = f"""
select format('do language plpgsql %L', format(
        'declare n bigint; begin execute %L; get diagnostics n = row_count; perform set_config(%L, n::text, false);end',
        format('copy %I.%I %s to %L', nspname, relname, {_LEAST}, '/dev/null'), 'runner.rows')),
    format('select json_build_object(%L, %L, %L, current_setting(%L)::bigint)', 'table',
        format('%I.%I', nspname, relname), 'rows', 'runner.rows')
    {_TABLES} and c.relkind = 'r' and not ({_EMPTY}) and {_UNPLANNED} \\gexec
select format('select json_build_object(''table'', %L, ''rows'', count(*)) from only %I.%I',
    format('%I.%I', nspname, relname), nspname, relname)
    {_TABLES} and c.relkind = 'r' and not ({_EMPTY}) and not {_UNPLANNED} \\gexec
select json_build_object('table', format('%I.%I', nspname, relname), 'rows', 0)
    {_TABLES} and c.relkind = 'r' and {_EMPTY};
select json_build_object('large_objects', count(*)) from pg_largeobject_metadata;
"""  # noqa: S608  (nothing from outside is put into it)
# Whether the dump has all its locks: then it has all tables, or is at their rows already. Until then
# somebody who waits for ours to alter a table keeps it waiting, and would as long as we wait for it.
_SETTLED = f"""
select pg_stat_clear_snapshot() \\g /dev/null
select json_build_object(
    'over', a.query ilike 'copy %%' or not exists (select {_TABLES} and not exists (select from pg_locks l
        where l.pid = a.pid and l.granted and l.locktype = 'relation' and l.relation = c.oid)),
    'blocked', (with recursive b(pid) as (select unnest(pg_blocking_pids(a.pid))
        union select unnest(pg_blocking_pids(b.pid)) from b)
        select count(*) > 0 from b where b.pid = pg_backend_pid()))
from pg_stat_activity a where a.application_name = '%s' and a.datname = current_database();
"""  # noqa: S608
_SNAPSHOT = """
select json_build_object('snapshot', pg_export_snapshot(), 'number', current_setting('server_version_num')::int);
"""
_ABOUT = """
select json_build_object(
    'server', current_setting('server_version'),
    'owner', pg_get_userbyid(datdba),
    'encoding', pg_encoding_to_char(encoding),
    'collate', datcollate,
    'ctype', datctype,
    'size', pg_database_size(d.oid),
    'data', (select setting from pg_settings where name = 'data_directory'),
    'extensions', (select coalesce(json_agg(extname order by extname), '[]') from pg_extension),
    'tablespaces', (select coalesce(json_agg(spcname order by spcname), '[]') from pg_tablespace t
        where spcname not in ('pg_global', 'pg_default')
        and (t.oid = d.dattablespace or exists (select from pg_class c where c.reltablespace = t.oid))),
    'roles', (select coalesce(json_agg(distinct rolname), '[]') from pg_roles r where r.oid = datdba
        or exists (select from pg_shdepend s where s.refclassid = 'pg_authid'::regclass and s.refobjid = r.oid
            and (s.dbid = d.oid or (s.dbid = 0 and s.classid = 'pg_database'::regclass and s.objid = d.oid)))
        or exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relowner = r.oid
            and n.nspname !~ '^pg_' and n.nspname <> 'information_schema')))
from pg_database d where datname = current_database();
"""


def begin(session: SqlSession, lock_wait: int) -> None:
    """Let it open the transaction that is dumped and counted; `begun` is to follow."""
    first = f"set lock_timeout = '{lock_wait}s';\nbegin isolation level repeatable read read only;"
    session.put(f"{first}\n{_SNAPSHOT}\n{_LOCK}")


def begun(session: SqlSession, lock_wait: int) -> Mapping[str, Any]:
    """Wait until the transaction is open and its tables are locked against being altered or emptied.

    Gives its `snapshot`, which holds as long as the transaction does, and the `number` of the server's version.
    Raises SqlTrouble (55P03) when a table stays locked by others for `lock_wait` seconds.
    """
    (begun,) = session.answer(seconds=20 * lock_wait + 60)
    return begun


def about(session: SqlSession) -> Mapping[str, Any]:
    """What is known of the database itself: whose it is, and what it needs. Raises SqlTrouble."""
    (about,) = session.ask(_ABOUT)
    return about


def locked(session: SqlSession, name: str) -> bool | None:
    """Whether the dump of that application name has the locks it wants; None where it never will, because of ours."""
    rows = session.ask(_SETTLED % name)
    if any(row["blocked"] for row in rows):
        return None
    return any(row["over"] for row in rows)


def start_counting(session: SqlSession) -> None:
    """Let it count in its transaction, and release snapshot and locks then; `counted` is to follow."""
    session.put(f"{_COUNT}\ncommit;")


def count(session: SqlSession, *, seconds: float) -> tuple[dict[str, int], int]:
    """Count, and wait for it: what `counted` gives."""
    session.put(_COUNT)
    return counted(session, seconds=seconds)


def counted(session: SqlSession, *, seconds: float) -> tuple[dict[str, int], int]:
    """The rows of each table by its name as SQL writes it (`public.members`), and the number of large objects.

    Raises SqlTrouble.
    """
    rows = session.answer(seconds=seconds)
    tables = {str(row["table"]): int(row["rows"]) for row in rows if "table" in row}
    return dict(sorted(tables.items())), sum(int(row.get("large_objects", 0)) for row in rows)


def blockers(session: SqlSession) -> list[dict[str, Any]]:
    """Who holds a lock on a table of this database that keeps everybody else out."""
    return session.ask(
        """select json_build_object('pid', a.pid, 'user', usename, 'since', xact_start, 'doing', left(query, 80))
        from pg_stat_activity a where a.pid <> pg_backend_pid() and exists (select from pg_locks l
            join pg_database d on d.oid = l.database where l.pid = a.pid and l.granted
            and l.locktype = 'relation' and l.mode = 'AccessExclusiveLock'
            and d.datname = current_database()) order by xact_start limit 5;"""
    )
