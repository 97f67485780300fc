"""The checksums of what a snapshot brought: one gzipped line a file, names escaped as rsync does."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from types import TracebackType

from .lines import escaped


class Sums:
    """Writes `checksum size name` lines to a draft; `close` syncs it. Same lines, same bytes.

    `name` is relative to the snapshot and escaped.
    """

    def __init__(self, draft: Path) -> None:
        draft.unlink(missing_ok=True)
        self._file = draft.open("xb")
        self._zip = gzip.GzipFile(filename="", mode="wb", fileobj=self._file, mtime=0)
        draft.chmod(0o600)

    def add(self, checksum: str, size: int, point: str, name: bytes) -> None:
        """Write the line of file `name` (escaped, relative) of the filesystem at `point`."""
        place = escaped(os.fsencode(point)).strip(b"/")
        whole = place + b"/" + name if place else name
        self._zip.write(b"%s %d %s\n" % (checksum.encode(), size, whole))

    def close(self) -> None:
        """Finish the draft and force it to the disk."""
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> Sums:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._file.closed:
            self._zip.close()
            self._file.close()
            Path(self._file.name).unlink()
