"""Every name of a sealed snapshot with a digest of its attributes, written once and compared later.

A line `/path` begins each folder, then a line `digest name` for each entry; names escaped as rsync does,
gzipped. The digest is of type, mode, owner, size, time, target, device number and extended attributes
(ACLs are among them). Not of the link count and the ctime: newer snapshots change those.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Optional

from .. import durable, regular, tree
from ..regular import CHUNK
from ..rsync_lines import escaped, unescaped
from ..snapshots.sums import zipped
from ..store.layout import StoreFolder
from ..tree import TreeEntry, folders
from .findings import Findings

REMEMBERED = 500_000


def take(store: StoreFolder, name: str) -> None:
    """Write the manifest of snapshot `name` as it is now. Memory grows with its largest folder."""
    root = os.open(store.root / name, tree.FOLDER)
    try:
        with durable.replacing(store.names(name), 0o600) as stream, zipped(stream, 6) as lines:
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
        self._most = most
        self._known: dict[tuple[int, int], bytes] = {}
        self._sound = True

    def of(self, device: int, inode: int) -> Optional[bytes]:  # noqa: UP045
        """The digest of what a folder lists as `inode`; None where it was not looked at."""
        return self._known.get((device, inode)) if self._sound else None

    def add(self, inode: int, status: os.stat_result, digest: bytes) -> None:
        """Remember what was listed as `inode` and has this status, unless it is a folder or in one snapshot only."""
        # Some filesystems list other numbers than they give their files.
        self._sound = self._sound and inode == status.st_ino
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode) and len(self._known) < self._most:
            self._known[status.st_dev, inode] = digest


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
    descriptor = os.open(path or b".", tree.FOLDER, dir_fd=root)
    try:
        device = os.fstat(descriptor).st_dev
        with os.scandir(descriptor) as entries:
            present = {os.fsencode(entry.name): entry.inode() for entry in entries}
        for name, digest in known.items():
            below = path + b"/" + name if path else name
            inode = present.get(name)
            if name != b"." and inode is None:
                yield "missing", below, None
                continue
            if inode is not None and digests.of(device, inode) == digest:
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
    path: bytes = b""
    entries: dict[bytes, bytes] = {}
    with regular.opened(store.names(name)) as packed, gzip.open(packed, "rb") as stream:
        for number, raw in enumerate(stream):
            line = raw.rstrip(b"\n")
            if line.startswith(b"/"):
                if number:
                    yield path, entries
                path, entries = unescaped(line[1:]) if line != b"/" else b"", {}
            else:
                digest, _, entry = line.partition(b" ")
                entries[unescaped(entry)] = digest
        yield path, entries
