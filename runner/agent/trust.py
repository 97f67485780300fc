"""Who may change a file: the rule for everything that root, or the user that runs this, reads and obeys.

As ssh and sudo do it. Trusted are root, this user, and a group that nobody else is in.
"""

from __future__ import annotations

import errno
import os
import stat
from functools import cache
from typing import NamedTuple

# As in path_resolution(7).
MOST_LINKS = 40
# Groups below this are the system's own, such as Debian's `staff`, which may write to /usr/local and is empty.
USERS_GROUPS = 100
ACL = "system.posix_acl_access"
US = os.geteuid()
TRUSTED = (0, US)


class Exposure(NamedTuple):
    """A place that others may change: who they are, and the command that closes it, "" where there is none."""

    path: str
    who: str
    command: str


def exposures(path: str, *, whole: bool = False) -> list[Exposure]:
    """The places by which others may change what `path` leads to: it, the folders above it, and those of every link.

    `whole`: it is a folder, and others may make no name in it either. Nor may they make what is not there yet.
    Raises OSError where it cannot be looked at.
    """
    place, ways, links = "/", os.path.join(os.getcwd(), path).split("/")[::-1], 0
    seen = {place: os.lstat(place)}
    beside: list[Exposure] = []
    while ways:
        name = ways.pop()
        if name == "..":
            place = os.path.dirname(place)
        if name in ("", ".", ".."):
            continue
        inner = os.path.join(place, name)
        try:
            status = os.lstat(inner)
        except (FileNotFoundError, NotADirectoryError):
            whole = True
            break
        if not stat.S_ISLNK(status.st_mode):
            place = inner
            seen[place] = status
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if is_shared(seen[place]) and status.st_uid not in TRUSTED:
            beside.append(exposure(inner, status))
        target = os.readlink(inner)
        place = "/" if target.startswith("/") else place
        ways += target.split("/")[::-1]
    if whole and is_shared(seen[place]):
        beside.append(Exposure(place, "everybody may make names there", ""))
    return [exposure(each, status) for each, status in seen.items() if is_open(each, status)] + beside


def is_open(path: str, status: os.stat_result) -> bool:
    """Whether others may change this file, or what this folder holds; one like /tmp is a case of its own."""
    if status.st_uid not in TRUSTED:
        return True
    if not status.st_mode & 0o022 or is_shared(status):
        return False
    # Where there is an access list, what it grants at most stands in the bits of the group.
    return bool(status.st_mode & 0o002) or not _is_own_group(status.st_gid) or _has_list(path)


def is_shared(status: os.stat_result) -> bool:
    """Whether everybody may make names in this folder, and nobody may replace what is another's."""
    if not status.st_mode & stat.S_ISVTX or not status.st_mode & 0o022:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid in TRUSTED


def exposure(path: str, status: os.stat_result, *, below: bool = False) -> Exposure:
    """Who may change an open file or folder; with `below` the command closes all that is in it too."""
    import shlex  # noqa: PLC0415  (little is exposed)

    whole, place = "-R " if below else "", shlex.quote(path)
    if status.st_uid not in TRUSTED:
        return Exposure(path, f"it belongs to user {_user(status.st_uid)}", f"chown {whole}{_user(US)} {place}")
    who = "everybody" if status.st_mode & 0o002 else f"group {_group(status.st_gid)}"
    who = f"{who}, or whom its access list names," if _has_list(path) else who
    return Exposure(path, f"{who} may write it", f"chmod {whole}go-w {place}")


@cache
def _is_own_group(gid: int) -> bool:
    """Whether nobody but root and this user is in it: root's, the user's private one, an empty one of the system."""
    import grp  # noqa: PLC0415  (few files are a group's to write)
    import pwd  # noqa: PLC0415

    if gid == 0:
        return True
    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(US)
    except KeyError:
        return False
    members = {*group.gr_mem, *(each.pw_name for each in pwd.getpwall() if each.pw_gid == gid)}
    # A directory service need not list who is in a group that several share, so its name must say whose it is.
    private = group.gr_name == user.pw_name and user.pw_gid == gid
    return members <= {"root", user.pw_name} and (private or gid < USERS_GROUPS)


def _has_list(path: str) -> bool:
    try:
        return bool(os.getxattr(path, ACL))
    except OSError:
        return False


def _user(uid: int) -> str:
    import pwd  # noqa: PLC0415

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    import grp  # noqa: PLC0415

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
