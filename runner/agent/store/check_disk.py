"""`check-disk`: is the declared disk mounted where it should be."""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import emit
from ..arguments import DISK, parse
from . import disk
from .layout import open_store


def run(argv: Sequence[str]) -> int:
    """Print the uuid of the store's disk, or refuse; reads only."""
    call = parse(argv, words=1, one=DISK)
    found = disk.require(
        open_store(call.words[0]), disk.Declared(call.one["mount"], call.one["uuid"].lower())
    )
    emit({"ok": True, "uuid": found.uuid})
    return 0
