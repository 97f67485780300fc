"""The options of `chain`, and its answer."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...arguments import ChainHead, Count, PathWord, SnapshotName
from .against import HistoryChange


class LookAtChain(NamedTuple):
    """Options of `chain`: `known` is a head that was answered before, "" for none."""

    store: PathWord
    known: ChainHead = ""


class ChainStanding(NamedTuple):
    """Answer of `chain`: `head` is "" where there is none, and `broken` says why it is none.

    `continues`: whether the line of the head that was asked for is in it, None where that is not known. Of the
    snapshots that count by it `gone` are the first that are not there, of those that are there `strange` the first that
    it does not know. `since` are the first of the `changes` after that line.
    """

    head: ChainHead
    broken: str = ""
    continues: Optional[bool] = None
    gone: tuple[SnapshotName, ...] = ()
    strange: tuple[SnapshotName, ...] = ()
    since: tuple[HistoryChange, ...] = ()
    changes: Count = 0
