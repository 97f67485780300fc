"""How deep into a source rsync gets, whichever does the copying: the rule for every snapshot."""

from __future__ import annotations

import resource
from typing import NamedTuple

# It opens a folder for each level, at most 1,024, and knows no path of 4,096 bytes.
DEEPEST, LONGEST, SPARE = 1024, 4096, 24
NAME = 256
# The cause of what is not copied since it is further down.
TOO_DEEP = "too deep"


class Reach(NamedTuple):
    """Folders with so many folders above them, or with longer paths below the top, have nothing that can be copied.

    Some rsync would get a little further: what it brings from there is in no snapshot that is composed.
    """

    levels: int
    length: int

    def ends_at(self, levels: int, length: int) -> bool:
        """Whether rsync gets to nothing in a folder so many levels below the top, its path so long."""
        return levels >= self.levels or length > self.length

    def end_of(self, path: bytes) -> bytes:
        """The first folder on the way to `path` that it ends at, b"" where it gets to `path`."""
        end = -1
        for levels in range(1, path.count(b"/") + 1):
            end = path.index(b"/", end + 1)
            if self.ends_at(levels, end):
                return path[:end]
        return b""


def reach(top: bytes) -> Reach:
    """That below a folder, with as many open files as we may have."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Reach(min(most if most > 0 else DEEPEST, DEEPEST) - SPARE, LONGEST - NAME - len(top))
