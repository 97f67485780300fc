"""`take-over`: end the `hold` of one plan in a store, named beforehand, and hold the store instead."""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import Refused
from ..arguments import DISK, parse
from . import hold, let_go
from .layout import open_store

# Less than the executor's patience with a lock.
WITHIN = 20.0


def run(argv: Sequence[str]) -> int:
    """As `hold`, but the holder that works for plan `--from` is ended first; see `let-go`.

    A snapshot that is cut off so is kept as a partial, and the next run goes on with it.
    """
    call = parse(argv, words=1, one=("from", "plan", "who", *DISK))
    if not call.one["from"]:
        raise Refused("--from is missing", "say whose hold is to end")
    let_go.end(open_store(call.words[0]), call.one["from"], WITHIN)
    options = [f"--{name}={value}" for name, value in call.one.items() if value and name != "from"]
    return hold.run([call.words[0], *options])
