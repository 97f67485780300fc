"""`about-of`: what a snapshot's host was, and the newest dumps of databases in the snapshot; reads only."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import tree
from ..answer import Refused, emit
from ..arguments import parse
from ..database import folder
from ..database.folder import Folder
from ..store import inventory
from ..store.layout import open_store, read_json, sealed

_TOLD = ("bytes", "server", "owner")


def run(argv: Sequence[str]) -> int:
    """Print `{"facts", "files", "dumps", "folder"}` of sealed snapshot NAME.

    `facts` are those of `about` (empty where none were kept), `files` the names of the texts beside them. For
    each folder of `--dumps` that is in the snapshot: `{"folder", "globals", "databases": [{"database",
    "dump", "time", "bytes", "server", "owner"}]}`, the newest that counts of each, paths as on the host.
    """
    call = parse(argv, words=2, many=("dumps",))
    store, name = open_store(call.words[0]), call.words[1]
    if name not in sealed(store):
        raise Refused(f"there is no sealed snapshot {name!a}", "`probe` lists those there are")
    place = inventory.place(store, name)
    facts = read_json(place / inventory.FACTS)
    folders = dict.fromkeys((*call.many["dumps"], *(str(one) for one in facts.get("dumps", ()))))
    emit({
        "facts": facts,
        "files": sorted(path.name for path in place.iterdir()) if place.is_dir() else [],
        "folder": str(place),
        "dumps": [found for one in folders if (found := _dumps(store.root / name, one))],
    })  # fmt: skip
    return 0


def _dumps(snapshot: Path, path: str) -> dict[str, Any]:
    parts = tree.components(path)
    try:
        # A link on the way would lead out of the snapshot, to a folder of this machine.
        os.close(tree.above(str(snapshot), (*parts, b".")))
    except OSError:
        return {}
    inside = Folder(snapshot.joinpath(*(os.fsdecode(part) for part in parts)))
    roles = folder.roles(inside)
    newest = [(name, found[-1]) for name in folder.databases(inside) if (found := folder.dumps(inside, name))]
    return {
        "folder": path,
        "globals": f"globals/{roles[-1]}.sql" if roles else "",
        "databases": [_short(name, record) for name, record in newest],
    }


def _short(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    dump = f"databases/{folder.encoded(name)}/{record['time']}.dump"
    return {
        "database": name,
        "dump": dump,
        "time": record["time"],
        **{word: record.get(word) for word in _TOLD},
    }
