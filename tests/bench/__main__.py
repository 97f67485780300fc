"""The bench: python -m tests.bench [--quick]; prints what everything costs, and which thresholds hold.

Leaves with 0 if every threshold that was measured holds, 1 if one is broken, 2 if a command that was measured failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench import many, network, rows, table
from tests.bench.contest import Contest, compete
from tests.bench.figures import Aside, Tree
from tests.bench.ground import own_srv
from tests.bench.meters.measure import Failed, meter
from tests.bench.peers.contenders import BARE, OURS, PEERS, lacking, versions
from tests.bench.running import Bench
from tests.bench.startup import start_up
from tests.bench.tree import SMALL_SIZE
from tests.mounts import own_namespace

FULL, GROWTH, QUICK = 100_000, (25_000, 100_000, 400_000), 5000
NETWORK = "the network"
Crossings = Mapping[str, Mapping[str, network.Crossed]]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    options = _options(argv)
    # Ended from outside, it still unmounts its disks.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _measured(options)
    except Failed as error:
        _say(str(error))
        return 2


def _measured(options: argparse.Namespace) -> int:
    disks = os.geteuid() == 0 and not options.plain
    absent = _absent(options, disks)
    trees: list[Tree] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder)))
        folder.chmod(0o755)
        if disks:
            own_namespace()
        top = stack.enter_context(own_srv(folder / "srv")) if disks else folder / "srv"
        bench = Bench(meter=stack.enter_context(meter()), say=_say)
        for contest in (_contest(options, disks, absent), *(_growing(files, disks) for files in options.growth)):
            trees.append(compete(contest, top, folder, bench))
            # Each as it comes: who ends this has what was measured until then.
            _print(table.of_tree(trees[-1]))
        aside = _aside(options, folder, bench)
    crossed = network.crossings(options.network, _say) if options.network and NETWORK not in absent else {}
    held = _rows(trees[0], trees[1:], aside, crossed)
    _print((*table.of_aside(aside), *table.of_network(crossed), *table.of_rows(held, versions())))
    _print(("", *rows.without(held, absent)))
    return 1 if any(row.held and row.holds is False for row in held) else 0


def _absent(options: argparse.Namespace, disks: bool) -> dict[str, str]:
    """Who is left out, and why."""
    found = {name: lacking(name) for name in _peers(options)}
    if not disks and "dirvish" in found:
        found["dirvish"] = "its settings lie in one place, which only root can have for a while"
    if options.network:
        found[NETWORK] = network.lacking()
    return {name: why for name, why in found.items() if why}


def _print(lines: Iterable[str]) -> None:
    print("\n".join(lines), flush=True)


def _rows(main_tree: Tree, grown: Sequence[Tree], aside: Aside, crossed: Crossings) -> list[rows.Row]:
    return [
        *rows.of_the_day(main_tree),
        *(row for tree in (main_tree, *grown) for row in rows.of_copies(tree)),
        *rows.of_growth(grown),
        *rows.of_aside(aside),
        *rows.of_network(crossed),
    ]


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} files, a day or two, rsync and the runner only")
    parser.add_argument("--files", type=int, metavar="N", help=f"files of the tree of all contenders (default {FULL})")
    parser.add_argument("--days", type=int, metavar="N", help="days at max, warm and as many cold (default 3, quick 1)")
    parser.add_argument("--only", nargs="*", choices=PEERS, metavar="NAME", help=f"which of {', '.join(PEERS)}")
    parser.add_argument(
        "--growth", nargs="*", type=int, metavar="N",
        help=f"files of the trees that show how the cost grows (default {' '.join(map(str, GROWTH))}, quick none)",
    )  # fmt: skip
    parser.add_argument(
        "--network", type=int, metavar="N", help=f"files of a tree that crosses a network (default {FULL}, quick none)"
    )
    parser.add_argument("--few", action="store_true", help="without many snapshots and many hosts")
    parser.add_argument("--plain", action="store_true", help="plain folders, no disks: needs no root, tells no bytes")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work (default: the temporary folder)")
    options = parser.parse_args(argv)
    if options.growth is None:
        options.growth = () if options.quick else GROWTH
    if options.network is None:
        options.network = 0 if options.quick else FULL
    return options


def _peers(options: argparse.Namespace) -> tuple[str, ...]:
    return () if options.quick else PEERS if options.only is None else tuple(options.only)


def _contest(options: argparse.Namespace, disks: bool, absent: dict[str, str]) -> Contest:
    quick = options.quick
    peers = tuple(name for name in _peers(options) if name not in absent)
    return Contest(
        files=options.files or (QUICK if quick else FULL), names=(BARE, OURS, *peers), disks=disks,
        below=1 if quick else 2, at_max=options.days or (1 if quick else 3), prunes=0 if quick else 3,
        cold=disks and not quick, whole=not quick, calls=bool(shutil.which("strace")) and not quick,
    )  # fmt: skip


def _growing(files: int, disks: bool) -> Contest:
    return Contest(files=files, names=(BARE, OURS), below=1, at_max=2, prunes=0, disks=disks, median=SMALL_SIZE)


def _aside(options: argparse.Namespace, folder: Path, bench: Bench) -> Aside:
    start = start_up(folder, bench.meter)
    if options.quick or options.few:
        return Aside(start=start, stores={}, hosts={})
    return Aside(start=start, stores=many.stores(folder / "many", bench), hosts=many.hosts(folder / "many", bench))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
