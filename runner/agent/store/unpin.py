"""`unpin`: let a pinned snapshot go the way of the others."""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import Refused, emit
from ..arguments import DISK, parse
from . import disk
from .layout import open_store
from .lock import working
from .pins import pins, write


def run(argv: Sequence[str]) -> int:
    """Remove the pin of NAME; refused if it has none. Prints `{"unpinned"}`."""
    call = parse(argv, words=2, one=("plan", *DISK))
    store, name = open_store(call.words[0]), call.words[1]
    with working(store, call.one["plan"]):
        disk.require(store, disk.Declared(call.one["mount"], call.one["uuid"].lower()))
        known = pins(store)
        if name not in known:
            raise Refused(f"{name!a} is not pinned", "`runner snapshots` shows which are")
        del known[name]
        write(store, known)
    emit({"unpinned": name})
    return 0
