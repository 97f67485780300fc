"""`mark-disk`: a store keeps on which disk it is, and is used on no other."""

from __future__ import annotations

from collections.abc import Sequence

from .. import durable
from ..answer import Refused, reply
from ..arguments import DeclaredDisk, parse_as
from ..store import disk
from ..store.layout import open_store
from .contract import DiskMarked, MarkDisk


def run(argv: Sequence[str]) -> int:
    """Write into STORE that it is on the disk `--uuid` since then; what it keeps already stays.

    Refused, and nothing is made, unless that disk is what is mounted there.
    """
    options = parse_as(MarkDisk, argv)
    if not options.uuid:
        raise Refused("no disk is named", "see docs/store.md")
    store = open_store(options.store)
    disk.require(store, DeclaredDisk("", options.uuid))
    durable.make_folders(store.root)
    durable.make_folder(store.runner)
    reply(DiskMarked(disk.mark(store, options.uuid, options.since)))
    return 0
