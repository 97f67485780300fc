"""`try-dumps`: restore dumps out of a snapshot into a server made for that, and count their rows."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import command
from ..answer import FAILED, Refused, reply, shown
from ..arguments import parse_as
from ..database import cluster, restore, stored
from ..database import rows as pg_rows
from ..database.contract import DatabaseServer
from ..database.load import Loading
from ..database.session import SqlSession, SqlTrouble
from ..store import owned
from .came_back import CopiedDump, listed, passed, problem_of, roles_of, sound
from .confined import Untried
from .contract import UNTRIED, DumpProblem, DumpsTried, TriedDatabase, TryDumps
from .scratch_server import Programs, ScratchServer, programs

HOURS = 24 * 3600
MOST_LEFT = 20
MAKING = cluster.making("drill")


def run(argv: Sequence[str]) -> int:
    """Restore each dump that `newest-dumps` lists on stdin and that is below FOLDER/dumps; exit 1 if any fails.

    Exit 3 where there never was a dump, or this host lacks what it takes to try one.

    A server is made in FOLDER/cluster, confined, and gone when this ends, however. Each dump must have the size and
    SHA-256 of its record, be restored without an error, and hold the rows of each table and the large
    objects that were counted when it was made. Each object is restored with the rights of its owner; where that does
    not do, with a superuser's of that server, and the answer says so. Refused where others may enter FOLDER.
    """
    options = parse_as(TryDumps, argv)
    folder = Path(options.folder)
    owned.require_closed(folder)
    lines, summary = listed()
    if summary.none_yet:
        return _untried("no snapshot has a dump yet", "run the job that dumps, then the backup, and then this drill")
    good: list[TriedDatabase] = []
    wrong: list[DumpProblem] = []
    dumps = sound(folder / "dumps", lines, wrong)
    roles = next((roles_of(folder / "dumps", line) for line in lines if line.what == "globals"), "")
    if not any(line.what == "dump" for line in lines):
        # Roles alone prove nothing of a database.
        wrong.append(DumpProblem("", "", "there is no dump in the newest snapshot"))
    elif not roles:
        wrong.append(DumpProblem("", "", "the dump of the roles is missing, or cut off"))
    elif dumps:
        server = DatabaseServer(user=options.user, programs=options.programs)
        trying = Trying(server, folder / "cluster", roles)
        try:
            trying.all(dumps)
        except Untried as problem:
            if not wrong:
                return _untried(problem.error, problem.do)
            wrong.append(DumpProblem("", "", problem.error))
        good, wrong = trying.good, [*wrong, *trying.wrong]
    return _answer(DumpsTried(tuple(good), len(wrong), tuple(wrong), passed=tuple(passed(lines))))


def _untried(error: str, do: str) -> int:
    reply(DumpsTried((), untried=True, error=error, do=do))
    return UNTRIED


def _answer(tried: DumpsTried) -> int:
    if not tried.wrong:
        reply(tried)
        return 0
    first = tried.wrong[0]
    name = f"database {shown(first.database)}: " if first.database else ""
    more = f"; {tried.total - 1} more" if tried.total > 1 else ""
    do = "make a new dump and run the drill again; until then, rely on an older dump"
    reply(tried._replace(error=f"{name}{first.what}{more}", do=do))
    return FAILED


class Trying:
    """Restores dumps into servers made for that in `folder`, with these roles; what came back, and what did not."""

    def __init__(self, to: DatabaseServer, folder: Path, roles: str) -> None:
        self._to, self._folder, self._roles = to, folder, roles
        self._use = Programs(Path(), Path())
        self.good: list[TriedDatabase] = []
        self.wrong: list[DumpProblem] = []

    def all(self, dumps: Sequence[CopiedDump]) -> None:
        """Restore them all. Raises Untried where this host cannot try any."""
        newest = max(dumps, key=lambda dump: dump.time).record
        with command.together():
            self._use = programs(self._to, str(newest.get("server", "")), str(newest.get("pg_dump", "")))
            for dump, why in self._by_owners(dumps):
                # A server of its own: code that runs as a superuser there is not to say how others came back.
                self._by_superuser(dump, why)

    def _by_owners(self, dumps: Sequence[CopiedDump]) -> list[tuple[CopiedDump, str]]:
        """Restore them as `restore-db` would; gives those that the rights of their owners do not do for, and why."""
        again: list[tuple[CopiedDump, str]] = []
        with ScratchServer(self._to, self._use.server, self._folder) as scratch:
            try:
                self._restore_roles(scratch)
            except Refused as refused:
                self.wrong.append(DumpProblem("", "", f"the roles: {scratch.trouble(refused.error)}"))
            for dump in dumps:
                with self._named(scratch, dump):
                    try:
                        left = self._restored(scratch, dump)
                    except Refused as refused:
                        if scratch.full:
                            raise
                        again.append((dump, refused.error))
                        continue
                    self._count(scratch, dump, left)
        return again

    def _by_superuser(self, dump: CopiedDump, why: str) -> None:
        """Restore it with a superuser's rights. Confined, no code in it does harm; but `restore-db` would ask."""
        try:
            with ScratchServer(self._to, self._use.server, self._folder) as scratch, self._named(scratch, dump):
                with contextlib.suppress(Refused):
                    self._restore_roles(scratch)
                self._count(scratch, dump, self._restored(scratch, dump, superuser=True), why)
        except Refused as problem:
            # What came back before is known all the same.
            self.wrong.append(problem_of(dump.database, dump.name, problem.error))

    @contextlib.contextmanager
    def _named(self, scratch: ScratchServer, dump: CopiedDump) -> Iterator[None]:
        """What fails while the block runs is what is wrong with that dump."""
        try:
            yield
        except Refused as problem:
            self.wrong.append(problem_of(dump.database, dump.name, scratch.trouble(problem.error)))
        except SqlTrouble as problem:
            self.wrong.append(problem_of(dump.database, dump.name, scratch.trouble(problem.text)))
        except (ValueError, TypeError, KeyError):
            text = "what the server answered makes no sense"
            self.wrong.append(problem_of(dump.database, dump.name, scratch.trouble(text)))

    def _restore_roles(self, scratch: ScratchServer) -> None:
        _psql(scratch, scratch.globals(self._roles))

    def _restored(self, scratch: ScratchServer, dump: CopiedDump, *, superuser: bool = False) -> list[str]:
        """Restore it, after the one before was dropped: there may not be room for all at once."""
        loading = Loading(scratch.server, MAKING, str(self._use.restore / "pg_restore"), HOURS)
        cluster.drop(scratch.server, MAKING)
        with stored.opened(dump.way, str(dump.record["sha256"])) as stream:
            return restore.make(loading, stream, superuser=superuser)

    def _count(self, scratch: ScratchServer, dump: CopiedDump, left: Sequence[str], superuser: str = "") -> None:
        with SqlSession(scratch.server, MAKING) as session:
            tables, objects = pg_rows.count(session, seconds=HOURS)
        _compare(dump.record, tables, objects)
        self.good.append(
            TriedDatabase(
                database=dump.database,
                at=str(dump.record.get("at", "")),
                tables=len(tables),
                rows=sum(tables.values()),
                dump=dump.name,
                left=tuple(left[:MOST_LEFT]),
                superuser=superuser,
            )
        )


def _compare(record: Mapping[str, Any], tables: Mapping[str, int], objects: int) -> None:
    expected = {str(name): int(rows) for name, rows in record["tables"].items()}
    other = [name for name in sorted({*expected, *tables}) if expected.get(name) != tables.get(name)]
    if other:
        rows, before = tables.get(other[0]), expected.get(other[0])
        now = "is missing" if rows is None else f"has {rows} rows"
        then = "was not there" if before is None else f"had {before} rows"
        more = f"; tables that differ: {len(other)}" if len(other) > 1 else ""
        raise Refused(f"table {other[0]} {now}, but {then} when it was dumped{more}")
    if record.get("large_objects", objects) != objects:
        raise Refused(f"there are {objects} large objects, but {record['large_objects']} were dumped")


def _psql(scratch: ScratchServer, sql: str) -> None:
    # An error is not to show its line: that of a role has its password.
    words = ("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", "--file=-")
    with tempfile.TemporaryFile() as stream:
        stream.write(sql.encode("utf-8", "surrogateescape"))
        stream.seek(0)
        scratch.run("psql", *words, f"--dbname={scratch.server.conninfo()}", given=stream)
