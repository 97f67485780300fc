"""`db-roles`: make roles that are missing, as the dump of the globals has them; never change one that is there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from .. import tree
from ..answer import Refused, emit, shown
from ..arguments import parse
from . import cluster, db_globals, stored
from .server import OPTIONS, server

# A statement with a password in it is for no log, whatever becomes of it.
_QUIET = """\\set VERBOSITY terse
set log_statement = none; set log_min_error_statement = panic; set log_min_duration_statement = -1;
begin;
"""


def run(argv: Sequence[str]) -> int:
    """Make the roles `--role` as the file GLOBALS (of that `--sha256`) has them: all of them or none.

    Those that are there by now are left as they are. Prints `{"made": [...], "there": [...]}`.
    """
    call = parse(argv, words=1, one=(*OPTIONS, "sha256"), many=("role",))
    content = _read(call.words[0], call.one["sha256"])
    to = server(call)
    has = cluster.has(to)
    there = [role for role in call.many["role"] if role in has["roles"]]
    wanted = [role for role in call.many["role"] if role not in there]
    lacking = sorted(set(wanted) - db_globals.created(content))
    if lacking:
        names = ", ".join(shown(role) for role in lacking)
        raise Refused(f"the globals do not have role {names}", "make it by hand: CREATE ROLE")
    if not has["super"]:
        raise Refused(
            "our role there may not make roles with their passwords", "let the superuser do it: `user`"
        )
    if wanted:
        made = "".join(f"{text};\n" for text in db_globals.bringing(content, wanted, has["roles"]))
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
