"""How a carried command ended, from what its folder says and from the host as it is now."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import clock, durable
from ..answer import Refused, plain, table
from ..host import processes
from ..packages import installed as changed
from ..packages.families import BESIDE
from ..packages.installed import changes, installed, listed
from ..packages.outdated import condition
from ..store.layout import read_json
from .contract import Answer
from .records import Carriage

RESTARTED = "the command ended without an answer: the machine was restarted in the middle"
KILLED = "the command ended without an answer: what looked after it was killed"

KEPT = 256 * 1024
MOST = 8 * 1024 * 1024
SHOWN = 60
PUNCH = 0x1 | 0x2  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
BITE = 1024 * 1024


def conclude(place: Carriage) -> Mapping[str, Any]:
    """Write the answer and give it; call it only for what has ended, by the one who has its lock.

    `exit` is null where nobody saw the end; the packages are compared all the same.
    """
    began, child = read_json(place.began), read_json(place.child)
    code = child.get("exit")
    note = ""
    if code is None:
        note = KILLED if began.get("boot_id") == processes.boot_id() else RESTARTED
    answer: dict[str, Any] = table(
        Answer(
            carried=True,
            exit=code,
            seconds=child.get("seconds"),
            then=tuple(child.get("then", ())),
            started=clock.moment(began.get("started")),
            ended=clock.moment(child.get("ended")),
            note=note,
            **_said(place, child),
            **_changed(place, began),
        )
    )
    with contextlib.suppress(FileNotFoundError):
        place.room.unlink()
    durable.write_json(place.ended, answer, 0o600)
    return answer


def _said(place: Carriage, child: Mapping[str, Any]) -> dict[str, Any]:
    if "log" in child:
        return {"log": child["log"], "lines": child["lines"]}
    try:
        return Output(place.output).close()
    except OSError:
        return {"log": [], "lines": 0}


def _changed(place: Carriage, began: Mapping[str, Any]) -> dict[str, Any]:
    before = read_json(place.before)
    root = str(began.get("root") or "/")
    known = before.get("conffiles", {})
    told: dict[str, Any] = {
        "packages": {"upgraded": [], "installed": [], "removed": [], "unfinished": []},
        "problem": "",
        "conffiles": sorted(path for path, mark in conffiles(root).items() if known.get(path) != mark),
    }
    try:
        lines = listed(str(began.get("packages", "")), began.get("env", {}))
        if before.get("packages") and not lines:
            raise Refused("the list of packages is empty now")
    except Refused as refused:
        return {**told, "problem": refused.error, **_condition(Path(root))}
    told["packages"] = changes(installed(before.get("packages", [])), installed(lines))
    fresh = [each[::2] for each in told["packages"]["upgraded"]] + told["packages"]["installed"]
    # The folder of all that is kept is the one above `carried`.
    with contextlib.suppress(OSError):
        changed.remember(place.folder.parent.parent, fresh)
    return {**told, **_condition(Path(root))}


def _condition(root: Path) -> dict[str, Any]:
    # How the command ended matters more than what it left to be restarted.
    try:
        return condition(root)
    except OSError as problem:
        return {"services": [], "pid1": False, "reboot": [], "problem": f"not looked at: {problem.strerror}"}


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

    def close(self) -> dict[str, Any]:
        """Leave at most the kept parts in the file; gives `log`, its last 60 lines, and `lines`."""
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
        return {"log": _shown(self._tail), "lines": self._lines + unended}


def _give_back(descriptor: int, start: int, length: int) -> None:
    """Free the blocks of a part of a file whose size stays; fallocate(2). Where that cannot be, it grows.

    Emptying the file instead would lose what is written meanwhile, and the last line says most.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "fallocate64"):
        libc.fallocate64(descriptor, PUNCH, ctypes.c_longlong(start), ctypes.c_longlong(length))


def _shown(tail: bytes) -> list[str]:
    lines = tail.removesuffix(b"\n").split(b"\n")[-SHOWN:] if tail else []
    # Of a line that a program overwrote again and again the last state is what a person saw.
    return [plain(line.rstrip(b"\r").rpartition(b"\r")[2]) for line in lines]


def conffiles(root: str) -> dict[str, str]:
    """Every such file below /etc of `root`, with what tells it from another of the same name."""
    top = Path(root or "/") / "etc"
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            if name.endswith(BESIDE):
                path = Path(folder) / name
                try:
                    status = path.lstat()
                except OSError:
                    continue
                found[f"/etc/{path.relative_to(top)}"] = f"{status.st_ino}.{status.st_ctime_ns}"
    return found
