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
from . import dump_file, rows
from . import folder as dump_folder
from .contract import DumpGone, DumpMade, MakeDump
from .databases import names
from .folder import Folder, Order, amount, doubts
from .server import complaint, dumper, ended, free, scrap, start, stop
from .session import Session, SqlTrouble, refusal

_LOCKED = "55P03"
# A table was dropped after it was seen: it is begun once more, with what is there now.
_MOVED = frozenset(("42P01", "3F000", "XX000"))
_PAUSE = 0.5
_WITHIN = 6 * 3600

_SPARE = 16 << 20
_LOOK = 0.02
_ABOUT = ("server", "owner", "encoding", "collate", "ctype", "size", "extensions", "tablespaces", "roles")


def run(argv: Sequence[str]) -> int:
    """Dump one database. Prints what its record says, in short.

    A database that is not there any more is no failure. See docs/store.md.
    """
    options = parse_as(MakeDump, argv)
    held = dump_folder.hold(options.to, options.server)
    order = Order(
        folder=held.folder,
        server=held.server,
        at=dump_folder.moment(options.at),
        database=options.database,
        within=options.within or _WITHIN,
        lock_wait=options.lock_wait,
        max_shrink=options.max_shrink,
    )
    with command.together():
        reply(_answer(order))
    return 0


def _answer(order: Order) -> DumpMade | DumpGone:
    record = dump_folder.good(order.folder, order.database, order.at) or _dumped(order)
    if record is None:
        return DumpGone(order.database, gone=True)
    return DumpMade(
        database=order.database,
        dump=record["dump"],
        bytes=record["bytes"],
        objects=amount(record, "objects"),
        tables=len(record["tables"]),
        rows=amount(record, "rows"),
        took=record["took"],
        doubts=tuple(record["doubts"]),
        said=record.get("said", ""),
        at=clock.moment(record["at"]),
    )


def _dumped(order: Order) -> Mapping[str, Any] | None:
    until = time.monotonic() + order.lock_wait
    while True:
        with Session(order.server, order.database) as session:
            try:
                rows.begin(session, order.lock_wait)
                # The server lets us in meanwhile.
                before = ready(order)
                begun = rows.begun(session, order.lock_wait)
                if record := take(order, session, begun, before):
                    return record
            except SqlTrouble as trouble:
                if trouble.state == _LOCKED:
                    raise _locked(order, trouble.text) from None
                if not trouble.state and _gone(order):
                    return None
                if trouble.state not in _MOVED:
                    raise refusal(order.server, trouble) from None
            if time.monotonic() > until:
                raise _locked(order, "tables are altered again and again while the dump begins")
        # Our locks are gone, and whoever waited for them has the time to end.
        time.sleep(_PAUSE)


def _gone(order: Order) -> bool:
    """Whether the server answers and does not have the database any more."""
    try:
        there, closed = names(order.server)
        return order.database not in (*there, *closed)
    except SqlTrouble:
        return False


def _locked(order: Order, why: str) -> Refused:
    try:
        with Session(order.server, order.database) as session:
            found = rows.blockers(session)
    except SqlTrouble:
        found = []
    who = "; ".join(f"{each['user']!a} (pid {each['pid']}) since {each['since']}: {each['doing']!a}" for each in found)
    return Refused(
        f"a table stayed locked for {order.lock_wait} s by {who or 'others'}: {why}",
        "wait until that is done, or end that session with pg_terminate_backend(pid)",
    )


def ready(order: Order) -> Sequence[Mapping[str, Any]]:
    """The dumps of before, oldest first, once there is room for another. Raises Refused."""
    before = dump_folder.dumps(order.folder, order.database)
    _require_room(order.folder, before)
    dump_file.write(order.folder, order.server)
    return before


def take(
    order: Order, session: Session, begun: Mapping[str, Any], before: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """The record of the finished dump; None where it must be begun once more.

    Rows are counted when pg_dump has ended: it needs the processors, and reading its file again leaves some.
    """
    folder, database = order.folder, order.database
    programs = dumper(order.server, begun["number"])
    began, began_at = time.monotonic(), clock.now()
    until = began + order.within
    for path in (folder.databases, folder.home(database)):
        durable.make_folder(path, 0o700)
        durable.sync_folder(path.parent)
    final, name = folder.dump(database, order.at), f"runner {order.at} {os.getpid()}"
    with dump_file.writing(final) as (part, descriptor), scrap() as err:
        known = order.server.conninfo(database, application_name=name)
        words = ("--format=custom", "--create", "--no-password", f"--snapshot={begun['snapshot']}")
        waits = (f"--lock-wait-timeout={order.lock_wait * 1000}", f"--dbname={known}")
        argv = (str(programs / "pg_dump"), *words, *waits)
        process = start(order.server, argv, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=err)
        try:
            about = rows.about(session)
            if not _locks(session, name, process, until):
                return None
            code = ended(process, max(1, until - time.monotonic()))
        finally:
            stop(process)
        said = complaint(err)
        if code != 0:
            raise _failed(order, part, code, said)
        rows.start_counting(session)
        looked = dump_file.look(order.server, programs / "pg_restore", part, order.within)
        tables, objects = rows.counted(session, seconds=order.within)
        record = {
            "database": database, "at": began_at, "dump": final.name, "bytes": looked.bytes,
            "sha256": looked.sha256, "objects": looked.objects, "pg_dump": looked.version, "tables": tables,
            "large_objects": objects, **{word: about[word] for word in _ABOUT}, "said": said,
            "took": round(time.monotonic() - began, 1),
        }  # fmt: skip
        few = looked.tables < len(tables)
        lacking = [f"{looked.tables:,} tables in it, {len(tables):,} counted"] if few else []
        record["doubts"] = [*lacking, *doubts(record, before, order.max_shrink)]
        dump_file.publish(part, final)
    dump_file.publish_text(folder.record(database, order.at), json.dumps(record, indent=1) + "\n")
    return record


def _locks(session: Session, name: str, process: subprocess.Popen[bytes], until: float) -> bool:
    """Wait until pg_dump has all its locks; False if it never will, because of ours."""
    while process.poll() is None and time.monotonic() < until:
        found = rows.locked(session, name)
        if found is not False:
            return found is not None
        time.sleep(_LOOK)
    return True


def _require_room(folder: Folder, before: Sequence[Mapping[str, Any]]) -> None:
    """As much as the last one took and a tenth: a disk that this fills would stop more than the dump."""
    needed, there = (int(before[-1]["bytes"]) * 11 // 10 if before else 0) + _SPARE, free(folder.root)
    if there < needed:
        raise Refused(
            f"no room for the dump: the last one makes it {needed:,} bytes, and {there:,} are free",
            f"free some below {str(folder.root)!a}, keep fewer dumps, or take a larger disk",
        )


def _failed(order: Order, part: Path, code: int | None, said: str) -> Refused:
    wrote = part.stat().st_size
    if code is None:
        return Refused(f"pg_dump had not ended after {order.within} s and was stopped", "raise `timeout`")
    if code < 0:
        return Refused(
            f"pg_dump was killed (signal {-code}) after {wrote:,} bytes; nothing of it is kept",
            "run it again; if the memory ran out, the host's log says so",
        )
    if free(order.folder.root) < _SPARE:
        return Refused(
            f"the disk is full after {wrote:,} bytes: {said}; what was written is removed again",
            f"free some below {str(order.folder.root)!a}, keep fewer dumps, or take a larger disk",
        )
    return Refused(f"pg_dump ended {code}: {said}", "see the log of the database server, and run it again")
