"""`mark-disk`: a store keeps on which disk it is, and is used on no other."""

from __future__ import annotations

from collections.abc import Sequence

from .. import durable
from ..answer import reply
from ..arguments import parse_as
from ..store.layout import open_store, require_json
from .contract import DiskMarked, MarkDisk


def run(argv: Sequence[str]) -> int:
    """Write into STORE that it is on the disk `--uuid` since then, in one move; what it keeps already stays."""
    options = parse_as(MarkDisk, argv)
    store = open_store(options.store)
    for folder in (store.root, store.runner):
        durable.make_folder(folder)
    path = store.runner / "disk.json"
    known = require_json(path)
    if not known:
        durable.write_json(path, {"uuid": options.uuid, "since": options.since})
    reply(DiskMarked(str(known.get("uuid", options.uuid))))
    return 0
