"""`explain`: say of every name in which a snapshot differs from its source why that is."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .. import clock
from ..answer import Refused, emit
from ..arguments import parse
from ..frames import Frame, frames
from .lines import is_about_a_name, looked, unescaped
from .source import Source, closed_folders

LOOK_EXITS = (0, 23, 24)
CAUSES = ("vanished", "changed", "unreadable", "attributes", "unexplained")


class Told(NamedTuple):
    """One name and why it differs; `errno` is 0 where no call failed."""

    path: bytes
    item: str
    cause: str
    errno: int = 0


def run(argv: Sequence[str]) -> int:
    """Read a comparison from stdin and print a line of JSON for each name, then the counts.

    Judges by lstat, open, read and errno only; runs where the source is, reads only.
    """
    call = parse(argv, words=1, one=("since",), many=("exclude",))
    since = clock.nanoseconds(call.one["since"])
    source = Source(os.fsencode(call.words[0]), since)
    excluded = frozenset(os.fsencode(path).rstrip(b"/") or b"/" for path in call.many["exclude"])
    if not os.path.isdir(source.root):  # noqa: PTH112
        raise Refused(f"{call.words[0]!a} is not there", "is the filesystem mounted?")
    counts = dict.fromkeys(CAUSES, 0)
    exits: list[int] = []
    for frame in frames(sys.stdin.buffer):
        exits.append(_looked(frame))
        closed: set[bytes] = set()
        for told in _told(frame, source):
            if told.cause == "unreadable":
                closed.add(told.path)
            _say(told, counts)
        if exits[-1] != 0:
            for path, code in closed_folders(source, excluded):
                if path not in closed:
                    _say(Told(path, ".d.........", "unreadable", code), counts)
    if len(exits) != 1:
        raise Refused(f"{len(exits)} comparisons on stdin", "give exactly one")
    emit({"counts": counts, "look_exit": exits[0]})
    return 0


def _looked(frame: Frame) -> int:
    if frame.exit not in LOOK_EXITS:
        raise Refused(f"the comparison did not end: exit {frame.exit}", "run the job again")
    return frame.exit


def _say(told: Told, counts: dict[str, int]) -> None:
    counts[told.cause] += 1
    emit({"path": os.fsdecode(told.path), "item": told.item, "cause": told.cause, "errno": told.errno})


def _told(frame: Frame, source: Source) -> Iterator[Told]:
    for line in frame.lines():
        found = looked(line)
        if found:
            item, name = found[0], unescaped(found[1])
            yield Told(name, item, *judge(item, name, source))
        elif is_about_a_name(line):
            yield Told(b"", "", "unexplained")


def judge(item: str, name: bytes, source: Source) -> tuple[str, int]:
    """The cause for one name, and the errno that shows it."""
    try:
        status = source.status(name)
    except OSError as problem:
        if problem.errno in (errno.ENOENT, errno.ENOTDIR):
            return "vanished", problem.errno
        return "unreadable", problem.errno or 0
    missing = "+" in item
    changed = source.changed(status)
    code = source.unreadable(name, status, whole=missing or not changed)
    if code:
        return ("vanished" if code == errno.ENOENT else "unreadable"), code
    if changed:
        return "changed", 0
    if missing:
        code = source.unreadable_above(name)
        return ("unreadable", code) if code else ("unexplained", 0)
    return ("attributes" if _attributes_only(item) else "unexplained"), 0


def _attributes_only(item: str) -> bool:
    # YXcstpoguax: of a regular file, checksum, size and time stand for its content; of anything else
    # only c does (a symbolic link's target, a device's number).
    if item.startswith("*"):
        return False
    return "." == item[2] == item[3] == item[4] if item[1] == "f" else item[2] == "."
