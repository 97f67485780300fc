"""A dump as it lies in its folder: the record beside it, and whether it still is what the record says."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

from .. import tree
from ..answer import Refused, shown
from ..store.layout import is_name

RECORD_CAP = 64 << 20
_CHUNK = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Dump(NamedTuple):
    """An open dump with its record. Once it is open, nobody can put another in its place."""

    stream: IO[bytes]
    record: Mapping[str, Any]

    def rewind(self) -> None:
        """Put it at its beginning, for a program that reads it as its standard input."""
        os.lseek(self.stream.fileno(), 0, os.SEEK_SET)

    def verify(self, sha256: str) -> None:
        """Read all of it; Refused unless it has this SHA-256. It is read from its beginning afterwards."""
        digest = hashlib.sha256()
        self.rewind()
        while chunk := self.stream.read(_CHUNK):
            digest.update(chunk)
        self.rewind()
        if digest.hexdigest() != sha256:
            raise Refused(
                "the dump is damaged: its SHA-256 is not the recorded one", "take an older one: --at"
            )


@contextlib.contextmanager
def opened(path: str, sha256: str) -> Iterator[Dump]:
    """The dump at `path`, if record and size say that it is the one planned. Raises Refused."""
    parts = tree.components(path)
    folder, name = os.fsdecode(b"/" + b"/".join(parts[:-1])), parts[-1]
    parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        record = read_record(parent, _record_name(name))
        with _open(parent, name) as stream:
            if record.get("sha256") != sha256:
                raise Refused("this is not the dump that was planned: its record says so", "plan again")
            wrong = misfit(record, name, os.fstat(stream.fileno()))
            if wrong:
                raise Refused(f"the dump is damaged: {wrong}", "take an older one: --at")
            yield Dump(stream, record)
    finally:
        os.close(parent)


def read_record(parent: int, name: bytes) -> dict[str, Any]:
    """The JSON object in a file of the open folder `parent`. Raises Refused, or OSError where it is none."""
    with _open(parent, name) as stream:
        content = stream.read(RECORD_CAP)
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused(f"the record {shown(os.fsdecode(name))} cannot be read", "take an older dump: --at")
    return found


def misfit(record: Mapping[str, Any], name: bytes, found: os.stat_result) -> str:
    """Why this file cannot be the dump that the record speaks of; "" where it may be."""
    if record.get("dump") != os.fsdecode(name):
        return "its record is of another dump"
    if found.st_size != record.get("bytes"):
        return f"it has {found.st_size} bytes, and its record says {record.get('bytes')}"
    return ""


def plain_file(parent: int, name: bytes) -> IO[bytes]:
    """A file of the open folder `parent`, open; OSError unless it is a file and no link."""
    return _open(parent, name)


def _open(parent: int, name: bytes) -> IO[bytes]:
    stream = os.fdopen(os.open(name, _FLAGS, dir_fd=parent), "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise Refused(f"{shown(os.fsdecode(name))} is no plain file", "see who put it there")
    return stream


def _record_name(name: bytes) -> bytes:
    stem, _, suffix = name.rpartition(b".")
    if suffix != b"dump" or not is_name(os.fsdecode(stem)):
        raise Refused(f"{shown(os.fsdecode(name))} is not the name of a dump", "name a TIME.dump")
    return stem + b".json"
