"""`mounted`: which filesystem is mounted at a folder, for the guard of a transfer."""

from __future__ import annotations

from collections.abc import Sequence

from ..answer import Refused, emit
from ..arguments import parse
from .mounts import mounts


def run(argv: Sequence[str]) -> int:
    """Print the device number mounted at PATH, or refuse where nothing is; reads only."""
    path = parse(argv, words=1).words[0]
    found = [mount for mount in mounts() if mount.point == path]
    if not found:
        raise Refused(f"nothing is mounted at {path!a}", "mount it, and make a new plan")
    # Of several at one place the last is the one that is seen.
    emit({"mounted": True, "dev": found[-1].dev, "type": found[-1].type})
    return 0
