"""The options of `keep-room` and `room`, and what they answer."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple  # noqa: UP035

from ...arguments import AbsolutePath, Count, PathWord, Rest, SnapshotNameOrNone


class KeepRoom(NamedTuple):
    """Options of `keep-room`: `folder` is where `argv` writes; `partial` is the snapshot, where it is a store.

    `writes` is where else it does. `by_hand`: a person waits for it, and in `folder` it may go as far as on a disk of
    its own. `confined`: it hears a stranger, and sees nothing of this host but its programs, where that partial is
    received, what it `writes` and what it `reads`.
    """

    folder: PathWord
    argv: Rest = ()
    partial: SnapshotNameOrNone = ""
    by_hand: bool = False
    confined: bool = False
    writes: Tuple[AbsolutePath, ...] = ()  # noqa: UP006
    reads: Tuple[AbsolutePath, ...] = ()  # noqa: UP006


class LookAtRoom(NamedTuple):
    """Options of `room`, as those of the `keep-room` whose end is looked at."""

    folder: PathWord
    partial: SnapshotNameOrNone = ""
    by_hand: bool = False


class RoomThere(NamedTuple):
    """Answer of `room`: what is free there, and the last of it, which nothing takes.

    Where a transfer was ended for room, what was free then.

    `system` is the part of the system that is on the same filesystem, "" for none. `error` is why nothing more can be
    sent there, "" where it can, and `do` what to do; then `again` says that another plan may make room, and `cause`
    is `full`. `sent` is what the partial takes, as far as is known.
    """

    free_bytes: Count
    free_inodes: Count
    last_bytes: Count
    last_inodes: Count
    system: str = ""
    error: str = ""
    do: str = ""
    again: bool = False
    cause: str = ""
    sent: Optional[Count] = None
