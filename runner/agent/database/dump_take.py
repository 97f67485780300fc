"""One database into one file: pg_dump at work, then the file read again while rows are counted in its snapshot."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import clock, durable
from ..answer import Refused
from . import dump_file, dump_readme, pg_programs, rows
from . import folder as dump_folder
from .dump_doubts import doubts
from .dump_order import Order
from .folder import Folder
from .server import complaint, ended, free, scrap, start, stop
from .session import Session

_SPARE = 16 << 20
_LOOK = 0.02
_ABOUT = ("server", "owner", "encoding", "collate", "ctype", "size", "extensions", "tablespaces", "roles")


def ready(order: Order) -> Sequence[Mapping[str, Any]]:
    """The dumps of before, oldest first, once there is room for another. Raises Refused."""
    before = dump_folder.dumps(order.folder, order.database)
    _require_room(order.folder, before)
    dump_readme.write(order.folder, order.server)
    return before


def take(
    order: Order, session: Session, begun: Mapping[str, Any], before: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """The record of the finished dump; None where it must be begun once more.

    Rows are counted when pg_dump has ended: it needs the processors, and reading its file again leaves some.
    """
    folder, database = order.folder, order.database
    programs = pg_programs.dumper(order.server, begun["number"])
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
