"""The list of a look: `./path` and a NUL for each name, as rsync takes them with --files-from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from ..answer import Refused
from ..frames import PIECE, Frame
from .record import new_digest

# Beyond what the walk goes into: a path of 4,096 bytes, and a name in it.
LONGEST = 2 * 4096


class ListWriter:
    """Writes a list to `stream`, and knows what the record of the look keeps of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = new_digest()
        self.states = bytearray()

    def put(self, path: bytes, state: int) -> None:
        """Write a name, and note what is known of it; raises ValueError for one that no folder can have."""
        if not is_below(path) or len(path) > LONGEST:
            raise ValueError("a name that no folder can have")
        line = b"./" + path + b"\0"
        self._digest.update(line)
        self.states.append(state)
        self._stream.write(line)

    def break_off(self) -> None:
        """Let what is said next have a line of its own."""
        if self.states:
            self._stream.write(b"\n")

    @property
    def digest(self) -> str:
        """That of all that was written."""
        return str(self._digest.hexdigest())


def listed(frame: Frame, digest: str) -> Iterator[bytes]:
    """The path of each name in a list; Refused at its end where it is not the one with that digest."""
    return paths(frame.names(), digest)


def paths(lines: Iterable[bytes], digest: str) -> Iterator[bytes]:
    """As `listed`, of a list without a frame around it; see `raw_names`."""
    known = new_digest()
    for name in lines:
        known.update(name + b"\0")
        yield path_of(name)
    if known.hexdigest() != digest:
        raise Refused("the list of what differs is cut off, or that of another look", "run the job again")


def raw_names(stream: BinaryIO) -> Iterator[bytes]:
    """Each name of a list that is all of `stream`, without its NUL; Refused where the last one has none."""
    rest = b""
    while len(rest) <= LONGEST and (piece := stream.read(PIECE)):
        *whole, rest = (rest + piece).split(b"\0")
        yield from whole
    if rest:
        raise Refused("the list of what differs is cut off", "run the job again")


def path_of(line: bytes) -> bytes:
    """The path that a name in a list has below the top; Refused for one that could be anything else."""
    path = line[2:] if line.startswith(b"./") else b""
    if not is_below(path):
        raise Refused("the list of what differs has a name that is none", "run the job again")
    return path


def is_below(path: bytes) -> bool:
    """Whether it is the path of something below a folder."""
    return not {b"", b".", b".."}.intersection(path.split(b"/")) and b"\0" not in path
