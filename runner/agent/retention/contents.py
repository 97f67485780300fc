"""Reading files again and comparing them with the checksums they arrived with.

The checksums of all snapshots together name every inode once: the snapshot that brought a file has its
line, or the one that inherited it. They are dealt by name into 4096 equal shares; the cursor is a share,
so that snapshots may come and go between two nights.
"""

from __future__ import annotations

import os
import stat
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .. import tree
from ..snapshots.checksum import Checksums, OpenFile
from ..snapshots.sums import SumLine, sum_lines, unescaped
from ..store.layout import StoreFolder, sealed
from .coverage import Listed
from .findings import Findings

SHARES = 4096
LINES = 200_000
BATCH_FILES = 64
BATCH_BYTES = 64 << 20


class File(NamedTuple):
    """A file of a snapshot (escaped name) and its lines: several where rsync sent it more than once."""

    share: int
    snapshot: str
    name: bytes
    lines: tuple[SumLine, ...]


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
    files = _collect(store, weights.sound, cursor, count)
    checksums, done_bytes, done_files = Checksums(), 0, 0
    for batch in _batches(files):
        share = batch[0].share
        if share != cursor and time.monotonic() >= bounds.until:
            done = (share - cursor) % SHARES
            return Read(done_bytes, done_files, share, done, checksums.unchecked, weights.listed)
        for size in _check(store, batch, checksums, findings):
            done_bytes, done_files = done_bytes + size, done_files + 1
    return Read(done_bytes, done_files, (cursor + count) % SHARES, count, checksums.unchecked, weights.listed)


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
            for line in sum_lines(store, name):
                share = _share(line.name)
                weights.bytes[share] += line.size
                weights.lines[share] += 1
                lines, size = lines + 1, size + line.size
            weights.sound.append(name)
            weights.listed[name] = Listed(lines, size)
        except (OSError, EOFError, zlib.error):
            findings.add("content", os.fsencode(store.sums(name).relative_to(store.root)), name)
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


def _collect(store: StoreFolder, snapshots: Sequence[str], cursor: int, count: int) -> list[File]:
    lines: dict[tuple[int, str, bytes], list[SumLine]] = {}
    for name in snapshots:
        for line in sum_lines(store, name):
            order = (_share(line.name) - cursor) % SHARES
            # Nothing can rot in an empty file, and that it is empty the manifest shows.
            if order < count and line.size:
                lines.setdefault((order, name, line.name), []).append(line)
    return [
        File((order + cursor) % SHARES, name, path, tuple(lines[order, name, path]))
        for order, name, path in sorted(lines)
    ]


def _batches(files: Sequence[File]) -> Iterator[list[File]]:
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


def _check(store: StoreFolder, batch: Sequence[File], checksums: Checksums, findings: Findings) -> Iterator[int]:
    opened: list[tuple[int, File]] = []
    try:
        for file in batch:
            try:
                opened.append((_open(store, file), file))
            except (FileNotFoundError, NotADirectoryError):
                findings.add("missing", unescaped(file.name), file.snapshot)
            except OSError:
                findings.add("content", unescaped(file.name), file.snapshot)
        regular = [each for each in opened if stat.S_ISREG(os.fstat(each[0]).st_mode)]
        good = checksums.agree([OpenFile(descriptor, file.lines) for descriptor, file in regular])
        right = {file for (_, file), fine in zip(regular, good) if fine}  # noqa: B905
        for descriptor, file in opened:
            status = os.fstat(descriptor)
            if file not in right or status.st_size not in {line.size for line in file.lines}:
                findings.add("content", unescaped(file.name), file.snapshot, status.st_ino)
            if checksums.can_check(OpenFile(descriptor, file.lines)):
                yield status.st_size
    finally:
        for descriptor, _ in opened:
            os.close(descriptor)


def _open(store: StoreFolder, file: File) -> int:
    # The name came with the transfer: a link on the way to it would lead out of the snapshot.
    parts = tuple(unescaped(file.name).split(b"/"))
    with tree.parent_of(str(store.root / file.snapshot), parts) as parent:
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
