"""The names that a look is told of: those in which rsync found that a source differs from a copy, and damaged ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ..answer import Refused
from ..frames import DONE, Frame, frames
from ..rsync_lines import WHOLE, is_about_a_name, looked, unescaped
from .listing import is_below, path_of


class GivenNames(NamedTuple):
    """The names that differ by rsync's comparison, and those that are damaged in the basis."""

    compared: frozenset[bytes] = frozenset()
    damaged: frozenset[bytes] = frozenset()

    def is_damaged(self, path: bytes) -> bool:
        """Whether it is damaged, or in a folder that is."""
        while path:
            if path in self.damaged:
                return True
            path = path.rpartition(b"/")[0]
        return False


def given_names(stream: BinaryIO, compared: str, damaged: str) -> GivenNames:
    """The names in the output of either step, "" for none; Refused where one is not there just once, or did not end."""
    lists: dict[str, list[frozenset[bytes]]] = {compared: [], damaged: []}
    for frame in frames(stream):
        if frame.source and frame.source == compared:
            lists[compared].append(frozenset(differing(frame)))
        elif frame.source and frame.source == damaged:
            lists[damaged].append(frozenset(_listed(frame)))
    for step, what in ((compared, "comparisons"), (damaged, "lists of what is damaged")):
        if step and len(lists[step]) != 1:
            raise Refused(f"{len(lists[step])} {what} on stdin", "give exactly one")
    return GivenNames(*(lists[step][0] if step else frozenset() for step in (compared, damaged)))


def differing(frame: Frame) -> Iterator[bytes]:
    """Each but the top itself; Refused where the comparison did not end, or has a line that cannot be read."""
    if frame.state != DONE or frame.exit not in WHOLE:
        raise Refused(f"the comparison did not end: {frame.state}, exit {frame.exit}", "run the job again")
    for line in frame.lines():
        difference = looked(line)
        if difference is None and is_about_a_name(line):
            raise Refused("the comparison has a line that cannot be read", "run the job again")
        path = unescaped(difference[1]) if difference else b"."
        if path == b".":
            continue
        if not is_below(path):
            raise Refused("the comparison has a name that is none", "run the job again")
        yield path


def _listed(frame: Frame) -> Iterator[bytes]:
    if frame.state != DONE or frame.exit:
        raise Refused(f"the list of what is damaged did not end: {frame.state}, exit {frame.exit}", "run the job again")
    return map(path_of, frame.names())
