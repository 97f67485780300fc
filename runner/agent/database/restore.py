"""`db-restore`: make a database out of a dump, under a name that says that it is not whole yet."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .. import command
from ..answer import Refused, plain, reply
from ..arguments import parse_as
from . import cluster, stored
from . import server as pg_programs
from .contract import DatabaseServer
from .contract_restore import DumpRestored, RestoreDump
from .fits import major
from .load import Loading, listed, load, output_of
from .session import SqlSession, SqlTrouble
from .sql import NAME, checked, decoded, identifier, of_database, statements
from .stored import OpenDump

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
_CREATE = re.compile(rf"CREATE DATABASE {NAME} (WITH .*)", re.DOTALL)
_OWNER = re.compile(rf"ALTER DATABASE {NAME} OWNER TO ")
# What code in it may ask for while it is restored.
_SETTING = re.compile(rf"^ALTER (ROLE {NAME} IN )?DATABASE {NAME} SET (?!TABLESPACE )")


def run(argv: Sequence[str]) -> int:
    """Restore DUMP (of that `--sha256`) into the database that plan `--plan` makes, with statistics.

    Each object is restored with the rights of its owner, unless `--superuser`. Prints its name, and which settings
    did not come back, and why. What it has begun stays where it fails: `db-drop` of the same plan removes it.
    """
    options = parse_as(RestoreDump, argv)
    name, to, within = cluster.making(options.plan), options.server, options.within or cluster.WEEK
    with command.together(), stored.opened(options.dump, options.sha256) as dump:
        dump.verify(options.sha256)
        newest = max(int(cluster.has(to)["number"]), 10000 * major(dump.record.get("pg_dump")))
        pg_restore = str(pg_programs.dumper(to, newest) / "pg_restore")
        left = make(Loading(to, name, pg_restore, within), dump, superuser=options.superuser)
    with cluster.opened(to, name) as session:
        session.ask(_ANALYZE, seconds=within)
    for setting in left:
        sys.stderr.write(f"{setting}\n")
    reply(DumpRestored(name, tuple(left[:20])))
    return 0


def make(loading: Loading, dump: OpenDump, *, superuser: bool = False) -> list[str]:
    """Make the database out of the dump; gives what could not be given to it, and why.

    Nobody else may connect to it, nor is it anybody else's, before all is in it. Raises Refused.
    """
    to, name = loading.to, identifier(loading.database)
    properties = read(to, loading.pg_restore, dump, loading.database)
    with cluster.opened(to) as session:
        session.ask(f"create database {name} {properties.options};", seconds=600)
        session.ask(f"revoke connect, temporary on database {name} from public;")
    left = list(_set(to, filter(_SETTING.search, properties.others)))
    load(loading, dump, cluster.has(to), superuser=superuser)
    with cluster.opened(to) as session:
        session.ask(f"grant connect, temporary on database {name} to public;")
    left += _give(to, properties, loading.database)
    return left


def _give(to: DatabaseServer, properties: Properties, name: str) -> Iterator[str]:
    """Give it owner and grants; gives what could not be given, which is no reason to stop."""
    with cluster.opened(to) as session:
        if properties.owner:
            session.ask(f"{properties.owner};")
        if properties.lost:
            session.ask(f"revoke connect, temporary on database {identifier(name)} from public;")
            yield f"its grants, so that only its owner may connect until you GRANT it: {plain(properties.lost)}"
    yield from _set(to, (each for each in properties.others if not _SETTING.search(each)))


def _set(to: DatabaseServer, statements: Iterable[str]) -> Iterator[str]:
    """Run these; gives those that could not be, and why."""
    for statement in statements:
        try:
            with SqlSession(to) as session:
                session.ask(f"{statement};")
        except SqlTrouble as trouble:
            yield f"{plain(statement, 200)}: {plain(trouble.text)}"


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
    ours = [line for line in listed(to, pg_restore, dump, "--create") if _OURS.match(line)]
    # After some entries it writes how to connect, and gives up there over a name with a line feed in it: read
    # once with the making of the database first, and once with that last and the settings before it.
    first, error = _chosen(to, pg_restore, dump, ours)
    second, lost = _chosen(to, pg_restore, dump, sorted(ours, key=_late))
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
        lost=lost if any(b" ACL - DATABASE " in line for line in ours) else "",
    )


def _chosen(to: DatabaseServer, pg_restore: str, dump: OpenDump, lines: Sequence[bytes]) -> tuple[list[str], str]:
    """The statements of these entries, and what pg_restore complained of."""
    if not lines:
        return [], ""
    with pg_programs.listing(to, lines) as listing:
        argv = (pg_restore, "--create", f"--use-list={listing.path}", "--file=-")
        output, complaint = output_of(to, argv, dump, listing.keep)
    return list(statements(decoded(output))), complaint


def _late(line: bytes) -> int:
    return 2 if _MAKES.match(line) else int(b" DATABASE PROPERTIES " in line)
