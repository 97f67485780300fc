"""The least that was free of a filesystem, looked at all the time while something else writes there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from runner.agent.host.room import Room, free


class Lowest:
    """`seen` is the least of bytes and of inodes that was free in `folder` since the block began."""

    def __init__(self, folder: Path) -> None:
        self.seen = free(os.statvfs(folder))
        self._folder, self._over = folder, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._over.wait(0.002):
            now = free(os.statvfs(self._folder))
            self.seen = Room(min(self.seen.bytes, now.bytes), min(self.seen.inodes, now.inodes))

    def __enter__(self) -> Lowest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
