"""`db-fits`: can a dump be restored here under a new name (reads only); `db-roles`: make the roles it needs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import tree
from ..answer import Refused, emit, shown
from ..arguments import Call, parse
from . import cluster, sql, stored
from . import server as pg_programs
from .server import OPTIONS, Server, server

# A statement with a password in it is for no log, whatever becomes of it.
_QUIET = """\\set VERBOSITY terse
set log_statement = none; set log_min_error_statement = panic; set log_min_duration_statement = -1;
begin;
"""


def db_fits(argv: Sequence[str]) -> int:
    """Of the word DUMP: is it the one with `--sha256`, whole, and can it become the database `--into` here?

    Without a word the record is read from stdin and only the server is looked at. `--bring` names roles that
    can be made first. Prints `{"fits": true, "number", "bring": those of them that it needs and lacks, "left":
    [databases that a restore did not end making], "room": bytes or null}`; refuses with every reason at once.
    """
    call = parse(argv, words=0, one=(*OPTIONS, "sha256", "into"), many=("bring",), more=True)
    if len(call.words) > 1:
        raise Refused("one dump at a time", "see docs/store.md")
    if not call.words:
        emit(_fits(call, _record()))
        return 0
    with stored.opened(call.words[0], call.one["sha256"]) as dump:
        answer = _fits(call, dump.record)
        dump.verify(call.one["sha256"])
    emit(answer)
    return 0


def _record() -> Mapping[str, Any]:
    try:
        found = json.loads(sys.stdin.buffer.read())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused("the record on stdin is no JSON object", "see docs/store.md")
    return found


def _fits(call: Call, record: Mapping[str, Any]) -> dict[str, Any]:
    to = server(call)
    into = cluster.database_name(call.one["into"])
    has = cluster.has(to)
    named = {*_texts(record, "roles"), str(record.get("owner") or "")} - {""}
    bring = sorted((named - set(has["roles"])) & set(call.many["bring"]))
    missing = sorted(named - {*has["roles"], *bring})
    room = _room(has)
    wrong = [*_versions(to, has, record), *_lacking(has, record)]
    if not has["makes"]:
        wrong.append(("our role there may not make databases", "let the superuser of the server do it: `user`"))
    if into in has["databases"]:
        wrong.append((f"a database {shown(into)} is there already", "take another name: --into"))
    if missing:
        names = ", ".join(shown(role) for role in missing)
        wrong.append((f"the server has no role {names}", "--globals makes the roles that are missing"))
    needed = int(record.get("size") or 0) or int(record.get("bytes") or 0)
    if room is not None and room < needed:
        told = f"it needs about {needed:,} bytes where the server keeps its data, and {room:,} are free"
        wrong.append((told, "make room there"))
    if wrong:
        raise Refused("; ".join(text for text, _ in wrong), "; ".join(dict.fromkeys(do for _, do in wrong)))
    left = cluster.left_over(has["databases"])
    return {"fits": True, "number": has["number"], "bring": bring, "left": left, "room": room}


def _versions(to: Server, has: Mapping[str, Any], record: Mapping[str, Any]) -> list[tuple[str, str]]:
    theirs, ours = major(record.get("server")), int(has["number"]) // 10000
    if not theirs:
        return [("the record does not say of which version the dump is", "restore it by hand: README.txt")]
    if theirs > ours:
        text = f"the dump is of PostgreSQL {theirs}, and this server is {ours}: an older one cannot take it"
        return [(text, f"restore it on a server of PostgreSQL {theirs} or newer")]
    pg_programs.dumper(to, 10000 * max(ours, major(record.get("pg_dump"))))
    return []


def _lacking(has: Mapping[str, Any], record: Mapping[str, Any]) -> list[tuple[str, str]]:
    extensions = [one for one in _texts(record, "extensions") if one not in has["extensions"]]
    spaces = [one for one in _texts(record, "tablespaces") if one not in has["tablespaces"]]
    told = [
        (f"extension {shown(one)} is not installed on this host", "install its package (postgresql-contrib?)")
        for one in extensions
    ]
    return told + [(f"there is no tablespace {shown(one)}", "make it: CREATE TABLESPACE") for one in spaces]


def _room(has: Mapping[str, Any]) -> int | None:
    """Free bytes where the data is, as the server (no root) may use them; None where we cannot know."""
    data = has.get("data")
    if not data or not Path(data).is_dir():
        return None
    found = os.statvfs(data)
    return found.f_bavail * found.f_frsize


def major(version: object) -> int:
    """The major version in `15.18 (Debian ...)`; 0 where there is none."""
    found = re.match(r"[0-9]+", str(version or ""))
    return int(found[0]) if found else 0


def _texts(record: Mapping[str, Any], word: str) -> list[str]:
    return [str(one) for one in record.get(word) or ()]


def db_roles(argv: Sequence[str]) -> int:
    """Make the roles `--role` as the file GLOBALS (of that `--sha256`) has them: all of them or none.

    Those that are there by now are left as they are. Prints `{"made": [...], "there": [...]}`.
    """
    call = parse(argv, words=1, one=(*OPTIONS, "sha256"), many=("role",))
    content = _read(call.words[0], call.one["sha256"])
    to = server(call)
    has = cluster.has(to)
    there = [role for role in call.many["role"] if role in has["roles"]]
    wanted = [role for role in call.many["role"] if role not in there]
    lacking = sorted(set(wanted) - sql.created(content))
    if lacking:
        names = ", ".join(shown(role) for role in lacking)
        raise Refused(f"the globals do not have role {names}", "make it by hand: CREATE ROLE")
    if not has["super"]:
        raise Refused("our role there may not make roles with their passwords", "let the superuser do it: `user`")
    if wanted:
        made = "".join(f"{text};\n" for text in sql.bringing(content, wanted, has["roles"]))
        with cluster.session(to) as one:
            one.ask(f"{_QUIET}{made}commit;")
    emit({"made": wanted, "there": there})
    return 0


def _read(path: str, sha256: str) -> bytes:
    parts = tree.components(path)
    parent = os.open(os.fsdecode(b"/" + b"/".join(parts[:-1])), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with stored.plain_file(parent, parts[-1]) as stream:
            content = stream.read()
    finally:
        os.close(parent)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Refused("these are not the globals that were planned", "plan again")
    return content
