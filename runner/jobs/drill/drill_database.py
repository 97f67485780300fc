"""The database of a drill: the newest dumps, out of the newest snapshot, into a server made for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from runner.jobs.drill import agent
from runner.jobs.drill.steps import Work
from runner.model.facts import Facts
from runner.model.plan import Command, Effect, Finding, Step
from runner.tools import agent as tool

DAY = 24 * 3600


def wrong(work: Work) -> Finding | None:
    """Why there is no database to try, where `database` names something else."""
    jobs = {one.name: one for one in work.site.jobs}
    found, name = jobs.get(work.options.database), work.options.database
    said = ""
    if found is None or found.kind != "dump":
        said = f"'{name}' is no job of kind dump"
    elif found.host != work.source.name:
        said = f"job {name} dumps the databases of {found.host}, and store {work.place.name} has {work.source.name}"
    if not said:
        return None
    return Finding(
        severity="attention", source=work.job.name, text=f"no database is tried: {said}",
        do="correct `database` of this job in jobs.toml",
    )  # fmt: skip


def steps(work: Work, facts: Facts, despite: Sequence[str]) -> tuple[Step, ...]:
    """Find the dumps, see that there is room, copy, restore and count, remember it at the store.

    They are tried also when what came back of the files (`despite`) was not as it should be.
    """
    dump: Any = work.site.job(work.options.database).options
    host, keeper, newest = work.source.name, work.keeper.name, work.snapshots[-1]
    reach = tuple(f"--{name}={value}" for name in ("user", "programs") if (value := getattr(dump, name, "")))
    find = work.step(
        "dumps", keeper,
        Command(argv=agent.newest_dumps(tool.program(work.keeper), work.found.path, newest, dump.to)),
        Effect.READ, f"find the newest dumps in {newest}",
    )  # fmt: skip
    room = work.step(
        "dumps-room",
        host,
        Command(argv=work.scratch.measure()),
        Effect.READ,
        "there is room to restore them",
    )
    copy = work.step(
        "dumps-copy", work.runs_on, work.copy(facts, "dumps"), Effect.WRITE, f"copy them to {host}"
    )
    restore = work.step(
        "restore",
        host,
        Command(argv=agent.try_dumps(work.scratch, reach)),
        Effect.WRITE,
        "restore them into a server made for it, and count rows as they were counted then",
    )
    proven = work.step(
        "proven-database", keeper,
        Command(argv=agent.proven(work.at, "database", newest, work.when)), Effect.WRITE,
        "remember at the store that its dumps come back",
    )  # fmt: skip
    read = (find.id,)
    made = (
        find,
        replace(room, inputs=read),
        # Without a dump there is nothing to copy: the restore says so.
        replace(copy, inputs=read, timeout=DAY, ok_codes=(0, 23, 24)),
        replace(restore, inputs=read, timeout=DAY),
        replace(proven, inputs=read),
    )
    return tuple(replace(one, despite=tuple(despite)) for one in made)
