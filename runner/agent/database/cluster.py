"""The server as a restore sees it: what it has, whose sessions are where, and databases by the plan that makes them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..answer import Refused, shown
from .contract import DatabaseServer, unfit
from .session import SqlSession, SqlTrouble, refusal
from .sql import identifier, literal

MAINTENANCE = ("postgres", "template1")
# What a database sets for its sessions is not to keep us from our work in it, nor have checks of its tables run for it.
SETTINGS = "-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c constraint_exclusion=off"
_PLAN = re.compile(r"[0-9A-Za-z.]{1,40}")
_MAKING = "runner_restoring_"
_HAS = """
select json_build_object(
    'number', current_setting('server_version_num')::int,
    'makes', (select rolsuper or rolcreatedb from pg_roles where rolname = current_user),
    'super', (select rolsuper from pg_roles where rolname = current_user),
    'data', current_setting('data_directory', true),
    'supers', (select coalesce(json_agg(rolname), '[]') from pg_roles where rolsuper),
    'roles', (select coalesce(json_agg(rolname), '[]') from pg_roles),
    'extensions', (select coalesce(json_agg(name), '[]') from pg_available_extensions),
    'tablespaces', (select coalesce(json_agg(spcname), '[]') from pg_tablespace),
    'databases', (select coalesce(json_agg(datname), '[]') from pg_database));
"""
_SESSIONS = """
select json_build_object('user', usename, 'application', application_name,
    'client', coalesce(host(client_addr), 'this host'), 'since', extract(epoch from backend_start))
from pg_stat_activity where pid <> pg_backend_pid() and datname in ({names}) order by backend_start, pid;
"""
_END = """
select json_build_object('ended', count(*) filter (where pg_terminate_backend(pid)))
from pg_stat_activity where pid <> pg_backend_pid() and datname in ({names});
"""
# A subscription keeps its database from being dropped; and dropped as it is, it would take the slot of the database
# that was dumped, at another server, along.
_DETACH = """
select format('alter subscription %I disable', subname),
    format('alter subscription %I set (slot_name = none)', subname), format('drop subscription %I', subname)
from pg_subscription where subdbid = (select oid from pg_database where datname = current_database()) \\gexec
"""
_THERE = """select json_build_object('subscribed', exists (select from pg_subscription where subdbid = d.oid))
from pg_database d where datname = {name};"""

TAKEN = "42P04"
WEEK = 7 * 86400
_LOOK = 0.1
_PATIENCE = 60


@contextmanager
def opened(to: DatabaseServer, database: str = "") -> Iterator[SqlSession]:
    """A conversation with the server, or with a database of it; its troubles become Refused."""
    try:
        with SqlSession(to, database) as session:
            yield session
    except SqlTrouble as trouble:
        raise refusal(to, trouble) from None


def maintenance(names: Sequence[str]) -> str:
    """A database to be connected to while those of `names` are renamed."""
    return next(name for name in (*MAINTENANCE, "") if name not in names)


def has(to: DatabaseServer) -> Mapping[str, Any]:
    """What the server has of roles, extensions and so on. Raises Refused where it does not answer."""
    with opened(to) as session:
        (has,) = session.ask(_HAS)
    return has


def sessions(session: SqlSession, names: Sequence[str]) -> list[dict[str, Any]]:
    """Who is connected to these databases, but for us."""
    return session.ask(_SESSIONS.format(names=literals(names)))


def end_sessions(session: SqlSession, names: Sequence[str]) -> int:
    """End whoever is connected to these databases; gives how many."""
    (row,) = session.ask(_END.format(names=literals(names)))
    return int(row["ended"])


def making(plan: str) -> str:
    """The name that a database has until it is whole: nobody else's, and it says what it is."""
    if not _PLAN.fullmatch(plan):
        raise Refused(f"not the id of a plan: {plan!a}", "see docs/store.md")
    return f"{_MAKING}{plan}"


def left_over(names: Sequence[str]) -> list[str]:
    """Those of them that a restore was making."""
    return sorted(name for name in names if name.startswith(_MAKING) and _PLAN.fullmatch(name[len(_MAKING) :]))


def database_name(text: str) -> str:
    """`text`, if a database can have that name. Raises Refused."""
    if why := unfit(text):
        raise Refused(f"no database can be called {shown(text)}: {why}", "take another name")
    return text


def drop(to: DatabaseServer, name: str, beside: str = "") -> bool:
    """Drop a database that a restore made, and end whoever is connected to it; whether it was there.

    `beside` is the database that we are connected to meanwhile. Raises SqlTrouble.
    """
    with SqlSession(to, beside) as session:
        there = session.ask(_THERE.format(name=literal(name)))
        if not there:
            return False
        if there[0]["subscribed"]:
            with SqlSession(to, name) as inside:
                inside.ask(_DETACH)
        session.ask(f"alter database {identifier(name)} is_template false connection limit 0;")
        end_sessions(session, (name,))
        session.ask(f"drop database if exists {identifier(name)};", seconds=600)
    return True


def rename(old: str, new: str) -> str:
    """The statement that gives a database another name."""
    return f"alter database {identifier(old)} rename to {identifier(new)};"


def literals(names: Sequence[str]) -> str:
    """Names as strings of SQL, for an `in (...)`."""
    return ", ".join(literal(name) for name in names)


def move(to: DatabaseServer, beside: SqlSession, names: Sequence[str], statements: str) -> int:
    """Run `statements`, which rename the databases `names`; `beside` ends whoever is connected to them.

    ALTER DATABASE RENAME first takes the lock that keeps new sessions out and then waits five seconds for
    the old ones to go: they are ended meanwhile. Should anything die on the way, everything is as it was,
    but for the sessions. Raises SqlTrouble. Gives how many sessions were ended.
    """
    ended, trouble = 0, list[SqlTrouble]()
    away = maintenance(names)

    def rename() -> None:
        try:
            with SqlSession(to, away) as session:
                session.ask(f"set lock_timeout = '30s';\nbegin;\n{statements}\ncommit;", seconds=_PATIENCE)
        except SqlTrouble as problem:
            trouble.append(problem)

    thread = threading.Thread(target=rename)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_LOOK)
            if thread.is_alive():
                ended += end_sessions(beside, names)
    finally:
        thread.join()
    if trouble:
        raise trouble[0]
    return ended
