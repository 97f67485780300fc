"""`drop-partials`: move copies that were interrupted to the trash, where nobody is to finish them."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from .. import durable
from ..answer import reply
from ..arguments import parse_as
from . import disk, receivers, trash
from .contract.partials import DropPartials, PartialsDropped
from .layout import StoreFolder, known_of, open_store, partials
from .lock import working


def run(argv: Sequence[str]) -> int:
    """Move the interrupted snapshots NAME... and what a seal has written about them to the trash; `reap` removes it.

    Only under the store's lock, so never one that is being made. One that is not there any more is none. Needs no
    room: where not even the trash can be made, the first is emptied in its place.
    """
    options = parse_as(DropPartials, argv)
    store = open_store(options.store)
    with working(store, options.plan) as descriptor:
        # Not by writing: it is a full disk on which this verb must work.
        disk.require(store, options.disk)
        dropped = [name for name in options.names if name in partials(store)]
        receivers.end(descriptor, dropped)
        if dropped:
            _make_trash(store, store.partial / dropped[0])
        for name in dropped:
            # What `begin` wrote about it goes last: until then it is a partial.
            places = (store.incoming / name, store.partial / name, store.begun(name))
            for path in (*known_of(store.records, name), *places):
                if os.path.lexists(path):
                    path.rename(trash.free_name(store, path.name))
            durable.sync_folder(store.partial)
        left = partials(store)
    reply(PartialsDropped(tuple(dropped), left))
    return 0


def _make_trash(store: StoreFolder, first: Path) -> None:
    try:
        durable.make_folder(store.trash, 0o700)
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        trash.empty(store.root, first)
        durable.make_folder(store.trash, 0o700)
