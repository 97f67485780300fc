"""One measured step: caches as wanted, then the work, and a line that says what it cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import tree
from tests.bench.ground import Ground
from tests.bench.meters.measure import Cost, Meter, Work
from tests.bench.peers.contender import Contender, Place

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What measures and what tells."""

    meter: Meter
    say: Say

    def cost(self, place: Place, work: Work, what: str) -> Cost:
        """Measure `work` at `place`."""
        found = self.meter.measure(work, place.disk, place.folder / "errors")
        busy = "" if found.busy is None else f", spinning {found.busy:.1f} s"
        self.say(
            f"  {what}: {found.wall:.2f} s, CPU {found.cpu:.2f} s, wrote {found.written >> 20} MiB, "
            f"{found.reads} reads{busy}"
        )
        return found


def in_turn(names: Sequence[str], number: int) -> tuple[str, ...]:
    """The names, beginning with another one each time."""
    start = number % len(names)
    return (*names[start:], *names[:start])


def cold(ground: Ground) -> None:
    """Have nothing in memory, of nobody on this machine."""
    ground.settle()
    Path("/proc/sys/vm/drop_caches").write_text("3", "ascii")


def warm(ground: Ground, run: Contender) -> None:
    """Have the source, the last and the first copy in memory; of who keeps no trees, all that it keeps."""
    tree.walk(ground.source.mount)
    last, first = run.newest(), run.oldest()
    for one in (last, first):
        if one:
            tree.walk(one)
    if not last:
        _read(run.place.store)


def _read(top: Path) -> None:
    for folder, _, names in os.walk(top):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    while file.read(1 << 20):
                        pass
