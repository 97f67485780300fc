"""Checksums of open files: md5 by Python, xxh128 by the program xxhsum, which is told numbers, no names."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence

from ..answer import Refused
from ..command import ENVIRONMENT
from .sums import SumLine

CHUNK = 1 << 20
# A disk that gives less than this, in bytes a second, is as good as gone.
SLOWEST = 1_000_000
PATIENCE = 120
OF_NOTHING = "99aa06d3014798d86001c324468d497f"
Asked = tuple[int, tuple[SumLine, ...]]


class Checksums:
    """Compares open files with their lines; counts in `unchecked` those that nothing here can check."""

    def __init__(self) -> None:
        self.unchecked = 0
        self._xxhsum = _program()

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
        numbers = [descriptor for descriptor, _ in files]
        return _xxh128(self._xxhsum, numbers) if numbers and self._xxhsum else {}


def _xxh128(program: str, numbers: Sequence[int]) -> dict[int, str]:
    size = sum(os.fstat(each).st_size for each in numbers)
    try:
        said = subprocess.run(
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
    if said.returncode not in (0, 1):
        # 1 is a file that cannot be read; any other end says nothing about the files.
        raise Refused(f"xxhsum ended with {said.returncode}", "run the audit again")
    found = [line.split() for line in said.stdout.decode("ascii", "replace").splitlines()]
    return {int(line[1][8:]): line[0] for line in found if len(line) == 2 and line[1].startswith("/dev/fd/")}


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
