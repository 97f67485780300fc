"""The dumps of databases in a snapshot: the newest whole one of each, and what must be there before them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import regular, tree
from ..answer import Refused
from ..database import folder, sql, stored
from ..database.contract import encoded
from ..database.folder import Folder
from .contract.dumps import DatabaseDump, DatabaseLacking, SnapshotDumps, Tablespace

_SHA256 = re.compile("[0-9a-f]{64}")
_TEXTS = ("server", "owner", "sha256", "encoding", "collate", "ctype", "data")
_LISTS = ("roles", "tablespaces")


def dumps_in(snapshot: Path, path: str) -> SnapshotDumps | None:
    """The dumps in the folder that was called `path` on the host; None where the snapshot has no such folder."""
    parts = tree.components(path)
    try:
        # A link on the way would lead out of the snapshot, to a folder of this machine.
        os.close(tree.above(str(snapshot), (*parts, b".")))
    except OSError as problem:
        return None if tree.is_absence(problem) else SnapshotDumps(path, problem=str(problem.strerror))
    inside = Folder(snapshot.joinpath(*(os.fsdecode(part) for part in parts)))
    try:
        return _read(snapshot, path, inside)
    except OSError as problem:
        return SnapshotDumps(path, problem=f"{problem.filename}: {problem.strerror}")


def _read(snapshot: Path, path: str, inside: Folder) -> SnapshotDumps:
    databases, lacking = list[DatabaseDump](), dict[str, str]()
    for name in folder.databases(inside):
        passed: tuple[str, ...] = ()
        try:
            passed = stored.newest(str(snapshot), path, name, roles=False).passed
        except Refused as refused:
            lacking[name] = refused.error
        if records := folder.dumps(inside, name):
            databases.append(_dump(name, records[-1], passed))
            lacking.pop(name, None)
        else:
            lacking.setdefault(name, "none of its records can be read")
    times = folder.roles(inside)
    made, problem = dict[str, str](), ""
    if times:
        try:
            made = sql.tablespaces(regular.content(inside.roles(times[-1]), stored.MOST_ROLES))
        except Refused as refused:
            problem = f"the tablespaces are not known: {refused.error}"
        except OSError as failed:
            problem = f"the tablespaces are not known: {failed.filename}: {failed.strerror}"
    return SnapshotDumps(
        path,
        f"globals/{times[-1]}.sql" if times else "",
        tuple(databases),
        tuple(Tablespace(*each) for each in made.items()),
        tuple(DatabaseLacking(*each) for each in lacking.items()),
        problem,
    )


def _dump(name: str, record: Mapping[str, Any], passed: tuple[str, ...]) -> DatabaseDump:
    texts: dict[str, Any] = {key: record[key] for key in _TEXTS if isinstance(record.get(key), str)}
    if not _SHA256.fullmatch(texts.get("sha256", "")):
        texts.pop("sha256", None)
    for key in _LISTS:
        listed = record.get(key)
        texts[key] = tuple(map(str, listed)) if isinstance(listed, list) else ()
    return DatabaseDump(
        database=name,
        dump=f"databases/{encoded(name)}/{record['time']}.dump",
        time=record["time"],
        bytes=record["bytes"],
        tables=len(record.get("tables") or {}),
        rows=folder.amount(record, "rows"),
        passed=passed,
        **texts,
    )
