"""`try-dumps`: restore dumps that were taken out of a snapshot into a server made for it, and count."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from .. import command
from ..answer import FAILED, Refused, emit, shown
from ..arguments import parse
from ..database import rows as pg_rows
from ..database.cluster import SETTINGS
from ..database.folder import complete, decoded
from ..database.server import Server
from ..database.session import Session, SqlTrouble
from ..frames import frames
from .scratch_server import Scratch, programs

CHUNK = 1 << 20
HOURS = 24 * 3600.0
MAINTENANCE = "template1"


class Dump(NamedTuple):
    """A dump beside its record, as they came back."""

    database: str
    time: str
    file: Path
    record: Mapping[str, Any]


def run(argv: Sequence[str]) -> int:
    """Restore each dump that `newest-dumps` told on stdin and that is below FOLDER/dumps; exit 1 if any fails.

    A server is made in FOLDER/cluster, and gone when this ends, however. Each dump must have the size and
    SHA-256 of its record, be restored without an error, and hold the rows of each table and the large
    objects that were counted when it was made. Prints `{"databases": [{"database", "at", "dump", "tables",
    "rows"}], "found", "wrong": [{"database", "dump", "what"}]}`.
    """
    call = parse(argv, words=1, one=("user", "programs"))
    folder, to = Path(call.words[0]), Server(**call.one)
    told = [line for line in _lines() if "what" in line]
    good: list[dict[str, Any]] = []
    wrong: list[dict[str, str]] = []
    dumps = _sound(folder / "dumps", told, wrong)
    roles = [folder / "dumps" / str(each["snapshot"]) / str(each["path"]) for each in told if each["what"] == "globals"]
    if not any(each["what"] == "dump" for each in told):
        # Roles alone prove nothing of a database.
        wrong.append({"database": "", "dump": "", "what": "there is no dump in the newest snapshot"})
    elif not roles or not complete(roles[0]):
        wrong.append({"database": "", "dump": "", "what": "the dump of the roles is missing, or cut off"})
    elif dumps:
        with command.together():
            _restore(to, folder / "cluster", (roles[0], dumps), good, wrong)
    return _tell(good, wrong)


def _tell(good: Sequence[Mapping[str, Any]], wrong: Sequence[Mapping[str, str]]) -> int:
    answer: dict[str, Any] = {"databases": list(good), "found": len(wrong), "wrong": list(wrong)}
    if wrong:
        first = wrong[0]
        name = f"database {shown(first['database'])}: " if first["database"] else ""
        more = f"; {len(wrong) - 1} more" if len(wrong) > 1 else ""
        answer["error"] = f"{name}{first['what']}{more}"
        answer["do"] = "dump it anew and run the drill again; until then rely on an older dump"
    emit(answer)
    return FAILED if wrong else 0


def _lines() -> list[dict[str, Any]]:
    return [json.loads(line) for frame in frames(sys.stdin.buffer) for line in frame.lines()]


def _sound(folder: Path, told: Sequence[Mapping[str, Any]], wrong: list[dict[str, str]]) -> list[Dump]:
    """The dumps that are what their records say."""
    found = []
    for each in told:
        if each["what"] == "link":
            what = "its folder is a link: the snapshot has none of its dumps"
            wrong.append({"database": decoded(str(each["database"])) or "", "dump": "", "what": what})
        if each["what"] != "dump":
            continue
        file = folder / str(each["snapshot"]) / str(each["path"])
        name = decoded(str(each["database"]))
        what, record = "", _record(file.with_suffix(".json"))
        if record is None:
            what = "its record cannot be read"
        elif name is None or record.get("database") != name or record.get("dump") != file.name:
            what = "its record is of another dump"
        else:
            what = _differs(file, record)
        if what or record is None or name is None:
            wrong.append({"database": name or str(each["database"]), "dump": file.name, "what": f"{file.name}: {what}"})
        else:
            found.append(Dump(name, str(each["time"]), file, record))
    return found


def _record(file: Path) -> Mapping[str, Any] | None:
    try:
        record = {} if file.is_symlink() else json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    fits = isinstance(record, dict) and isinstance(record.get("tables"), dict) and record.get("sha256")
    return record if fits else None


def _differs(file: Path, record: Mapping[str, Any]) -> str:
    # A link would be followed to a dump that is not in the store at all.
    if file.is_symlink():
        return "it is a link: the snapshot has no dump there"
    try:
        size, found = file.stat().st_size, hashlib.sha256()
        if size != record.get("bytes"):
            return f"it has {size} bytes, and its record says {record.get('bytes')}"
        with file.open("rb") as stream:
            while block := stream.read(CHUNK):
                found.update(block)
    except OSError as problem:
        return f"it did not come back: {problem.strerror}"
    return "" if found.hexdigest() == record["sha256"] else "it is damaged: its SHA-256 is not the recorded one"


def _restore(
    to: Server, folder: Path, asked: tuple[Path, list[Dump]], good: list[dict[str, Any]], wrong: list[dict[str, str]]
) -> None:
    roles, dumps = asked
    most = max(dumps, key=lambda each: str(each.time)).record
    use = programs(to, str(most.get("server", "")), str(most.get("pg_dump", "")))
    with Scratch(to, use.server, folder) as scratch:
        with tempfile.TemporaryFile() as stream:
            text = roles.read_bytes().decode("utf-8", "surrogateescape")
            stream.write(scratch.globals(text).encode("utf-8", "surrogateescape"))
            stream.seek(0)
            try:
                _psql(scratch, stream)
            except Refused as refused:
                wrong.append({"database": "", "dump": roles.name, "what": f"the roles: {refused.error}"})
        for each in dumps:
            try:
                good.append(_one(scratch, use.restore, each))
            except (Refused, SqlTrouble) as problem:
                why = problem.error if isinstance(problem, Refused) else problem.text
                wrong.append({"database": each.database, "dump": each.file.name, "what": f"{each.file.name}: {why}"})


def _one(scratch: Scratch, restore: Path, dump: Dump) -> dict[str, Any]:
    """Restore one, count, and drop it again: there may not be room for all at once."""
    _psql(scratch, _sql(f"drop database if exists {_quoted(dump.database)} with (force)"))
    with dump.file.open("rb") as stream:
        where = f"--dbname={scratch.server.conninfo(MAINTENANCE, options=SETTINGS)}"
        scratch.run(
            "pg_restore",
            "--create",
            "--exit-on-error",
            "--no-password",
            where,
            given=stream,
            place=restore,
            seconds=HOURS,
        )
    with Session(scratch.server, dump.database) as session:
        tables, objects = pg_rows.count(session, seconds=HOURS)
    _compare(dump.record, tables, objects)
    name = _quoted(dump.database)
    _psql(scratch, _sql(f"alter database {name} is_template false;\ndrop database {name} with (force)"))
    return {
        "database": dump.database,
        "at": dump.record.get("at", ""),
        "dump": dump.file.name,
        "tables": len(tables),
        "rows": sum(tables.values()),
    }


def _compare(record: Mapping[str, Any], tables: Mapping[str, int], objects: int) -> None:
    wanted = {str(name): int(rows) for name, rows in record["tables"].items()}
    other = [name for name in sorted({*wanted, *tables}) if wanted.get(name) != tables.get(name)]
    if other:
        rows, were = tables.get(other[0]), wanted.get(other[0])
        told = "is missing" if rows is None else f"has {rows} rows"
        more = f"; {len(other) - 1} tables more" if len(other) > 1 else ""
        raise Refused(f"table {other[0]} {told}, and {were} were dumped{more}")
    if record.get("large_objects", objects) != objects:
        raise Refused(f"there are {objects} large objects, and {record['large_objects']} were dumped")


def _psql(scratch: Scratch, stream: IO[bytes]) -> None:
    # An error is not to show its line: that of a role has its password.
    words = ("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", "--file=-")
    with stream:
        scratch.run("psql", *words, f"--dbname={scratch.server.conninfo(MAINTENANCE)}", given=stream)


def _sql(text: str) -> IO[bytes]:
    stream = tempfile.TemporaryFile()  # noqa: SIM115  (who gets it closes it)
    stream.write(text.encode("utf-8", "surrogateescape"))
    stream.flush()
    os.lseek(stream.fileno(), 0, os.SEEK_SET)
    return stream


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
