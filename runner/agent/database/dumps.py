"""`dumps`: what is in a folder of dumps, and how much room is left there. Reads only."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..answer import emit
from ..arguments import parse
from ..store.layout import nearest
from . import folder as dump_folder
from .dump_doubts import amount
from .folder import PART, Folder
from .server import free

_TOLD = ("time", "at", "bytes", "server", "pg_dump", "took", "doubts")
_MOST = 20


def run(argv: Sequence[str]) -> int:
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
