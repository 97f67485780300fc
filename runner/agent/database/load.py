"""A dump put into a database, each object with the rights of its owner alone.

What is in a database is code too: checks, domains, defaults and index expressions run while it is restored, and whoever
owns a table wrote those. SET ROLE is no boundary, since code can RESET it; a session that was authenticated as a role
without a superuser's rights is. So what belongs to a superuser is made by one, and its rows, which others' functions
may guard, are written by a role of ours that may do nothing else; all other things are made by that role as a member of
their owner, and of nobody else.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..answer import Refused, shown
from . import cluster, sql
from . import server as pg_programs
from .contract import DatabaseServer
from .restorer import RESTORER, Restorer
from .stored import OpenDump

_READ = 600
# An entry of pg_restore's list: its number, the catalogue it is of (0: none), and then words in which names may stand.
_ENTRY = re.compile(rb"[0-9]+; ([0-9]+) [0-9]+ ([^\n]*)\n?")
_SCHEMA, _SUBSCRIPTION, _CONSTRAINT, _PUBLICATION, _EVENT_TRIGGER = b"2615", b"6100", b"2606", b"6104", b"3466"
_ROWS = b"TABLE DATA "
# Written last, as pg_restore does: rights, then what needs them. It sorts them itself.
_LAST = (b"ACL ", b"DEFAULT ACL ", b"MATERIALIZED VIEW DATA ")
# No code of anybody runs in these.
_HARMLESS = (b"BLOB", b"SECURITY LABEL ", b"SEQUENCE SET ")
_DESPERATE = "or let all code in this database run as the server's account: --as-superuser"

_SCHEMAS = """select format('schema %I', nspname) as what, '{rights}' as rights from pg_namespace
    where nspname !~ '^pg_' and {named} and {lacks}"""
_TABLES = """select format('table %I.%I', nspname, relname), '{right}' from pg_class c
    join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'p') and nspname !~ '^pg_'
    and nspname <> 'information_schema' and not has_table_privilege({role}, c.oid, '{right}')"""
_OTHERS = """select format('foreign data wrapper %I', fdwname), 'usage' from pg_foreign_data_wrapper
    where not has_foreign_data_wrapper_privilege({role}, oid, 'usage')
    union all select format('foreign server %I', srvname), 'usage' from pg_foreign_server
    where not has_server_privilege({role}, oid, 'usage')
    union all select format('tablespace %I', spcname), 'create' from pg_tablespace
    where spcname <> 'pg_global' and not has_tablespace_privilege({role}, oid, 'create')"""
_DATABASE = """select format('database %I', current_database()), '{right}'
    where not has_database_privilege({role}, current_database(), '{right}')"""


class Loading(NamedTuple):
    """The database that a dump is put into, with which pg_restore, in how many seconds at most."""

    to: DatabaseServer
    database: str
    pg_restore: str
    within: int


class Segment(NamedTuple):
    """Entries of a dump in a row that one role restores; `owner` is "" for a superuser."""

    owner: str
    lines: tuple[bytes, ...]


def load(loading: Loading, dump: OpenDump, has: Mapping[str, Any], *, superuser: bool = False) -> None:
    """Put the dump into the database. With `superuser`, or where we are none anyway, all of it with our own rights.

    Raises Refused, and leaves then what is there by now.
    """
    if superuser or not has["super"]:
        _pg_restore(loading, dump, ())
        return
    codec = sql.codec(str(dump.record.get("encoding") or "UTF8"))
    roles = Roles(has["roles"], has["supers"], codec)
    segments = divided(listed(loading.to, loading.pg_restore, dump), roles)
    if not any(segment.owner not in ("", RESTORER) for segment in segments):
        # No code in it is anybody else's.
        _pg_restore(loading, dump, ())
        return
    with Restorer(loading.to, loading.database) as restorer:
        for segment in segments:
            _restore(loading, dump, restorer, segment, codec)


def _restore(loading: Loading, dump: OpenDump, restorer: Restorer, segment: Segment, codec: str) -> None:
    if not segment.owner:
        _pg_restore(loading, dump, segment.lines)
        return
    bare = segment.owner == RESTORER
    words = () if bare else ("--no-owner", f"--role={segment.owner}")
    with restorer.acting(segment.owner, _needed(segment, codec)) as login:
        _pg_restore(loading, dump, segment.lines, words, login)


def _needed(segment: Segment, codec: str) -> str:
    """The query for what its role may not do yet and must: rights that it has for this long."""
    role, lines = sql.literal(segment.owner), sql.literal(b"".join(segment.lines).decode(codec, "replace"))
    usage, create = (f"has_schema_privilege({role}, oid, '{right}')" for right in ("usage", "create"))
    if segment.owner == RESTORER:
        # A check may be of any schema.
        schemas = _SCHEMAS.format(rights="usage", named="nspname <> 'information_schema'", lacks=f"not {usage}")
        superusers = "pg_get_userbyid(relowner) in (select rolname from pg_roles where rolsuper)"
        return f"{schemas} union all {_TABLES.format(role=role, right='insert')} and {superusers}"
    named = f"strpos({lines}, ' ' || nspname || ' ') > 0"
    parts = [_SCHEMAS.format(rights="usage, create", named=named, lacks=f"not ({usage} and {create})")]
    parts.append(_OTHERS.format(role=role))
    catalogues = {match[1] for line in segment.lines if (match := _ENTRY.fullmatch(line))}
    if _CONSTRAINT in catalogues:
        parts.append(_TABLES.format(role=role, right="references"))
    if _PUBLICATION in catalogues:
        parts.append(_DATABASE.format(role=role, right="create"))
    return " union all ".join(parts)


def _pg_restore(
    loading: Loading, dump: OpenDump, lines: Sequence[bytes], words: Sequence[str] = (), login: Restorer | None = None
) -> None:
    """Restore these entries, or all where there are none; as our role, or as the one that logs in."""
    to = loading.to
    more = login.conninfo if login else {}
    where = to.conninfo(loading.database, application_name="runner", options=cluster.SETTINGS, **more)
    dump.rewind()
    with pg_programs.listing(to, lines) as listing:
        chosen = (f"--use-list={listing}",) if lines else ()
        argv = (loading.pg_restore, "--exit-on-error", "--no-password", *chosen, *words, f"--dbname={where}")
        keep = login.descriptors if login else ()
        ran = pg_programs.run(to, argv, given=dump.stream, seconds=loading.within, keep=keep)
    if ran.exit is None:
        why = f"pg_restore had not ended after {loading.within} s and was stopped"
        raise Refused(why, "see what keeps the server busy")
    if ran.exit != 0:
        role = next((word.partition("=")[2] for word in words if word.startswith("--role=")), "")
        who = f" with the rights of {shown(role)}" if role else ""
        do = f", give {shown(role)} what it lacks, {_DESPERATE}" if role else ""
        raise Refused(f"pg_restore ended {ran.exit}{who}: {ran.complaint}", f"see the log of the database server{do}")


def listed(to: DatabaseServer, pg_restore: str, dump: OpenDump, *words: str) -> list[bytes]:
    """The lines of pg_restore's list of the dump."""
    output, complaint = output_of(to, (pg_restore, *words, "--list"), dump)
    if complaint:
        raise Refused(f"pg_restore cannot read the dump: {complaint}", "take an older one: --at")
    return output.splitlines(keepends=True)


def output_of(to: DatabaseServer, argv: tuple[str, ...], dump: OpenDump) -> tuple[bytes, str]:
    """What a program writes that reads the dump, and its complaint where it fails."""
    dump.rewind()
    with pg_programs.scrap() as out:
        ran = pg_programs.run(to, argv, given=dump.stream, output=out, seconds=_READ)
        if ran.exit is None:
            raise Refused(f"pg_restore had not read the dump after {_READ} s and was stopped", "run it again")
        out.seek(0)
        return out.read(), "" if ran.exit == 0 else ran.complaint or f"it ended {ran.exit}"


class Roles(NamedTuple):
    """The roles of the server, those of them that are superusers, and the encoding of their names in the dump."""

    every: Iterable[str]
    supers: Iterable[str]
    codec: str = "utf-8"

    def owner(self, text: bytes) -> str:
        """Whose an entry is, "" for nobody's: its last word, or words, and names hold blanks too. Raises Refused."""
        owners = {name for name in self.every if text.endswith(b" " + self._written(name))}
        if len(owners) > 1:
            names = " or ".join(shown(name) for name in sorted(owners))
            raise Refused(f"the dump does not say whether something is of {names}", f"rename a role; {_DESPERATE}")
        if not owners and not text.endswith(b" "):
            what = text[:200].decode("utf-8", "backslashreplace")
            raise Refused(f"whose this is cannot be told: {shown(what)}", f"make its owner: CREATE ROLE; {_DESPERATE}")
        return "".join(owners)

    def _written(self, name: str) -> bytes:
        """A name as pg_restore writes it into its list."""
        return name.replace("\n", " ").replace("\r", " ").encode(self.codec, "replace")


def divided(lines: Iterable[bytes], roles: Roles) -> list[Segment]:
    """The entries in their order, by who restores them; rights, and what needs them, are last. Raises Refused."""
    supers = {"", *roles.supers}
    first: list[tuple[str, bytes]] = []
    last: list[bytes] = []
    for line in lines:
        match = _ENTRY.fullmatch(line)
        if match is None:
            continue
        catalogue, text = match.groups()
        if text.startswith(_LAST) or catalogue == _EVENT_TRIGGER:
            last.append(line)
            continue
        owner = roles.owner(text)
        plain = catalogue in (_SCHEMA, _SUBSCRIPTION) or text.startswith(_HARMLESS)
        if owner == "pg_database_owner" and text.startswith(b"COMMENT "):
            plain = True
        if catalogue == b"0" and text.startswith(_ROWS) and owner in supers:
            first.append((RESTORER, line))
        else:
            first.append(("" if plain or owner in supers else owner, line))
    segments = [
        Segment(owner, tuple(line for _, line in group))
        for owner, group in itertools.groupby(first, key=lambda entry: entry[0])
    ]
    return [*segments, Segment("", tuple(last))] if last else segments
