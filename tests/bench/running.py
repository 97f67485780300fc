"""One measured step of a contest: caches as wanted, then the work, and a line that says what it cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench import tree
from tests.bench.contenders import Place
from tests.bench.measure import Cost, Work, measure

Say = Callable[[str], None]


def in_turn(names: Sequence[str], number: int) -> tuple[str, ...]:
    """The names, beginning with another one each time."""
    start = number % len(names)
    return (*names[start:], *names[:start])


def prepare(place: Place, trees: Sequence[Path], *, cold: bool) -> None:
    """Have `trees` in memory; `cold`: have nothing in memory."""
    if cold:
        place.disk.settle()
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3", "ascii")
        return
    for one in trees:
        tree.walk(one)


def cost(place: Place, work: Work, what: str, say: Say) -> Cost:
    """Measure `work` at `place`."""
    found = measure(work, place.disk, place.folder / "errors")
    say(f"  {what}: {found.wall:.2f} s, CPU {found.cpu:.2f} s, wrote {found.written >> 20} MiB")
    return found
