"""What a carried command prints: straight into a file, which is read as it grows and kept small."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from ..plain import plain

KEPT = 256 * 1024
MOST = 8 * 1024 * 1024
SHOWN = 60
PUNCH = 0x1 | 0x2  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
BITE = 1024 * 1024


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
