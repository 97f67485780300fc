"""What the verbs of a host are told, and what they answer."""

from __future__ import annotations

from typing import NamedTuple

from ..arguments import Word


class Mounted(NamedTuple):
    """Options of `mounted`."""

    mount: Word


class MountedThere(NamedTuple):
    """Answer of `mounted`: the device and the type of what is mounted last."""

    mounted: bool
    dev: int
    type: str
