"""The whole chain of a store, read and followed from its first line on, and the line that a head names found in it."""

from __future__ import annotations

from typing import NamedTuple

from ..answer import Refused
from ..store.layout import StoreFolder
from . import chain
from .line import ADOPTED, BEGUN, INHERITED, MANIFEST, UNDONE, Broken, ChainLine, Head, Story, digest_of

# So many lines since the head are kept, of those that say that a snapshot came, went or came back.
MOST = 1000
_QUIET = (BEGUN, ADOPTED, MANIFEST, INHERITED)
_DO = "find out who wrote to it: a head from a mail that is older still may be the one of a part that is whole"


class Heard(NamedTuple):
    """What a chain says. `at` is the line of the head that was asked for, None where it is not in it.

    `then` are the snapshots that counted when that was the last line; `since` are the first lines after it that changed
    which ones do, of `changes`; `undone`: the next line says that it never happened. `page` are the lines after that
    number as they are, the first of them.
    """

    story: Story
    at: ChainLine | None
    then: frozenset[str]
    since: tuple[ChainLine, ...]
    changes: int
    undone: bool
    page: tuple[bytes, ...] = ()


def hear(store: StoreFolder, known: Head, most: int = 0) -> Heard:
    """Read all of it, with `most` lines of a page. Refused where it is no chain, FileNotFoundError where there is none.

    What its last line says and was cut off before it was done has not happened.
    """
    story, at, then, since, changes, undone = Story(), None, frozenset[str](), list[ChainLine](), 0, False
    page: list[bytes] = []
    try:
        with chain.opened(store) as stream:
            last, _, end = chain.end(stream)
            stream.seek(0)
            for raw in chain.raw_lines(stream):
                line = story.tell(raw)
                end -= len(raw)
                if line.number > known.number and len(page) < most:
                    page.append(raw)
                if at is not None and line.event not in _QUIET:
                    undone = undone or (line.event == UNDONE and line.number == known.number + 1)
                    changes += 1
                    since += [line] if changes <= MOST else []
                if line.number == known.number and digest_of(raw) == known.digest:
                    at, then = line, frozenset(story.alive)
                if end <= 0:
                    break
    except Broken as broken:
        raise Refused(f"{chain.place(store)} is broken: {broken}", _DO) from None
    except chain.Damaged:
        raise Refused(f"{chain.place(store)} is broken: its end is none of a chain", _DO) from None
    # A head is answered only of what was done.
    if (at is None or last.number > at.number) and not chain.is_so(store, last):
        story.revoke()
        page = page[: max(0, story.head.number - known.number)]
        changes -= at is not None and last.event not in _QUIET
        since = [line for line in since if line is not story.last]
    return Heard(story, at, then, tuple(since), changes, undone, tuple(page))
