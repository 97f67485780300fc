"""`db-fits`: can a dump be restored here under a new name (reads only); `db-roles`: make the roles it needs."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..answer import Refused, reply, shown
from ..arguments import parse_as
from . import cluster, sql, stored
from . import server as pg_programs
from .contract import DatabaseServer
from .contract_restore import CheckFits, DumpFits, DumpHead, MakeRoles, RolesMade
from .restorer import QUIET


def db_fits(argv: Sequence[str]) -> int:
    """Is DUMP the one with `--sha256`, whole, and can it become the database `--into` here?

    Without a DUMP its head is read from stdin, and only the server is looked at. `--bring` names roles that can be
    made first. Refuses with every reason at once.
    """
    options = parse_as(CheckFits, argv)
    if len(options.dumps) > 1:
        raise Refused("one dump at a time", "see docs/store.md")
    if not options.dumps:
        reply(_fits(options, _head()))
        return 0
    with stored.opened(options.dumps[0], options.sha256) as dump:
        answer = _fits(options, stored.head(dump.record))
        dump.verify(options.sha256)
    reply(answer)
    return 0


def _head() -> DumpHead:
    try:
        return DumpHead(**json.loads(sys.stdin.buffer.read()))
    except (ValueError, TypeError):
        raise Refused("what is on stdin is not about a dump", "see docs/store.md") from None


def _fits(options: CheckFits, dump: DumpHead) -> DumpFits:
    to = options.server
    into = cluster.database_name(options.into)
    has = cluster.has(to)
    named = {*dump.roles, dump.owner} - {""}
    bring = sorted((named - set(has["roles"])) & set(options.bring))
    missing = sorted(named - {*has["roles"], *bring})
    room = _room(has)
    wrong = [*_versions(to, has, dump), *_lacking(has, dump)]
    if not has["makes"]:
        wrong.append(("our role may not create databases there", "let the superuser of the server do it: `user`"))
    if into in has["databases"]:
        wrong.append((f"a database {shown(into)} is there already", "take another name: --into"))
    if missing:
        names = ", ".join(shown(role) for role in missing)
        wrong.append((f"the server has no role {names}", "--globals makes the roles that are missing"))
    needed = dump.size or dump.bytes
    if room is not None and room < needed:
        text = f"it needs about {needed:,} bytes where the server keeps its data, and {room:,} are free"
        wrong.append((text, "make room there"))
    if wrong:
        raise Refused("; ".join(text for text, _ in wrong), "; ".join(dict.fromkeys(do for _, do in wrong)))
    left, supers = cluster.left_over(has["databases"]), sorted(named & set(has["supers"]))
    return DumpFits(True, has["number"], tuple(bring), tuple(left), room, tuple(supers))


def _versions(to: DatabaseServer, has: Mapping[str, Any], dump: DumpHead) -> list[tuple[str, str]]:
    theirs, ours = major(dump.server), int(has["number"]) // 10000
    if not theirs:
        return [("the record does not say which version the dump is of", "restore it by hand: README.txt")]
    if theirs > ours:
        text = f"the dump is of PostgreSQL {theirs}, and this server is {ours}: an older one cannot take it"
        return [(text, f"restore it on a server of PostgreSQL {theirs} or newer")]
    pg_programs.dumper(to, 10000 * max(ours, major(dump.pg_dump)))
    return []


def _lacking(has: Mapping[str, Any], dump: DumpHead) -> list[tuple[str, str]]:
    extensions = [
        (f"extension {shown(name)} is not installed on this host", "install its package (postgresql-contrib?)")
        for name in dump.extensions
        if name not in has["extensions"]
    ]
    spaces = [name for name in dump.tablespaces if name not in has["tablespaces"]]
    return extensions + [(f"there is no tablespace {shown(name)}", "make it: CREATE TABLESPACE") for name in spaces]


def _room(has: Mapping[str, Any]) -> int | None:
    """Free bytes where the data is, as the server (no root) may use them; None where we cannot know."""
    data = has.get("data")
    if not data or not Path(data).is_dir():
        return None
    space = os.statvfs(data)
    return space.f_bavail * space.f_frsize


def major(version: object) -> int:
    """The major version in `15.18 (Debian ...)`; 0 where there is none."""
    match = re.match(r"[0-9]+", str(version or ""))
    return int(match[0]) if match else 0


def db_roles(argv: Sequence[str]) -> int:
    """Make the roles `--role` as the file GLOBALS (of that `--sha256`) has them: all of them or none.

    Those that are there by now are left as they are.
    """
    options = parse_as(MakeRoles, argv)
    content = stored.content(options.path, options.sha256)
    has = cluster.has(options.server)
    there = tuple(role for role in options.role if role in has["roles"])
    missing = tuple(role for role in options.role if role not in there)
    lacking = sorted(set(missing) - sql.created(content))
    if lacking:
        names = ", ".join(shown(role) for role in lacking)
        raise Refused(f"the globals do not have role {names}", "make it by hand: CREATE ROLE")
    if not has["super"]:
        raise Refused("our role may not create roles there", "let the superuser do it: `user`")
    if missing:
        statements = "".join(f"{text};\n" for text in sql.bringing(content, missing, has["roles"]))
        with cluster.opened(options.server) as session:
            session.ask(f"{QUIET}begin;\n{statements}commit;")
    reply(RolesMade(made=missing, there=there))
    return 0
