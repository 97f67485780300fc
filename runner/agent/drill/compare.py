"""`compare-drill`: is what was restored what the snapshots hold, and what the source still has? Reads only."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import clock, tree
from ..answer import FAILED, Refused, reply, shown
from ..arguments import parse_as
from ..frames import frames
from .contract import Compared, CompareDrill, Difference, SampledName, SampleSummary

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


class SourceCheck(NamedTuple):
    """Whether a name was compared with the source, by content or by attributes, and what differs."""

    compared: bool = False
    wrong: Sequence[str] = ()


def run(argv: Sequence[str]) -> int:
    """Compare FOLDER with the lines of `sample` on stdin; exit 1 where anything differs.

    With the source below `--source` (/) too: contents where size and time of a file are the same, and all
    else where its last change of any sort was `--margin` seconds before the snapshot began.
    """
    options = parse_as(CompareDrill, argv)
    comparison = _Comparison(options)
    summary = None
    for frame in frames(sys.stdin.buffer):
        for line in map(json.loads, frame.lines()):
            summary = SampleSummary(**line) if "tried" in line else None
            if summary is None:
                comparison.add(SampledName(**line))
    if summary is None:
        raise Refused("the sample is cut off", "see why the step before failed, and run the drill again")
    return comparison.answer(summary)


class _Comparison:
    def __init__(self, options: CompareDrill) -> None:
        self._options = options
        self._files = self._bytes = self._source = self._found = 0
        self._wrong: list[Difference] = []

    def add(self, name: SampledName) -> None:
        """Compare one name; a folder on the way to one is compared too, and not counted."""
        restored: Sequence[str] = ()
        source = SourceCheck()
        if name.type:
            restored = _compare_restored(self._options.folder, name)
            source = _compare_source(self._options.source or "/", name, max(0, self._options.margin))
        for what in (*name.wrong, *restored, *source.wrong):
            self._note(name.snapshot, f"/{name.path}", what)
        if name.main:
            self._files += not name.canary
            self._bytes += name.size or 0
            self._source += source.compared

    def answer(self, summary: SampleSummary) -> int:
        """Print how it ends. Raises Refused where nothing was tried."""
        for path, snapshot in summary.missing:
            self._note(snapshot, path, "it is a canary, and not there")
        for snapshot, path, what in summary.damaged:
            self._note(snapshot, f"/{path}" if snapshot else path, what)
        if not self._found and not self._files and not summary.tried["canaries"]:
            raise Refused("there is nothing in these snapshots to restore", "see what the store holds")
        answer = Compared(
            files=self._files,
            canaries=summary.tried["canaries"],
            snapshots=summary.tried["snapshots"],
            recorded=summary.recorded,
            unchecked=summary.unchecked,
            attributes=summary.attributes,
            source=self._source,
            bytes=self._bytes,
            found=self._found,
            wrong=tuple(self._wrong),
        )
        if not self._wrong:
            reply(answer)
            return 0
        first = self._wrong[0]
        where = f" of {first.snapshot}" if first.snapshot else ""
        more = f"; {self._found - 1} more" if self._found > 1 else ""
        error = f"{shown(first.path)}{where}: {first.what}{more}"
        do = "the disk may be failing, or somebody wrote to the store: look at it before you need it"
        reply(answer._replace(error=error, do=do))
        return FAILED

    def _note(self, snapshot: str, path: str, what: str) -> None:
        self._found += 1
        if len(self._wrong) < LISTED:
            self._wrong.append(Difference(snapshot, path, what))


def _compare_restored(folder: str, name: SampledName) -> Sequence[str]:
    parts = parts_of(os.fsencode(name.path))
    try:
        parent = tree.above(os.path.join(folder, name.snapshot), parts)  # noqa: PTH118
    except OSError:
        return ["it did not come back"]
    try:
        differing = differences(name._asdict(), about(parent, parts[-1]), root=os.geteuid() == 0)
        if not differing and name.type == "file" and _digest(parent, parts[-1]) != name.sha256:
            differing = ["the content"]
        return [f"it came back with another {what.removeprefix('the ')}" for what in differing]
    except FileNotFoundError:
        return ["it did not come back"]
    except OSError as problem:
        return [f"it cannot be read back: {problem}"]
    finally:
        os.close(parent)


def _compare_source(source: str, name: SampledName, margin: int) -> SourceCheck:
    parts = parts_of(os.fsencode(name.path))
    try:
        parent = tree.above(source, parts)
    except OSError:
        return SourceCheck()
    try:
        before = tree.status(parent, parts[-1])
        now = about(parent, parts[-1])
        if now["type"] == "directory" or before.st_dev != os.fstat(parent).st_dev:
            # A folder may be one that only carries a mount, or be hidden by one.
            return SourceCheck()
        wrong: list[str] = []
        untouched = before.st_ctime_ns < _began(name) - margin * SECOND
        if untouched and os.geteuid() == 0:
            wrong = [
                f"{what} differs from that of the source, which has not changed since"
                for what in differences(name._asdict(), now)
            ]
        same = name.type == now["type"] == "file" and (name.size, name.mtime_ns) == (now["size"], now["mtime_ns"])
        if same and name.sha256:
            other = _digest(parent, parts[-1]) != name.sha256
            if other and tree.status(parent, parts[-1]).st_ctime_ns == before.st_ctime_ns:
                wrong.append("its content differs from that of the source, which has the same size and time")
        return SourceCheck(same or untouched, wrong)
    except OSError:
        # Gone, or not for us to read: there is nothing to compare with.
        return SourceCheck()
    finally:
        os.close(parent)


def _began(name: SampledName) -> int:
    try:
        return clock.nanoseconds(name.started)
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
    status = tree.status(parent, name)
    attributes: dict[str, Any] = {
        "type": tree.kind(status),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "owner": f"{status.st_uid}:{status.st_gid}",
        "mtime_ns": status.st_mtime_ns,
        "xattrs": _extended(tree.through(parent, name)),
    }
    if stat.S_ISREG(status.st_mode):
        attributes["size"] = status.st_size
    elif stat.S_ISLNK(status.st_mode):
        attributes["target"] = os.fsdecode(os.readlink(name, dir_fd=parent))
    elif stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode):
        attributes["rdev"] = status.st_rdev
    return attributes


def differences(expected: Mapping[str, Any], actual: Mapping[str, Any], *, root: bool = True) -> list[str]:
    """How `actual` differs from `expected`, in words; without `root` not in what only root gives back."""
    if expected["type"] != actual["type"]:
        return [f"the type ({actual['type']}, not {expected['type']})"]
    differing = []
    for key, word in WORDS.items():
        old, new = expected.get(key), actual.get(key)
        if key == "xattrs":
            old, new = dict(expected[key]), dict(actual[key])
            names = sorted(name for name in {*old, *new} if root or not name.startswith(ROOTS_OWN))
            other = [name for name in names if old.get(name) != new.get(name)]
            differing += [f"the {word} ({', '.join(map(ascii, other))})"] if other else []
        elif old != new and (root or key != "owner") and not (key == "mtime_ns" and _same_second(old, new)):
            differing.append(f"the {word}" + (f" ({new}, not {old})" if key in ("mode", "owner", "size") else ""))
    return differing


def digest(descriptor: int) -> str:
    """SHA-256 of an open file, as read from the disk where the kernel lets go of what it remembers."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    total = hashlib.sha256()
    place = 0
    while block := os.pread(descriptor, CHUNK, place):
        total.update(block)
        place += len(block)
    return total.hexdigest()


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
