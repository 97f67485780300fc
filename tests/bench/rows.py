"""The thresholds: what is held, against whom, and whether it does. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from tests.bench.figures import Aside, Of, Stage, Tree, compared, cpu, others, values
from tests.bench.network import ASKED, CHANGED, SLOW, UNCHANGED, Crossed
from tests.bench.peers.contenders import BARE, COPYING, OURS, YARDSTICK

MOST_MEMORY, MOST_MEMORY_TOGETHER = 120e6, 200e6
MOST_GROWTH, MOST_STORES, MOST_A_HOST, MOST_ONE_FILE = 4.2, 1.1, 0.020, 0.3
MOST_HELP, MOST_VALIDATE = 0.06, 0.25
# Of a day's figures. In less the start of the programs is most of a day, and they are only told.
HELD_FROM_FILES = 100_000
OUR_PROGRAMS = ("runner", "runner-agent")
WARM, COLD = Stage.MAX_WARM, Stage.MAX_COLD
# Each doing its day: the runner's is to cost less.
PEERS = ("borg", "restic", "dirvish", "rdiff-backup", "rsnapshot")
MOST_UNCHANGED, MOST_CHANGED, MOST_SLOW, MOST_CONNECTIONS, MOST_TURNS = 0.05, 1.05, 0.8, 1, 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A threshold and what was found; None: not measured in this run.

    `less`: it must stay below, not only at, it. `held`: where it is broken, the bench fails.
    """

    text: str
    found: float | None
    most: float
    less: bool = False
    held: bool = True

    @property
    def holds(self) -> bool | None:
        """Whether it does; None where nobody knows."""
        if self.found is None:
            return None
        return self.found < self.most if self.less else self.found <= self.most


# What it is, the stage, who it is compared with, of what, and the most.
_RATIOS: tuple[tuple[str, Stage, str, Of, float], ...] = (
    ("day at max, CPU warm / rsync and rm", WARM, BARE, cpu, 0.25),
    ("day at max, CPU cold / rsync and rm", COLD, BARE, cpu, 0.35),
    ("day at max, CPU warm / rsync without its walk and rm", WARM, YARDSTICK, cpu, 0.9),
    ("day at max, CPU cold / rsync without its walk and rm", COLD, YARDSTICK, cpu, 0.9),
    ("day at max, CPU warm / rsnapshot's cp -al", WARM, COPYING, cpu, 0.75),
    ("day at max, CPU cold / rsnapshot's cp -al", COLD, COPYING, cpu, 0.80),
    ("day at max, CPU warm, agent and rsync alone / rsync -aHAXn", WARM, "look", others, 1.6),
    ("day at max, CPU cold, agent and rsync alone / rsync -aHAXn", COLD, "look", others, 1.6),
    ("day at max, bytes written, warm / rsync and rm", WARM, BARE, lambda cost: cost.written, 0.45),
    ("day at max, bytes written, cold / rsync and rm", COLD, BARE, lambda cost: cost.written, 0.45),
    ("day at max, modelled spinning disk, cold / rsync and rm", COLD, BARE, lambda cost: cost.busy, 0.35),
    ("day at max, disk reads, cold / rsync and rm", COLD, BARE, lambda cost: cost.reads, 1.05),
    ("snapshot below max, CPU warm / rsync", Stage.BELOW_WARM, BARE, cpu, 0.30),
    ("snapshot below max, CPU cold / rsync", Stage.BELOW_COLD, BARE, cpu, 0.45),
    ("first snapshot, CPU / rsync", Stage.FIRST, BARE, cpu, 1.10),
    ("prune of one, CPU / rm -rf", Stage.PRUNE, BARE, cpu, 1.5),
    ("audit of the store, CPU / xxhsum", Stage.AUDIT, "xxhsum", cpu, 1.6),
    ("restore of a third, compared, CPU / rsync and its compare", Stage.FOLDER, BARE, cpu, 1.05),
)  # fmt: skip


def of_the_day(tree: Tree) -> Iterator[Row]:
    """What is held of one tree with all who take part."""
    held = tree.files >= HELD_FROM_FILES
    return (replace(row, held=held) for row in _of_the_day(tree))


def _of_the_day(tree: Tree) -> Iterator[Row]:
    for text, stage, whom, of, most in _RATIOS:
        found = compared(tree, stage, OURS, whom, of, cpu if of is others else of)
        yield Row(text=text, found=found.middle if found else None, most=most)
    for stage, told in ((WARM, "warm"), (COLD, "cold")):
        for peer in PEERS:
            found = compared(tree, stage, OURS, peer, cpu, cpu)
            text = f"day at max, CPU {told} / {peer}"
            yield Row(text=text, found=found.middle if found else None, most=1.0, less=True)
    one = values(tree.at(Stage.ONE_FILE, OURS), cpu)
    yield Row(text="restore of one file, CPU s", found=median(one) if one else None, most=MOST_ONE_FILE)


def of_copies(tree: Tree) -> Iterator[Row]:
    """What is held of every tree: memory, and right copies."""
    costs = tuple(tree.all_of(OURS))
    for program in OUR_PROGRAMS:
        # A program that was never seen would be below any threshold.
        peak = max((cost.peaks.get(program, 0) for cost in costs), default=0) or float("inf")
        yield Row(text=f"peak memory of {program}, {tree.files} files, MB", found=peak / 1e6, most=MOST_MEMORY / 1e6)
    together = max((cost.memory for cost in costs), default=0) or float("inf")
    text = f"peak memory of all our processes, {tree.files} files, MB"
    yield Row(text=text, found=together / 1e6, most=MOST_MEMORY_TOGETHER / 1e6)
    wrong = tree.differences[OURS] + tree.rewritten[OURS]
    yield Row(text=f"names that are wrong, {tree.files} files", found=wrong, most=0)


def of_growth(trees: Sequence[Tree]) -> Iterator[Row]:
    """What four times the files cost."""
    for small, large in zip(trees, trees[1:], strict=False):
        few, many = (values(tree.at(WARM, OURS), cpu) for tree in (small, large))
        found = median(many) / median(few) * 4 * small.files / large.files if few and many else None
        yield Row(text=f"day at max, CPU, {small.files} to {large.files} files", found=found, most=MOST_GROWTH)


def of_aside(aside: Aside) -> Iterator[Row]:
    """What is held of many snapshots, many hosts, and the start."""
    for verb, by_number in aside.stores.items():
        few, many = min(by_number), max(by_number)
        found = median(by_number[many]) / median(by_number[few])
        yield Row(text=f"{verb}, CPU, {many} snapshots / {few}", found=found, most=MOST_STORES)
    for verb, by_number in aside.hosts.items():
        few, many = min(by_number), max(by_number)
        found = (median(by_number[many]) - median(by_number[few])) / (many - few)
        yield Row(text=f"{verb}, {many} hosts, CPU ms a host more", found=found * 1000, most=MOST_A_HOST * 1000)
    for what, most in (("help", MOST_HELP), ("validate", MOST_VALIDATE)):
        if what in aside.start:
            text = f"start-up of {what} beyond `python3 -c pass`, CPU s"
            yield Row(text=text, found=aside.start[what] - aside.start["pass"], most=most)


def of_network(crossed: Mapping[str, Mapping[str, Crossed]]) -> Iterator[Row]:
    """What is held of the line between two hosts."""
    for day, most in ((UNCHANGED, MOST_UNCHANGED), (CHANGED, MOST_CHANGED)):
        found = crossed.get(day)
        part = found[OURS].counts.bytes / found[BARE].counts.bytes if found else None
        yield Row(text=f"bytes over the network, {day} / rsync", found=part, most=most)
    slow, usual = crossed.get(SLOW), crossed.get(ASKED)
    part = slow[OURS].seconds / slow[BARE].seconds if slow else None
    yield Row(text=f"time, {SLOW} / rsync", found=part, most=MOST_SLOW)
    connections = usual[OURS].counts.connections if usual else None
    yield Row(text="ssh connections of a day to the other host", found=connections, most=MOST_CONNECTIONS)
    # The connection's own and a transfer's are rsync's too.
    turns = usual[OURS].counts.turns - usual[BARE].counts.turns if usual else None
    yield Row(text="questions' round trips of a day, beyond those of one rsync", found=turns, most=MOST_TURNS)


def without(rows: Sequence[Row], lacking: Mapping[str, str]) -> Iterator[str]:
    """What was not measured, and why, one line each."""
    for name, why in lacking.items():
        yield f"{name} is left out: {why}"
    for row in rows:
        if row.found is None:
            yield f"not measured in this run: {row.text}"
