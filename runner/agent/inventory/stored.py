"""`about-of`: what a snapshot's host was, and its newest dumps; reads only. `keep-about`: keep that by it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import durable, tree
from ..answer import Refused, emit
from ..arguments import DISK, Call, parse
from ..database import folder
from ..database.contract import encoded
from ..database.folder import Folder
from ..frames import Frame, frames
from ..snapshots import readme
from ..store import disk, inventory
from ..store.layout import Store, open_store, read_json, sealed
from ..store.lock import working

_TOLD = ("bytes", "server", "owner")


def about_of(argv: Sequence[str]) -> int:
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
    emit(
        {
            "facts": facts,
            "files": sorted(path.name for path in place.iterdir()) if place.is_dir() else [],
            "folder": str(place),
            "dumps": [found for one in folders if (found := _dumps(store.root / name, one))],
        }
    )
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
    dump = f"databases/{encoded(name)}/{record['time']}.dump"
    return {"database": name, "dump": dump, "time": record["time"], **{word: record.get(word) for word in _TOLD}}


def keep_about(argv: Sequence[str]) -> int:
    """Keep what the steps `--about` and `--site` printed (frames on stdin) in `.runner/about/NAME/` and
    `.runner/jobs.toml`; `--dumps` are the folders with dumps of databases.

    NAME must be sealed. jobs.toml is kept only with the SHA-256 of the plan. Refused, with all else kept, where
    the host was not told. Prints `{"kept", "files", "fresh", "site"}`: all files, those new on the disk, and
    whether jobs.toml is kept.
    """
    call = parse(argv, words=2, one=("plan", "about", "site", "site-sha256", *DISK), many=("dumps",))
    store, name = open_store(call.words[0]), call.words[1]
    with working(store, call.one["plan"]):
        disk.require(store, disk.Declared(call.one["mount"], call.one["uuid"].lower()))
        if name not in sealed(store):
            raise Refused(f"there is no sealed snapshot {name!a}", "`probe` lists those there are")
        inventory.tidy(store)
        given = _given(call)
        files = _files(given.get("about", b""), call.many["dumps"])
        known = inventory.place(store, name).is_dir()
        fresh = inventory.keep(store, name, files) if files and not known else 0
        site = _keep_site(store, given.get("site", b""), call.one["site-sha256"])
        readme.keep(store)
    if not files and not known:
        raise Refused("what the host is was not told", "see the step before; the next snapshot tries again")
    emit({"kept": name, "files": len(files), "fresh": fresh, "site": site})
    return 0


def _given(call: Call) -> dict[str, bytes]:
    wanted = {call.one[word]: word for word in ("about", "site") if call.one[word]}
    found = {}
    for frame in frames(sys.stdin.buffer):
        word = wanted.get(frame.source)
        if word and frame.state == "done" and frame.exit == 0:
            found[word] = _content(frame)
    return found


def _content(frame: Frame) -> bytes:
    parts, size = [], 0
    for part in frame.lines():
        size += len(part)
        if size <= inventory.MOST:
            parts.append(part)
    return b"".join(parts) if size <= inventory.MOST else b""


def _files(told: bytes, dumps: Sequence[str]) -> dict[str, bytes]:
    """The files to keep, of what `about` printed; empty where it makes no sense."""
    try:
        answer: Mapping[str, Any] = json.loads(told.splitlines()[-1])
        facts = {**answer["facts"], "dumps": list(dumps)}
        texts = {str(name): str(text) for name, text in answer["files"].items()}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return {}
    files = {
        name: text.encode("utf-8", "backslashreplace")
        for name, text in texts.items()
        if inventory.FILE.fullmatch(name) and name != inventory.FACTS
    }
    return {**files, inventory.FACTS: (json.dumps(facts, indent=1) + "\n").encode()}


def _keep_site(store: Store, content: bytes, digest: str) -> bool:
    """Whether jobs.toml is kept as the plan knows it."""
    if hashlib.sha256(content).hexdigest() != digest:
        return False
    path = store.runner / "jobs.toml"
    try:
        same = path.read_bytes() == content
    except OSError:
        same = False
    if not same:
        durable.write_file(path, content, 0o600)
    return True
