"""What a verb that only looks works with where the state takes nothing: copies in memory, gone with the verb."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from functools import cached_property
from pathlib import Path

from runner.engine.journal import Journal
from runner.model.errors import RunnerError

_MEMORY = "/dev/shm"  # noqa: S108  (a folder of its own is made there)


class Spare:
    """A folder in place of the state; `why` says why it was needed, "" where it was not."""

    def __init__(self) -> None:
        self.why = ""

    @cached_property
    def folder(self) -> Path:
        """The folder, this user's alone. RunnerError where there is no room for it either."""
        try:
            return Path(tempfile.mkdtemp(prefix="runner-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
        except OSError as error:
            raise RunnerError(f"there is no room for a temporary folder: {error}", do="make room in /tmp") from error

    def journal(self, path: Path, error: RunnerError) -> Journal:
        """A journal with what the one at `path`, which raised `error`, has told so far."""
        self.why = error.text
        copy = self.folder / path.name
        with contextlib.suppress(OSError):
            for end in ("", "-wal"):
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
        return Journal(copy)

    def close(self) -> None:
        """Remove it."""
        if "folder" in vars(self):
            shutil.rmtree(self.folder, ignore_errors=True)
