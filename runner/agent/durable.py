"""Writing so that a power cut leaves the old or the new, never a half."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Make a folder with exactly `mode`, unless it is there; its parent must be."""
    try:
        path.mkdir()
    except FileExistsError:
        return
    # Whoever else may write to its parent may have put a link there by now.
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def make_folders(path: Path, mode: int = 0o700) -> None:
    """Make a folder, and what is missing above it, each with exactly `mode`."""
    for folder in (*reversed(path.parents), path):
        make_folder(folder, mode)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else who asks for this writes in the folder while the block runs; waits for it. Raises OSError."""
    import fcntl  # noqa: PLC0415  (few of those who write need it)

    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Force a folder's entries to the disk; fsync(2)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_filesystem(path: Path) -> None:
    """Force the whole filesystem that holds `path` to the disk; syncfs(2). Raises OSError."""
    import ctypes  # noqa: PLC0415  (slow to load, and few want it)

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600, ready: Callable[[Path], None] | None = None) -> Iterator[BinaryIO]:
    """Write the file at `path` anew: all of it takes its place in one move, synced, or none where the block fails.

    `ready` gets it when it is whole and synced, before it takes its place; where that raises, it does not.
    """
    draft = path.with_name(f"{path.name}.tmp")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if ready:
            ready(draft)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    draft.rename(path)
    sync_folder(path.parent)


def write_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Put `content` at `path` as `replacing` does."""
    with replacing(path, mode) as stream:
        stream.write(content)


def write_json(path: Path, content: Mapping[str, Any], mode: int = 0o600) -> None:
    """Put a JSON object at `path` as `write_file` does."""
    write_file(path, (json.dumps(content, indent=1) + "\n").encode(), mode)


def point(link: Path, target: str, draft: Path) -> None:
    """Make `link` a symbolic link to `target` in one move; `draft` is a free name beside it.

    What is there and no symbolic link is somebody else's, and stays.
    """
    if os.path.lexists(link) and not link.is_symlink():
        return
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.rename(link)
    sync_folder(link.parent)
