"""`dumped`: whether the databases of a run have their dumps, and whether older ones may go. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import FAILED, emit, shown
from ..arguments import parse
from . import folder as dump_folder
from .databases import names
from .folder import Folder
from .server import OPTIONS, server
from .session import SqlTrouble

_MOST = 20


def run(argv: Sequence[str]) -> int:
    """Of the words `TO TIME -- DATABASE...`: is there a good dump of that time of each?

    Prints `{"spared": bool, "why", "missing": [{"database", "last"}], "gone": [...], "new": [...]}`: dumps of
    before are spared unless there is one of each, without doubts. With `--globals` the roles are one more.
    With `--require` the server is asked which databases there are (`--all`: which ones are new as well), and
    it ends 1 when one that is still there has none.
    """
    call = parse(argv, words=2, one=OPTIONS, flags=("globals", "require", "all"), more=True)
    folder, at, wanted = (
        dump_folder.absolute(call.words[0]),
        dump_folder.moment(call.words[1]),
        call.words[2:],
    )
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
