"""`newest-dumps`: the newest dump of each database in a folder of dumps inside a snapshot. Reads only."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from .. import tree
from ..answer import reply
from ..arguments import parse_as
from ..database.folder import decoded
from ..store.layout import StoreFolder, is_name, open_store, require_sealed
from .compare import open_file
from .contract import DumpLine, DumpSummary, NewestDumps

SORTS = {b".json": "record", b".dump": "dump", b".sql": "globals"}


def run(argv: Sequence[str]) -> int:
    """Print a line for each file that a restore from snapshot NAME needs, then one that sums up.

    A dump counts only with its record, and of each database the newest is listed; of the globals the newest.
    Where no dump of a database has its record, the newest is listed.
    """
    options = parse_as(NewestDumps, argv)
    store, name = open_store(options.store), options.name
    counted = require_sealed(store, name)
    top = tree.components(options.folder)
    root = str(store.root / name)
    homes = _databases(root, top)
    size, largest, newest, databases = 0, 0, "", []
    for directory in (b"globals", *(b"databases/" + each for each in homes)):
        place = (*top, *directory.split(b"/"))
        endings = (b".sql",) if directory == b"globals" else (b".json", b".dump")
        time, passed = _newest(root, place, endings)
        database = os.fsdecode(directory.partition(b"/")[2])
        for ending in endings if time else ():
            path = os.fsdecode(b"/".join((*place, time + ending)))
            reply(DumpLine(SORTS[ending], database, name, path, "file", time.decode()))
        for each in passed if database else ():
            reply(DumpLine("passed", database, time=each.decode()))
        if database and _is_link(root, place):
            reply(DumpLine("link", database))
        if time and database:
            record = _record(root, (*place, time + b".json"))
            size, largest = size + _whole(record, "bytes"), max(largest, _whole(record, "size"))
            databases.append(decoded(database) or database)
            newest = max(newest, f"{time.decode()}.dump")
    tried = {"database": ", ".join(databases), "dump": newest}
    # A folder that is a link, or has lost its dumps, is a database that is missed.
    older = () if homes else (each for each in counted if each < name)
    none_yet = not homes and not any(_has_dump(store, each, top) for each in older)
    reply(DumpSummary(databases=tuple(databases), bytes=size + largest, tried=tried, none_yet=none_yet))
    return 0


def _has_dump(store: StoreFolder, name: str, top: tuple[bytes, ...]) -> bool:
    root = str(store.root / name)
    homes = ((*top, b"databases", each) for each in _databases(root, top))
    return any(each.endswith(b".dump") for home in homes for each in _list(root, home))


def _databases(root: str, top: tuple[bytes, ...]) -> list[bytes]:
    names = _list(root, (*top, b"databases"))
    return [name for name in names if not name.startswith(b".")]


def _is_link(root: str, place: tuple[bytes, ...]) -> bool:
    with tree.parent_of(root, place) as parent:
        return stat.S_ISLNK(tree.status(parent, place[-1]).st_mode)


def _newest(root: str, place: tuple[bytes, ...], endings: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """The newest time that counts, and newer ones that do not."""
    names = set(_list(root, place))
    times = [name[: -len(endings[-1])] for name in names if name.endswith(endings[-1])]
    times = [time for time in times if is_name(os.fsdecode(time))]
    whole = [time for time in times if all(time + end in names for end in endings)]
    # If no dump has its record, the newest is listed all the same, so that the restore misses the record.
    newest = max(whole or times, default=b"")
    return newest, sorted(time for time in times if time > newest)


def _list(root: str, place: tuple[bytes, ...]) -> list[bytes]:
    """The names in a folder; none where there is no folder, which may be a link. Raises OSError."""
    try:
        with tree.parent_of(root, (*place, b"")) as folder:
            return sorted(map(os.fsencode, os.listdir(folder)))  # noqa: PTH208  (a descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _record(root: str, place: tuple[bytes, ...]) -> Mapping[str, Any]:
    try:
        with tree.parent_of(root, place) as parent, os.fdopen(open_file(parent, place[-1]), "rb") as stream:
            record = json.load(stream)
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _whole(record: Mapping[str, Any], key: str) -> int:
    number = record.get(key)
    return number if isinstance(number, int) and number > 0 else 0
