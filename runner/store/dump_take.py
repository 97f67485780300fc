"""One database into one file: pg_dump at work, its rows counted in the same snapshot, the file read again."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import clock, dump_folder, dump_part, dump_readme, durable, pg_programs, pg_rows
from .dump_doubts import doubts
from .dump_folder import Folder
from .pg_server import Server, complaint, free, start, stop
from .pg_session import Session, SqlTrouble
from .say import Refused

_SPARE = 16 << 20
_LOOK = 0.02
_ABOUT = ("server", "owner", "encoding", "collate", "ctype", "size", "extensions", "tablespaces", "roles")


class Order(NamedTuple):
    """What is to be dumped and where to, as the command line says it."""

    folder: Folder
    server: Server
    at: str
    database: str
    within: int
    lock_wait: int
    max_shrink: float


def take(order: Order, session: Session, about: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The record of the finished dump; None where it must be begun once more."""
    folder, database = order.folder, order.database
    before = dump_folder.dumps(folder, database)
    _require_room(folder, before)
    programs, version = pg_programs.dumper(order.server, about["number"])
    began, began_at = time.monotonic(), clock.now()
    until = began + order.within
    dump_readme.write(folder, order.server)
    for path in (folder.databases, folder.home(database)):
        durable.make_folder(path, 0o700)
        durable.sync_folder(path.parent)
    final, name = folder.dump(database, order.at), f"runner {order.at} {os.getpid()}"
    with dump_part.writing(final) as (part, descriptor), tempfile.TemporaryFile() as err:
        known = order.server.conninfo(database, application_name=name)
        words = ("--format=custom", "--create", "--no-password", f"--snapshot={about['snapshot']}")
        waits = (f"--lock-wait-timeout={order.lock_wait * 1000}", f"--dbname={known}")
        argv = (str(programs / "pg_dump"), *words, *waits)
        process = start(order.server, argv, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=err)
        try:
            if not _locks(session, name, process, until):
                return None
            tables, objects = _counted(order, session, process)
            code = _ended(process, until)
        finally:
            stop(process)
        said = complaint(err)
        if code != 0:
            raise _failed(order, part, code, said)
        looked = dump_part.look(order.server, programs / "pg_restore", part, order.within)
        record = {
            "database": database, "at": began_at, "dump": final.name, "bytes": looked.bytes,
            "sha256": looked.sha256, "objects": looked.objects, "pg_dump": version, "tables": tables,
            "large_objects": objects, **{word: about[word] for word in _ABOUT}, "said": said,
            "took": round(time.monotonic() - began, 1),
        }  # fmt: skip
        few = looked.tables < len(tables)
        lacking = [f"{looked.tables:,} tables in it, {len(tables):,} counted"] if few else []
        record["doubts"] = [*lacking, *doubts(record, before, order.max_shrink)]
        dump_part.publish(part, final)
    dump_part.publish_text(folder.record(database, order.at), json.dumps(record, indent=1) + "\n")
    return record


def _locks(session: Session, name: str, process: subprocess.Popen[bytes], until: float) -> bool:
    """Wait until pg_dump has all its locks; False if it never will, because of ours."""
    while process.poll() is None and time.monotonic() < until:
        found = pg_rows.locked(session, name)
        if found is not False:
            return found is not None
        time.sleep(_LOOK)
    return True


def _counted(order: Order, session: Session, process: subprocess.Popen[bytes]) -> tuple[dict[str, int], int]:
    """Count while pg_dump works, as long as it may still succeed."""
    try:
        return pg_rows.count(session, seconds=order.within, go_on=lambda: process.poll() in (None, 0))
    except SqlTrouble:
        if process.poll() in (None, 0):
            raise
        return {}, 0


def _ended(process: subprocess.Popen[bytes], until: float) -> int | None:
    try:
        return process.wait(max(1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None


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
