"""A dump as it lies in its folder: the record beside it, and whether it still is what the record says."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

from .. import tree
from ..answer import Refused, reply, shown
from ..arguments import parse_as
from ..store.layout import is_name
from . import sql
from .contract import encoded
from .contract_restore import DumpHead, FindDump, NewestDump, RolesFile
from .folder import amount, decoded

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
            raise Refused("the dump is damaged: its SHA-256 is not the recorded one", "take an older one: --at")


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


def run(argv: Sequence[str]) -> int:
    """Print the newest dump of the database on stdin whose record fits it; reads only, makes nothing.

    The folder of dumps is INSIDE below ROOT, reached without following a link.
    """
    options = parse_as(FindDump, argv)
    try:
        name = json.loads(sys.stdin.buffer.read())["database"]
    except (ValueError, KeyError, TypeError):
        raise Refused("no database is named on stdin", "see docs/store.md") from None
    reply(newest(options.root, options.inside, str(name)))
    return 0


def head(record: Mapping[str, Any]) -> DumpHead:
    """What a restore must know of the dump with this record. Raises ValueError or TypeError where it is none."""

    def texts(word: str) -> tuple[str, ...]:
        return tuple(map(str, record.get(word) or ()))

    return DumpHead(
        database=str(record.get("database")),
        dump=str(record.get("dump")),
        sha256=str(record.get("sha256") or ""),
        bytes=amount(record, "bytes"),
        tables=len(record.get("tables") or {}),
        rows=amount(record, "rows"),
        size=amount(record, "size"),
        server=str(record.get("server") or ""),
        pg_dump=str(record.get("pg_dump") or ""),
        owner=str(record.get("owner") or ""),
        roles=texts("roles"),
        extensions=texts("extensions"),
        tablespaces=texts("tablespaces"),
    )


def newest(root: str, inside: str, database: str) -> NewestDump:
    """See `run`; Refused where there is no such dump."""
    try:
        top = tree.above(root, (*tree.components(inside), b"."))
    except OSError as problem:
        folder = f"{root}/{inside.strip('/')}".rstrip("/")
        raise Refused(
            f"there is no folder of dumps {folder!a}: {problem.strerror}",
            "run the job of kind dump first, or see its `to` in jobs.toml",
        ) from None
    try:
        known = _names(top, b"databases")
        wanted = encoded(database).encode()
        if wanted not in known:
            names = ", ".join(shown(name) for one in known[:20] if (name := decoded(os.fsdecode(one))) is not None)
            raise Refused(f"there is no dump of {shown(database)}", f"there are dumps of: {names or 'nothing'}")
        record, passed = _newest(top, wanted, database)
        return NewestDump(record, tuple(passed), _globals(top, record.dump[:-5]))
    finally:
        os.close(top)


def _newest(top: int, wanted: bytes, database: str) -> tuple[DumpHead, list[str]]:
    passed: list[str] = []
    folder = tree.above(f"/proc/self/fd/{top}/.", (b"databases", wanted, b"."))
    try:
        for record, name in _records(folder, passed):
            if record.database == database:
                return record, passed
            passed.append(f"{name}: it is of another database")
    finally:
        os.close(folder)
    raise Refused(f"no dump of {shown(database)} is whole: {'; '.join(passed[:5]) or 'none'}", "see --at WHEN")


def _records(folder: int, passed: list[str]) -> Iterator[tuple[DumpHead, str]]:
    times = [name[:-5] for name in _listed(folder) if name.endswith(b".dump") and is_name(os.fsdecode(name[:-5]))]
    for time in reversed(times):
        try:
            record = read_record(folder, time + b".json")
            wrong = misfit(record, time + b".dump", tree.status(folder, time + b".dump"))
            if not wrong:
                yield head(record), time.decode()
        except OSError as problem:
            wrong = "it has no record" if isinstance(problem, FileNotFoundError) else str(problem.strerror)
        except Refused as refused:
            wrong = refused.error
        except (ValueError, TypeError, AttributeError):
            wrong = "its record cannot be read"
        if wrong:
            passed.append(f"{time.decode()}: {wrong}")


def _globals(top: int, time: str) -> RolesFile | None:
    try:
        folder = tree.folder(top, b"globals")
    except OSError:
        return None
    try:
        names = [name for name in map(os.fsdecode, _listed(folder)) if name.endswith(".sql") and is_name(name[:-4])]
        names = [name for name in names if name[:-4] <= time]
        if not names:
            return None
        with plain_file(folder, os.fsencode(max(names))) as stream:
            content = stream.read()
        return RolesFile(max(names), hashlib.sha256(content).hexdigest(), tuple(sorted(sql.created(content))))
    finally:
        os.close(folder)


def _names(top: int, name: bytes) -> list[bytes]:
    try:
        folder = tree.folder(top, name)
    except OSError:
        return []
    try:
        return _listed(folder)
    finally:
        os.close(folder)


def _listed(folder: int) -> list[bytes]:
    return sorted(map(os.fsencode, os.listdir(folder)))  # noqa: PTH208  (a descriptor)
