"""The folder of dumps: what is where in it, which dumps count, and who may write there.

    README.txt                       how to restore, with standard tools only
    globals/<TIME>.sql               roles and tablespaces of the server
    databases/<DB>/<TIME>.dump       one database, as pg_dump --format=custom writes it
    databases/<DB>/<TIME>.json       its record; a dump without one that fits does not count

What ends in `.part` is being written.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import clock, durable, trust
from ..answer import BUSY, Refused
from ..host.fstab import unmounted
from ..store.layout import is_name, read_json
from .contract import DatabaseServer, encoded
from .server import account

PART = ".part"
GLOBALS_END = b"-- PostgreSQL database cluster dump complete"
_CODE = re.compile(rb"%([0-9A-F]{2})")
_TAIL = 4096
_PASSED = 0o711

# No dump takes a hundred years.
_LONGEST = 3.2e9
_RECENT = 7
_AMOUNTS = ("bytes", "objects", "rows")


class Folder(NamedTuple):
    """A folder of dumps; nothing here looks at the disk."""

    root: Path

    @property
    def databases(self) -> Path:
        """One folder a database."""
        return self.root / "databases"

    @property
    def globals(self) -> Path:
        """The dumps of what all databases share."""
        return self.root / "globals"

    def home(self, database: str) -> Path:
        """Where the dumps of a database are."""
        return self.databases / encoded(database)

    def dump(self, database: str, at: str) -> Path:
        """The dump of a database begun at that time."""
        return self.home(database) / f"{at}.dump"

    def record(self, database: str, at: str) -> Path:
        """The record of that dump."""
        return self.home(database) / f"{at}.json"

    def roles(self, at: str) -> Path:
        """The dump of the roles begun at that time."""
        return self.globals / f"{at}.sql"


def decoded(name: str) -> str | None:
    """The database whose dumps are in a folder of that name; None where no database would have it."""
    text = os.fsdecode(_CODE.sub(lambda code: bytes.fromhex(code[1].decode()), os.fsencode(name)))
    return text if encoded(text) == name else None


def absolute(path: str) -> Folder:
    """The folder at `path`. Raises Refused if it is not an absolute path."""
    if not path.startswith("/"):
        raise Refused(f"not an absolute path: {path!a}", "see docs/store.md")
    return Folder(Path(path))


def moment(text: str) -> str:
    """`text`, if it is a time as dumps are named by. Raises Refused."""
    if not is_name(text):
        raise Refused(f"not a time such as 2026-11-23T070000Z: {text!a}", "see docs/store.md")
    return text


def hold(path: str, server: DatabaseServer) -> Folder:
    """Take the folder for ourselves, made for the server's OS user if it is not there, and what is missing above it.

    From here on we are its owner: root, or the server's OS user, who then needs no help to write there.
    Raises Refused: busy while somebody else writes there, where a third decides what is there, and where its disk is
    missing.
    """
    folder = absolute(path)
    who = account(server)
    os.umask(0o077)
    if _leads_through(path, who) and who:
        # A link that he puts into his own folder meanwhile leads to nothing that he may not change himself.
        _become(who)
    try:
        if not folder.root.is_dir():
            _make(folder.root, who.pw_uid if who else os.geteuid(), who.pw_gid if who else os.getegid())
        descriptor = os.open(folder.root, os.O_RDONLY | os.O_DIRECTORY)
    except (FileExistsError, PermissionError):
        raise Refused(f"{path!a} is not a folder of {server.user!a}", f"chown {server.user}: {path!a}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refused(f"another dump is at work in {path!a}", "wait until it has ended", code=BUSY) from None
    status = os.fstat(descriptor)
    if status.st_mode & (0o022 if status.st_uid == 0 else 0o002):
        raise Refused(f"others may write to {path!a}", f"chmod 700 {path!a}")
    if status.st_uid == os.geteuid():
        return folder
    if who is None or status.st_uid != who.pw_uid:
        raise Refused(f"{path!a} belongs to another user", f"chown {server.user or 'root'}: {path!a}")
    _become(who)
    return folder


def _leads_through(path: str, who: pwd.struct_passwd | None) -> bool:
    """Whether the way to `path` leads through a folder of the server's OS user, who may put a link there.

    Raises Refused where a third could, who is neither root nor runs this.
    """
    own, last = False, os.path.realpath(path)
    for place in trust.exposures(path):
        status = os.lstat(place.path)
        if who and status.st_uid == who.pw_uid and not status.st_mode & 0o002:
            own = own or place.path != last
        elif place.path != last:
            do = place.command or "move the dumps to a folder that only root may write: `to`"
            raise Refused(f"others may change where {path!a} is: {place.path}: {place.who}", do)
    return own


def _become(who: pwd.struct_passwd) -> None:
    if os.geteuid() == who.pw_uid:
        return
    os.initgroups(who.pw_name, who.pw_gid)
    os.setgid(who.pw_gid)
    os.setuid(who.pw_uid)


def _make(root: Path, uid: int, gid: int) -> None:
    if point := unmounted(root.resolve()):
        raise Refused(f"nothing is mounted at {point!a}, and {str(root)!a} is not there", "mount it, or correct `to`")
    # Whose the dumps are must get through.
    durable.make_folders(root.parent, _PASSED)
    root.mkdir(mode=0o700)
    os.chown(root, uid, gid, follow_symlinks=False)
    durable.sync_folder(root.parent)


def _listed(folder: Path, end: str = "") -> list[str]:
    """The names in a folder that end so, without that, sorted; none where it is not there."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name[: len(name) - len(end)] for name in names if name.endswith(end))


def dumps(folder: Folder, database: str) -> list[Mapping[str, Any]]:
    """The records of the dumps of a database that count, oldest first: those whose dump has its size."""
    times = filter(is_name, _listed(folder.home(database), ".json"))
    return [record for at in times if (record := good(folder, database, at))]


def good(folder: Folder, database: str, at: str) -> Mapping[str, Any]:
    """The record of a dump that counts, with its `time`; empty where there is none, or it is no dump of that size."""
    record, dump = read_json(folder.record(database, at)), folder.dump(database, at)
    if not record or not _fits(record) or not dump.is_file() or dump.stat().st_size != record.get("bytes"):
        return {}
    return {**record, "time": at} if record["bytes"] and record.get("database") == database else {}


def made_for(folder: Folder, database: str, job: str, instant: str) -> str:
    """The time of the dump that `job` has made of a database for that instant; "" where there is none."""
    at = clock.moment(instant)
    for row in dumps(folder, database) if at else ():
        if row.get("job") == job and clock.moment(row.get("instant")) == at:
            return str(row["time"])
    return ""


def _fits(record: Mapping[str, Any]) -> bool:
    """Whether what is reckoned with is of its type: a dump that a damaged record describes does not count."""
    tables, took, listed = record.get("tables") or {}, record.get("took"), record.get("doubts") or []
    return (
        isinstance(tables, dict)
        and all(map(_is_count, (*tables.values(), *(record.get(word) for word in ("bytes", "objects", "size")))))
        and (took is None or (type(took) in (int, float) and 0 <= took < _LONGEST))
        and isinstance(listed, list)
        and all(isinstance(doubt, str) for doubt in listed)
    )


def _is_count(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value < 1 << 62)


def roles(folder: Folder) -> list[str]:
    """The times of the complete dumps of roles, oldest first."""
    return [at for at in _listed(folder.globals, ".sql") if is_name(at) and complete(folder.roles(at))]


def complete(path: Path) -> bool:
    """Whether a dump of roles is there to its last line."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL))
        lines = stream.read().splitlines()
    return GLOBALS_END in lines


def databases(folder: Folder) -> list[str]:
    """The databases that have a folder here."""
    names = [name for name in _listed(folder.databases) if (folder.databases / name).is_dir()]
    return [database for name in names if (database := decoded(name)) is not None]


def doubts(new: Mapping[str, Any], before: Sequence[Mapping[str, Any]], max_shrink: float) -> list[str]:
    """In words, what of the `new` record has shrunk by more than `max_shrink` percent.

    Against the one before, or most of the last seven: a database that lost half its rows is doubted for
    some days, not only once, and then it goes on by itself. `before` is oldest first.
    """
    shrunk = []
    for word in _AMOUNTS:
        past = [amount(record, word) for record in before][-_RECENT:]
        usual = max(past[-1], sorted(past)[len(past) // 2]) if past else 0
        if amount(new, word) * 100 < usual * (100 - max_shrink):
            shrunk.append(f"{amount(new, word):,} {word}, {usual:,} before")
    return shrunk


def amount(record: Mapping[str, Any], word: str) -> int:
    """A number of a record; `rows` are those of all its tables."""
    if word == "rows":
        return sum(int(each) for each in dict(record.get("tables") or {}).values())
    return int(record.get(word) or 0)
