"""`db-newest`: the newest dump of a database in a folder of dumps, on a host or inside a snapshot."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from .. import tree
from ..answer import Refused, emit, shown
from ..arguments import parse
from ..store.layout import is_name
from . import db_globals, stored
from .folder import decoded, encoded


def run(argv: Sequence[str]) -> int:
    """Print the newest dump of the database on stdin whose record fits it; reads only, makes nothing.

    `ROOT INSIDE`: the folder of dumps is INSIDE below ROOT, reached without following a link. The answer:
    `record`, `passed` (why newer ones are none), `globals` (of that time, or the newest before), `others`.
    """
    call = parse(argv, words=2)
    try:
        name = json.loads(sys.stdin.buffer.read())["database"]
    except (ValueError, KeyError, TypeError):
        raise Refused("no database is named on stdin", "see docs/store.md") from None
    emit(newest(call.words[0], call.words[1], str(name)))
    return 0


def newest(root: str, inside: str, database: str) -> dict[str, Any]:
    """See `run`; Refused where there is no such dump."""
    try:
        top = tree.above(root, (*tree.components(inside), b"."))
    except OSError as problem:
        folder = f"{root}/{inside.strip('/')}".rstrip("/")
        raise Refused(
            f"there is no folder of dumps {folder!a}: {problem.strerror}",
            "run the job of kind dump first, or see its `to` in jobs.toml",
        ) from None
    try:
        known = _names(top, b"databases")
        wanted = encoded(database).encode()
        if wanted not in known:
            names = ", ".join(
                shown(name) for one in known[:20] if (name := decoded(os.fsdecode(one))) is not None
            )
            raise Refused(
                f"there is no dump of {shown(database)}", f"there are dumps of: {names or 'nothing'}"
            )
        record, passed = _newest(top, wanted, database)
        return {"record": record, "passed": passed, "globals": _globals(top, str(record["dump"])[:-5])}
    finally:
        os.close(top)


def _newest(top: int, wanted: bytes, database: str) -> tuple[dict[str, Any], list[str]]:
    passed: list[str] = []
    folder = tree.above(f"/proc/self/fd/{top}/.", (b"databases", wanted, b"."))
    try:
        for record, name in _records(folder, passed):
            if record.get("database") == database:
                return record, passed
            passed.append(f"{name}: it is of another database")
    finally:
        os.close(folder)
    raise Refused(
        f"no dump of {shown(database)} is whole: {'; '.join(passed[:5]) or 'none'}", "see --at WHEN"
    )


def _records(folder: int, passed: list[str]) -> Iterator[tuple[dict[str, Any], str]]:
    times = [
        name[:-5] for name in _listed(folder) if name.endswith(b".dump") and is_name(os.fsdecode(name[:-5]))
    ]
    for time in reversed(times):
        record: dict[str, Any] = {}
        try:
            record = stored.read_record(folder, time + b".json")
            wrong = stored.misfit(record, time + b".dump", tree.status(folder, time + b".dump"))
        except OSError as problem:
            wrong = "it has no record" if isinstance(problem, FileNotFoundError) else str(problem.strerror)
        except Refused as refused:
            wrong = refused.error
        if wrong:
            passed.append(f"{time.decode()}: {wrong}")
        else:
            yield record, time.decode()


def _globals(top: int, time: str) -> dict[str, Any] | None:
    try:
        folder = tree.folder(top, b"globals")
    except OSError:
        return None
    try:
        names = [
            name for name in map(os.fsdecode, _listed(folder)) if name.endswith(".sql") and is_name(name[:-4])
        ]
        names = [name for name in names if name[:-4] <= time]
        if not names:
            return None
        with stored.plain_file(folder, os.fsencode(max(names))) as stream:
            content = stream.read()
        roles = sorted(db_globals.created(content))
        return {"file": max(names), "sha256": hashlib.sha256(content).hexdigest(), "roles": roles}
    finally:
        os.close(folder)


def _names(top: int, name: bytes) -> list[bytes]:
    try:
        folder = tree.folder(top, name)
    except OSError:
        return []
    try:
        return _listed(folder)
    finally:
        os.close(folder)


def _listed(folder: int) -> list[bytes]:
    return sorted(map(os.fsencode, os.listdir(folder)))  # noqa: PTH208  (a descriptor)
