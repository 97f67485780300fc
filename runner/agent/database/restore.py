"""`db-restore`: make a database out of a dump, under a name that says that it is not whole yet."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from .. import ending
from ..answer import Refused, emit
from ..arguments import number, parse
from ..plain import plain
from . import cluster, db_properties, pg_programs, stored
from .db_properties import Properties
from .fits import major
from .server import OPTIONS, Server, server
from .server import run as run_program
from .session import Session, SqlTrouble
from .sql import identifier
from .stored import Dump

# A foreign table's rows are read from its own server, which need not be there.
_ANALYZE = """set default_transaction_read_only = off;
select format('analyze %I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where (relkind in ('r', 'm') or (relkind = 'p' and not exists (select from pg_class where relkind = 'f')))
and nspname <> 'information_schema' and nspname !~ '^pg_toast' \\gexec
"""


def run(argv: Sequence[str]) -> int:
    """Restore DUMP (of that `--sha256`) into the database that plan `--plan` makes, with statistics.

    Prints `{"restored": its name, "left": [settings that did not come back, and why]}`. What it has begun
    stays where it fails: `db-drop` of the same plan removes it.
    """
    call = parse(argv, words=1, one=(*OPTIONS, "sha256", "plan", "within"))
    name, to = cluster.making(call.one["plan"]), server(call)
    within = number(call.one["within"] or "604800", "--within", least=1)
    with ending.together(), stored.opened(call.words[0], call.one["sha256"]) as dump:
        dump.verify(call.one["sha256"])
        newest = max(int(cluster.has(to)["number"]), 10000 * major(dump.record.get("pg_dump")))
        programs = pg_programs.dumper(to, newest)
        pg_restore = str(programs / "pg_restore")
        known = db_properties.read(to, pg_restore, dump, name)
        with cluster.session(to) as one:
            one.ask(f"create database {identifier(name)} {known.options};", seconds=600)
        # Whose it is and who may connect is settled before there is anything to see.
        left = [*_given(to, known, name)]
        _load(to, pg_restore, dump, name, within)
    with cluster.session(to, name) as one:
        one.ask(_ANALYZE, seconds=within)
    for told in left:
        sys.stderr.write(f"{told}\n")
    emit({"restored": name, "left": left[:20]})
    return 0


def _given(to: Server, known: Properties, name: str) -> Iterator[str]:
    """Give it owner, grants and settings; what cannot be given is said, and no reason to stop."""
    if known.owner:
        with cluster.session(to) as one:
            one.ask(f"{known.owner};")
    if known.lost:
        with cluster.session(to) as one:
            one.ask(f"revoke connect, temporary on database {identifier(name)} from public;")
        yield f"its grants, so that only its owner may connect until you GRANT it: {plain(known.lost)}"
    for statement in known.others:
        try:
            with Session(to) as one:
                one.ask(f"{statement};")
        except SqlTrouble as trouble:
            yield f"{plain(statement, 200)}: {plain(trouble.text)}"


def _load(to: Server, pg_restore: str, dump: Dump, name: str, within: int) -> None:
    dump.rewind()
    where = to.conninfo(name, application_name="runner", options=cluster.SETTINGS)
    argv = (pg_restore, "--exit-on-error", "--no-password", f"--dbname={where}")
    ended = run_program(to, argv, given=dump.stream, seconds=within)
    if ended.exit != 0:
        raise Refused(
            f"pg_restore ended {ended.exit}: {ended.complaint}", "see the log of the database server"
        )
