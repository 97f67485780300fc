"""`compare-drill`: compares what was restored with what was sealed, and with the source. Reads only."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import clock, tree
from ..answer import FAILED, Refused, reply, shown
from ..arguments import parse_as
from ..frames import json_lines
from ..regular import CHUNK
from ..store import owned
from .contract import UNTRIED, Compared, CompareDrill, NameProblem, SampledName, SampleSummary
from .heard import line_as

LISTED = 50

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


class Checked(NamedTuple):
    """Whether a name was compared with the source, by content or by attributes, and what is wrong with it."""

    compared: bool
    wrong: Sequence[str] = ()


def run(argv: Sequence[str]) -> int:
    """Compare FOLDER with the lines of `sample` on stdin; exit 1 where anything differs, 3 without anything to compare.

    Refused where others may enter the folder that FOLDER is in.
    With the source below `--source` (/) too: contents where size and time of a file are the same, and all
    else where its last change of any sort was `--margin` seconds before the snapshot began.
    """
    options = parse_as(CompareDrill, argv)
    owned.require_closed(Path(options.folder).parent)
    names = files = size = source = 0
    wrong: list[NameProblem] = []
    total = 0
    summary = None
    for line in json_lines(sys.stdin.buffer):
        summary = line_as(SampleSummary, line) if "tried" in line else None
        if summary:
            problems = summary.wrong
        else:
            name = line_as(SampledName, line)
            checked = _check(options, name)
            problems = tuple(NameProblem(name.snapshot, f"/{name.path}", what) for what in checked.wrong)
            if name.main:
                names += 1
                # A folder on the way to a name is compared, and not counted.
                files += not name.canary
                size += name.size or 0
                source += checked.compared
        # However many the host says, no more are kept than are told.
        total, wrong = total + len(problems), [*wrong, *problems[: LISTED - len(wrong)]]
    if summary is None:
        raise Refused("the sample is cut off", "see why the step before failed, and run the drill again")
    canaries = summary.tried["canaries"]
    # Whatever it says of itself: what names nothing proves nothing.
    if not wrong and not names:
        raise Refused("there is nothing in these snapshots to restore", "see what the store holds")
    answer = Compared(
        files=files,
        canaries=canaries,
        snapshots=summary.tried["snapshots"],
        recorded=summary.recorded,
        unchecked=summary.unchecked,
        attributes=summary.attributes,
        source=source,
        bytes=size,
        total=total,
        wrong=tuple(wrong),
    )
    reply(_with_error(answer))
    return FAILED if wrong else UNTRIED if answer.untried else 0


def _with_error(answer: Compared) -> Compared:
    if not answer.wrong:
        return answer
    first = answer.wrong[0]
    where = f" of {first.snapshot}" if first.snapshot else ""
    more = f"; {answer.total - 1} more" if answer.total > 1 else ""
    do = "the disk may be failing, or somebody wrote to the store: look at it before you need it"
    return answer._replace(error=f"{shown(first.path)}{where}: {first.what}{more}", do=do)


def _check(options: CompareDrill, name: SampledName) -> Checked:
    if not name.type:
        return Checked(False, name.wrong or ("the store does not say what it is",))
    source = Checked(False)
    # What is gone, or not for us to read, is nothing to compare with.
    with contextlib.suppress(OSError):
        source = _compare_source(options.source or "/", name, options.margin)
    return Checked(source.compared, (*name.wrong, *_compare_restored(options.folder, name), *source.wrong))


def _compare_restored(folder: str, name: SampledName) -> Sequence[str]:
    parts = parts_of(os.fsencode(name.path))
    try:
        # The snapshot's own folder was received too, and may be a link.
        with tree.parent_of(folder, (name.snapshot.encode(), *parts)) as parent:
            differing = differences(name._asdict(), about(parent, parts[-1]), root=os.geteuid() == 0)
            if not differing and name.type == "file" and _digest(parent, parts[-1]) != name.sha256:
                differing = ["the content"]
            return [f"it came back with a different {what.removeprefix('the ')}" for what in differing]
    except (FileNotFoundError, NotADirectoryError):
        return ["it did not come back"]
    except OSError as problem:
        return [f"it cannot be read back: {problem.strerror}"]


def _compare_source(source: str, name: SampledName, margin: int) -> Checked:
    parts = parts_of(os.fsencode(name.path))
    with tree.parent_of(source, parts) as parent:
        before = tree.status(parent, parts[-1])
        now = about(parent, parts[-1])
        if now["type"] == "directory" or before.st_dev != os.fstat(parent).st_dev:
            # A folder may be one that only carries a mount, or be hidden by one.
            return Checked(False)
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
        return Checked(same or untouched, wrong)


def _began(name: SampledName) -> int:
    try:
        return clock.nanoseconds(name.started)
    except Refused:
        return 0


def _digest(parent: int, name: bytes) -> str:
    with open(open_file(parent, name), "rb") as stream:
        return digest(stream.fileno())


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
            old, new = dict(expected[key] or {}), dict(actual[key])
            names = sorted(name for name in {*old, *new} if root or not name.startswith(ROOTS_OWN))
            other = [name for name in names if old.get(name) != new.get(name)]
            differing += [f"the {word} ({', '.join(map(ascii, other))})"] if other else []
        elif old != new and (root or key != "owner") and not (key == "mtime_ns" and _same_second(old, new)):
            differing.append(f"the {word}" + (f" ({new}, not {old})" if key in ("mode", "owner", "size") else ""))
    return differing


def digest(descriptor: int) -> str:
    """SHA-256 of an open file, read from the disk where the kernel drops its cache of it."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    total = hashlib.sha256()
    place = 0
    while block := os.pread(descriptor, CHUNK, place):
        total.update(block)
        place += len(block)
    return total.hexdigest()


def open_file(parent: int, name: bytes) -> int:
    """A descriptor of the regular file `name`; never blocks, raises OSError."""
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
    except OSError as problem:
        # Only where the filesystem has none of them there is none: what cannot be read is not nothing.
        if problem.errno != errno.ENOTSUP:
            raise
        return {}
    return {key: hashlib.sha256(value).hexdigest()[:32] for key, value in values.items()}
