"""The checksums of what a snapshot brought: one gzipped line a file, names escaped as rsync does."""

from __future__ import annotations

import gzip
import io
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple, Optional

from .. import regular
from ..arguments import DIGITS
from ..rsync_lines import Sent, escaped, unescaped
from ..store.layout import StoreFolder, read_json

# Checksums hardly become shorter however long one tries.
LEVEL = 1
PIECE, CHUNK = 1 << 16, 1 << 18
# So many bytes of lines are written between two looks at the room.
BETWEEN = 1 << 22


def zipped(stream: BinaryIO, level: int) -> BinaryIO:
    """A gzip member in `stream`, of which the same content makes the same bytes."""
    member: Any = gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0, compresslevel=level)
    # A call of its own for each line costs more than packing it.
    return io.BufferedWriter(member, PIECE)


class Sums:
    """Writes `checksum size name` lines to a stream; whenever it has written some more, `look` may refuse to go on."""

    def __init__(self, stream: BinaryIO, look: Callable[[], None]) -> None:
        self._stream, self._look = stream, look
        self._unlooked = 0
        self._places: dict[str, bytes] = {}

    def add(self, file: Sent, point: str) -> None:
        """Write the line of a file of the filesystem at `point`."""
        place = self._places.get(point)
        if place is None:
            inside = escaped(os.fsencode(point)).strip(b"/")
            place = self._places[point] = inside + b"/" if inside else b""
        self._unlooked += self._stream.write(b"%s %d %s%s\n" % (file.checksum.encode(), file.size, place, file.name))
        if self._unlooked > BETWEEN:
            self._unlooked = 0
            self._look()


# A line as it is written: the checksum, with its algorithm where that is not the usual one, the size, the name.
RawSumLine = Sequence[bytes]


class SumLine(NamedTuple):
    """One line: `name` is escaped, relative to the snapshot; `algorithm` in rsync's word."""

    algorithm: str
    checksum: str
    size: int
    name: bytes

    @property
    def path(self) -> bytes:
        """The name as it is on the disk."""
        return unescaped(self.name) if b"\\#" in self.name else self.name


def algorithm(store: StoreFolder, name: str) -> str:
    """The algorithm of the checksums of snapshot `name`, as rsync calls it."""
    return str(read_json(store.record(name)).get("checksum", "xxh128"))


def sum_lines(
    store: StoreFolder,
    name: str,
    wanted: Optional[Callable[[bytes], bool]] = None,  # noqa: UP045
) -> Iterator[SumLine]:
    """Every line of snapshot `name` that can be read, in constant memory; none if there is no file.

    `wanted` says of an escaped name whether its line is. Raises OSError, EOFError or zlib.error where the file is
    damaged.
    """
    usual = algorithm(store, name)
    for checksum, size, path in itertools.chain.from_iterable(raw_sum_lines(store, name)):
        if wanted is None or wanted(path):
            other, _, plain = checksum.decode("ascii", "replace").rpartition(":")
            yield SumLine(other or usual, plain, int(size), path)


def raw_sum_lines(store: StoreFolder, name: str) -> Iterator[Sequence[RawSumLine]]:
    """The same as they are written, many at once."""
    path = store.sums(name)
    if not path.exists():
        return
    # Not by the lines of the GzipFile: each of those is a call in Python.
    with regular.opened(path) as packed, io.BufferedReader(gzip.open(packed, "rb"), CHUNK) as stream:
        while lines := stream.readlines(CHUNK):
            yield [
                parts
                for parts in (raw.rstrip(b"\n").split(b" ", 2) for raw in lines)
                if len(parts) == 3 and parts[1].isdigit() and len(parts[1]) <= DIGITS and parts[2]
            ]
