"""The figures as plain text: ratios first, then seconds, memory, counts, and what is held. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from tests.bench.figures import Claim, Compared, Ratio, Stage, cpu, overhead, ratio, unmeasured
from tests.bench.measure import Cost

MEASURES: tuple[tuple[str, Callable[[Cost], float]], ...] = (
    ("wall", lambda cost: cost.wall),
    ("CPU", lambda cost: cost.cpu),
    ("MiB", lambda cost: cost.written / (1 << 20)),
)


def lines(trees: Sequence[Compared], start: Mapping[str, float], claims: Sequence[Claim]) -> Iterator[str]:
    """The whole report, line by line."""
    for tree in trees:
        yield from _tree(tree)
    if len(trees) > 1:
        yield from _overhead(trees)
    if start:
        yield "start-up, CPU ms, least of several"
        yield "  " + "   ".join(f"{name} {seconds * 1000:.0f}" for name, seconds in start.items())
        yield ""
    yield "held"
    for claim in claims:
        mark = "ok  " if claim.holds else "NOT "
        yield f"  {mark} {claim.text}: {claim.found:.3g} (at most {claim.most:.3g})"


def _tree(tree: Compared) -> Iterator[str]:
    yield f"{tree.files} files ({tree.names} names): a day, medians of {len(tree.days['rsync'])} paired days"
    yield _heads("first CPU s")
    firsts = {name: f"{first.cpu:.2f}" for name, first in tree.first.items()}
    yield from _rows(tree.days, firsts)
    for stage in tree.stages:
        yield from _stage(stage)
    yield from _memory(tree)
    for name in tree.days:
        yield (
            f"  {name}: {tree.differences[name]} names of the last copy differ from the source, "
            f"{tree.rewritten[name]} of the first copy were rewritten since"
        )
    for name, calls in tree.calls.items():
        yield f"  calls of a day, {name}: " + ", ".join(f"{call} {number}" for call, number in calls.items())
    yield ""


def _heads(last: str) -> str:
    return _row("", *(f"{name} / rsync (min-max)" for name, _ in MEASURES), "wall s", "CPU s", "MiB", last)


def _rows(costs: Mapping[str, Sequence[Cost]], last: Mapping[str, str]) -> Iterator[str]:
    bare = costs["rsync"]
    for name, each in costs.items():
        ratios = (_ratio(ratio([of(one) for one in each], [of(one) for one in bare])) for _, of in MEASURES)
        middles = (f"{median(of(one) for one in each):.2f}" for _, of in MEASURES)
        yield _row(name, *ratios, *middles, last.get(name, ""))


def _stage(stage: Stage) -> Iterator[str]:
    bare, number = stage.costs["rsync"], len(stage.measuring)
    yield f"  {stage.name}, {stage.kept} snapshots, `rm -rf` with rsync: medians of {number} pairs"
    yield _heads("")
    yield from _rows(stage.costs, {})
    part, rest = [one for one in cpu(stage.measuring) if one], unmeasured(stage)
    yield (
        f"  runner: {overhead(stage.costs):+.2f} s of CPU; {len(part)} of {number} measured what the "
        f"next frees, {median(part or [0]):.2f} s; without that CPU / rsync {_ratio(ratio(rest, cpu(bare)))}"
    )


def _memory(tree: Compared) -> Iterator[str]:
    for when, costs in (("first", [tree.first["runner"]]), ("day", tree.days["runner"])):
        peaks: dict[str, int] = {}
        for cost in costs:
            for program in ("runner", "runner-agent", "rsync"):
                peaks[program] = max(peaks.get(program, 0), cost.peaks.get(program, 0))
        told = ", ".join(f"{program} {peak / 1e6:.0f} MB" for program, peak in peaks.items())
        yield f"  peak memory, {when}: {told}"


def _overhead(trees: Sequence[Compared]) -> Iterator[str]:
    yield "the runner's own part: CPU seconds beyond rsync's (and rm's), and the ratio"
    for tree in trees:
        for what, costs in (("a day", tree.days), *((one.name, one.costs) for one in tree.stages)):
            told = ratio(cpu(costs["runner"]), cpu(costs["rsync"]))
            yield f"  {tree.files:>7} files, {what:<14}: {overhead(costs):+.2f} s   {_ratio(told)}"
    yield ""


def _ratio(told: Ratio | None) -> str:
    return f"{told.middle:.2f} ({told.least:.2f}-{told.most:.2f})" if told else "-"


def _row(first: str, *cells: str) -> str:
    widths = (24, 24, 24, 9, 9, 9, 12)
    return f"  {first:<14}" + "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
