"""Every name of a sealed snapshot with a digest of its attributes, written once and compared later.

A line `/path` begins each folder, then a line `digest name` for each entry; names escaped as rsync does,
gzipped. The digest is of type, mode, owner, size, time, target, device number and extended attributes
(ACLs are among them). Not of the link count and the ctime: newer snapshots change those.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import stat
from collections.abc import Iterator

from .. import durable, tree
from ..snapshots.sums import escaped, unescaped
from ..store.layout import Store
from ..tree import Entry, folders
from .findings import Findings


def take(store: Store, name: str) -> None:
    """Write the manifest of snapshot `name` as it is now. Memory grows with its largest folder."""
    target = store.names(name)
    draft = target.with_name(f"{target.name}.tmp")
    draft.unlink(missing_ok=True)
    root = os.open(store.root / name, tree.FOLDER)
    try:
        with draft.open("xb") as stream:
            draft.chmod(0o600)
            with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0, compresslevel=6) as packed:
                for folder in folders(root):
                    packed.write(b"/%s\n" % escaped(folder.path))
                    for entry in _with_itself(folder.descriptor, folder.path, folder.entries):
                        packed.write(b"%s %s\n" % (digest_of(folder.descriptor, entry), escaped(entry.name)))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(root)
    draft.rename(target)
    durable.sync_folder(target.parent)


def compare(store: Store, name: str, findings: Findings) -> None:
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
                _compare_folder(root, path, known, (name, findings))
            except OSError as problem:
                # Gone, or something else now: that was found with the folder above it.
                if problem.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    findings.add("content", path, name)
    finally:
        os.close(root)


def _compare_folder(root: int, path: bytes, known: dict[bytes, bytes], told: tuple[str, Findings]) -> None:
    snapshot, findings = told
    descriptor = os.open(path or b".", tree.FOLDER, dir_fd=root)
    try:
        with os.scandir(descriptor) as entries:
            present = {os.fsencode(entry.name) for entry in entries}
        for entry, digest in known.items():
            below = path + b"/" + entry if path else entry
            if entry != b"." and entry not in present:
                findings.add("missing", below, snapshot)
                continue
            found = Entry(entry, tree.status(descriptor, entry))
            if digest_of(descriptor, found) != digest:
                findings.add("attributes", below, snapshot, None if found.is_folder else found.status.st_ino)
        for entry in sorted(present.difference(known)):
            findings.add("added", path + b"/" + entry if path else entry, snapshot)
    finally:
        os.close(descriptor)


def _with_itself(descriptor: int, path: bytes, entries: list[Entry]) -> list[Entry]:
    return entries if path else [Entry(b".", os.fstat(descriptor)), *entries]


def digest_of(parent: int, entry: Entry) -> bytes:
    """The digest of `entry` of the open folder `parent`, as it is now. Raises OSError."""
    found = entry.status
    told: list[object] = [found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns]
    if not entry.is_folder:
        told += [found.st_size, found.st_rdev]
    if stat.S_ISLNK(found.st_mode):
        told.append(os.readlink(entry.name, dir_fd=parent))
    path = tree.through(parent, entry.name)
    told += [(key, os.getxattr(path, key, follow_symlinks=False)) for key in _keys(path)]
    return hashlib.blake2b(repr(told).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest().encode()


def _keys(path: bytes) -> list[str]:
    try:
        return sorted(os.listxattr(path, follow_symlinks=False))
    except OSError:
        return []


def blocks(store: Store, name: str) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """Each folder of the manifest with its entries and their digests; b"." is the top folder itself.

    Raises OSError, EOFError or zlib.error where the manifest is damaged.
    """
    path: bytes = b""
    entries: dict[bytes, bytes] = {}
    with gzip.open(store.names(name), "rb") as stream:
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
