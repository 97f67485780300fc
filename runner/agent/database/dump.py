"""`dump`: write one database into the folder of dumps, so that it counts only when it is whole and was read again."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import clock, command, durable
from ..answer import Refused, reply
from ..arguments import parse_as
from ..host import room
from . import dump_file, rows
from . import folder as dump_folder
from .contract import DumpGone, DumpMade, MakeDump
from .databases import names
from .folder import Folder, amount, doubts
from .server import complaint, dumper, ended, free, running, scrap
from .session import SqlSession, SqlTrouble, refusal

_LOCKED = "55P03"
# A table was dropped after it was seen: it is begun once more, with what is there now.
_MOVED = frozenset(("42P01", "3F000", "XX000"))
_PAUSE = 0.5
_WITHIN = 6 * 3600

_SPARE = 16 << 20
_LOOK = 0.02
_ABOUT = ("server", "owner", "encoding", "collate", "ctype", "size", "extensions", "tablespaces", "roles", "data")


def run(argv: Sequence[str]) -> int:
    """Dump one database. Prints what its record says, in short.

    A database that is not there any more is no failure. See docs/store.md.
    """
    options = parse_as(MakeDump, argv)
    options = options._replace(at=dump_folder.moment(options.at), within=options.within or _WITHIN)
    folder = dump_folder.hold(options.to, options.server)
    with command.together():
        reply(_answer(folder, options))
    return 0


def _answer(folder: Folder, options: MakeDump) -> DumpMade | DumpGone:
    record: Mapping[str, Any] | None = dump_folder.good(folder, options.database, options.at)
    if not record and dump_folder.made_for(folder, options.database, options.job, options.instant):
        # `not-dumped` has looked, so the lock was lost meanwhile; the other databases must still be dumped.
        raise Refused(f"{options.job} has dumped it for that time", "make a new plan for the others")
    record = record or _dumped(folder, options)
    if record is None:
        return DumpGone(options.database, gone=True)
    return DumpMade(
        database=options.database,
        dump=record["dump"],
        bytes=record["bytes"],
        objects=amount(record, "objects"),
        tables=len(record["tables"]),
        rows=amount(record, "rows"),
        took=record["took"],
        doubts=tuple(record["doubts"]),
        complaint=record.get("said", ""),
        at=clock.moment(record["at"]),
    )


def _dumped(folder: Folder, options: MakeDump) -> Mapping[str, Any] | None:
    until = time.monotonic() + options.lock_wait
    while True:
        with SqlSession(options.server, options.database) as session:
            try:
                rows.begin(session, options.lock_wait)
                # The server lets us in meanwhile.
                before = ready(folder, options)
                begun = rows.begun(session, options.lock_wait)
                if record := take(folder, options, session, begun, before):
                    return record
            except SqlTrouble as trouble:
                if trouble.state == _LOCKED:
                    raise _locked(options, trouble.text) from None
                if not trouble.state and _gone(options):
                    return None
                if trouble.state not in _MOVED:
                    raise refusal(options.server, trouble) from None
            if time.monotonic() > until:
                raise _locked(options, "tables are altered again and again while the dump begins")
        # Our locks are gone, and whoever waited for them has the time to end.
        time.sleep(_PAUSE)


def _gone(options: MakeDump) -> bool:
    """Whether the server answers and does not have the database any more."""
    try:
        known = names(options.server)
        return options.database not in (*known.there, *known.closed)
    except SqlTrouble:
        return False


def _locked(options: MakeDump, why: str) -> Refused:
    try:
        with SqlSession(options.server, options.database) as session:
            blockers = rows.blockers(session)
    except SqlTrouble:
        blockers = []
    who = "; ".join(f"{row['user']!a} (pid {row['pid']}) since {row['since']}: {row['doing']!a}" for row in blockers)
    return Refused(
        f"a table stayed locked for {options.lock_wait} s by {who or 'others'}: {why}",
        "wait until that is done, or end that session with pg_terminate_backend(pid)",
    )


def ready(folder: Folder, options: MakeDump) -> Sequence[Mapping[str, Any]]:
    """The dumps of before, oldest first, once there is room for another. Raises Refused."""
    before = dump_folder.dumps(folder, options.database)
    _require_room(folder, before)
    dump_file.write(folder, options.server)
    return before


def take(
    folder: Folder,
    options: MakeDump,
    session: SqlSession,
    begun: Mapping[str, Any],
    before: Sequence[Mapping[str, Any]],
) -> Mapping[str, Any] | None:
    """The record of the finished dump; None where it must be begun once more.

    Rows are counted when pg_dump has ended: it needs the processors, and reading its file again leaves some.
    """
    database = options.database
    programs = dumper(options.server, begun["number"])
    began, began_at = time.monotonic(), clock.now()
    until = began + options.within
    for path in (folder.databases, folder.home(database)):
        durable.make_folder(path, 0o700)
        durable.sync_folder(path.parent)
    final, name = folder.dump(database, options.at), f"runner {options.at} {os.getpid()}"
    with dump_file.writing(final) as (part, descriptor), scrap() as err:
        known = options.server.conninfo(database, application_name=name)
        words = ("--format=custom", "--create", "--no-password", f"--snapshot={begun['snapshot']}")
        waits = (f"--lock-wait-timeout={options.lock_wait * 1000}", f"--dbname={known}")
        argv = (str(programs / "pg_dump"), *words, *waits)
        with running(options.server, argv, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=err) as process:
            about = rows.about(session)
            if not _locks(session, name, process, until):
                return None
            code = _ended(process, until, folder)
        error = complaint(err)
        if code != 0:
            raise _failure(folder, options, part, code, error)
        rows.start_counting(session)
        contents = dump_file.look(options.server, programs / "pg_restore", part, options.within)
        tables, objects = rows.counted(session, seconds=options.within)
        record = {
            "database": database, "at": began_at, "dump": final.name, "bytes": contents.bytes,
            "sha256": contents.sha256, "objects": contents.objects, "pg_dump": contents.version, "tables": tables,
            "large_objects": objects, **{word: about[word] for word in _ABOUT}, "said": error,
            "took": round(time.monotonic() - began, 1), "job": options.job, "instant": options.instant or None,
        }  # fmt: skip
        few = contents.tables < len(tables)
        lacking = [f"{contents.tables:,} tables in it, {len(tables):,} counted"] if few else []
        record["doubts"] = [*lacking, *doubts(record, before, options.max_shrink)]
        dump_file.publish(part, final)
    dump_file.publish_text(folder.record(database, options.at), json.dumps(record, indent=1) + "\n")
    return record


def _ended(process: subprocess.Popen[bytes], until: float, folder: Folder) -> int | None:
    """Wait for pg_dump as `ended` does. Raises Refused before it takes the last of the disk: then it is ended.

    It is begun where there should be room, but a database grows, and others write to that disk too.
    """
    watch = room.guard(folder.root)
    while True:
        seen = watch.look()
        if seen.left is None:
            raise Refused(
                f"no space left for the dump: {seen.free.bytes:,} bytes are free below {str(folder.root)!a}, and the "
                f"last {seen.last.bytes:,} must stay free; what was written is removed again",
                "free some there, keep fewer dumps, or take a larger disk",
            )
        left = max(1, until - time.monotonic())
        code = ended(process, min(left, room.pause(seen.left)))
        if code is not None or time.monotonic() >= until:
            return code


def _locks(session: SqlSession, name: str, process: subprocess.Popen[bytes], until: float) -> bool:
    """Wait until pg_dump has all its locks; False if it never will, because of ours."""
    while process.poll() is None and time.monotonic() < until:
        locked = rows.locked(session, name)
        if locked is not False:
            return locked is not None
        time.sleep(_LOOK)
    return True


def _require_room(folder: Folder, before: Sequence[Mapping[str, Any]]) -> None:
    """As much as the last one took and a tenth: a disk that this fills would stop more than the dump."""
    left = room.guard(folder.root).look().left
    needed, there = (int(before[-1]["bytes"]) * 11 // 10 if before else 0) + _SPARE, free(folder.root)
    may = min(there, left.bytes) if left else 0
    if may < needed:
        which = f"{there:,} are free" if may == there else f"of {there:,} that are free only {may:,} may be taken"
        raise Refused(
            f"no room for the dump: going by the last one it needs {needed:,} bytes, and {which}",
            f"free some below {str(folder.root)!a}, keep fewer dumps, or take a larger disk",
        )


def _failure(folder: Folder, options: MakeDump, part: Path, code: int | None, error: str) -> Refused:
    wrote = part.stat().st_size
    if code is None:
        return Refused(f"pg_dump had not ended after {options.within} s and was stopped", "raise `timeout`")
    if code < 0:
        return Refused(
            f"pg_dump was killed (signal {-code}) after {wrote:,} bytes; nothing of it is kept",
            "run it again; if the memory ran out, the host's log says so",
        )
    if free(folder.root) < _SPARE:
        return Refused(
            f"no space left for the dump after {wrote:,} bytes: {error}; what was written is removed again",
            f"free some below {str(folder.root)!a}, keep fewer dumps, or take a larger disk",
        )
    return Refused(f"pg_dump ended {code}: {error}", "see the log of the database server, and run it again")
