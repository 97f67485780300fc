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
from .server import account, scrap
from .session import SqlSession, SqlTrouble
from .sql import NAME, checked, decoded, identifier, of_database, statements
from .stored import OpenDump

# A foreign table's rows are read from its own server, which need not be there.
_ANALYZE = """set default_transaction_read_only = off;
select format('analyze %I.%I', nspname, relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where (relkind in ('r', 'm') or (relkind = 'p' and not exists (select from pg_class where relkind = 'f')))
and nspname <> 'information_schema' and nspname !~ '^pg_toast' \\gexec
"""

_READ = 600
# Of pg_restore's list: entries of pg_database, and what is said of them. Names come after these words.
_OURS = re.compile(
    rb"[0-9]+; (1262 [0-9]+ DATABASE|0 0 ((COMMENT|ACL|SECURITY LABEL) - DATABASE|DATABASE PROPERTIES)) "
)
_MAKES = re.compile(rb"[0-9]+; 1262 ")
_CREATE = re.compile(rf"CREATE DATABASE {NAME} (WITH .*)", re.DOTALL)
_OWNER = re.compile(rf"ALTER DATABASE {NAME} OWNER TO ")


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
        pg_restore = str(pg_programs.dumper(to, newest) / "pg_restore")
        properties = read(to, pg_restore, dump, name)
        with cluster.opened(to) as session:
            session.ask(f"create database {identifier(name)} {properties.options};", seconds=600)
        # Whose it is and who may connect is settled before there is anything to see.
        left = [*_give(to, properties, name)]
        _load(to, pg_restore, dump, name, within)
    with cluster.opened(to, name) as session:
        session.ask(_ANALYZE, seconds=within)
    for setting in left:
        sys.stderr.write(f"{setting}\n")
    reply(DumpRestored(name, tuple(left[:20])))
    return 0


def _give(to: DatabaseServer, properties: Properties, name: str) -> Iterator[str]:
    """Give it owner, grants and settings; gives what could not be given, which is no reason to stop."""
    with cluster.opened(to) as session:
        if properties.owner:
            session.ask(f"{properties.owner};")
        if properties.lost:
            session.ask(f"revoke connect, temporary on database {identifier(name)} from public;")
            yield f"its grants, so that only its owner may connect until you GRANT it: {plain(properties.lost)}"
    for statement in properties.others:
        try:
            with SqlSession(to) as session:
                session.ask(f"{statement};")
        except SqlTrouble as trouble:
            yield f"{plain(statement, 200)}: {plain(trouble.text)}"


def _load(to: DatabaseServer, pg_restore: str, dump: OpenDump, name: str, within: int) -> None:
    where = to.conninfo(name, application_name="runner", options=cluster.SETTINGS)
    argv = (pg_restore, "--exit-on-error", "--no-password", f"--dbname={where}")
    dump.rewind()
    ran = pg_programs.run(to, argv, given=dump.stream, seconds=within)
    if ran.exit is None:
        raise Refused(f"pg_restore had not ended after {within} s and was stopped", "see what keeps the server busy")
    if ran.exit != 0:
        raise Refused(f"pg_restore ended {ran.exit}: {ran.complaint}", "see the log of the database server")


class Properties(NamedTuple):
    """`options` are what stands after CREATE DATABASE and the name, `owner` the statement that says whose it
    is, `others` the statements to follow; `lost` is why not all of them are known, "" where they are.
    """

    options: str
    owner: str
    others: tuple[str, ...]
    lost: str


def read(to: DatabaseServer, pg_restore: str, dump: OpenDump, name: str) -> Properties:
    """The statements that make `name` what the dumped database was. Raises Refused for a dump without."""
    listed = [line for line in _list(to, pg_restore, dump) if _OURS.match(line)]
    # After some entries it writes how to connect, and gives up there over a name with a line feed in it: read
    # once with the making of the database first, and once with that last and the settings before it.
    first, error = _chosen(to, pg_restore, dump, listed)
    second, lost = _chosen(to, pg_restore, dump, sorted(listed, key=_late))
    create = next(filter(None, map(_CREATE.fullmatch, first)), None)
    if create is None:
        raise Refused(f"the dump does not say how its database was made: {error}", "restore it by hand: README.txt")
    owners, others = (
        [checked(renamed) for statement in chosen if (renamed := of_database(statement, name))]
        for chosen in (first, second)
    )
    return Properties(
        options=checked(create[1]),
        owner="; ".join(filter(_OWNER.match, owners)),
        others=tuple(statement for statement in others if not _OWNER.match(statement)),
        # Grants are written after all else, so they are what such a name costs.
        lost=lost if any(b" ACL - DATABASE " in line for line in listed) else "",
    )


def _chosen(to: DatabaseServer, pg_restore: str, dump: OpenDump, lines: Sequence[bytes]) -> tuple[list[str], str]:
    """The statements of these entries, and what pg_restore complained of."""
    if not lines:
        return [], ""
    with tempfile.NamedTemporaryFile() as chosen:
        chosen.write(b"".join(lines))
        chosen.flush()
        if who := account(to):
            shutil.chown(chosen.name, who.pw_uid)
        argv = (pg_restore, "--create", f"--use-list={chosen.name}", "--file=-")
        output, complaint = _output(to, argv, dump)
    return list(statements(decoded(output))), complaint


def _list(to: DatabaseServer, pg_restore: str, dump: OpenDump) -> list[bytes]:
    output, complaint = _output(to, (pg_restore, "--create", "--list"), dump)
    if complaint:
        raise Refused(f"pg_restore cannot read the dump: {complaint}", "take an older one: --at")
    return output.splitlines(keepends=True)


def _output(to: DatabaseServer, argv: tuple[str, ...], dump: OpenDump) -> tuple[bytes, str]:
    """What a program writes that reads the dump, and its complaint where it fails."""
    dump.rewind()
    with scrap() as out:
        ran = pg_programs.run(to, argv, given=dump.stream, output=out, seconds=_READ)
        if ran.exit is None:
            raise Refused(f"pg_restore had not read the dump after {_READ} s and was stopped", "run it again")
        out.seek(0)
        return out.read(), "" if ran.exit == 0 else ran.complaint or f"it ended {ran.exit}"


def _late(line: bytes) -> int:
    return 2 if _MAKES.match(line) else int(b" DATABASE PROPERTIES " in line)
