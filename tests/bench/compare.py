"""The contest: one tree, a disk for each contender, a first snapshot, then days, each in a different order."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.tools import rsync
from tests.bench import tree
from tests.bench.calls import counted
from tests.bench.contenders import MOUNT, Contender, Place, contender
from tests.bench.disk import Disk, disk, size_for
from tests.bench.figures import Compared, Stage
from tests.bench.life import Life, days_at_max, prunes
from tests.bench.measure import Cost
from tests.bench.running import Say, cost, in_turn, prepare


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """How large, how long, who, and whether on disks of their own (root) or in plain folders.

    `at_max` days follow on which as much expires as is made, and `prunes` of one snapshot each.
    """

    files: int
    days: int
    names: tuple[str, ...]
    disks: bool
    count_calls: bool
    cold: bool
    at_max: int = 0
    prunes: int = 0

    @property
    def kept(self) -> int:
        """Snapshots on each disk once the days are over."""
        return 1 + self.days + self.count_calls


def compare(contest: Contest, folder: Path, say: Say) -> Compared:
    """Run the contest in `folder`; what it makes there it removes, but for the compiled modules."""
    with ExitStack() as stack:
        for name in ("source", *contest.names):
            stack.callback(shutil.rmtree, folder / name, ignore_errors=True)
        source = tree.make(folder / "source", files=contest.files)
        places = {name: stack.enter_context(_place(contest, name, folder)) for name in contest.names}
        runs = {name: contender(name, place) for name, place in places.items()}
        names = tree.walk(source.root)
        say(f"{contest.files} files, {names} names")
        first = {name: cost(run.place, run.work(), f"first: {name}", say) for name, run in runs.items()}
        before = {name: _look_of(run.oldest()) for name, run in runs.items()}
        days = _days(contest, source, runs, say)
        calls = _calls(contest, source, runs, say)
        rewritten = {name: len(before[name] - _look_of(run.oldest())) for name, run in runs.items()}
        stages = _stages(contest, source, runs, say)
        return Compared(
            files=contest.files, names=names, first=first, days=days, stages=stages, calls=calls,
            differences={name: _differences(source.root, run.newest()) for name, run in runs.items()},
            rewritten=rewritten,
        )  # fmt: skip


def _days(contest: Contest, source: tree.Tree, runs: Mapping[str, Contender], say: Say) -> Mapping[str, Sequence[Cost]]:
    days: dict[str, list[Cost]] = {name: [] for name in runs}
    for number in range(contest.days):
        tree.day(source)
        for name in in_turn(contest.names, number):
            run = runs[name]
            prepare(run.place, (source.root, run.newest()), cold=contest.cold)
            days[name].append(cost(run.place, run.work(), f"day {number + 1}: {name}", say))
    return days


def _stages(contest: Contest, source: tree.Tree, runs: Mapping[str, Contender], say: Say) -> tuple[Stage, ...]:
    life = Life(kept=contest.kept, days=contest.at_max, prunes=contest.prunes, cold=contest.cold)
    done = (
        days_at_max(life, source, runs, say) if life.days else None,
        prunes(life, runs, say) if life.prunes else None,
    )
    return tuple(one for one in done if one)


@contextmanager
def _place(contest: Contest, name: str, folder: Path) -> Iterator[Place]:
    own = folder / name
    mount = own / MOUNT
    mount.mkdir(parents=True)
    if not contest.disks:
        yield Place(folder=own, source=folder / "source", disk=Disk(mount=mount))
        return
    size = size_for(contest.files, contest.kept + contest.at_max)
    with disk(folder / f"{name}.img", mount, size=size) as made:
        yield Place(folder=own, source=folder / "source", disk=made)


def _differences(source: Path, copy: Path) -> int:
    ends = rsync.Ends(source=f"{source}/", target=f"{copy}/")
    done = subprocess.run(rsync.look(ends, exclude=()), check=True, capture_output=True)
    return len(done.stdout.splitlines())


def _look_of(top: Path) -> frozenset[int]:
    """What every name below `top` is, each as one number: mode, owner, time, size."""
    found = []
    waiting = [os.fsencode(top)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                seen = entry.stat(follow_symlinks=False)
                size = 0 if stat.S_ISDIR(seen.st_mode) else seen.st_size
                told = os.path.relpath(entry.path, os.fsencode(top))
                found.append(hash((told, seen.st_mode, seen.st_uid, seen.st_gid, seen.st_mtime_ns, size)))
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return frozenset(found)


def _calls(
    contest: Contest, source: tree.Tree, runs: Mapping[str, Contender], say: Say
) -> Mapping[str, Mapping[str, int]]:
    if not contest.count_calls:
        return {}
    tree.day(source)
    found = {}
    for name, run in runs.items():
        say(f"  calls of a day: {name}")
        found[name] = counted(run.work(), run.place.disk, run.place.folder)
    return found
