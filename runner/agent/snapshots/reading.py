"""`reading`: keep snapshots from being expired while somebody restores from them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..answer import BUSY, Refused, reply
from ..arguments import parse_as
from ..store import lock
from ..store.layout import open_store, require_sealed
from .contract_restored import BeingRead, ReadSnapshots


def run(argv: Sequence[str]) -> int:
    """Print `{"held": true, "reading": NAME}` and wait for the end of stdin; `expire` refuses NAME until then.

    It keeps all of several NAMEs, or is refused. Any number may read at once. Takes no store lock, writes
    nothing, and ends with the process.
    """
    options = parse_as(ReadSnapshots, argv)
    store, names = open_store(options.store), (options.name, *options.more)
    require_sealed(store, *names)
    descriptor = lock.open_lock(store, os.O_RDONLY)
    for name in names:
        if not lock.take(descriptor, lock.byte_of(name), shared=True):
            raise Refused(f"{name} is being expired now", "choose another snapshot", code=BUSY)
    # Again: it may have been expired between the first look and the lock.
    require_sealed(store, *names)
    reply(BeingRead(held=True, reading=", ".join(names)))
    lock.until_stdin_ends()
    return 0
