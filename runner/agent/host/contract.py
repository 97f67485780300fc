"""What the verbs of a host take, and what they answer."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional

from ..arguments import Count, PathWord


class LookAtMount(NamedTuple):
    """Options of `mounted`."""

    mount: PathWord


class MountedThere(NamedTuple):
    """Answer of `mounted`: the device and the type of what is mounted last."""

    mounted: bool
    dev: int
    type: str


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
