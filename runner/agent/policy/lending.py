"""What an rsync that is begun for a key sees of this host: the folder that it receives in, and what the key may read.

It is begun with words that were judged (`copies`); whatever else it comes to do, there is nothing else to be seen.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..answer import Denied, Refused
from ..arguments import argv, parse_as
from ..host.contract.room import KeepRoom
from ..store.layout import StoreFolder, is_name, open_store, partials, read_json, sealed
from . import allowed, copies
from .copies import is_in
from .newest import newest
from .rights import ALL, Rights
from .verdict import DO, Allowed


def look(rights: Rights, words: Sequence[str]) -> int:
    """Begin an rsync that only reads. Denied where it is not begun as the runner begins one."""
    from ..confined import looking, programs  # noqa: PLC0415  (most requests are for a verb)

    asked = copies.asked(words)
    hidden = (*rights.others, *rights.stores)
    # As for a verb that looks, nothing of a source is there which is in a store.
    real = [os.path.realpath(each) for each in hidden]
    reads = [path for path in rights.sources if not any(is_in(os.path.realpath(path), each) for each in real)]
    for path in rights.stores:
        reads += readable(rights, path)
    # A folder above what it may read shows the way to that, and nothing else.
    if not any(is_in(asked.place, each) or is_in(each, asked.place) for each in reads):
        raise Denied(f"the key {rights.name} has no right to read {asked.place[:100]!a}", DO)
    if not (asked.sends or asked.looks) or asked.keeps or asked.compares:
        raise Denied(f"the key {rights.name} only looks so", DO)
    # Without a slash behind it a link is sent as one.
    _require_no_link(rights, (asked.place,), itself=asked.sends and not asked.argv[-1].endswith(("/", "/.")))
    return looking.lend(asked.argv, reads, (*hidden, *programs.beyond(asked.argv[0], rights.sources)))


def receiving(rights: Rights, words: Sequence[str]) -> tuple[str, ...]:
    """The words of a `keep-room` for this key: confined, and with what it may read of what it asks for.

    Denied where it would run another program than what receives, or not into a snapshot that is being made.
    """
    options = parse_as(KeepRoom, words[1:])
    copies.require_begun(options.argv)
    store, here = open_store(options.folder), f"{options.folder}/.incoming/{options.partial}"
    _require_being_made(rights, store, options.partial)
    reads = _snapshots(rights, store, options)
    asked = copies.asked(options.argv)
    within = all(is_in(place, here) for place in (asked.place, *asked.keeps))
    within = within and all(any(is_in(place, each) for each in options.reads) for place in asked.compares)
    if asked.sends or options.writes or options.by_hand or not within:
        raise Denied(f"the key {rights.name} only receives into a snapshot that is being made", DO)
    _require_no_link(rights, (asked.place, *asked.keeps, *asked.compares))
    return argv("keep-room", options._replace(argv=asked.argv, confined=True, reads=reads))


def _require_no_link(rights: Rights, places: Sequence[str], *, itself: bool = False) -> None:
    """Denied where a link that another host has sent is on the way to one of these, or with `itself` before its end.

    One that is not there is none, and rsync says so.
    """
    from ..confined import resolve  # noqa: PLC0415  (as above)

    for place in places:
        try:
            os.close(resolve.opened(place, itself=itself))
        except Refused as refused:
            raise Denied(f"the key {rights.name} reads nothing behind a link: {refused.error}", refused.do) from None
        except (FileNotFoundError, NotADirectoryError):
            continue


def _snapshots(rights: Rights, store: StoreFolder, options: KeepRoom) -> tuple[str, ...]:
    """What it asks to read, which is in sealed snapshots that the key may read; one that is not there any more is none.

    What it receives is nothing to compare with: what leads where in there changes as whoever sends it likes.
    """
    sealed_now, there = sealed(store), []
    may = sealed_now if rights.stores[options.folder].reads == ALL else newest(store)
    for path in options.reads:
        name = path[len(options.folder) + 1 :].partition("/")[0]
        if not is_in(path, options.folder) or not is_name(name) or (name in sealed_now and name not in may):
            raise Denied(
                f"the key {rights.name} reads only the newest snapshot of that store",
                allowed.reading_all(rights, Allowed(options.folder)),
            )
        if name in may:
            there.append(path)
    return tuple(there)


def readable(rights: Rights, path: str) -> tuple[str, ...]:
    """The folders of a store that the key may read: what is being made, and the newest snapshots, or all there is.

    What is being made is made of those (see `limits.require_basis`) once it is composed. Before that its folders are
    what they were taken from: also a snapshot that expired for it, or a partial of another time.
    """
    store = open_store(path)
    if rights.stores[path].reads == ALL:
        return (path,)
    there = partials(store)
    made = [f"{path}/.partial/{name}/{number}" for name in there for number in _composed(store, name)]
    return (*(f"{path}/{name}" for name in newest(store)), *made, *(f"{path}/.incoming/{name}" for name in there))


def _composed(store: StoreFolder, name: str) -> list[int]:
    """The filesystems of a partial, by number, that are what they will be sealed as."""
    begun = read_json(store.begun(name))
    points, composed = begun.get("filesystems"), begun.get("composed")
    if not isinstance(points, list) or not isinstance(composed, dict):
        return []
    return [number for number, point in enumerate(points) if point in composed]


def _require_being_made(rights: Rights, store: StoreFolder, name: str) -> None:
    if not is_name(name) or name not in partials(store) or name in sealed(store):
        raise Denied(f"the key {rights.name} only receives into a snapshot that is being made", DO)
