"""The options of `walk`, and its answers."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, MountPoint, PathWord, SnapshotNameOrNone


class Walk(NamedTuple):
    """Options of `walk`: what is in `emptied` is not copied, and neither are `left_out` themselves.

    Where `look` made a record for `name` in the folder `scans` before all was sent, what it counted must be in the
    copy, and the next look may go by that record; `looked` names the step whose output compares what was sent.
    """

    source: PathWord
    since: str
    emptied: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    scans: MountPoint = ""
    name: SnapshotNameOrNone = ""
    looked: str = ""


class Walked(NamedTuple):
    """A line of `walk`: a folder that was not entered, and why; or how many `names` in it must be in the copy."""

    path: str
    cause: str
    errno: int
    names: Count


class WalkedNames(NamedTuple):
    """Answer of `walk`, its last line: how many names must be in the copy, and how many that changed since need not."""

    names: Count
    young: Count
