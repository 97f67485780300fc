"""Checksums of open files: md5 by Python, xxh128 by the program xxhsum, which is told numbers, no names."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence

from .ask import ENVIRONMENT
from .say import Refused
from .sumlines import SumLine

CHUNK = 1 << 20
# A disk that gives less than this, in bytes a second, is as good as gone.
SLOWEST = 1_000_000
PATIENCE = 120
Asked = tuple[int, tuple[SumLine, ...]]


class Checksums:
    """Compares open files with their lines; counts in `unchecked` those that nothing here can check."""

    def __init__(self) -> None:
        self.unchecked = 0
        self._xxhsum = _program("xxhsum")

    def agree(self, files: Sequence[Asked]) -> list[bool]:
        """For each file whether its content has the checksum of one of its lines.

        What cannot be read does not; what cannot be checked does. Read from the disk, as far as the
        kernel lets go of what it remembers of them.
        """
        for descriptor, _ in files:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        fast = self._by_xxhsum([each for each in files if "xxh128" in _algorithms(each)])
        return [self._agrees(each, fast) for each in files]

    def _agrees(self, asked: Asked, fast: dict[int, str]) -> bool:
        descriptor, lines = asked
        known = _algorithms(asked)
        actual = {"xxh128": fast.get(descriptor, "")}
        if "md5" in known:
            actual["md5"] = _md5(descriptor)
        able = known & ({"md5", "xxh128"} if self._xxhsum else {"md5"})
        if not able:
            self.unchecked += 1
            return True
        return any(actual.get(line.algorithm) == line.checksum for line in lines)

    def _by_xxhsum(self, files: Sequence[Asked]) -> dict[int, str]:
        if not files or not self._xxhsum:
            return {}
        numbers = [descriptor for descriptor, _ in files]
        size = sum(os.fstat(each).st_size for each in numbers)
        argv = (self._xxhsum, "-H2", *(f"/dev/fd/{each}" for each in numbers))
        try:
            said = subprocess.run(
                argv,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=ENVIRONMENT,
                cwd="/",
                pass_fds=numbers,
                timeout=PATIENCE + size / SLOWEST,
            ).stdout
        except subprocess.TimeoutExpired:
            raise Refused("reading files back takes for ever", "look at the disk") from None
        found = [line.split() for line in said.decode("ascii", "replace").splitlines()]
        return {
            int(line[1][8:]): line[0] for line in found if len(line) == 2 and line[1].startswith("/dev/fd/")
        }


def _algorithms(asked: Asked) -> set[str]:
    return {line.algorithm for line in asked[1]}


def _md5(descriptor: int) -> str:
    found = hashlib.md5(usedforsecurity=False)
    place = 0
    try:
        while True:
            block = os.pread(descriptor, CHUNK, place)
            if not block:
                return found.hexdigest()
            found.update(block)
            place += len(block)
    except OSError:
        return ""


def _program(name: str) -> str:
    places = [f"{folder}/{name}" for folder in ENVIRONMENT["PATH"].split(":")]
    return next((place for place in places if os.access(place, os.X_OK)), "")
