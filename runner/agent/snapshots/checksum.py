"""Checksums of open files: md5 by Python, xxh128 by its library, or else by xxhsum, which gets numbers and no names."""

from __future__ import annotations

import hashlib
import operator
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..answer import Refused
from ..command import ENVIRONMENT
from ..regular import CHUNK
from . import xxhash
from .sums import SumLine

# A disk that gives less than this, in bytes a second, is as good as gone.
SLOWEST = 1_000_000
PATIENCE = 120
_ALGORITHM = operator.attrgetter("algorithm")


class OpenFile(NamedTuple):
    """An open file and the lines that have a checksum of it."""

    descriptor: int
    lines: tuple[SumLine, ...]


class Checksums:
    """Compares open files with their lines; counts in `unchecked` those that nothing here can check."""

    def __init__(self) -> None:
        self.unchecked = 0
        self._library = xxhash.load()
        self._xxhsum = "" if self._library else _program()
        self._known = {"md5", "xxh128"} if self._library or self._xxhsum else {"md5"}

    def can_check(self, lines: Sequence[SumLine]) -> bool:
        """Whether one of these checksums can be made here."""
        return not self._known.isdisjoint(map(_ALGORITHM, lines))

    def agree(self, files: Sequence[OpenFile]) -> list[bool]:
        """For each file whether its content has the checksum of one of its lines.

        What cannot be read does not; what cannot be checked does. Read from the disk, as far as the
        kernel lets go of what it remembers of them.
        """
        advise, forget, fetch = os.posix_fadvise, os.POSIX_FADV_DONTNEED, os.POSIX_FADV_WILLNEED
        for descriptor, _ in files:
            advise(descriptor, 0, 0, forget)
            advise(descriptor, 0, CHUNK, fetch)
        sums: Mapping[int, str] = {}
        if self._xxhsum:
            fast = [file.descriptor for file in files if any(line.algorithm == "xxh128" for line in file.lines)]
            sums = _xxh128(self._xxhsum, fast) if fast else {}
        return [self._agrees(file, sums) for file in files]

    def _agrees(self, file: OpenFile, sums: Mapping[int, str]) -> bool:
        algorithm, checksum, _, _ = file.lines[0]
        if len(file.lines) == 1 and algorithm in self._known:
            return self._made(algorithm, file.descriptor, sums) == checksum
        made: dict[str, str] = {}
        checked = False
        for algorithm, checksum, _, _ in file.lines:
            if algorithm in self._known:
                checked = True
                if algorithm not in made:
                    made[algorithm] = self._made(algorithm, file.descriptor, sums)
                if made[algorithm] == checksum:
                    return True
        if not checked:
            self.unchecked += 1
        return not checked

    def _made(self, algorithm: str, descriptor: int, sums: Mapping[int, str]) -> str:
        """The checksum, "" where the file cannot be read."""
        try:
            if algorithm == "md5":
                return _md5(descriptor)
            return self._library.of(descriptor) if self._library else sums.get(descriptor, "")
        except OSError:
            return ""


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
    while block := os.pread(descriptor, CHUNK, place):
        digest.update(block)
        place += len(block)
    return digest.hexdigest()


def _program() -> str:
    """Where xxhsum is, "" if it is not there or too old to know xxh128."""
    places = [f"{folder}/xxhsum" for folder in ENVIRONMENT["PATH"].split(":")]
    place = next((place for place in places if os.access(place, os.X_OK)), "")
    if not place:
        return ""
    trial = os.memfd_create("empty")
    try:
        return place if _xxh128(place, [trial]) == {trial: xxhash.OF_NOTHING} else ""
    finally:
        os.close(trial)
