"""Checksums of open files: md5 by Python, xxh128 by the program xxhsum, which gets numbers and no names."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from ..answer import Refused
from ..command import ENVIRONMENT
from .sums import SumLine

CHUNK = 1 << 20
# A disk that gives less than this, in bytes a second, is as good as gone.
SLOWEST = 1_000_000
PATIENCE = 120
OF_NOTHING = "99aa06d3014798d86001c324468d497f"


class OpenFile(NamedTuple):
    """An open file and the lines that have a checksum of it."""

    descriptor: int
    lines: tuple[SumLine, ...]

    @property
    def algorithms(self) -> set[str]:
        """Those of its lines."""
        return {line.algorithm for line in self.lines}


class Checksums:
    """Compares open files with their lines; counts in `unchecked` those that nothing here can check."""

    def __init__(self) -> None:
        self.unchecked = 0
        self._xxhsum = _program()

    def can_check(self, file: OpenFile) -> bool:
        """Whether there is a program here for one of its checksums."""
        return bool(file.algorithms & ({"md5", "xxh128"} if self._xxhsum else {"md5"}))

    def agree(self, files: Sequence[OpenFile]) -> list[bool]:
        """For each file whether its content has the checksum of one of its lines.

        What cannot be read does not; what cannot be checked does. Read from the disk, as far as the
        kernel lets go of what it remembers of them.
        """
        for file in files:
            os.posix_fadvise(file.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        fast = [file.descriptor for file in files if "xxh128" in file.algorithms]
        sums = _xxh128(self._xxhsum, fast) if fast and self._xxhsum else {}
        return [self._agrees(file, sums.get(file.descriptor, "")) for file in files]

    def _agrees(self, file: OpenFile, xxh128: str) -> bool:
        if not self.can_check(file):
            self.unchecked += 1
            return True
        actual = {"xxh128": xxh128, "md5": _md5(file.descriptor) if "md5" in file.algorithms else ""}
        return any(actual.get(line.algorithm) == line.checksum for line in file.lines)


def _xxh128(program: str, numbers: Sequence[int]) -> dict[int, str]:
    size = sum(os.fstat(each).st_size for each in numbers)
    try:
        ended = subprocess.run(
            (program, "-H2", *(f"/dev/fd/{each}" for each in numbers)),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=ENVIRONMENT,
            cwd="/",
            pass_fds=numbers,
            timeout=PATIENCE + size / SLOWEST,
        )
    except subprocess.TimeoutExpired:
        raise Refused("reading files back takes for ever", "look at the disk") from None
    if ended.returncode not in (0, 1):
        # 1 is a file that cannot be read; any other end says nothing about the files.
        raise Refused(f"xxhsum ended with {ended.returncode}", "run the audit again")
    rows = [line.split() for line in ended.stdout.decode("ascii", "replace").splitlines()]
    return {int(row[1][8:]): row[0] for row in rows if len(row) == 2 and row[1].startswith("/dev/fd/")}


def _md5(descriptor: int) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    place = 0
    try:
        while block := os.pread(descriptor, CHUNK, place):
            digest.update(block)
            place += len(block)
    except OSError:
        return ""
    return digest.hexdigest()


def _program() -> str:
    """Where xxhsum is, "" if it is not there or too old to know xxh128."""
    places = [f"{folder}/xxhsum" for folder in ENVIRONMENT["PATH"].split(":")]
    place = next((place for place in places if os.access(place, os.X_OK)), "")
    if not place:
        return ""
    trial = os.memfd_create("empty")
    try:
        return place if _xxh128(place, [trial]) == {trial: OF_NOTHING} else ""
    finally:
        os.close(trial)
