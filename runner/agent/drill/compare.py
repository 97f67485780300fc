"""`compare-drill`: is what came back what the snapshots hold, and what the source still has? Reads only."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from .. import clock, tree
from ..answer import FAILED, Refused, emit, shown
from ..arguments import number, parse
from ..frames import frames

LISTED = 50

CHUNK = 1 << 20
SECOND = 10**9
# What only root may give back: a drill by anybody else says nothing of it.
ROOTS_OWN = ("security.", "trusted.")
WORDS = {
    "type": "type",
    "mode": "mode",
    "owner": "owner",
    "size": "size",
    "mtime_ns": "time",
    "rdev": "device",
    "target": "target",
    "xattrs": "ACL or extended attributes",
}


class Looked(NamedTuple):
    """What a name was compared with: the source's content, the source's attributes; what differs."""

    content: bool
    attributes: bool
    wrong: list[str]


def run(argv: Sequence[str]) -> int:
    """Compare FOLDER with the lines of `sample` on stdin; exit 1 where anything differs.

    With the source below `--source` (/) too: contents where size and time of a file are the same, and all
    else where its last change of any sort was `--margin` seconds before the snapshot began. Prints
    `{"files", "canaries", "snapshots", "bytes", "recorded", "unchecked", "attributes", "source", "found",
    "wrong": [{"snapshot", "path", "what"}...]}`: the numbers compared, `found` all differences, `wrong` the
    first of them.
    """
    call = parse(argv, words=1, one=("source", "margin"))
    tally = _Tally(call.words[0], call.one["source"] or "/", number(call.one["margin"] or "0", "--margin"))
    ended = False
    for told in _lines(sys.stdin.buffer):
        ended = "tried" in told
        if ended:
            tally.end(told)
        else:
            tally.add(told)
    if not ended:
        raise Refused("the sample is cut off", "see what the step before says, and run the drill again")
    return tally.tell()


class _Tally:
    def __init__(self, folder: str, source: str, margin: int) -> None:
        self._folder, self._source, self._margin = folder, source, margin
        self._count = {"files": 0, "canaries": 0, "snapshots": 0, "bytes": 0, "source": 0}
        self._ended: dict[str, Any] = {}
        self._wrong: list[dict[str, str]] = []
        self._found = 0

    def add(self, told: Mapping[str, Any]) -> None:
        """Compare one name; a folder on the way to one is compared too, and not counted."""
        looked = _came_back(self._folder, told) if "type" in told else []
        source = _as_source(self._source, told, self._margin) if "type" in told else Looked(False, False, [])
        for what in (*told["wrong"], *looked, *source.wrong):
            self._note(str(told["snapshot"]), f"/{told['path']}", what)
        if told["main"]:
            self._count["files"] += not told["canary"]
            self._count["bytes"] += int(told.get("size", 0))
            self._count["source"] += source.content or source.attributes

    def end(self, told: Mapping[str, Any]) -> None:
        """Take what the sample says of itself."""
        self._ended = {key: int(told[key]) for key in ("recorded", "unchecked", "attributes")}
        self._count["canaries"], self._count["snapshots"] = (
            int(told["tried"][each]) for each in ("canaries", "snapshots")
        )
        for path, snapshot in told["missing"]:
            self._note(str(snapshot), str(path), "it is a canary, and not there")
        for snapshot, path, text in told["damaged"]:
            self._note(str(snapshot), f"/{path}" if snapshot else str(path), str(text))

    def tell(self) -> int:
        """Print it all. Raises Refused where nothing was tried."""
        if not self._found and not self._count["files"] and not self._count["canaries"]:
            raise Refused("there is nothing in these snapshots to restore", "see what the store holds")
        answer: dict[str, Any] = {**self._count, **self._ended, "found": self._found, "wrong": self._wrong}
        if self._found:
            first = self._wrong[0]
            where = f" of {first['snapshot']}" if first["snapshot"] else ""
            more = f"; {self._found - 1} more" if self._found > 1 else ""
            answer["error"] = f"{shown(first['path'])}{where}: {first['what']}{more}"
            answer["do"] = "the disk may be failing, or somebody wrote to the store: look at it before you need it"
        emit(answer)
        return FAILED if self._found else 0

    def _note(self, snapshot: str, path: str, what: str) -> None:
        self._found += 1
        if len(self._wrong) < LISTED:
            self._wrong.append({"snapshot": snapshot, "path": path, "what": what})


def _lines(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    for frame in frames(stream):
        for line in frame.lines():
            yield json.loads(line)


def _came_back(folder: str, told: Mapping[str, Any]) -> list[str]:
    parts = parts_of(os.fsencode(told["path"]))
    try:
        parent = tree.above(os.path.join(folder, str(told["snapshot"])), parts)  # noqa: PTH118
    except OSError:
        return ["it did not come back"]
    try:
        found = about(parent, parts[-1])
        said = [
            f"it came back with another {each.removeprefix('the ')}"
            for each in differences(told, found, root=os.geteuid() == 0)
        ]
        if not said and told["type"] == "file" and _digest(parent, parts[-1]) != told.get("sha256"):
            said.append("it came back with another content")
        return said
    except OSError as problem:
        return [
            "it did not come back" if isinstance(problem, FileNotFoundError) else f"it cannot be read back: {problem}"
        ]
    finally:
        os.close(parent)


def _as_source(source: str, told: Mapping[str, Any], margin: int) -> Looked:
    parts = parts_of(os.fsencode(told["path"]))
    try:
        parent = tree.above(source, parts)
    except OSError:
        return Looked(False, False, [])
    try:
        before = tree.status(parent, parts[-1])
        now = about(parent, parts[-1])
        if now["type"] == "directory" or before.st_dev != os.fstat(parent).st_dev:
            # A folder may be one that only carries a mount, or be hidden by one.
            return Looked(False, False, [])
        said: list[str] = []
        untouched = before.st_ctime_ns < _began(told) - margin * SECOND
        if untouched and os.geteuid() == 0:
            said = [
                f"{each} differs from that of the source, which has not changed since"
                for each in differences(told, now)
            ]
        same = told["type"] == now["type"] == "file" and all(told[key] == now[key] for key in ("size", "mtime_ns"))
        if same and "sha256" in told:
            other = _digest(parent, parts[-1]) != told["sha256"]
            if other and tree.status(parent, parts[-1]).st_ctime_ns == before.st_ctime_ns:
                said.append("its content differs from that of the source, which has the same size and time")
        return Looked(same, untouched, said)
    except OSError:
        # Gone, or not for us to read: there is nothing to compare with.
        return Looked(False, False, [])
    finally:
        os.close(parent)


def _began(told: Mapping[str, Any]) -> int:
    try:
        return clock.nanoseconds(str(told["started"]))
    except Refused:
        return 0


def _digest(parent: int, name: bytes) -> str:
    descriptor = open_file(parent, name)
    try:
        return digest(descriptor)
    finally:
        os.close(descriptor)


def about(parent: int, name: bytes) -> dict[str, Any]:
    """Everything but the content of `name` in the open folder `parent`; raises OSError."""
    found = tree.status(parent, name)
    told: dict[str, Any] = {
        "type": tree.kind(found),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "owner": f"{found.st_uid}:{found.st_gid}",
        "mtime_ns": found.st_mtime_ns,
        "xattrs": _extended(tree.through(parent, name)),
    }
    if stat.S_ISREG(found.st_mode):
        told["size"] = found.st_size
    elif stat.S_ISLNK(found.st_mode):
        told["target"] = os.fsdecode(os.readlink(name, dir_fd=parent))
    elif stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode):
        told["rdev"] = found.st_rdev
    return told


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any], *, root: bool = True) -> list[str]:
    """In what `found` differs from `wanted`, in words; without `root` not in what only root gives back."""
    if wanted["type"] != found["type"]:
        return [f"the type ({found['type']}, not {wanted['type']})"]
    said = []
    for key, word in WORDS.items():
        old, new = wanted.get(key), found.get(key)
        if key == "xattrs":
            old, new = dict(wanted[key]), dict(found[key])
            names = sorted(name for name in {*old, *new} if root or not name.startswith(ROOTS_OWN))
            other = [name for name in names if old.get(name) != new.get(name)]
            said += [f"the {word} ({', '.join(map(ascii, other))})"] if other else []
        elif old != new and (root or key != "owner") and not (key == "mtime_ns" and _same_second(old, new)):
            said.append(f"the {word}" + (f" ({new}, not {old})" if key in ("mode", "owner", "size") else ""))
    return said


def digest(descriptor: int) -> str:
    """SHA-256 of an open file, as read from the disk where the kernel lets go of what it remembers."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    found = hashlib.sha256()
    place = 0
    while block := os.pread(descriptor, CHUNK, place):
        found.update(block)
        place += len(block)
    return found.hexdigest()


def open_file(parent: int, name: bytes) -> int:
    """A descriptor of the regular file `name`, which is never waited for; raises OSError."""
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)


def parts_of(path: bytes) -> tuple[bytes, ...]:
    """The names on the way to a path below a snapshot; the snapshot itself is b"."."""
    return tuple(path.split(b"/")) if path else (b".",)


def _same_second(old: object, new: object) -> bool:
    # A scratch folder may be on a disk that holds whole seconds only.
    return isinstance(old, int) and isinstance(new, int) and new % SECOND == 0 and old // SECOND == new // SECOND


def _extended(path: bytes) -> dict[str, str]:
    try:
        keys = os.listxattr(path, follow_symlinks=False)
        values = {key: os.getxattr(path, key, follow_symlinks=False) for key in keys}
    except OSError:
        return {}
    return {key: hashlib.sha256(value).hexdigest()[:32] for key, value in values.items()}
