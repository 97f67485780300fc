"""Checksums outlive the snapshot that brought their files: the next one inherits those it shares."""

from __future__ import annotations

import gzip
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from .. import durable, tree
from ..store.layout import Store
from .sumlines import algorithm, sum_lines

LINES = 1000


def carry(store: Store, name: str, heir: str) -> Optional[int]:  # noqa: UP045
    """Add to `heir`'s checksums those of `name` whose inode `heir` has at the same place.

    `heir` is the sealed snapshot after `name`: what lives on in any later one is in it, since each is
    linked against the one before. Says how many, None where the disk has no room for them or the
    list is damaged: that costs the audit of these files, and must not keep a full disk full.
    """
    own, target = store.sums(name), store.sums(heir)
    if not own.exists():
        return 0
    draft = target.with_name(f"{target.name}.tmp")
    try:
        return _write(draft, target, _shared(store, name, heir))
    except (OSError, EOFError, zlib.error):
        draft.unlink(missing_ok=True)
        return None


def _write(draft: Path, target: Path, lines: Iterator[bytes]) -> int:
    count = 0
    buffer: list[bytes] = []
    draft.unlink(missing_ok=True)
    with draft.open("xb") as stream:
        draft.chmod(0o600)
        if target.exists():
            with target.open("rb") as before:
                shutil.copyfileobj(before, stream, 1 << 20)
        # A second gzip member: what reads the file reads both as one.
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0, compresslevel=4) as packed:
            for line in lines:
                buffer.append(line)
                count += 1
                if len(buffer) == LINES:
                    packed.write(b"".join(buffer))
                    buffer.clear()
            packed.write(b"".join(buffer))
        stream.flush()
        os.fsync(stream.fileno())
    if count:
        draft.rename(target)
        durable.sync_folder(target.parent)
    else:
        draft.unlink()
    return count


def _shared(store: Store, name: str, heir: str) -> Iterator[bytes]:
    old, new = _Inodes(store.root / name), _Inodes(store.root / heir)
    usual = algorithm(store, heir)
    try:
        for line in sum_lines(store, name):
            inode = old.of(line.path)
            if inode is not None and inode == new.of(line.path):
                told = line.checksum if line.algorithm == usual else f"{line.algorithm}:{line.checksum}"
                yield b"%s %d %s\n" % (told.encode(), line.size, line.name)
    finally:
        old.close()
        new.close()


class _Inodes:
    """Looks up names in one tree; the folder of the last name stays open, since lists go by folder."""

    def __init__(self, top: Path) -> None:
        self._root = os.open(top, tree.FOLDER)
        self._folder: Optional[int] = None  # noqa: UP045
        self._path: Optional[bytes] = None  # noqa: UP045

    def of(self, path: bytes) -> Optional[int]:  # noqa: UP045
        """The inode of `path`; None where there is none, or where no second snapshot can share it."""
        parent, _, name = path.rpartition(b"/")
        if parent != self._path:
            self._enter(parent)
        if self._folder is None:
            return None
        try:
            found = tree.status(self._folder, name)
        except OSError:
            return None
        return found.st_ino if found.st_nlink > 1 else None

    def _enter(self, parent: bytes) -> None:
        self._leave()
        self._path = parent
        try:
            self._folder = os.open(parent or b".", tree.FOLDER, dir_fd=self._root)
        except OSError:
            self._folder = None

    def _leave(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
        self._folder = None

    def close(self) -> None:
        """Close what is open."""
        self._leave()
        os.close(self._root)
