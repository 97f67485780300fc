"""`expire-dump`: remove one old dump for good, if the folder can spare it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import durable
from ..answer import Refused, emit, shown
from ..arguments import number, parse
from . import folder as dump_folder
from .server import OPTIONS, server


def run(argv: Sequence[str]) -> int:
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
    known = (
        dump_folder.roles(folder) if roles else [each["time"] for each in dump_folder.dumps(folder, database)]
    )
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
