"""A place of the host, opened by its name: on the way there only links that root has made, and nobody else could.

A name that is resolved by the kernel at once goes wherever a link in it leads at that moment, also one that a program
swaps which is confined to a folder on the way.
"""

from __future__ import annotations

import os
import stat

from ..answer import Refused
from ..arguments import SNAPSHOT

OPEN = os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW
# As in path_resolution(7).
_MOST_LINKS = 40
# What is below these is what another host sent, whoever owns it here.
_RECEIVED = (".incoming", ".partial", ".trash", ".aside")


def opened(path: str, *, itself: bool = False) -> int:
    """The place as a descriptor (O_PATH); with `itself` the link, where that is what the last name is.

    Refused where a link in the way is not root's own in folders of root's alone, or is below what was received. Raises
    OSError.
    """
    names, links, ours = path.split("/")[::-1], 0, True
    here = os.open("/", OPEN)
    try:
        while names:
            name = names.pop()
            if name in ("", "."):
                continue
            ours = ours and _is_ours(os.fstat(here)) and name not in _RECEIVED and not SNAPSHOT.fullmatch(name)
            if name == ".." and not ours:
                raise Refused(f"{path!a} leads back", "name the place itself")
            inner = os.open(name, OPEN, dir_fd=here)
            status = os.fstat(inner)
            if not stat.S_ISLNK(status.st_mode) or (itself and not names):
                os.close(here)
                here = inner
                continue
            target = os.readlink("", dir_fd=inner)
            os.close(inner)
            links += 1
            if not ours or status.st_uid != 0 or links > _MOST_LINKS:
                raise Refused(f"{path!a} is a link, or behind one", "name the place that it leads to")
            if target.startswith("/"):
                os.close(here)
                here = os.open("/", OPEN)
            names += target.split("/")[::-1]
    except BaseException:
        os.close(here)
        raise
    return here


def _is_ours(folder: os.stat_result) -> bool:
    return folder.st_uid == 0 and not folder.st_mode & 0o022
