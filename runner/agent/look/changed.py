"""`changed`: which of the names that were sent have to be sent once more."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence

from .. import tree
from ..answer import Refused
from ..arguments import parse_as
from ..host.machine import machine_id
from ..inodes import Inodes
from .contract import Changed
from .differences import ABSENT, GONE, SEEN, UNSEEN
from .listing import paths, raw_names
from .places import ScanFolder
from .record import FORMAT, Scan, ScanHeader, Unusable
from .shown import ShownSource

# What rsync up to 3.5.0 drops the extended attributes of where a --copy-dest folder has it as it is at the source.
WITHOUT_CONTENT = (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK)


def run(argv: Sequence[str]) -> int:
    """Print those names of the list on stdin, as they stand there; reads only.

    They are what changed since the look began, or may have, and what has extended attributes and no content. What went
    meanwhile cannot be sent, and what came has not been looked at.
    """
    options = parse_as(Changed, argv)
    header = ScanHeader(FORMAT, options.name, options.source, machine_id(), options.scans, 0)
    try:
        scan = ScanFolder(options.scans, options.source).known(header, settled=False).scan
    except Unusable as problem:
        raise Refused(f"the record of what was looked at cannot be used: {problem}", "run the job again") from None
    try:
        with ShownSource(os.fsencode(options.source)) as source:
            for path in _again(scan, source):
                sys.stdout.buffer.write(b"./" + path + b"\0")
    except OSError as problem:
        raise Refused(f"{options.source!a}: {problem.strerror}", "is the filesystem mounted?") from None
    finally:
        scan.close()
    return 0


def _again(scan: Scan, source: Inodes) -> Iterator[bytes]:
    for number, path in enumerate(paths(raw_names(sys.stdin.buffer), scan.sums.digest)):
        # One too many is of another list, which shows at its end.
        state = scan.states[number] if number < len(scan.states) else UNSEEN
        if state not in (GONE, ABSENT) and _must_be_sent(path, state, source, scan.header.began):
            yield path


def _must_be_sent(path: bytes, state: int, source: Inodes, began: int) -> bool:
    try:
        status = source.entry(path)
        if status is None:
            return False
        if state not in SEEN or status.st_ctime_ns > began or source.way_moved(began):
            return True
        return stat.S_IFMT(status.st_mode) in WITHOUT_CONTENT and _has_attributes(path, source)
    except OSError:
        # What cannot be looked at now may be by rsync, in a moment.
        return True


def _has_attributes(path: bytes, source: Inodes) -> bool:
    name = path.rpartition(b"/")[2]
    try:
        return source.last is not None and bool(os.listxattr(tree.through(source.last, name), follow_symlinks=False))
    except OSError as problem:
        if problem.errno == errno.ENOTSUP:
            return False
        raise
