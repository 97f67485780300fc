"""What the verbs of a host take, and what they answer."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional

from ..arguments import Count, PathWord, Rest, SnapshotNameOrNone


class LookAtMount(NamedTuple):
    """Options of `mounted`."""

    mount: PathWord


class MountedThere(NamedTuple):
    """Answer of `mounted`: the device and the type of what is mounted last."""

    mounted: bool
    dev: int
    type: str


class KeepRoom(NamedTuple):
    """Options of `keep-room`: `folder` is where `argv` writes; `partial` is the snapshot, where it is a store.

    `by_hand`: a person waits for it, and it may go as far as on a disk of its own.
    """

    folder: PathWord
    argv: Rest = ()
    partial: SnapshotNameOrNone = ""
    by_hand: bool = False


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


class ProbedFilesystem(NamedTuple):
    """A mount as `probe` answers it; what is not known of it, or could make the reading hang, has its default.

    `file`: one file is mounted there, over another.
    """

    mount: str
    source: str
    type: str
    dev: int
    root: str = "/"
    uuid: str = ""
    size: Count = 0
    used: Count = 0
    inodes_used: Count = 0
    file: bool = False


class User(NamedTuple):
    """Somebody who is logged in at a terminal; `from_` is "" at the console."""

    name: str
    from_: str = ""
    since: Optional[datetime] = None


class Inhibitor(NamedTuple):
    """A program that asks that the host not be shut down, and why."""

    who: str
    why: str = ""
    what: str = ""


class Up(NamedTuple):
    """Answer of `up`. `system` and `failed` are systemd's, empty without it; `users` are None where not known.

    `mounts` are mount points by uuid; `checking` are devices with a check of their filesystem under way.
    """

    boot_id: str
    kernel: str = ""
    system: str = ""
    failed: tuple[str, ...] = ()
    up_since: Optional[datetime] = None
    users: Optional[tuple[User, ...]] = ()
    systemd: bool = False
    inhibitors: tuple[Inhibitor, ...] = ()
    mounts: dict[str, str] = {}
    checking: tuple[str, ...] = ()
