"""The options of `mounted`, its answer, and a filesystem as it is probed."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, PathWord


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
