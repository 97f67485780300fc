"""The files of a drill: a sample and the canaries come back over the wire, and are compared."""

from __future__ import annotations

from dataclasses import replace

from runner.jobs.drill import agent
from runner.jobs.drill.steps import Work
from runner.model.facts import Facts
from runner.model.plan import Command, Effect, Step
from runner.model.text import count
from runner.tools import agent as tool

DAY = 24 * 3600
# A name that is not there, or that rsync could not give back whole, is named by the comparison.
_NOT_ALL = (0, 23, 24)
# Clocks that are kept by NTP are much closer; a change within it is not seen as one.
_CLOCKS_APART = 600


def steps(work: Work, facts: Facts) -> tuple[Step, ...]:
    """Draw, copy, compare, and remember at the store that it all came back."""
    options, source = work.options, work.source
    wanted = agent.Sample(
        snapshots=work.snapshots, seed=work.seed, files=options.files, most=options.most.bytes or 0,
        canaries=options.canaries,
    )  # fmt: skip
    # In the sandbox the source's own folders stand in for it, or those of its playground.
    real = "/" if not source.root or source.stand_ins else source.root
    margin = 0 if source.name == work.site.controller or not work.site.live else _CLOCKS_APART
    draw = work.step(
        "sample", work.keeper.name,
        Command(argv=agent.sample(tool.program(work.keeper), work.found.path, wanted)), Effect.READ,
        f"draw {count(options.files, 'file')} from {count(len(work.snapshots), 'snapshot')}, "
        f"{count(len(options.canaries), 'canary', 'canaries')} from the newest",
    )  # fmt: skip
    copy = work.step(
        "copy", work.runs_on, work.copy(facts, "files"), Effect.WRITE, f"restore them to {source.name}"
    )
    compare = work.step(
        "compare", source.name, Command(argv=agent.compare(work.scratch, source=real, margin=margin)),
        Effect.READ, "is it what was sealed, and what the source still has unchanged",
    )  # fmt: skip
    proven = work.step(
        "proven-files", work.keeper.name,
        Command(argv=agent.proven(work.at, "files", work.snapshots[-1], work.when)), Effect.WRITE,
        "remember at the store that its files come back",
    )  # fmt: skip
    return (
        replace(draw, timeout=DAY),
        replace(copy, timeout=DAY, inputs=(draw.id,), ok_codes=_NOT_ALL),
        replace(compare, timeout=DAY, inputs=(draw.id,)),
        replace(proven, inputs=(draw.id,)),
    )
