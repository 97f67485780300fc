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
from typing import NamedTuple, Tuple  # noqa: UP035

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
# Lines of one name that count: a file is sent twice at most.
MOST_LINES = 8
# What is longer than a night may read, and than so many times what the disk has of it, is a hole: it cannot rot.
HOLLOW = 8
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


# The file of a share that was read last: its snapshot and its name, ("", b"") for none.
LastFile = Tuple[str, bytes]  # noqa: UP006
NO_FILE: LastFile = ("", b"")


class Read(NamedTuple):
    """What was read and compared, the next share, how many shares were finished, how many lines no program can check.

    `after` is how far the next share was read, where the bounds ended it. `hollow` counts files that were not read.
    `listed` is how long each snapshot's list of checksums is.
    """

    bytes: int
    files: int
    cursor: int
    shares: int
    unchecked: int
    listed: dict[str, Listed]
    after: LastFile = NO_FILE
    hollow: int = 0


class _Reader(NamedTuple):
    """What reads files: their checksums, what is found, and the bytes beyond which a hole is not read."""

    checksums: Checksums
    findings: Findings
    bytes: int
    hollow: list[LastFile]

    def skips(self, status: os.stat_result) -> bool:
        """Whether it is mostly a hole, and longer than a night may read."""
        return status.st_size > max(self.bytes, HOLLOW * status.st_blocks * 512)


def reread(store: StoreFolder, cursor: int, bounds: Bounds, findings: Findings, after: LastFile = NO_FILE) -> Read:
    """Read the files of the shares from `cursor` on, of the first those behind `after`; some whatever the bounds.

    A file that is gone, of another size, unreadable or of another checksum is a finding.
    """
    weights = _weigh(store, findings)
    count = _how_many(weights, cursor, bounds)
    shares = _collect(store, weights.sound, cursor, count)
    reader, portions, done = _Reader(Checksums(), findings, bounds.bytes, []), Portions(bounds.until), 0
    read_bytes = read_files = 0
    last = NO_FILE
    while done < count and not (done and portions.is_over()):
        # The first is always one share: no other has more in it than the bounds allow.
        group = shares[done : done + portions.next()]
        files = _by_place(group) if done else _behind(after, _by_place(group))
        for file, sizes in _check(store, files, reader):
            read_bytes, read_files = read_bytes + sum(sizes), read_files + len(sizes)
            if not done and file is not files[-1] and (read_bytes >= bounds.bytes or portions.is_over()):
                last = (file.snapshot, file.name)
                break
        if last != NO_FILE:
            break
        portions.took(len(group))
        done += len(group)
    place = (cursor + done) % SHARES
    unchecked, hollow = reader.checksums.unchecked, len(reader.hollow)
    return Read(read_bytes, read_files, place, done, unchecked, weights.listed, last, hollow)


def _behind(after: LastFile, files: list[File]) -> list[File]:
    places = (place for place, file in enumerate(files, start=1) if (file.snapshot, file.name) == after)
    return files[next(places, 0) :]


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
                own = lines.setdefault(line.name, [])
                if len(own) < MOST_LINES:
                    own.append(line)
        for place, (path, own) in enumerate(lines.items()):
            shares[(_share(path) - cursor) % SHARES].append(File(number, place, name, path, tuple(own)))
    return shares


def _by_place(group: Sequence[Sequence[File]]) -> list[File]:
    """The files of these shares as the lists have them: a folder after the other, as they lie on the disk."""
    return sorted(itertools.chain.from_iterable(group))


def _check(store: StoreFolder, files: Sequence[File], reader: _Reader) -> Iterator[tuple[File, list[int]]]:
    """Read them, some at a time: the last of those, and how many bytes each had that was read."""
    for name, own in itertools.groupby(files, key=lambda file: file.snapshot):
        with Inodes(store.root / name) as inodes:
            for batch in _batches(own):
                yield batch[-1], _check_batch(inodes, batch, reader)


def _batches(files: Iterable[File]) -> Iterator[list[File]]:
    batch: list[File] = []
    size = 0
    for file in files:
        weight = max(map(_SIZE, file.lines))
        full = len(batch) >= BATCH_FILES or size + weight > BATCH_BYTES
        if batch and full:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += weight
    if batch:
        yield batch


def _check_batch(inodes: Inodes, batch: Sequence[File], reader: _Reader) -> list[int]:
    """How many bytes each of these files has that was read."""
    findings = reader.findings
    opened: dict[int, tuple[int, os.stat_result]] = {}
    try:
        for place, file in enumerate(batch):
            try:
                descriptor = _open(inodes, file)
            except (FileNotFoundError, NotADirectoryError):
                findings.add("missing", unescaped(file.name), file.snapshot)
            except OSError:
                findings.add("content", unescaped(file.name), file.snapshot)
            else:
                opened[place] = descriptor, os.fstat(descriptor)
        fit = [place for place, (_, status) in opened.items() if _fits(status, batch[place])]
        reader.hollow.extend((batch[each].snapshot, batch[each].name) for each in fit if reader.skips(opened[each][1]))
        read = [place for place in fit if not reader.skips(opened[place][1])]
        good = reader.checksums.agree([OpenFile(opened[place][0], batch[place].lines) for place in read])
        wrong = {place for place, fine in zip(read, good) if not fine}  # noqa: B905
        for place in sorted(wrong.union(opened.keys() - set(fit))):
            file = batch[place]
            findings.add("content", unescaped(file.name), file.snapshot, opened[place][1].st_ino)
        return [opened[place][1].st_size for place in read if reader.checksums.can_check(batch[place].lines)]
    finally:
        for descriptor, _ in opened.values():
            os.close(descriptor)


def _fits(status: os.stat_result, file: File) -> bool:
    """Whether it may be what a line is about: what has another size is not, and nothing of it need be read."""
    return stat.S_ISREG(status.st_mode) and status.st_size in map(_SIZE, file.lines)


def _open(inodes: Inodes, file: File) -> int:
    # The name came with the transfer: a link on the way to it would lead out of the snapshot.
    parent, _, name = file.lines[0].path.rpartition(b"/")
    folder = inodes.folder(parent)
    if folder is None or name == b"..":
        raise FileNotFoundError
    return os.open(name, _FILE, dir_fd=folder)
