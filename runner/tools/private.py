"""A file of the state, for its owner alone: there whole, or not at all."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

_DRAFT = re.compile(r"\..+\.([0-9]+)\.tmp")


def put(path: Path, content: str | bytes) -> None:
    """Write it in place of what is there, in a folder that is made if need be.

    OSError, and nothing is left of it; but where only the folder could not be synced, it is in place.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(path.parent)
    # Two runs at once have a draft each; who had our number before is dead.
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(descriptor)
        draft.rename(path)
        _sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed had drafted there, as far as that goes."""
    for path in folder.glob(".*.tmp"):
        if (match := _DRAFT.fullmatch(path.name)) and not _lives(int(match[1])):
            with suppress(OSError):
                path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
