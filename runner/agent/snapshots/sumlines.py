"""Reading the checksums of a snapshot back: `checksum size name` lines, names escaped as rsync does.

A checksum of another algorithm than the snapshot's record says has that before it: `md5:d41d8...`.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import NamedTuple

from ..store.layout import Store, read_json
from .lines import unescaped


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


def algorithm(store: Store, name: str) -> str:
    """The algorithm of the checksums of snapshot `name`, as rsync calls it."""
    return str(read_json(store.record(name)).get("checksum", "xxh128"))


def sum_lines(store: Store, name: str) -> Iterator[SumLine]:
    """Every line of snapshot `name` that can be read, in constant memory; none if there is no file.

    Raises OSError, EOFError or zlib.error where the file is damaged.
    """
    usual, path = algorithm(store, name), store.sums(name)
    if not path.exists():
        return
    with gzip.open(path, "rb") as stream:
        for raw in stream:
            parts = raw.rstrip(b"\n").split(b" ", 2)
            if len(parts) == 3 and parts[1].isdigit() and parts[2]:
                other, _, checksum = parts[0].decode("ascii", "replace").rpartition(":")
                yield SumLine(other or usual, checksum, int(parts[1]), parts[2])
