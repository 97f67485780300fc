"""A control group for what is measured: the processor time of all that ever ran in it, daemons too, to the microsecond."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 20.0


class Group:
    """A group of one's own in the unified hierarchy; see `group`."""

    def __init__(self, folder: Path) -> None:
        """`folder` is there and empty of processes."""
        self._folder = folder

    def entered(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The command that begins in the group; the shell that gets there is replaced by `argv`."""
        return ("/bin/sh", "-c", 'echo 0 >"$0" && exec "$@"', str(self._folder / "cgroup.procs"), *argv)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """This process, and all that it begins meanwhile, is in the group."""
        before = self._folder.parent / "cgroup.procs"
        (self._folder / "cgroup.procs").write_text("0", "ascii")
        try:
            yield
        finally:
            before.write_text("0", "ascii")

    def cpu(self) -> float:
        """Processor seconds, user and system, of every process that was ever in it."""
        stat = (self._folder / "cpu.stat").read_text("ascii").split()
        return int(stat[stat.index("usage_usec") + 1]) / 1e6

    def members(self) -> list[int]:
        """The processes that are in it now."""
        return [int(word) for word in (self._folder / "cgroup.procs").read_text("ascii").split()]

    def emptied(self) -> bool:
        """Wait until nothing runs in it any more; False if something still does after a while."""
        until = time.monotonic() + PATIENCE
        while self.members():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True


@contextmanager
def group() -> Iterator[Group | None]:
    """A new group, for as long as the block; None where this machine gives us none."""
    above = _above()
    folder = above / f"bench-{os.getpid()}" if above else None
    try:
        if folder:
            folder.mkdir()
    except OSError:
        folder = None
    if not folder or not (folder / "cpu.stat").exists():
        yield None
        return
    try:
        yield Group(folder)
    finally:
        with suppress(OSError):
            folder.rmdir()


def _above() -> Path | None:
    """Our own group in the unified hierarchy, wherever that is mounted."""
    own = [line for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines() if line.startswith("0::")]
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        before, _, after = line.partition(" - ")
        if own and after.split()[0] == "cgroup2":
            return Path(before.split()[4], own[0].removeprefix("0::").lstrip("/"))
    return None
