"""A dump put into a database, each object with the rights of its owner alone.

What is in a database is code too: checks, domains, defaults and index expressions run while it is restored, and whoever
owns a table wrote those. SET ROLE is no boundary, since code can RESET it; a session that was authenticated as a role
without a superuser's rights is. So what belongs to a superuser is made by one, and its rows, which others' functions
may guard, are written by a role of ours that may do nothing else; all other things are made by that role as a member of
their owner, and of nobody else.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..answer import Refused, shown
from . import cluster, sql
from . import server as pg_programs
from .contract import DatabaseServer
from .dumped.entries import (
    CONSTRAINT,
    DESPERATE,
    EVENT_TRIGGER,
    PUBLICATION,
    REFRESH,
    SCHEMA,
    SUBSCRIPTION,
    Roles,
    parsed,
    place,
    split,
    texts,
)
from .dumped.others import Others
from .restorer import RESTORER, RIGHTS, Restorer
from .stored import OpenDump

_READ = 600
_ROWS = b"TABLE DATA "
# Written last, as pg_restore does: rights, then what needs them. It sorts them itself.
_LAST = (b"ACL ", b"DEFAULT ACL ", REFRESH)
# No code of anybody runs in these.
_HARMLESS = (b"BLOB", b"SECURITY LABEL ", b"SEQUENCE SET ")

_SCHEMAS = """select format('schema %I', nspname) as what, '{rights}' as rights from pg_namespace
    where nspname !~ '^pg_' and {named} and {lacks}"""
# The schema is what stands before the name; where two fit, neither is lent.
_LENT = """select format('schema %I', min(nspname::text)), '{right}' from (values {named}) as entry (named)
    join pg_namespace on strpos(named, translate(nspname, E'\\n\\r', '  ') || ' ') = 1
    where nspname !~ '^pg_' group by named having count(*) = 1 and bool_and({lacks})"""
# What an owner has in schemas that were lent to it, as the list writes it.
_MADE = """select json_build_object('made', translate(nspname || ' ' || made, E'\\n\\r', '  '))
from pg_namespace n join (
    select relnamespace, relname::text, relowner from pg_class where relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    union all select pronamespace, format('%s(%s)', proname, (select string_agg(format_type(t, null), ', ' order by i)
        from unnest(proargtypes) with ordinality as a (t, i))), proowner from pg_proc p
        where not exists (select from pg_depend d
            where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('i', 'e'))
    union all select typnamespace, typname, typowner from pg_type where typtype in ('b', 'd', 'e', 'r') and typelem = 0
    union all select oprnamespace, oprname, oprowner from pg_operator
    union all select collnamespace, collname, collowner from pg_collation
    union all select connamespace, conname, conowner from pg_conversion
    union all select cfgnamespace, cfgname, cfgowner from pg_ts_config
    union all select dictnamespace, dictname, dictowner from pg_ts_dict) as m (space, made, owner) on space = n.oid
where owner in ({role}::regrole, {restorer}::regrole) and has_schema_privilege({rights}, n.oid, 'create')
    and not has_schema_privilege('public', n.oid, 'create');"""
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
    _refuse_borrowed(loading, dump, roles)
    with Restorer(loading.to, loading.database) as restorer:
        for segment in segments:
            if not segment.owner:
                _pg_restore(loading, dump, segment.lines)
                continue
            words = () if segment.owner == RESTORER else ("--no-owner", f"--role={segment.owner}")
            with restorer.acting(segment.owner, _needed(segment, roles)) as login:
                _pg_restore(loading, dump, segment.lines, words, login)
                if words:
                    _refuse_planted(loading, segments, segment.owner, roles)


def _refuse_planted(loading: Loading, segments: Sequence[Segment], owner: str, roles: Roles) -> None:
    """Refuse where code of this owner made something in a schema that was lent to it, beyond what is in the dump."""
    role, restorer, rights = map(sql.literal, (sql.identifier(owner), RESTORER, RIGHTS))
    with cluster.opened(loading.to, loading.database) as session:
        rows = session.ask(_MADE.format(role=role, restorer=restorer, rights=rights), seconds=600)
    if not rows:
        return
    lines = [fields for each in segments if each.owner == owner for line in each.lines if (fields := split(line))]
    known = {place(catalogue, text, roles.written(owner))[0] for _, catalogue, text in lines}
    for made in (str(row["made"]) for row in rows):
        if made.encode(roles.codec, "replace") not in known | {name.replace(b"(*)", b"()") for name in known}:
            raise Refused(
                f"code of {shown(owner)} made {shown(made)} while it was restored, where it may make nothing",
                f"see what that code is for, {DESPERATE}",
            )


def _refuse_borrowed(loading: Loading, dump: OpenDump, roles: Roles) -> None:
    """Refuse a dump out of which a superuser's session would run code of somebody else."""
    supers = {"", *roles.supers}
    lines = listed(loading.to, loading.pg_restore, dump, "--verbose")
    entries = parsed(lines, roles)
    chosen = {
        each.number for each in entries.values()
        if each.catalogue not in (b"0", b"1262") and (each.owner in supers or each.catalogue == CONSTRAINT)
    }  # fmt: skip
    own = [line for line in lines if (fields := split(line)) and int(fields[0]) in chosen]
    if not own:
        return
    with pg_programs.listing(loading.to, own) as listing:
        words = (loading.pg_restore, "--verbose", f"--use-list={listing.path}", "--file=-")
        script, complaint = output_of(loading.to, words, dump, listing.keep)
    if complaint:
        raise Refused(f"pg_restore cannot read the dump: {complaint}", "take an older one: --at")
    for borrowed in Others(entries, supers, texts(script)).borrowed():
        what, code = (shown(each.text.decode(roles.codec, "replace")) for each in borrowed)
        raise Refused(
            f"{what} is a superuser's, and code of {shown(borrowed.code.owner)} would run with it, with a superuser's "
            f"rights: {code}",
            f"give it to somebody who is no superuser (ALTER ... OWNER TO) and make a new dump, {DESPERATE}",
        )


def _needed(segment: Segment, roles: Roles) -> str:
    """The query for what its role may not do yet and must: rights that it has for this long."""
    role = sql.literal(segment.owner)
    usage, create = (f"has_schema_privilege({role}, oid, '{right}')" for right in ("usage", "create"))
    if segment.owner == RESTORER:
        # A check may be of any schema.
        schemas = _SCHEMAS.format(rights="usage", named="nspname <> 'information_schema'", lacks=f"not {usage}")
        superusers = "pg_get_userbyid(relowner) in (select rolname from pg_roles where rolsuper)"
        return f"{schemas} union all {_TABLES.format(role=role, right='insert')} and {superusers}"
    entries = [fields for line in segment.lines if (fields := split(line))]
    places = {place(catalogue, text, roles.written(segment.owner)) for _, catalogue, text in entries}
    parts = [_OTHERS.format(role=role)]
    for right, lacks, chosen in (
        ("usage", usage, places), ("create", create, [each for each in places if each[1]]),
    ):  # fmt: skip
        named = ", ".join(f"({sql.literal(name.decode(roles.codec, 'replace'))})" for name, _ in sorted(chosen) if name)
        if named:
            parts.append(_LENT.format(right=right, named=named, lacks=f"not {lacks}"))
    catalogues = {catalogue for _, catalogue, _ in entries}
    if CONSTRAINT in catalogues:
        parts.append(_TABLES.format(role=role, right="references"))
    if PUBLICATION in catalogues:
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
        chosen = (f"--use-list={listing.path}",) if lines else ()
        argv = (loading.pg_restore, "--exit-on-error", "--no-password", *chosen, *words, f"--dbname={where}")
        keep = (*listing.keep, *(login.descriptors if login else ()))
        ran = pg_programs.run(to, argv, given=dump.stream, seconds=loading.within, keep=keep)
    if ran.exit is None:
        why = f"pg_restore had not ended after {loading.within} s and was stopped"
        raise Refused(why, "see what keeps the server busy")
    if ran.exit != 0:
        role = next((word.partition("=")[2] for word in words if word.startswith("--role=")), "")
        who = f" with the rights of {shown(role)}" if role else ""
        do = f", give {shown(role)} what it lacks, {DESPERATE}" if role else ""
        raise Refused(f"pg_restore ended {ran.exit}{who}: {ran.complaint}", f"see the log of the database server{do}")


def listed(to: DatabaseServer, pg_restore: str, dump: OpenDump, *words: str) -> list[bytes]:
    """The lines of pg_restore's list of the dump."""
    output, complaint = output_of(to, (pg_restore, *words, "--list"), dump)
    if complaint:
        raise Refused(f"pg_restore cannot read the dump: {complaint}", "take an older one: --at")
    return output.splitlines(keepends=True)


def output_of(to: DatabaseServer, argv: tuple[str, ...], dump: OpenDump, keep: Sequence[int] = ()) -> tuple[bytes, str]:
    """What a program writes that reads the dump, and its complaint where it fails. It inherits `keep`."""
    dump.rewind()
    with pg_programs.scrap() as out:
        ran = pg_programs.run(to, argv, given=dump.stream, output=out, seconds=_READ, keep=keep)
        if ran.exit is None:
            raise Refused(f"pg_restore had not read the dump after {_READ} s and was stopped", "run it again")
        out.seek(0)
        return out.read(), "" if ran.exit == 0 else ran.complaint or f"it ended {ran.exit}"


def divided(lines: Iterable[bytes], roles: Roles) -> list[Segment]:
    """The entries in their order, by who restores them; rights, and what needs them, are last. Raises Refused."""
    supers = {"", *roles.supers}
    first: list[tuple[str, bytes]] = []
    last: list[bytes] = []
    for line in lines:
        fields = split(line)
        if fields is None:
            continue
        _, catalogue, text = fields
        if text.startswith(_LAST) or catalogue == EVENT_TRIGGER:
            last.append(line)
            continue
        owner = roles.owner(text)
        plain = catalogue in (SCHEMA, SUBSCRIPTION) or text.startswith(_HARMLESS)
        if owner == "pg_database_owner" and text.startswith(b"COMMENT "):
            plain = True
        if _is_rows(line) and owner in supers:
            first.append((RESTORER, line))
        else:
            first.append(("" if plain or owner in supers else owner, line))
    # Rows are apart: their checks need not run with the right to make something.
    segments = [
        Segment(owner, tuple(line for _, line in group))
        for (owner, _), group in itertools.groupby(first, key=lambda entry: (entry[0], _is_rows(entry[1])))
    ]
    return [*segments, Segment("", tuple(last))] if last else segments


def _is_rows(line: bytes) -> bool:
    fields = split(line)
    return fields is not None and fields[1] == b"0" and fields[2].startswith(_ROWS)
