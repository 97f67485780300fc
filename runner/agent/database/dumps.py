"""`dumps` and `dumped`: what a folder of dumps holds and lacks, reads only; `expire-dump`: remove an old one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import durable
from ..answer import FAILED, Refused, emit, shown
from ..arguments import number, parse
from ..store.layout import nearest
from . import folder as dump_folder
from .databases import names
from .folder import PART, Folder, amount
from .server import OPTIONS, free, server
from .session import SqlTrouble

_TOLD = ("time", "at", "bytes", "server", "pg_dump", "took", "doubts")
_MOST = 20


def dumps(argv: Sequence[str]) -> int:
    """Print what `read` gives."""
    emit(read(argv))
    return 0


def read(argv: Sequence[str]) -> dict[str, Any]:
    """The dumps that count, oldest first, by database, and the times of the roles'; what does not count is `odd`.

    `{"exists", "free": bytes, "real": where the folder is, through links, "databases": {NAME: [...]},
    "globals": [...], "odd": [...]}`
    """
    call = parse(argv, words=1)
    folder = dump_folder.absolute(call.words[0])
    known = {name: dump_folder.dumps(folder, name) for name in dump_folder.databases(folder)}
    return {
        "exists": folder.root.is_dir(),
        "free": free(nearest(folder.root)),
        "real": os.path.realpath(folder.root),
        "databases": {name: [_short(each) for each in found] for name, found in known.items()},
        "globals": dump_folder.roles(folder),
        "odd": _odd(folder, known)[:_MOST],
    }


def _short(record: Mapping[str, Any]) -> dict[str, Any]:
    told = {word: record.get(word) for word in _TOLD}
    return {**told, "objects": amount(record, "objects"), "rows": amount(record, "rows")}


def _odd(folder: Folder, known: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Files among the dumps that are none, but for what is being written."""
    odd = []
    for name, found in known.items():
        home = folder.home(name)
        fine = {f"{each['time']}{end}" for each in found for end in (".dump", ".json")}
        names = sorted(entry.name for entry in home.iterdir())
        odd += [f"{home.name}/{each}" for each in names if each not in fine and not each.endswith(PART)]
    return odd


def dumped(argv: Sequence[str]) -> int:
    """Of the words `TO TIME -- DATABASE...`: is there a good dump of that time of each?

    Prints `{"spared": bool, "why", "missing": [{"database", "last"}], "gone": [...], "new": [...]}`: dumps of
    before are spared unless there is one of each, without doubts. With `--globals` the roles are one more.
    With `--require` the server is asked which databases there are (`--all`: which ones are new as well), and
    it ends 1 when one that is still there has none.
    """
    call = parse(argv, words=2, one=OPTIONS, flags=("globals", "require", "all"), more=True)
    folder, at, wanted = (dump_folder.absolute(call.words[0]), dump_folder.moment(call.words[1]), call.words[2:])
    missing, doubtful = [], []
    for name in wanted:
        found = dump_folder.good(folder, name, at)
        if not found:
            missing.append(name)
        elif found.get("doubts"):
            doubtful.append(f"{shown(name)}: {', '.join(found['doubts'])}")
    answer: dict[str, object] = {"gone": [], "new": []}
    if "require" in call.flags:
        try:
            there, closed = names(server(call))
        except SqlTrouble:
            there, closed = list(wanted), []
        gone = [name for name in missing if name not in (*there, *closed)]
        missing = [name for name in missing if name not in gone]
        fresh = [name for name in there if name not in wanted] if "all" in call.flags else []
        answer = {"gone": gone[:_MOST], "new": fresh[:_MOST]}
    roles = "globals" in call.flags and not dump_folder.complete(folder.roles(at))
    said = [shown(name) for name in missing[:_MOST]] + (["the roles"] if roles else [])
    lacking = f"no good dump of this run: {', '.join(said)}" if said else ""
    answer["missing"] = [{"database": name, "last": _last(folder, name)} for name in missing[:_MOST]]
    answer.update(spared=bool(lacking or doubtful), why=lacking or "; ".join(doubtful[:_MOST]))
    failed = bool(lacking) and "require" in call.flags
    if failed:
        answer.update(error=lacking, do="see what its own step says; the dumps of before are kept")
    emit(answer)
    return FAILED if failed else 0


def _last(folder: Folder, name: str) -> str:
    found = dump_folder.dumps(folder, name)
    return str(found[-1]["at"]) if found else ""


def expire_dump(argv: Sequence[str]) -> int:
    """Remove the dump `TO TIME -- DATABASE`, or with `--globals` the roles' `TO TIME`.

    Refused unless `--keep` or more newer dumps count, and one of them is of `--after`, the run that wants
    it. A dump that is not there is no failure. Prints `{"expired_dump", "database", "left"}`.
    """
    call = parse(argv, words=2, one=(*OPTIONS, "keep", "after"), flags=("globals",), more=True)
    roles = "globals" in call.flags
    if len(call.words) != (2 if roles else 3):
        raise Refused("one database is wanted, or --globals", "see docs/store.md")
    held = dump_folder.hold(call.words[0], server(call))
    folder, at = held.folder, dump_folder.moment(call.words[1])
    keep, after = number(call.one["keep"], "--keep", least=1), dump_folder.moment(call.one["after"])
    database = "" if roles else call.words[2]
    known = dump_folder.roles(folder) if roles else [each["time"] for each in dump_folder.dumps(folder, database)]
    newer = [each for each in known if each > at]
    if after not in newer:
        raise Refused(
            f"there is no good dump of {after} of {shown(database) if database else 'the roles'}",
            "older ones go only when a newer one was made; see why there is none",
        )
    if len(newer) < keep:
        raise Refused(f"only {len(newer)} newer dumps would stay, and {keep} must", "nothing was removed")
    _remove((folder.roles(at),) if roles else (folder.record(database, at), folder.dump(database, at)))
    emit({"expired_dump": at, "database": database, "left": len(newer) + sum(each < at for each in known)})
    return 0


def _remove(paths: Sequence[Path]) -> None:
    """In this order: a dump that has lost its record does not count any more."""
    for path in paths:
        path.unlink(missing_ok=True)
        durable.sync_folder(path.parent)
