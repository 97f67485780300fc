"""`reading`: keep snapshots from being expired while somebody restores from them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from ..answer import BUSY, Refused, reply
from ..arguments import parse_as
from ..store import lock
from ..store.layout import open_store, require_sealed
from .contract import BeingRead, Reading


def run(argv: Sequence[str]) -> int:
    """Print `{"held": true, "reading": NAME}` and wait for the end of stdin; `expire` refuses NAME until then.

    Of several NAMEs all are kept, or it is refused. Any number may read at once. Takes no store lock, writes
    nothing, and ends with the process.
    """
    options = parse_as(Reading, argv)
    store, names = open_store(options.store), (options.name, *options.more)
    require_sealed(store, *names)
    try:
        descriptor = os.open(store.lock, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise Refused(f"{store.root} has no lock", "is this a store, and is its disk mounted?") from None
    for name in names:
        if not lock.share(descriptor, lock.byte_of(name)):
            raise Refused(f"{name} is being expired now", "choose another snapshot", code=BUSY)
    # Again: it may have been expired between the first look and the lock.
    require_sealed(store, *names)
    reply(BeingRead(held=True, reading=", ".join(names)))
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        while os.read(0, 65536):
            pass
    return 0
