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
from ..snapshots.sums import escaped, unescaped, zipped
from ..store.layout import StoreFolder
from ..tree import TreeEntry, folders
from .findings import Findings


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


def compare(store: StoreFolder, name: str, findings: Findings) -> None:
    """Compare snapshot `name` with its manifest; a folder that is gone or new is one finding.

    A folder that cannot be read is a finding of kind content. Raises OSError, EOFError or zlib.error
    where the manifest itself is damaged, before anything else is found.
    """
    for _ in blocks(store, name):
        pass
    root = os.open(store.root / name, tree.FOLDER)
    try:
        for path, known in blocks(store, name):
            try:
                for kind, below, inode in _differences(root, path, known):
                    findings.add(kind, below, name, inode)
            except OSError as problem:
                # Gone, or something else now: that was found with the folder above it.
                if not tree.is_absence(problem):
                    findings.add("content", path, name)
    finally:
        os.close(root)


def _differences(root: int, path: bytes, known: dict[bytes, bytes]) -> Iterator[tuple[str, bytes, Optional[int]]]:  # noqa: UP045
    """The kind and path of each difference in a folder, and the inode if other snapshots may share it."""
    descriptor = os.open(path or b".", tree.FOLDER, dir_fd=root)
    try:
        with os.scandir(descriptor) as entries:
            present = {os.fsencode(entry.name) for entry in entries}
        for name, digest in known.items():
            below = path + b"/" + name if path else name
            if name != b"." and name not in present:
                yield "missing", below, None
                continue
            entry = TreeEntry(name, tree.status(descriptor, name))
            if digest_of(descriptor, entry) != digest:
                yield "attributes", below, None if entry.is_folder else entry.status.st_ino
        for name in sorted(present.difference(known)):
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
