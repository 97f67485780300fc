"""Every name of a sealed snapshot with a digest of its attributes, written once and compared later.

A line `/path` begins each folder, then a line `digest name` for each entry; names escaped as rsync does,
gzipped. The digest is of type, mode, owner, size, time, target, device number and extended attributes
(ACLs are among them). Not of the link count and the ctime: newer snapshots change those.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Optional

from .. import durable, regular, tree
from ..history import chain
from ..history.line import MANIFEST
from ..inodes import ENCODING, ERRORS
from ..regular import CHUNK
from ..rsync_lines import escaped, unescaped
from ..snapshots.sums import zipped
from ..store.layout import StoreFolder
from ..tree import TreeEntry, folders
from .findings import Findings

REMEMBERED = 500_000
PIECE = 1 << 18
# A folder lists no number below 0.
NO_INODE = -1


def take(store: StoreFolder, name: str) -> None:
    """Write the manifest of snapshot `name` as it is now, its digest into the chain. Memory: its largest folder."""

    def ready(draft: Path) -> None:
        chain.add(store, MANIFEST, name, chain.digests(names=draft))

    root = os.open(store.root / name, tree.FOLDER)
    try:
        with durable.replacing(store.names(name), 0o600, ready) as stream, zipped(stream, 6) as lines:
            for folder in folders(root):
                lines.write(b"/%s\n" % escaped(folder.path))
                for entry in _with_itself(folder.descriptor, folder.path, folder.entries):
                    lines.write(b"%s %s\n" % (digest_of(folder.descriptor, entry), escaped(entry.name)))
    finally:
        os.close(root)


class Digests:
    """The digests of files that several snapshots share, by inode: what one audit has looked at it knows.

    A folder tells the inode of each name, so that a file which was looked at in one snapshot need not be in the next.
    No more than the first `most` are remembered.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._left = most
        self._known: dict[int, dict[int, bytes]] = {}
        self._sound = True

    def on(self, device: int) -> Mapping[int, bytes]:
        """The digests of what the folders of a device list as each inode, as far as it was looked at."""
        return self._known.setdefault(device, {}) if self._sound else {}

    def add(self, inode: int, status: os.stat_result, digest: bytes) -> None:
        """Remember what was listed as `inode` and has this status, unless it is a folder or in one snapshot only."""
        # Some filesystems list other numbers than they give their files.
        self._sound = self._sound and inode == status.st_ino
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode) and self._left:
            self._left -= 1
            self._known.setdefault(status.st_dev, {})[inode] = digest


def compare(store: StoreFolder, name: str, findings: Findings, digests: Digests) -> None:
    """Compare snapshot `name` with its manifest; a folder that is gone or new is one finding.

    A folder that cannot be read is a finding of kind content. Raises OSError, EOFError or zlib.error
    where the manifest itself is damaged, before anything else is found.
    """
    with regular.opened(store.names(name)) as packed, gzip.open(packed, "rb") as stream:
        while stream.read(CHUNK):
            pass
    root = os.open(store.root / name, tree.FOLDER)
    try:
        for path, known in blocks(store, name):
            try:
                for kind, below, inode in _differences(root, path, known, digests):
                    findings.add(kind, below, name, inode)
            except OSError as problem:
                # Gone, or something else now: that was found with the folder above it.
                if not tree.is_absence(problem):
                    findings.add("content", path, name)
    finally:
        os.close(root)


def _differences(
    root: int, path: bytes, known: dict[bytes, bytes], digests: Digests
) -> Iterator[tuple[str, bytes, Optional[int]]]:  # noqa: UP045
    """The kind and path of each difference in a folder, and the inode if other snapshots may share it."""
    descriptor = tree.below(root, path)
    try:
        device = os.fstat(descriptor).st_dev
        with os.scandir(descriptor) as entries:
            present = {entry.name.encode(ENCODING, ERRORS): entry.inode() for entry in entries}
        seen = digests.on(device)
        # Most are files that an earlier snapshot has too.
        for name in [name for name, digest in known.items() if seen.get(present.get(name, NO_INODE)) != digest]:
            digest, inode = known[name], present.get(name)
            below = path + b"/" + name if path else name
            if name != b"." and inode is None:
                yield "missing", below, None
                continue
            entry = TreeEntry(name, tree.status(descriptor, name))
            actual = digest_of(descriptor, entry)
            if inode is not None:
                digests.add(inode, entry.status, actual)
            if actual != digest:
                yield "attributes", below, None if entry.is_folder else entry.status.st_ino
        for name in sorted(present.keys() - known.keys()):
            yield "added", path + b"/" + name if path else name, None
    finally:
        os.close(descriptor)


def _with_itself(descriptor: int, path: bytes, entries: list[TreeEntry]) -> list[TreeEntry]:
    return entries if path else [TreeEntry(b".", os.fstat(descriptor)), *entries]


def digest_of(parent: int, entry: TreeEntry) -> bytes:
    """The digest of `entry` of the open folder `parent`, as it is now. Raises OSError."""
    status = entry.status
    values: list[object] = [status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns]
    if not entry.is_folder:
        values += [status.st_size, status.st_rdev]
    if stat.S_ISLNK(status.st_mode):
        values.append(os.readlink(entry.name, dir_fd=parent))
    values += sorted(tree.extended(parent, entry.name).items())
    return hashlib.blake2b(repr(values).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest().encode()


def blocks(store: StoreFolder, name: str) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """Each folder of the manifest with its entries and their digests; b"." is the top folder itself.

    Raises OSError, EOFError or zlib.error where the manifest is damaged.
    """
    path, lines = b"", list[bytes]()
    # Not by the lines of the GzipFile: each of those is a call in Python.
    with regular.opened(store.names(name)) as packed, io.BufferedReader(gzip.open(packed, "rb"), PIECE) as stream:
        for number, line in enumerate(stream):
            if line.startswith(b"/"):
                if number:
                    yield path, _digests(lines)
                below = line[1:].rstrip(b"\n")
                path, lines = unescaped(below) if below else b"", []
            else:
                lines.append(line)
        yield path, _digests(lines)


def _digests(lines: Sequence[bytes]) -> dict[bytes, bytes]:
    """The names and digests of a folder's lines."""
    parts = [line.rstrip(b"\n").partition(b" ") for line in lines]
    return {unescaped(name) if b"\\#" in name else name: digest for digest, _, name in parts}
