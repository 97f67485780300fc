"""The dumps that came back for a drill: which are listed, and whether they are what their records say."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import tree
from ..answer import Refused
from ..database import sql, stored
from ..database.folder import GLOBALS_END, decoded
from ..frames import json_lines
from .compare import digest
from .contract import DumpLine, DumpProblem, DumpSummary
from .heard import line_as

# Ten thousand databases have thirty thousand lines of some 200 letters.
MOST_LINES, MOST_LETTERS = 50_000, 16 << 20


class CopiedDump(NamedTuple):
    """A dump beside its record, as they came out of the snapshot; `way` as `stored` takes it, following no link."""

    database: str
    time: str
    way: str
    record: Mapping[str, Any]

    @property
    def name(self) -> str:
        """That of its file."""
        return self.way.rpartition("/")[2]


def listed() -> tuple[list[DumpLine], DumpSummary]:
    """What `newest-dumps` said. Raises Refused where that is cut off, or more than any server has."""
    lines, summary, letters = list[DumpLine](), None, 0
    for line in json_lines(sys.stdin.buffer):
        summary = line_as(DumpSummary, line) if "tried" in line else None
        if summary is None:
            lines.append(line_as(DumpLine, line))
            letters += sum(map(len, lines[-1]))
        if len(lines) > MOST_LINES or letters > MOST_LETTERS:
            raise Refused(
                "the list of dumps is longer than any", "look at the store's host, and at its folder of dumps"
            )
    if summary is None:
        raise Refused("the list of dumps is cut off", "see why the step before failed, and run the drill again")
    return lines, summary


def problem_of(database: str, name: str, what: str) -> DumpProblem:
    """What is wrong with the dump in the file `name`."""
    return DumpProblem(database, name, f"{name}: {what}")


def _way(folder: Path, line: DumpLine) -> str:
    # What was received begins below our own folder: no link in it is followed.
    return f"{folder}/./{line.snapshot}/{line.path}"


def roles_of(folder: Path, line: DumpLine) -> str:
    """The dump of the roles; "" where it is missing, cut off, or reached through a link."""
    try:
        with stored.parent(_way(folder, line)) as (parent, name):
            text = stored.roles(parent, name)
        decoded_roles = sql.decoded(text)
    except (OSError, Refused):
        return ""
    return decoded_roles if GLOBALS_END in text.splitlines() else ""


def sound(folder: Path, lines: Sequence[DumpLine], wrong: list[DumpProblem]) -> list[CopiedDump]:
    """The dumps that are what their records say."""
    dumps = []
    for line in lines:
        name = decoded(line.database)
        if line.what == "link":
            wrong.append(DumpProblem(name or "", "", "its folder is a link: the snapshot has none of its dumps"))
        if line.what != "dump":
            continue
        way, record = _way(folder, line), dict[str, Any]()
        file = way.rpartition("/")[2]
        try:
            with stored.parent(way) as (parent, last):
                record = _record(parent, last)
                own = record.get("database") == name and record.get("dump") == file
                what = _differs(parent, last, record) if own else "its record belongs to another dump"
        except OSError as problem:
            what = f"it did not come back: {problem.strerror}"
        except Refused as refused:
            what = refused.error
        if what or name is None:
            wrong.append(problem_of(name or line.database, file, what))
        else:
            dumps.append(CopiedDump(name, line.time, way, record))
    return dumps


def passed(lines: Sequence[DumpLine]) -> Iterator[DumpProblem]:
    """The dumps that are newer than the one that was tried."""
    for line in lines:
        if line.what == "passed":
            name = f"{line.time}.dump"
            yield DumpProblem(decoded(line.database) or line.database, name, f"{name}: it has no record")


def _record(parent: int, dump: bytes) -> dict[str, Any]:
    """The record beside the dump. Raises Refused where it is none."""
    record: dict[str, Any] = {}
    with contextlib.suppress(OSError, Refused):
        record = stored.read_record(parent, stored.record_name(dump))
    if not (isinstance(record.get("tables"), dict) and record.get("sha256")):
        raise Refused("its record cannot be read")
    return record


def _differs(parent: int, dump: bytes, record: Mapping[str, Any]) -> str:
    """Why it is not what the record says; "" where it is. Raises OSError, and Refused where it is no plain file."""
    # A link would be followed to a dump that is not in the store at all.
    if stat.S_ISLNK(tree.status(parent, dump).st_mode):
        return "it is a link: the snapshot has no dump there"
    with stored.plain_file(parent, dump) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size != record.get("bytes"):
            return f"it has {size} bytes, and its record says {record.get('bytes')}"
        same = digest(stream.fileno()) == record["sha256"]
    return "" if same else "it is damaged: its SHA-256 is not the recorded one"
