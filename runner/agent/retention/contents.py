"""Reading files again and comparing them with the checksums they arrived with.

The checksums of all snapshots together name every inode once: the snapshot that brought a file has its
line, or the one that inherited it. They are dealt by name into 4096 equal shares; the cursor is a share,
so that snapshots may come and go between two nights.
"""

from __future__ import annotations

import itertools
import operator
import os
import stat
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..inodes import Inodes
from ..rsync_lines import unescaped
from ..snapshots.checksum import Checksums, OpenFile
from ..snapshots.sums import SumLine, raw_sum_lines, sum_lines
from ..store.layout import StoreFolder, sealed
from .coverage import Listed
from .findings import Findings

SHARES = 4096
LINES = 200_000
GROWTH = 8
# A file is open while it waits for the others of its batch; a process may have 1024 open.
BATCH_FILES = 512
BATCH_BYTES = 64 << 20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SIZE = operator.attrgetter("size")


class File(NamedTuple):
    """A file of a snapshot (escaped name) and its lines: several where rsync sent it more than once.

    `number` is the snapshot's, and `place` the file's in its list.
    """

    number: int
    place: int
    snapshot: str
    name: bytes
    lines: tuple[SumLine, ...]


class Portions:
    """How many shares may be read at a time: one to see how long it takes, then more, but never past the end."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._began = time.monotonic()
        self._done = 0

    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._until

    def next(self) -> int:
        """How many should take no more than half of the time that is left."""
        now = time.monotonic()
        return at_once(self._done, now - self._began, self._until - now)

    def took(self, shares: int) -> None:
        """So many have been read."""
        self._done += shares


def at_once(done: int, seconds: float, left: float) -> int:
    """How many shares to read together, after `done` took `seconds`, with `left` seconds to go; at least one."""
    most = done * GROWTH
    fit = int(done * max(0.0, left) / 2 / seconds) if seconds > 0 else most
    return max(1, min(most, fit))


class Bounds(NamedTuple):
    """How much may be read: bytes, until when (time.monotonic), and which part of everything."""

    bytes: int
    until: float
    part: float


class Read(NamedTuple):
    """What was read and compared, the next share, how many shares were finished, how many lines no program can check.

    `listed` is how long each snapshot's list of checksums is.
    """

    bytes: int
    files: int
    cursor: int
    shares: int
    unchecked: int
    listed: dict[str, Listed]


def reread(store: StoreFolder, cursor: int, bounds: Bounds, findings: Findings) -> Read:
    """Read the files of the shares from `cursor` on; the first share whatever the bounds.

    A file that is gone, of another size, unreadable or of another checksum is a finding.
    """
    weights = _weigh(store, findings)
    count = _how_many(weights, cursor, bounds)
    shares = _collect(store, weights.sound, cursor, count)
    checksums, portions, done = Checksums(), Portions(bounds.until), 0
    read_bytes = read_files = 0
    while done < count and not (done and portions.is_over()):
        group = shares[done : done + portions.next()]
        for size in _check(store, _by_place(group), checksums, findings):
            read_bytes, read_files = read_bytes + size, read_files + 1
        portions.took(len(group))
        done += len(group)
    return Read(read_bytes, read_files, (cursor + done) % SHARES, done, checksums.unchecked, weights.listed)


def _share(name: bytes) -> int:
    return zlib.crc32(name) % SHARES


class _Weights(NamedTuple):
    """Bytes and lines of each share, the snapshots whose checksums could be read to the end, and how many all have."""

    bytes: list[int]
    lines: list[int]
    sound: list[str]
    listed: dict[str, Listed]


def _weigh(store: StoreFolder, findings: Findings) -> _Weights:
    weights = _Weights([0] * SHARES, [0] * SHARES, [], {})
    for name in sealed(store):
        lines = size = 0
        weights.listed[name] = Listed(0, 0)
        try:
            for _, length, path in itertools.chain.from_iterable(raw_sum_lines(store, name)):
                share, weight = _share(path), int(length)
                weights.bytes[share] += weight
                weights.lines[share] += 1
                lines, size = lines + 1, size + weight
            weights.sound.append(name)
            weights.listed[name] = Listed(lines, size)
        except (OSError, EOFError, zlib.error):
            findings.add_record("content", store.sums(name), name)
    return weights


def _how_many(weights: _Weights, cursor: int, bounds: Bounds) -> int:
    most = min(SHARES, int(SHARES * bounds.part) + 1)
    size = lines = 0
    for number in range(most):
        share = (cursor + number) % SHARES
        size, lines = size + weights.bytes[share], lines + weights.lines[share]
        if number and weights.lines[share] and (size > bounds.bytes or lines > LINES):
            return number
    return most


def _collect(store: StoreFolder, snapshots: Sequence[str], cursor: int, count: int) -> list[list[File]]:
    """The files of each of the `count` shares from `cursor` on."""
    shares: list[list[File]] = [[] for _ in range(count)]

    def is_in(name: bytes) -> bool:
        return (_share(name) - cursor) % SHARES < count

    for number, name in enumerate(snapshots):
        lines: dict[bytes, list[SumLine]] = {}
        for line in sum_lines(store, name, None if count == SHARES else is_in):
            # Nothing can rot in an empty file, and that it is empty the manifest shows.
            if line.size:
                lines.setdefault(line.name, []).append(line)
        for place, (path, own) in enumerate(lines.items()):
            shares[(_share(path) - cursor) % SHARES].append(File(number, place, name, path, tuple(own)))
    return shares


def _by_place(group: Sequence[Sequence[File]]) -> list[File]:
    """The files of these shares as the lists have them: a folder after the other, as they lie on the disk."""
    return sorted(itertools.chain.from_iterable(group))


def _check(store: StoreFolder, files: Sequence[File], checksums: Checksums, findings: Findings) -> Iterator[int]:
    for name, own in itertools.groupby(files, key=lambda file: file.snapshot):
        with Inodes(store.root / name) as inodes:
            for batch in _batches(own):
                yield from _check_batch(inodes, batch, checksums, findings)


def _batches(files: Iterable[File]) -> Iterator[list[File]]:
    batch: list[File] = []
    size = 0
    for file in files:
        weight = file.lines[-1].size
        full = len(batch) >= BATCH_FILES or size + weight > BATCH_BYTES
        if batch and full:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += weight
    if batch:
        yield batch


def _check_batch(inodes: Inodes, batch: Sequence[File], checksums: Checksums, findings: Findings) -> Iterator[int]:
    opened: list[tuple[File, int, os.stat_result]] = []
    try:
        for file in batch:
            try:
                descriptor = _open(inodes, file)
            except (FileNotFoundError, NotADirectoryError):
                findings.add("missing", unescaped(file.name), file.snapshot)
            except OSError:
                findings.add("content", unescaped(file.name), file.snapshot)
            else:
                opened.append((file, descriptor, os.fstat(descriptor)))
        regular = [each for each in opened if stat.S_ISREG(each[2].st_mode)]
        good = checksums.agree([OpenFile(descriptor, file.lines) for file, descriptor, _ in regular])
        right = {descriptor for (_, descriptor, _), fine in zip(regular, good) if fine}  # noqa: B905
        for file, descriptor, status in opened:
            if descriptor not in right or status.st_size not in map(_SIZE, file.lines):
                findings.add("content", unescaped(file.name), file.snapshot, status.st_ino)
            if checksums.can_check(file.lines):
                yield status.st_size
    finally:
        for _, descriptor, _ in opened:
            os.close(descriptor)


def _open(inodes: Inodes, file: File) -> int:
    # The name came with the transfer: a link on the way to it would lead out of the snapshot.
    parent, _, name = file.lines[0].path.rpartition(b"/")
    folder = inodes.folder(parent)
    if folder is None or name == b"..":
        raise FileNotFoundError
    return os.open(name, _FILE, dir_fd=folder)
