"""How a detached command ended, from what is in its folder and from the host as it is now."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import clock, durable
from ..answer import Refused, plain, table
from ..host import processes
from ..packages.families import BESIDE, FAMILIES
from ..packages.installed import changes, installed, listed, remember
from ..packages.outdated import condition
from ..store.layout import read_json
from .contract import Changes, DetachAnswer, FollowUp
from .records import DetachedFolder

RESTARTED = "the command ended without an answer: the machine was restarted in the middle"
KILLED = "the command ended without an answer: the process that watched it was killed"

KEPT = 256 * 1024
MOST = 8 * 1024 * 1024
SHOWN = 60
FAILED = 50
PUNCH = 0x1 | 0x2  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
BITE = 1024 * 1024


def conclude(place: DetachedFolder) -> Mapping[str, Any]:
    """Write the answer and give it. Only for a command that has ended, and only by the holder of its lock.

    `exit` is null where nobody saw the end; the packages are compared all the same.
    """
    began, child, before = read_json(place.began), read_json(place.child), read_json(place.before)
    code = child.get("exit")
    note = ""
    if code is None:
        note = KILLED if began.get("boot_id") == processes.boot_id() else RESTARTED
    root, tail = str(began.get("root") or "/"), _tail(place, child)
    known = before.get("conffiles", {})
    fresh = tuple(sorted(path for path, mark in conffiles(root).items() if known.get(path) != mark))
    ended = DetachAnswer(
        detached=True,
        exit=code,
        seconds=child.get("seconds"),
        then=tuple(FollowUp(**command) for command in child.get("then", ())),
        started=clock.moment(began.get("started")),
        ended=clock.moment(child.get("ended")),
        note=note,
        log=tail.log,
        lines=tail.lines,
        conffiles=fresh,
        gone=tuple(path for path in fresh if not os.path.lexists(f"{root}/{path.rpartition('.')[0]}")),
    )
    try:
        ended = ended._replace(failed=_failed(place, str(began.get("packages", ""))))
    except OSError as problem:
        ended = ended._replace(problem=f"the package manager's own events cannot be read: {problem.strerror}")
    try:
        ended = ended._replace(packages=_changes(place, began, before))
    except Refused as refused:
        ended = ended._replace(problem=refused.error)
    # How the command ended matters more than what it left to be restarted.
    try:
        ended = ended._replace(**condition(Path(root)))
    except OSError as problem:
        ended = ended._replace(problem=f"not looked at: {problem.strerror}")
    with contextlib.suppress(FileNotFoundError):
        place.room.unlink()
    answer: dict[str, Any] = table(ended)
    durable.write_json(place.ended, answer, 0o600)
    return answer


class Tail(NamedTuple):
    """The last 60 lines that a command printed, and how many it printed."""

    log: tuple[str, ...] = ()
    lines: int = 0


def _tail(place: DetachedFolder, child: Mapping[str, Any]) -> Tail:
    if "log" in child:
        return Tail(tuple(child["log"]), child["lines"])
    try:
        return Output(place.output).close()
    except OSError:
        return Tail()


def _changes(place: DetachedFolder, began: Mapping[str, Any], before: Mapping[str, Any]) -> Changes:
    lines = listed(str(began.get("packages", "")), began.get("env", {}))
    if before.get("packages") and not lines:
        raise Refused("the list of packages is empty now")
    made = Changes(**changes(installed(before.get("packages", [])), installed(lines)))
    # What is newer than the boot is noted in the folder above those of detached commands.
    with contextlib.suppress(OSError):
        remember(place.folder.parent.parent, [*(row[::2] for row in made.upgraded), *made.installed])
    return made


def _failed(place: DetachedFolder, family: str) -> tuple[tuple[str, str], ...]:
    if family not in FAMILIES:
        return ()
    try:
        with place.events.open("rb") as file:
            return FAMILIES[family].failed(file.read(MOST))[:FAILED]
    except FileNotFoundError:
        return ()


def code_of(answer: Mapping[str, Any]) -> int:
    """The exit code that says how the command ended; 1 where nobody saw it."""
    code = answer.get("exit")
    return code if isinstance(code, int) and 0 <= code < 256 else 1


class Output:
    """Follows the file that a command writes to; its first and last 256 KiB stay, all lines are counted.

    The command holds the file itself and not our end of a pipe: it can go on when nobody follows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        self._at = 0
        self._head = b""
        self._tail = b""
        self._given = 0
        self._lines = 0

    def fileno(self) -> int:
        """The descriptor to give to the command; it appends."""
        return self._file

    def follow(self) -> None:
        """Take in what was written since the last time; of a large file the room of what was read is freed."""
        while data := os.pread(self._file, BITE, self._at):
            self._at += len(data)
            self._lines += data.count(b"\n")
            self._head += data[: KEPT - len(self._head)]
            self._tail = (self._tail + data)[-KEPT:]
            if self._at - self._given >= MOST:
                _give_back(self._file, self._given, self._at - self._given)
                self._given = self._at

    def close(self) -> Tail:
        """Leave at most the kept parts in the file."""
        self.follow()
        if self._at > 2 * KEPT:
            gap = self._at - 2 * KEPT
            text = b"%s\n[%d bytes are left out here]\n%s" % (self._head, gap, self._tail)
            draft = self._path.with_name("output.tmp")
            draft.write_bytes(text)
            draft.chmod(0o600)
            draft.rename(self._path)
        os.close(self._file)
        unended = bool(self._tail) and not self._tail.endswith(b"\n")
        return Tail(_shown(self._tail), self._lines + unended)


def _give_back(descriptor: int, start: int, length: int) -> None:
    """Free the blocks of a part of a file whose size stays; fallocate(2). Where that cannot be, it grows.

    Emptying the file instead would lose what is written meanwhile, and the last line says most.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "fallocate64"):
        libc.fallocate64(descriptor, PUNCH, ctypes.c_longlong(start), ctypes.c_longlong(length))


def _shown(tail: bytes) -> tuple[str, ...]:
    lines = tail.removesuffix(b"\n").split(b"\n")[-SHOWN:] if tail else []
    # Of a line that a program overwrote again and again the last state is what a person saw.
    return tuple(plain(line.rstrip(b"\r").rpartition(b"\r")[2]) for line in lines)


def conffiles(root: str) -> dict[str, str]:
    """Every such file below /etc of `root`, with what tells it from another of the same name."""
    top = Path(root or "/") / "etc"
    marks = {}
    for folder, _, names in os.walk(top):
        for name in names:
            if name.endswith(BESIDE):
                path = Path(folder) / name
                try:
                    status = path.lstat()
                except OSError:
                    continue
                marks[f"/etc/{path.relative_to(top)}"] = f"{status.st_ino}.{status.st_ctime_ns}"
    return marks
