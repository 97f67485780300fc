"""What an rsync that is begun for a key sees of this host: the folder that it receives in, and what the key may read.

Its arguments are in its stream, where nobody judges them: whatever it is told, there is nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..answer import Denied
from ..arguments import argv, parse_as
from ..host.contract.room import KeepRoom
from ..store.layout import StoreFolder, is_name, open_store, partials, sealed
from . import allowed
from .newest import newest
from .rights import ALL, Rights
from .verdict import DO, Allowed

_PROGRAM, _SENDS = ("rsync", "--server"), ("rsync", "--server", "--sender")
# Arguments that come in the stream, and what both ends can: rsync(1), --protect-args.
_LETTERS = re.compile(r"-s[A-Za-z]*(?:e[0-9]*\.[0-9]*[A-Za-z]*)?")


def look(rights: Rights, words: Sequence[str]) -> int:
    """Begin an rsync that only reads. Denied where it is not begun as the runner begins one."""
    from ..confined import looking  # noqa: PLC0415  (most requests are for a verb)

    _require_begun_as_ours(words)
    reads, hidden = list(rights.sources), list(rights.others)
    for path in rights.stores:
        hidden.append(path)
        reads += readable(rights, path)
    return looking.lend(words, reads, hidden)


def receiving(rights: Rights, words: Sequence[str]) -> tuple[str, ...]:
    """The words of a `keep-room` for this key: confined, and with what it may read of what it asks for.

    Denied where it would run another program than what receives, or not into a snapshot that is being made.
    """
    options = parse_as(KeepRoom, words[1:])
    _require_begun_as_ours(options.argv)
    store = open_store(options.folder)
    if options.argv[: len(_SENDS)] == _SENDS or options.writes or options.by_hand:
        raise Denied(f"the key {rights.name} only receives into a snapshot that is being made", DO)
    _require_being_made(rights, store, options.partial)
    may = readable(rights, options.folder)
    reads = tuple(path for path in options.reads if any(path == each or path.startswith(f"{each}/") for each in may))
    if len(reads) < len(options.reads):
        raise Denied(
            f"the key {rights.name} reads only the newest snapshot of that store",
            allowed.reading_all(rights, Allowed(options.folder)),
        )
    return argv("keep-room", options._replace(confined=True, reads=reads))


def readable(rights: Rights, path: str) -> tuple[str, ...]:
    """The folders of a store that the key may read: what is being made, and the newest snapshots, or all there is.

    What is being made of others is made of those: see `limits.require_basis`.
    """
    store = open_store(path)
    if rights.stores[path].reads == ALL:
        return (path,)
    made = [f"{path}/{folder}/{name}" for folder in (".partial", ".incoming") for name in partials(store)]
    return (*(f"{path}/{name}" for name in newest(store)), *made)


def _require_begun_as_ours(words: Sequence[str]) -> None:
    program = _SENDS if tuple(words[: len(_SENDS)]) == _SENDS else _PROGRAM
    if tuple(words[: len(program)]) != program or len(words) != len(program) + 1 or not _LETTERS.fullmatch(words[-1]):
        raise Denied("no rsync but the server that the runner begins", DO)


def _require_being_made(rights: Rights, store: StoreFolder, name: str) -> None:
    if not is_name(name) or name not in partials(store) or name in sealed(store):
        raise Denied(f"the key {rights.name} only receives into a snapshot that is being made", DO)
