"""A dump as it lies in its folder: the record beside it, and whether it is what the record says."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

from .. import tree
from ..answer import Refused, reply, shown
from ..arguments import parse_as
from ..snapshots.find import request
from ..store.layout import is_name
from . import sql
from .contract import encoded
from .contract_restore import DumpHead, FindDump, NewestDump, RolesFile
from .dump_file import digest
from .folder import amount, decoded

RECORD_CAP = 64 << 20
# Ten thousand roles are some two megabytes. What is read is read letter by letter.
MOST_ROLES = 16 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class OpenDump(NamedTuple):
    """An open dump with its record. Once it is open, nobody can put another in its place."""

    stream: IO[bytes]
    record: Mapping[str, Any]

    def rewind(self) -> None:
        """Put it at its beginning, for a program that reads it as its standard input."""
        os.lseek(self.stream.fileno(), 0, os.SEEK_SET)

    def verify(self, sha256: str) -> None:
        """Read all of it; Refused unless it has this SHA-256. It is read from its beginning afterwards."""
        self.rewind()
        real = digest(self.stream)
        self.rewind()
        if real != sha256:
            raise Refused("the dump is damaged: its SHA-256 is not the recorded one", "take an older one: --at")


@contextlib.contextmanager
def parent(path: str) -> Iterator[tuple[int, bytes]]:
    """The folder that `path` is in, open, and its name there.

    No link is followed below the `/./` in it, where what was received begins; without one nowhere.
    """
    top, _, below = path.rpartition("/./")
    parts = tree.components(f"/{below}")
    if not parts:
        raise Refused(f"{shown(path)} names no file", "name a TIME.dump")
    with tree.parent_of(top or "/", parts) as folder:
        yield folder, parts[-1]


@contextlib.contextmanager
def opened(path: str, sha256: str) -> Iterator[OpenDump]:
    """The dump at `path`, if record and size say that it is the one planned. Raises Refused."""
    with parent(path) as (folder, name):
        record = read_record(folder, record_name(name))
        # Unbuffered: a program reads on where its descriptor stands.
        with plain_file(folder, name, buffering=0) as stream:
            if record.get("sha256") != sha256:
                raise Refused("this is not the dump that was planned: its record says so", "plan again")
            if wrong := misfit(record, name, os.fstat(stream.fileno())):
                raise Refused(f"the dump is damaged: {wrong}", "take an older one: --at")
            yield OpenDump(stream, record)


def content(path: str, sha256: str) -> bytes:
    """The dump of the roles at `path`, if it has this SHA-256. Raises Refused."""
    with parent(path) as (folder, name):
        text = roles(folder, name)
    if hashlib.sha256(text).hexdigest() != sha256:
        raise Refused("this is not the dump of the roles that was planned", "plan again")
    return text


def roles(parent: int, name: bytes) -> bytes:
    """The dump of the roles in the open folder `parent`. Raises OSError, Refused where it is no such file."""
    with plain_file(parent, name) as stream:
        text = stream.read(MOST_ROLES + 1)
    if len(text) > MOST_ROLES:
        error = f"the dump of the roles {shown(os.fsdecode(name))} is longer than {MOST_ROLES} bytes"
        raise Refused(error, "see what it is: a dump of roles is short")
    return text


def read_record(parent: int, name: bytes) -> dict[str, Any]:
    """The JSON object in a file of the open folder `parent`. Raises Refused, or OSError where it is none."""
    with plain_file(parent, name) as stream:
        text = stream.read(RECORD_CAP)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise Refused(f"the record {shown(os.fsdecode(name))} cannot be read", "take an older dump: --at")
    return record


def misfit(record: Mapping[str, Any], name: bytes, status: os.stat_result) -> str:
    """Why this file cannot be the dump that the record speaks of; "" where it may be."""
    if record.get("dump") != os.fsdecode(name):
        return "its record is of another dump"
    if status.st_size != record.get("bytes"):
        return f"it has {status.st_size} bytes, and its record says {record.get('bytes')}"
    return ""


def plain_file(parent: int, name: bytes, buffering: int = -1) -> IO[bytes]:
    """A file of the open folder `parent`, open; OSError or Refused unless it is a file and no link."""
    stream = os.fdopen(os.open(name, _FLAGS, dir_fd=parent), "rb", buffering=buffering)
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise Refused(f"{shown(os.fsdecode(name))} is not a plain file", "see who put it there")
    return stream


def record_name(name: bytes) -> bytes:
    """That of the record beside the dump of this name. Raises Refused."""
    stem, _, suffix = name.rpartition(b".")
    if suffix != b"dump" or not is_name(os.fsdecode(stem)):
        raise Refused(f"{shown(os.fsdecode(name))} is not the name of a dump", "name a TIME.dump")
    return stem + b".json"


def run(argv: Sequence[str]) -> int:
    """Print the newest dump of the database on stdin whose record fits it; reads only, makes nothing.

    The folder of dumps is INSIDE below ROOT, reached without following a link.
    """
    options = parse_as(FindDump, argv)
    name = request("database", '{"database": "babase"}')["database"]
    reply(newest(options.root, options.inside, name))
    return 0


def head(record: Mapping[str, Any]) -> DumpHead:
    """What a restore must know of the dump with this record. Raises Refused where it is none."""
    try:
        values: dict[str, Any] = {word: amount(record, word) for word in ("bytes", "rows", "size")}
        for word in ("database", "dump", "sha256", "server", "pg_dump", "owner"):
            values[word] = str(record.get(word) or "")
        for word in ("roles", "extensions", "tablespaces"):
            values[word] = tuple(map(str, record.get(word) or ()))
        return DumpHead(tables=len(record.get("tables") or {}), **values)
    except (ValueError, TypeError):
        raise Refused("its record cannot be read", "take an older dump: --at") from None


def newest(root: str, inside: str, database: str, *, roles: bool = True) -> NewestDump:
    """See `run`; Refused where there is no such dump. `roles`: look for those too."""
    try:
        top = tree.above(root, (*tree.components(inside), b"."))
    except OSError as problem:
        folder = f"{root}/{inside.strip('/')}".rstrip("/")
        raise Refused(
            f"there is no folder of dumps {folder!a}: {problem.strerror}",
            "run the job of kind dump first, or see its `to` in jobs.toml",
        ) from None
    try:
        folders, own = _names(top, b"databases"), encoded(database).encode()
        if own not in folders:
            names = ", ".join(shown(name) for each in folders[:20] if (name := decoded(os.fsdecode(each))) is not None)
            raise Refused(f"there is no dump of {shown(database)}", f"there are dumps of: {names or 'nothing'}")
        passed: list[str] = []
        dump = _newest(top, own, database, passed)
        if dump is None:
            raise Refused(f"no dump of {shown(database)} is whole: {'; '.join(passed[:5]) or 'none'}", "see --at WHEN")
        made, why = _globals(top, dump.dump[:-5]) if roles else (None, "")
        return NewestDump(dump, tuple(passed), made, why)
    finally:
        os.close(top)


def _newest(top: int, own: bytes, database: str, passed: list[str]) -> DumpHead | None:
    """The newest whole dump of a database; `passed` gets why newer ones are none."""
    folder = tree.above(f"/proc/self/fd/{top}/.", (b"databases", own, b"."))
    try:
        times = [name[:-5] for name in _listed(folder) if name.endswith(b".dump") and is_name(os.fsdecode(name[:-5]))]
        for time in reversed(times):
            try:
                record = read_record(folder, time + b".json")
                wrong = misfit(record, time + b".dump", tree.status(folder, time + b".dump"))
                if not wrong and record.get("database") != database:
                    wrong = "it is of another database"
                if not wrong:
                    return head(record)
            except OSError as problem:
                wrong = "it has no record" if isinstance(problem, FileNotFoundError) else str(problem.strerror)
            except Refused as refused:
                wrong = refused.error
            passed.append(f"{time.decode()}: {wrong}")
    finally:
        os.close(folder)
    return None


def _globals(top: int, time: str) -> tuple[RolesFile | None, str]:
    """The roles as they were dumped before `time`, None where there are none; or why they cannot be read."""
    folder = _folder(top, b"globals")
    if folder is None:
        return None, ""
    try:
        names = [name for name in map(os.fsdecode, _listed(folder)) if name.endswith(".sql") and is_name(name[:-4])]
        newest = max((name for name in names if name[:-4] <= time), default="")
        if not newest:
            return None, ""
        text = roles(folder, newest.encode())
    except Refused as refused:
        return None, refused.error
    else:
        return RolesFile(newest, hashlib.sha256(text).hexdigest(), tuple(sorted(sql.created(text)))), ""
    finally:
        os.close(folder)


def _names(top: int, name: bytes) -> list[bytes]:
    folder = _folder(top, name)
    if folder is None:
        return []
    try:
        return _listed(folder)
    finally:
        os.close(folder)


def _folder(top: int, name: bytes) -> int | None:
    """The folder `name` in `top`, open; None where there is none. Raises OSError where nobody can look."""
    try:
        return tree.folder(top, name)
    except OSError as problem:
        if tree.is_absence(problem):
            return None
        raise


def _listed(folder: int) -> list[bytes]:
    return sorted(map(os.fsencode, os.listdir(folder)))  # a descriptor
