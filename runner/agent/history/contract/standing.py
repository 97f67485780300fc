"""The options of `chain`, and its answer."""

from __future__ import annotations

from typing import Annotated, NamedTuple, Tuple  # noqa: UP035

from ...arguments import ChainHead, PathWord

# So many lines are answered at once.
PAGE = 2000
# A line is no longer.
Raw = Annotated[str, 1024]


class LookAtChain(NamedTuple):
    """Options of `chain`: `known` is a head that was answered before, "" for none."""

    store: PathWord
    known: ChainHead = ""


class ChainStanding(NamedTuple):
    """Answer of `chain`: `head` is "" where there is none, and `broken` says why it is none.

    `lines` are the lines after the number of the head that was asked for, as they are in the file but for their
    newlines, PAGE at most; the last leads to `head`, where there are no more. Whoever asks follows them himself.
    """

    head: ChainHead
    lines: Tuple[Raw, ...]  # noqa: UP006
    broken: str = ""
