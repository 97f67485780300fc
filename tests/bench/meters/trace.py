"""Every request that a disk gets, in order, as the kernel issues it: tracefs, event block_rq_issue."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.bench.meters.disk import SECTOR, Disk
from tests.bench.meters.spinning import Request

TRACEFS = Path("/sys/kernel/tracing")
KIB_A_PROCESSOR = 48 << 10
_LINE = re.compile(r" block_rq_issue: \d+,\d+ (\S+) (\d+) \(.*?\) (\d+) \+ \d+")


class Tracer:
    """An instance of the kernel's tracing, of our own: nobody else's is disturbed."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the instance's."""
        self._folder = folder
        self._event = folder / "events/block/block_rq_issue"

    def begin(self, disk: Disk) -> None:
        """Note the requests to this disk from now on."""
        number = Path(disk.device).stat().st_rdev
        # The kernel's own dev_t: 20 bits of minor number.
        (self._event / "filter").write_text(f"dev == {os.major(number) << 20 | os.minor(number)}", "ascii")
        (self._folder / "trace").write_text("", "ascii")
        (self._event / "enable").write_text("1", "ascii")

    def end(self) -> list[Request] | None:
        """What was noted; None if the kernel lost some of it."""
        (self._event / "enable").write_text("0", "ascii")
        if any(
            re.search(r"^overrun: [1-9]", one.read_text("ascii"), re.M) for one in self._folder.glob("per_cpu/*/stats")
        ):
            return None
        with (self._folder / "trace").open(encoding="utf-8", errors="replace") as lines:
            return [one for line in lines if (one := parsed(line))]


def parsed(line: str) -> Request | None:
    """The request that a line of the trace tells of; None for other lines, and for what neither reads nor writes."""
    found = _LINE.search(line)
    if not found:
        return None
    what, size, sector = found.groups()
    # rwbs: an F in front of the kind asks for a flush first; D discards.
    kind = what.lstrip("F")[:1]
    if kind not in ("R", "W"):
        return Request(0, 0, flush=True) if what.startswith("F") else None
    return Request(int(sector) * SECTOR, int(size), write=kind == "W")


@contextmanager
def tracer() -> Iterator[Tracer | None]:
    """A tracer, for as long as the block; None where this machine has none for us."""
    folder = TRACEFS / "instances" / f"bench-{os.getpid()}"
    try:
        if not (TRACEFS / "instances").is_dir():
            # Seen by us alone: `ground.own` gave us a namespace of mounts.
            subprocess.run(("mount", "-t", "tracefs", "tracefs", TRACEFS), check=True, capture_output=True)
        folder.mkdir()
        (folder / "buffer_size_kb").write_text(str(KIB_A_PROCESSOR), "ascii")
    except (OSError, subprocess.CalledProcessError):
        with suppress(OSError):
            folder.rmdir()
        yield None
        return
    try:
        yield Tracer(folder)
    finally:
        folder.rmdir()
