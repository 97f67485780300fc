"""What a confined program sees of the host: its programs, the folders that it is given, and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Tuple  # noqa: UP035

# Programs and what they are linked with. No part of /etc that says anything of this host, none of /home, /root, /var.
PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt")
# What of /usr/local is seen where the rest of it is hidden.
LOCAL = ("/usr/local/bin", "/usr/local/sbin", "/usr/local/lib", "/usr/local/lib32", "/usr/local/lib64")
_HELP = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/dev/null")


class View(NamedTuple):
    """The places that a program may write, and those that it may only read: absolute, folders or files.

    `memory` is how many bytes each of its processes may have, 0 for no bound of ours. Of what is in the folders
    `hidden` it sees only what is named here.
    """

    writes: Tuple[str, ...] = ()  # noqa: UP006
    reads: Tuple[str, ...] = ()  # noqa: UP006
    memory: int = 0
    hidden: Tuple[str, ...] = ()  # noqa: UP006


class PlaceSeen(NamedTuple):
    """A place of the host that is seen at the same path. One that `may_lack` is passed over where there is none.

    One that is `fixed` is root's own, and where it is a link it is seen as that. What is in one that `runs` can be
    executed. Of one that is `empty` nothing is seen but the places in it.
    """

    path: str
    writable: bool = False
    may_lack: bool = False
    fixed: bool = False
    runs: bool = False
    empty: bool = False


def places(view: View, mounted: Iterable[str]) -> tuple[PlaceSeen, ...]:
    """All that is seen, in the order in which it is put there: what is in another comes after it.

    Each place is seen without what is mounted in it, since read-only does not go down; so what is `mounted` in one
    comes as a place of its own, as that one is. What is in one that can be written is seen there, and as that.
    """
    writes, hidden = [_plain(path) for path in view.writes], [_plain(path) for path in view.hidden]
    programs = [path for path in PROGRAMS if path not in hidden]
    programs += LOCAL if "/usr/local" in hidden else ()
    wanted = [PlaceSeen(path, may_lack=True, fixed=True, runs=path in programs) for path in (*programs, *_HELP)]
    # A folder to compare with may have expired meanwhile.
    wanted += [PlaceSeen(_plain(path), may_lack=True) for path in view.reads]
    wanted += [PlaceSeen(path, writable=True, runs=_has_programs(path)) for path in writes]
    wanted = [place for place in wanted if not any(place.path.startswith(f"{each}/") for each in writes)]
    seen = {place.path: place for place in wanted}
    for point in sorted(mounted):
        above = [place for place in wanted if point.startswith(place.path.rstrip("/") + "/")]
        if above and point not in seen:
            nearest = max(above, key=lambda place: len(place.path))
            if not any(_is_in(point, each) and not _is_in(nearest.path, each) for each in hidden):
                seen[point] = nearest._replace(path=point, may_lack=True, fixed=False)
    for path in hidden:
        if path not in seen and any(_is_in(path, place) for place in seen):
            seen[path] = PlaceSeen(path, empty=True)
    return tuple(sorted(seen.values(), key=lambda place: place.path.split("/")))


def _plain(path: str) -> str:
    return path.rstrip("/") or "/"


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _has_programs(path: str) -> bool:
    """Whether programs of the host are there, such as where `/usr` itself is restored."""
    return any(f"{each}/".startswith(f"{path}/") or path.startswith(f"{each}/") for each in PROGRAMS)
