"""The contest: one tree, a disk for each, a first snapshot, days below and at the limit, prunes, restores."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from tests.bench import tree
from tests.bench.figures import Stage, Tree
from tests.bench.ground import Ground, ground
from tests.bench.meters.calls import counted
from tests.bench.meters.measure import Cost, Failed, Work
from tests.bench.peers.bare import BareRsync
from tests.bench.peers.contender import Contender
from tests.bench.peers.contenders import BARE, OURS
from tests.bench.peers.ours import Runner
from tests.bench.running import Bench, cold, in_turn, warm
from tests.compare import differences

FEWEST_LEFT = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """How large, how long, who, and whether on disks of their own (root) or in plain folders.

    Of `below` and `at_max` as many days are warm as cold, if `cold`; on each of `at_max` as much expires as is made.
    `prunes` of one snapshot each follow; with `whole` all of each one's last copy is restored, and the runner's
    folders, files and audit are measured. `calls` counts system calls of one more day at max.
    """

    files: int
    names: tuple[str, ...]
    below: int
    at_max: int
    prunes: int
    disks: bool
    cold: bool = False
    whole: bool = False
    calls: bool = False
    median: int = tree.MEDIAN_SIZE

    @property
    def kept(self) -> int:
        """Snapshots on each disk once it is at its limit."""
        return 1 + self.below * (1 + self.cold)

    @property
    def room(self) -> int:
        """Bytes that each disk has."""
        made = self.kept + self.at_max * (1 + self.cold) + self.calls + 1
        content = self.files * (12 * self.median + 8192)
        return (512 << 20) + content + made * (self.files * (2048 + 300) + tree.DUMP)


@dataclass(kw_only=True, slots=True)
class _Going:
    """A contest that goes on: what was measured so far, by stage and contender."""

    contest: Contest
    bench: Bench
    ground: Ground
    source: tree.Tree
    costs: dict[Stage, dict[str, list[Cost]]] = field(default_factory=dict)

    def note(self, stage: Stage, name: str, cost: Cost) -> None:
        """Remember it."""
        self.costs.setdefault(stage, {}).setdefault(name, []).append(cost)

    @property
    def bare(self) -> BareRsync | None:
        """The one against whom all are measured."""
        run = self.ground.runs.get(BARE)
        return run if isinstance(run, BareRsync) else None

    @property
    def ours(self) -> Runner | None:
        """The runner."""
        run = self.ground.runs.get(OURS)
        return run if isinstance(run, Runner) else None


def compete(contest: Contest, top: Path, images: Path | None, bench: Bench) -> Tree:
    """Run the contest in `top`, with the disks' images in `images`; what it makes there it removes."""
    with ground(top, contest.names, images=images if contest.disks else None, size=contest.room) as place:
        for own in place.source.mount.iterdir():
            # Of a new filesystem: lost+found, which is nobody's to copy.
            own.rmdir()
        source = tree.make(place.source.mount, files=contest.files, median=contest.median)
        names = tree.walk(source.root)
        bench.say(f"{contest.files} files, {names} names")
        going = _Going(contest=contest, bench=bench, ground=place, source=source)
        for name, run in place.runs.items():
            going.note(Stage.FIRST, name, bench.cost(run.place, run.work(), f"first: {name}"))
        before = {name: _look_of(run.oldest()) for name, run in place.runs.items()}
        _days(going, contest.below, Stage.BELOW_WARM, Stage.BELOW_COLD)
        rewritten = {name: len(before[name] - _look_of(run.oldest())) for name, run in place.runs.items()}
        _days(going, contest.at_max, Stage.MAX_WARM, Stage.MAX_COLD)
        found = dict(_equal(going) if contest.whole else _equal_in_place(going))
        if contest.whole:
            _restores(going)
            _audit(going)
        calls = _calls(going) if contest.calls else {}
        _prunes(going)
        return Tree(
            files=contest.files, names=names, kept=contest.kept, costs=going.costs, differences=found,
            rewritten=rewritten, calls=calls, traced=bool(bench.meter.tracer), grouped=bool(bench.meter.group),
        )  # fmt: skip


def _days(going: _Going, number: int, warm_stage: Stage, cold_stage: Stage) -> None:
    at_max = warm_stage is Stage.MAX_WARM
    stages = (warm_stage, cold_stage) if going.contest.cold else (warm_stage,)
    for count, stage in enumerate(stages * number):
        tree.day(going.source)
        if at_max and going.bare:
            _prepare(going, stage, going.bare)
            told = f"{stage.value}, day {count + 1}: rsync, looking only"
            going.note(stage, "look", going.bench.cost(going.bare.place, going.bare.look(), told))
        for name in in_turn(going.contest.names, count):
            run = going.ground.runs[name]
            _prepare(going, stage, run)
            work = run.work(most=going.contest.kept)
            going.note(stage, name, going.bench.cost(run.place, work, f"{stage.value}, day {count + 1}: {name}"))
            if at_max:
                _require(run, going.contest.kept)


def _prepare(going: _Going, stage: Stage, run: Contender) -> None:
    if stage.cold:
        cold(going.ground)
    else:
        warm(going.ground, run)


def _prunes(going: _Going) -> None:
    runs = {name: run for name, run in going.ground.runs.items() if isinstance(run, BareRsync | Runner)}
    for number in range(min(going.contest.prunes, going.contest.kept - FEWEST_LEFT)):
        left = going.contest.kept - number - 1
        for name in in_turn(tuple(runs), number):
            run = runs[name]
            warm(going.ground, run)
            cost = going.bench.cost(run.place, run.prune(most=left), f"prune {number + 1}: {name}")
            going.note(Stage.PRUNE, name, cost)
            _require(run, left)


def _equal(going: _Going) -> Iterator[tuple[str, int]]:
    """Restore all of everybody's last copy, cold, and count what differs from the source."""
    for name, run in going.ground.runs.items():
        with _target(run) as target:
            if going.contest.cold:
                cold(going.ground)
            cost = going.bench.cost(run.place, run.restore(target), f"whole restore: {name}")
            going.note(Stage.RESTORE_ALL, name, cost)
            yield name, len(differences(going.source.root, run.restored(target)))


def _equal_in_place(going: _Going) -> Iterator[tuple[str, int]]:
    for name, run in going.ground.runs.items():
        newest = run.newest()
        if newest:
            yield name, len(differences(going.source.root, newest))


@contextmanager
def _target(run: Contender) -> Iterator[Path]:
    """Where to restore, for as long as the block; the runner makes its folder itself."""
    target = run.side() if isinstance(run, Runner) else run.place.folder / "restored"
    if not isinstance(run, Runner):
        target.mkdir()
    try:
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _restores(going: _Going) -> None:
    """A third of the tree and one file, warm: the runner, and rsync with a compare after it."""
    rounds = range(3)
    both: tuple[BareRsync | Runner | None, ...] = (going.bare, going.ours)
    for _ in rounds:
        for run in (one for one in both if one):
            warm(going.ground, run)
            with _target(run) as target:
                work = run.folder(going.source.third, target)
                going.note(Stage.FOLDER, run.name, going.bench.cost(run.place, work, f"one folder: {run.name}"))
    for number in rounds:
        if going.ours:
            with _target(going.ours) as target:
                work = going.ours.folder(going.source.paths[number], target)
                going.note(Stage.ONE_FILE, OURS, going.bench.cost(going.ours.place, work, "one file: runner"))


def _audit(going: _Going) -> None:
    """The later audits of a store: the first one writes for each snapshot what they compare with.

    Cold: an audit reads what is on the disk and not what is in memory, and so must who is compared with it.
    """
    ours = going.ours
    if not ours:
        return
    going.note(Stage.FIRST_AUDIT, OURS, going.bench.cost(ours.place, ours.audit(), "first audit: runner"))
    paths = going.ground.top / "files"
    paths.write_bytes(b"".join(_once_each(ours.place.store)))
    argv = ("xargs", "-0", "-a", str(paths), "xxhsum", "-H2", "--")
    for _ in range(2):
        for name in (OURS, "xxhsum"):
            if going.contest.cold:
                cold(going.ground)
            work = ours.audit() if name == OURS else Work(commands=(argv,), folder=ours.place.folder)
            going.note(Stage.AUDIT, name, going.bench.cost(ours.place, work, f"audit: {name}"))


def _once_each(store: Path) -> Iterator[bytes]:
    """The path of each file in the snapshots, once an inode, with a NUL."""
    seen = set()
    for snapshot in sorted(store.glob("[0-9]*Z")):
        for path in snapshot.rglob("*"):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_ino not in seen:
                seen.add(status.st_ino)
                yield bytes(path) + b"\0"


def _require(run: Contender, number: int) -> None:
    if run.copies() != number:
        raise Failed(f"{run.name}: {run.copies()} snapshots are left, not {number}")


def _look_of(top: Path | None) -> frozenset[int]:
    """What every name below `top` is, each as one number: mode, owner, time, size."""
    found = []
    for path in chain((top,), top.rglob("*")) if top else ():
        seen = path.lstat()
        size = 0 if stat.S_ISDIR(seen.st_mode) else seen.st_size
        told = path.relative_to(top) if top else path
        found.append(hash((told, seen.st_mode, seen.st_uid, seen.st_gid, seen.st_mtime_ns, size)))
    return frozenset(found)


def _calls(going: _Going) -> Mapping[str, Mapping[str, int]]:
    tree.day(going.source)
    found = {}
    for name, run in going.ground.runs.items():
        if isinstance(run, BareRsync | Runner):
            going.bench.say(f"  calls of a day at max: {name}")
            found[name] = counted(run.work(most=going.contest.kept), run.place, going.bench.meter.measure)
    return found
