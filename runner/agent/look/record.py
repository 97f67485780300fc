"""The record of a look: a line of JSON, a block a folder in the order of the walk, what it adds up to, a digest of all.

header    JSON and a newline
folders   FOLDER, its path, its block (`entries.py`)
sums      JSON; then a byte a name of the list: what the look knew of it (`differences.py`)
end       END: where the sums begin and how long each part of them is, the digest, a mark
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

from .. import tree, trust
from ..regular import CHUNK
from ..snapshots.contract.walk import Walked
from .contract import FolderAttributes
from .draft import ScanDraft
from .entries import PackedFolder

FORMAT = 1
# How many names and how many of them have more names, how long path and block are.
FOLDER = struct.Struct("<IIHI")
END = struct.Struct("<QQQ32s8s")
MARK = b"scan of1"
LONGEST = 1 << 20
Known = TypeVar("Known", bound=tuple[Any, ...])


class Unusable(Exception):
    """A record that nothing can be compared with, and why."""


class ScanHeader(NamedTuple):
    """What the record is of, the folder it belongs in, and when its look began (ns since 1970, by the clock there)."""

    format: int
    name: str
    source: str
    machine: str
    scans: str
    began: int


class ScanSums(NamedTuple):
    """What a look saw: `names` the top among them, `size` of files and links; `top` are its own attributes.

    `listed` names were printed, `gone` of them not seen there; `digest` is that of the list. It is the last of `row`
    looks in a row that went by a record and no comparison. `missed` names differed by a comparison, and not by the
    record.
    """

    names: int
    folders: int
    size: int
    listed: int
    gone: int
    row: int
    digest: str
    top: FolderAttributes
    closed: list[Walked]
    missed: int = 0


def new_digest() -> Any:  # noqa: ANN401
    """What sums up a list or a record."""
    return hashlib.blake2b(digest_size=32)


class ScanWriter:
    """Writes a record to `stream`."""

    def __init__(self, stream: ScanDraft, header: ScanHeader) -> None:
        self._stream = stream
        self._digest = new_digest()
        self._length = 0
        self._put(json.dumps(header._asdict()).encode() + b"\n")

    def folder(self, packed: PackedFolder) -> None:
        """Write one folder."""
        head = FOLDER.pack(packed.names, packed.links, len(packed.path), len(packed.block))
        self._put(head + packed.path + packed.block)

    def folders(self) -> Iterator[PackedFolder]:
        """Every folder written so far."""
        self._stream.flush()
        with open(f"/proc/self/fd/{self._stream.fileno()}", "rb") as stream:  # noqa: PTH123
            stream.readline(LONGEST)
            yield from _folders(stream, self._length)

    def end(self, sums: ScanSums, states: bytes) -> None:
        """Write what it adds up to, and what was known of each name of the list."""
        start = self._length
        closed = [list(line) for line in sums.closed]
        text = json.dumps({**sums._asdict(), "top": sums.top._asdict(), "closed": closed}).encode()
        self._put(text)
        self._put(states)
        sizes = start, len(text), len(states)
        self._digest.update(END.pack(*sizes, bytes(32), MARK))
        self._stream.write(END.pack(*sizes, self._digest.digest(), MARK))

    def _put(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._length += len(piece)
        self._stream.write(piece)


class Scan:
    """A whole record, open to be read; `digest` is its own, `states` says what was known of each listed name."""

    def __init__(self, path: Path) -> None:
        """Raises Unusable where there is none, or none that is whole."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise Unusable("there is none") from None
        except OSError as problem:
            raise Unusable(f"it cannot be read: {problem.strerror}") from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise Unusable("it is no regular file")
        self._stream = os.fdopen(descriptor, "rb", CHUNK)
        try:
            self._check(status)
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as problem:
            self.close()
            raise Unusable(f"it is damaged: {problem}") from None
        except Unusable:
            self.close()
            raise

    def _check(self, status: os.stat_result) -> None:
        if status.st_uid != trust.US or status.st_mode & 0o022:
            raise Unusable("others may have written it")
        self._stream.seek(max(0, status.st_size - END.size))
        end = self._stream.read(END.size)
        if len(end) != END.size:
            raise Unusable("it is cut off")
        start, length, listed, self.digest, mark = END.unpack(end)
        if mark != MARK or start + length + listed + END.size != status.st_size:
            raise Unusable("it is cut off")
        self._start = start
        if self.digest != self._sum(start + length + listed, END.pack(start, length, listed, bytes(32), MARK)):
            raise Unusable("its digest is another")
        self._stream.seek(0)
        self.header = _of_types(ScanHeader(**_object(self._stream.readline(LONGEST))), (int, str, str, str, str, int))
        self._first = self._stream.tell()
        self._stream.seek(start)
        fields = _object(self._stream.read(length))
        self.states = self._stream.read(listed)
        self.sums = _sums(fields)
        if len(self.states) != self.sums.listed:
            raise Unusable("its counts differ")

    def _sum(self, length: int, end: bytes) -> bytes:
        digest = new_digest()
        self._stream.seek(0)
        while length and (block := self._stream.read(min(CHUNK, length))):
            digest.update(block)
            length -= len(block)
        digest.update(end)
        return bytes(digest.digest())

    def folders(self) -> Iterator[PackedFolder]:
        """Every folder. Raises ValueError where they are not what the record's end says."""
        self._stream.seek(self._first)
        names = 1
        for folder in _folders(self._stream, self._start):
            names += folder.names
            yield folder
        if names != self.sums.names:
            raise ValueError("its counts differ")

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def _folders(stream: BinaryIO, end: int) -> Iterator[PackedFolder]:
    left = end - stream.tell()
    while left >= FOLDER.size:
        count, links, path, block = FOLDER.unpack(stream.read(FOLDER.size))
        left -= FOLDER.size + path + block
        if left < 0:
            raise ValueError("a folder is cut off")
        yield PackedFolder(stream.read(path), count, links, stream.read(block))
    if left:
        raise ValueError("a folder is cut off")


def _sums(fields: dict[str, Any]) -> ScanSums:
    """The sums as they were written; raises ValueError, TypeError where they are not."""
    closed = [_of_types(Walked(*line), (str, str, int, int)) for line in fields["closed"]]
    top = _of_types(FolderAttributes(**fields["top"]), (int, int, int, int, dict))
    if not all(type(value) is str for value in top.extended.values()):
        raise ValueError("the top folder's attributes are none")
    sums = ScanSums(**{**fields, "closed": closed, "top": top})
    return _of_types(sums, (int, int, int, int, int, int, str, FolderAttributes, list, int))


def _of_types(known: Known, types: Sequence[type]) -> Known:
    """A tuple of which each field is of its type; raises ValueError where one is not."""
    if any(type(value) is not wanted for value, wanted in zip(known, types)):  # noqa: B905
        raise ValueError("a field is of another type")
    return known


def attributes(descriptor: int) -> FolderAttributes:
    """Those of an open folder."""
    status, extended = os.fstat(descriptor), tree.extended(descriptor, b".")
    values = {key: base64.b64encode(value).decode() for key, value in sorted(extended.items())}
    return FolderAttributes(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns, values)


def _object(text: bytes) -> dict[str, Any]:
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise Unusable("it is none of ours")
    return fields
