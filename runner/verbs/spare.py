"""What a verb that only looks works with where the state takes nothing: copies in memory, gone with the verb."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from functools import cached_property
from pathlib import Path
from types import FrameType

from runner.engine.journal import Journal
from runner.hosts.reach import write_ssh_config
from runner.model.errors import RunnerError
from runner.model.site import Site

_MEMORY = "/dev/shm"  # noqa: S108  (a folder of its own is made there)
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Spare:
    """A folder in place of the state; `why` says why the journal needed it and what is shown instead, "" where not."""

    def __init__(self) -> None:
        self.why = ""
        self._caught: list[signal.Signals] = []

    @cached_property
    def folder(self) -> Path:
        """The folder, this user's alone; a signal that ends the process removes it first. OSError."""
        import tempfile  # late: nearly every state takes what is written

        # What is ignored stays ignored, and only the main thread may ask for signals.
        with contextlib.suppress(ValueError):
            for number in _ENDS:
                if signal.getsignal(number) == signal.SIG_DFL:
                    signal.signal(number, self._end)
                    self._caught.append(number)
        return Path(tempfile.mkdtemp(prefix="runner-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))

    def journal(self, path: Path, error: RunnerError) -> Journal:
        """A journal with what the one at `path` has told so far, empty where there is none yet.

        Raises `error`, which that one raised, where it cannot be copied whole: half of it would answer wrongly.
        """
        shown = "what is shown is from a copy of it"
        try:
            copy = self.folder / path.name
            if path.exists():
                shutil.copyfile(path, copy)
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{path}-wal", f"{copy}-wal")
            else:
                shown = "there is none there yet"
            journal = Journal(copy, spare=True)
        except (OSError, RunnerError):
            raise error from None
        self.why = f"{error.text}; {shown}"
        return journal

    def ssh_config(self, site: Site, error: RunnerError) -> Path:
        """The configuration of ssh for `site`; raises `error`, for which it is needed, where it has no place either."""
        try:
            path = self.folder / "ssh_config"
            write_ssh_config(site, path)
        except (OSError, RunnerError):
            raise error from None
        return path

    def close(self) -> None:
        """Remove it."""
        if "folder" in vars(self):
            shutil.rmtree(self.folder, ignore_errors=True)
        while self._caught:
            signal.signal(self._caught.pop(), signal.SIG_DFL)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.close()
        os.kill(os.getpid(), number)
