"""The checksums of what a snapshot brought: one gzipped line a file, names escaped as rsync does."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import os
import re
import shutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional

from .. import durable, regular
from ..arguments import DIGITS
from ..inodes import Inodes
from ..store.layout import StoreFolder, read_json

SENT = re.compile(rb"([<>ch.][fdLDS][^|]{9})\|([0-9a-f]*) *\|([0-9]+)\|(.+?)//", re.DOTALL)
LOOKED = re.compile(rb"([<>ch.*][fdLDS][^|]{9})\|(.+?)//", re.DOTALL)
ESCAPE = re.compile(rb"\\#([0-7]{3})")
UNSAFE = re.compile(rb"[\x00-\x1f\x7f-\xff]|\\(?=#[0-7]{3})")
BAR = 11
LINES = 1000


def zipped(stream: BinaryIO, level: int) -> gzip.GzipFile:
    """A gzip member in `stream`, of which the same content makes the same bytes."""
    return gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0, compresslevel=level)


class Sums:
    """Writes `checksum size name` lines to a stream."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream

    def add(self, file: Sent, point: str) -> None:
        """Write the line of a file of the filesystem at `point`."""
        place = escaped(os.fsencode(point)).strip(b"/")
        name = place + b"/" + file.name if place else file.name
        self._stream.write(b"%s %d %s\n" % (file.checksum.encode(), file.size, name))


class SumLine(NamedTuple):
    """One line: `name` is escaped, relative to the snapshot; `algorithm` in rsync's word."""

    algorithm: str
    checksum: str
    size: int
    name: bytes

    @property
    def path(self) -> bytes:
        """The name as it is on the disk."""
        return unescaped(self.name) if b"\\#" in self.name else self.name


def algorithm(store: StoreFolder, name: str) -> str:
    """The algorithm of the checksums of snapshot `name`, as rsync calls it."""
    return str(read_json(store.record(name)).get("checksum", "xxh128"))


def sum_lines(store: StoreFolder, name: str) -> Iterator[SumLine]:
    """Every line of snapshot `name` that can be read, in constant memory; none if there is no file.

    Raises OSError, EOFError or zlib.error where the file is damaged.
    """
    usual, path = algorithm(store, name), store.sums(name)
    if not path.exists():
        return
    with regular.opened(path) as packed, gzip.open(packed, "rb") as stream:
        for raw in stream:
            parts = raw.rstrip(b"\n").split(b" ", 2)
            if len(parts) == 3 and parts[1].isdigit() and len(parts[1]) <= DIGITS and parts[2]:
                other, _, checksum = parts[0].decode("ascii", "replace").rpartition(":")
                yield SumLine(other or usual, checksum, int(parts[1]), parts[2])


class Sent(NamedTuple):
    """A line of a transfer (`%i|%C|%l|%n//%L`); `name` is still escaped, `checksum` may be empty."""

    item: str
    checksum: str
    size: int
    name: bytes

    @property
    def transferred(self) -> bool:
        """Whether it is about a regular file whose content was sent."""
        return self.item[0] in "<>" and self.item[1] == "f"

    @property
    def copied(self) -> bool:
        """Whether a file got an inode of its own here, with the content of an older one."""
        return self.item.startswith("cf") and "+" not in self.item

    @property
    def created(self) -> bool:
        """Whether a name that is no regular file was made."""
        return self.item[0] == "c" and self.item.endswith("+++++++++")


def sent(line: bytes) -> Sent | None:
    """The line as a `Sent`, None if it is another kind of line or is cut off."""
    match = SENT.match(line) if line.endswith(b"\n") else None
    if match is None:
        return None
    item, checksum, size, name = match.groups()
    if len(size) > DIGITS:
        return None
    return Sent(item.decode("ascii", "replace"), checksum.decode(), int(size), name)


def looked(line: bytes) -> tuple[str, bytes] | None:
    """Item and escaped name of a line of a comparison (`%i|%n//%L`), None for any other line."""
    match = LOOKED.match(line)
    return (match[1].decode("ascii", "replace"), match[2]) if match else None


def is_about_a_name(line: bytes) -> bool:
    """Whether the line has the mark of an out-format line, whether it can be read or not."""
    return line[BAR : BAR + 1] == b"|"


def unescaped(name: bytes) -> bytes:
    """The name as it is on the disk, without the slash that rsync puts after a folder's."""
    return ESCAPE.sub(lambda octal: bytes((int(octal[1], 8) & 0xFF,)), name).rstrip(b"/") or b"."


def escaped(name: bytes) -> bytes:
    """The name as rsync writes it with LC_ALL=C."""
    return UNSAFE.sub(lambda char: b"\\#%03o" % char[0][0], name)


def bequeath(store: StoreFolder, name: str, later: Sequence[str]) -> Optional[int]:  # noqa: UP045
    """Add to the checksums of each heir those of `name` whose inode it has at the same place, and no heir before it.

    Of the sealed snapshots `later` than `name` the heirs are the next, since each is linked against the one before,
    and any that says that it was linked against `name` too. Returns how many, None where the disk has no room for them
    or a list is damaged or lost: that costs the audit of these files, and must not keep a full disk full.
    """
    heirs = [other for number, other in enumerate(later) if not number or name in _older(store, other)]
    count, lost = 0, False
    try:
        for number, heir in enumerate(heirs):
            if _lost_its_own(store, heir):
                lost = True
                continue
            batches = _batches(_shared(store, name, heir, heirs[:number]))
            first = next(batches, None)
            count += _append(store.sums(heir), itertools.chain((first,), batches)) if first else 0
    except (OSError, EOFError, zlib.error):
        return None
    return None if lost else count


def _lost_its_own(store: StoreFolder, name: str) -> bool:
    """Whether the list of `name` is gone. One begun anew would look whole, and nobody would miss what was in it."""
    return bool(read_json(store.record(name)).get("summed")) and not store.sums(name).exists()


def _older(store: StoreFolder, name: str) -> Sequence[str]:
    """The snapshots before the newest of its time that `name` was linked against as well."""
    older = read_json(store.record(name)).get("older")
    return older if isinstance(older, list) else ()


def adopt(store: StoreFolder, name: str, heir: str) -> Optional[int]:  # noqa: UP045
    """Add to `heir`'s checksums those of `name`, whose tree is lost, as far as they are of what `heir` has.

    `heir` is the sealed snapshot after it: what it did not bring itself it shares with the one before. Returns how
    many, None where a list cannot be read, or where it was linked against others too: then that is not sure.
    """
    if _lost_its_own(store, heir) or _older(store, heir):
        return None
    try:
        own = {line.name for line in sum_lines(store, heir)}
        batches = _batches(_alike(store, name, heir, own))
        first = next(batches, None)
        return _append(store.sums(heir), itertools.chain((first,), batches)) if first else 0
    except (OSError, EOFError, zlib.error):
        return None


def _append(sums: Path, batches: Iterable[tuple[bytes, ...]]) -> int:
    count = 0
    with durable.replacing(sums, 0o600) as stream:
        if sums.exists():
            with regular.opened(sums) as before:
                shutil.copyfileobj(before, stream, 1 << 20)
        # A second gzip member: what reads the file reads both as one.
        with zipped(stream, 4) as member:
            for lines in batches:
                member.write(b"".join(lines))
                count += len(lines)
    return count


def _batches(lines: Iterator[bytes]) -> Iterator[tuple[bytes, ...]]:
    while batch := tuple(itertools.islice(lines, LINES)):
        yield batch


def _shared(store: StoreFolder, name: str, heir: str, before: Sequence[str]) -> Iterator[bytes]:
    usual = algorithm(store, heir)
    with contextlib.ExitStack() as open_trees:
        old, new, *others = (open_trees.enter_context(Inodes(store.root / each)) for each in (name, heir, *before))
        for line in sum_lines(store, name):
            inode = old.of(line.path)
            known = inode is not None and inode == new.of(line.path)
            if known and not any(other.of(line.path) == inode for other in others):
                yield _written(line, usual)


def _alike(store: StoreFolder, name: str, heir: str, own: set[bytes]) -> Iterator[bytes]:
    usual = algorithm(store, heir)
    with Inodes(store.root / heir) as there:
        for line in sum_lines(store, name):
            if line.name not in own and there.size(line.path) == line.size:
                yield _written(line, usual)


def _written(line: SumLine, usual: str) -> bytes:
    """The line as it is in a list whose algorithm is `usual`."""
    checksum = line.checksum if line.algorithm == usual else f"{line.algorithm}:{line.checksum}"
    return b"%s %d %s\n" % (checksum.encode(), line.size, line.name)
