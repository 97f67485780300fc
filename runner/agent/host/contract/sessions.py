"""What `up` answers."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Optional


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
