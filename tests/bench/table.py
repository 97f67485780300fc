"""The figures as plain text: what everything cost everybody, then what is held, and what was not measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from tests.bench.figures import Aside, Of, Stage, Tree, compared, cpu, values
from tests.bench.network import Crossed
from tests.bench.peers.contenders import BARE, OURS
from tests.bench.rows import Row

MIB = 1 << 20
_COLUMNS: tuple[tuple[str, Of, int], ...] = (
    ("CPU s", cpu, 2),
    ("wall s", lambda cost: cost.wall, 2),
    ("MiB written", lambda cost: cost.written / MIB, 0),
    ("reads", lambda cost: cost.reads, 0),
    ("spinning s", lambda cost: cost.busy, 1),
    ("MB memory", lambda cost: cost.memory / 1e6, 0),
)


def of_tree(tree: Tree) -> Iterator[str]:
    """What one contest has found, as rows of a Markdown table, and whether the copies are right."""
    yield f"### {tree.files} files ({tree.names} names), {tree.kept} snapshots at max"
    yield ""
    heads = ("", "", "CPU / rsync (min-max)", *(head for head, _, _ in _COLUMNS), "n")
    yield _line(heads)
    yield _line("---" for _ in heads)
    for stage, by_name in tree.costs.items():
        for name, costs in by_name.items():
            told = compared(tree, stage, name, BARE, cpu, cpu)
            beside = f"{told.middle:.2f} ({told.least:.2f}-{told.most:.2f})" if told else "-"
            cells = (_middle(values(costs, of), digits) for _, of, digits in _COLUMNS)
            yield _line((stage.value, name, beside, *cells, str(len(costs))))
    yield ""
    for name, wrong in tree.differences.items():
        yield (
            f"{name}: {wrong} names of the last copy are not as in the source; "
            f"{tree.rewritten.get(name, 0)} of the first copy were rewritten since"
        )
    yield from _own(tree)
    for name, calls in tree.calls.items():
        told_calls = ", ".join(f"{call} {number}" for call, number in calls.items() if number)
        yield f"calls of a day at max, {name}: {told_calls}"
    if not tree.grouped:
        yield "no control group here: time of daemons is not counted"
    if not tree.traced:
        yield "no tracing here: nothing is modelled of a spinning disk"
    yield ""


def of_aside(aside: Aside) -> Iterator[str]:
    """Start-up, many snapshots and many hosts."""
    if aside.start:
        told = "   ".join(f"{name} {seconds * 1000:.0f}" for name, seconds in aside.start.items())
        yield f"start-up, CPU ms, least of several: {told}"
    for what, found in (("snapshots", aside.stores), ("hosts", aside.hosts)):
        for verb, by_number in found.items():
            told = ", ".join(f"{number} {what} {median(each):.2f}" for number, each in by_number.items())
            yield f"{verb}, CPU s: {told}"
    yield ""


def of_network(crossed: Mapping[str, Mapping[str, Crossed]]) -> Iterator[str]:
    """What crossed the line between two hosts."""
    if crossed:
        yield _line(("over the network", "", "seconds", "bytes", "connections", "turns of the talk"))
        yield _line(("---",) * 6)
    for day, by_name in crossed.items():
        for name, one in by_name.items():
            counts = (one.counts.bytes, one.counts.connections, one.counts.turns)
            yield _line((day, name, f"{one.seconds:.1f}", *map(str, counts)))
    yield ""


def of_rows(rows: Sequence[Row], versions: Mapping[str, str]) -> Iterator[str]:
    """Each threshold with what was found."""
    yield _line(("figure", "found", "at most", ""))
    yield _line(("---",) * 4)
    for row in rows:
        if row.found is not None:
            limit = f"less than {row.most:.3g}" if row.less else f"{row.most:.3g}"
            told = "holds" if row.holds else "BROKEN"
            yield _line((row.text, f"{row.found:.3g}", limit, told if row.held else f"{told.lower()}, only told"))
    yield ""
    yield from (f"{name}: {version}" for name, version in versions.items())


def _own(tree: Tree) -> Iterator[str]:
    for stage in (Stage.MAX_WARM, Stage.MAX_COLD):
        costs = tree.at(stage, OURS)
        if costs:
            own = median(values(costs, lambda cost: cost.own))
            yield f"runner, {stage.value}: of {median(values(costs, cpu)):.2f} s the controller's process has {own:.2f}"


def _middle(found: Sequence[float], digits: int) -> str:
    return f"{median(found):.{digits}f}" if found else "-"


def _line(cells: Iterator[str] | Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
