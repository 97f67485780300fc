"""`db-restore`: make a database out of a dump, under a name that says that it is not whole yet."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .. import command
from ..answer import Refused, plain, reply
from ..arguments import parse_as
from . import cluster, stored
from . import server as pg_programs
from .contract import DatabaseServer
from .contract_restore import DumpRestored, RestoreDump
from .fits import major
from .server import account, complaint, start, stop
from .server import run as run_program
from .session import Session, SqlTrouble
from .sql import Statement, Token, decoded, identifier, opens, statements, text_of, words
from .stored import Dump

# A foreign table's rows are read from its own server, which need not be there.
_ANALYZE = """set default_transaction_read_only = off;
select format('analyze %I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where (relkind in ('r', 'm') or (relkind = 'p' and not exists (select from pg_class where relkind = 'f')))
and nspname <> 'information_schema' and nspname !~ '^pg_toast' \\gexec
"""

# Of pg_restore's list: entries of pg_database, and what is said of them. Names come after these words.
_OURS = re.compile(
    rb"[0-9]+; (1262 [0-9]+ DATABASE|0 0 ((COMMENT|ACL|SECURITY LABEL) - DATABASE|DATABASE PROPERTIES)) "
)
_MAKES = re.compile(rb"[0-9]+; 1262 ")
_SAYS = ("ALTER", "COMMENT", "GRANT", "REVOKE", "SECURITY")


def run(argv: Sequence[str]) -> int:
    """Restore DUMP (of that `--sha256`) into the database that plan `--plan` makes, with statistics.

    Prints its name, and which settings did not come back, and why. What it has begun stays where it fails:
    `db-drop` of the same plan removes it.
    """
    options = parse_as(RestoreDump, argv)
    name, to, within = cluster.making(options.plan), options.server, options.within or cluster.WEEK
    with command.together(), stored.opened(options.dump, options.sha256) as dump:
        dump.verify(options.sha256)
        newest = max(int(cluster.has(to)["number"]), 10000 * major(dump.record.get("pg_dump")))
        programs = pg_programs.dumper(to, newest)
        pg_restore = str(programs / "pg_restore")
        known = read(to, pg_restore, dump, name)
        with cluster.session(to) as one:
            one.ask(f"create database {identifier(name)} {known.options};", seconds=600)
        # Whose it is and who may connect is settled before there is anything to see.
        left = [*_given(to, known, name)]
        _load(to, pg_restore, dump, name, within)
    with cluster.session(to, name) as one:
        one.ask(_ANALYZE, seconds=within)
    for told in left:
        sys.stderr.write(f"{told}\n")
    reply(DumpRestored(name, tuple(left[:20])))
    return 0


def _given(to: DatabaseServer, known: Properties, name: str) -> Iterator[str]:
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


def _load(to: DatabaseServer, pg_restore: str, dump: Dump, name: str, within: int) -> None:
    dump.rewind()
    where = to.conninfo(name, application_name="runner", options=cluster.SETTINGS)
    argv = (pg_restore, "--exit-on-error", "--no-password", f"--dbname={where}")
    ended = run_program(to, argv, given=dump.stream, seconds=within)
    if ended.exit != 0:
        raise Refused(f"pg_restore ended {ended.exit}: {ended.complaint}", "see the log of the database server")


class Properties(NamedTuple):
    """`options` are what stands after CREATE DATABASE and the name, `owner` the statement that says whose it
    is, `others` the statements to follow; `lost` is why not all of them are known, "" where they are.
    """

    options: str
    owner: str
    others: tuple[str, ...]
    lost: str


def read(to: DatabaseServer, pg_restore: str, dump: Dump, name: str) -> Properties:
    """The statements that make `name` what the dumped database was. Raises Refused for a dump without."""
    listed = [line for line in _list(to, pg_restore, dump) if _OURS.match(line)]
    # After some entries it writes how to connect, and gives up there over a name with a line feed in it: read
    # once with the making of the database first, and once with that last and the settings before it.
    made, wrong = _chosen(to, pg_restore, dump, listed)
    said, lost = _chosen(to, pg_restore, dump, sorted(listed, key=_late))
    create = next((one for one in made if opens(words(one), "CREATE", "DATABASE", "", "WITH")), None)
    if create is None:
        raise Refused(f"the dump does not say how its database was made: {wrong}", "restore it by hand: README.txt")
    whose, told = ([new for one in some if (new := _renamed(one, name))] for some in (made, said))
    whose = [one for one in whose if _gives_owner(one)]
    return Properties(
        options=text_of(create[_place(create) + 1 :]),
        owner="; ".join(text_of(one) for one in whose),
        others=tuple(text_of(one) for one in told if not _gives_owner(one)),
        # Grants are written after all else, so they are what such a name costs.
        lost=lost if any(b" ACL - DATABASE " in line for line in listed) else "",
    )


def _chosen(to: DatabaseServer, pg_restore: str, dump: Dump, lines: Sequence[bytes]) -> tuple[list[Statement], str]:
    """The statements of these entries, and what pg_restore complained of."""
    if not lines:
        return [], ""
    with tempfile.NamedTemporaryFile() as chosen:
        chosen.write(b"".join(lines))
        chosen.flush()
        who = account(to)
        if who:
            shutil.chown(chosen.name, who.pw_uid)
        text, wrong = _written(to, (pg_restore, "--create", f"--use-list={chosen.name}", "--file=-"), dump)
    return list(statements(decoded(text))), wrong


def _list(to: DatabaseServer, pg_restore: str, dump: Dump) -> list[bytes]:
    text, said = _written(to, (pg_restore, "--create", "--list"), dump)
    if said:
        raise Refused(f"pg_restore cannot read the dump: {said}", "take an older one: --at")
    return text.splitlines(keepends=True)


def _written(to: DatabaseServer, argv: tuple[str, ...], dump: Dump) -> tuple[bytes, str]:
    """What a program writes that reads the dump, and its complaint where it fails."""
    dump.rewind()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(to, argv, stdin=dump.stream, stdout=out, stderr=err)
        try:
            process.wait(600)
        finally:
            stop(process)
        out.seek(0)
        return out.read(), complaint(err) if process.returncode else ""


def _place(statement: Statement) -> int:
    """Where the name of the database stands: after the keyword. -1 where it does not stand once."""
    bare = [n for n, token in enumerate(statement) if token.kind != "space"]
    found = [
        bare[n]
        for n in range(1, len(bare))
        if statement[bare[n - 1]] == Token("word", "DATABASE") and statement[bare[n]].called
    ]
    return found[0] if len(found) == 1 else -1


def _renamed(statement: Statement, name: str) -> Statement | None:
    """The statement, said of `name`; None where it is not said of the database."""
    at = _place(statement) if statement and statement[0].text in _SAYS else -1
    return (*statement[:at], Token("name", identifier(name)), *statement[at + 1 :]) if at >= 0 else None


def _gives_owner(statement: Statement) -> bool:
    return opens(words(statement), "ALTER", "DATABASE", "", "OWNER")


def _late(line: bytes) -> int:
    return 2 if _MAKES.match(line) else int(b" DATABASE PROPERTIES " in line)
