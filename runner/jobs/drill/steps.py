"""The steps of a drill: files and databases come out of a store, and are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.agent.drill.contract import DrawSample
from runner.jobs.drill import agent
from runner.model.facts import Facts, StoreFacts
from runner.model.options import DrillOptions
from runner.model.plan import Action, Command, Effect, Finding, Step
from runner.model.role import Role
from runner.model.site import Host, Job, Site, Store
from runner.model.text import count
from runner.tools import agent as tool
from runner.tools import rsync, ssh

DAY = 24 * 3600
# A name that is not there, or that rsync could not give back whole, is named by the comparison.
_NOT_ALL = (0, 23, 24)
# Clocks that are kept by NTP are much closer; a change within it is not seen as one.
_CLOCKS_APART = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Drill:
    """One drill: from `store` (as in `facts`, worked on as `at`) back to `source`, whose snapshots it has.

    `snapshots` are those to draw from, oldest first. `when` is the time of the plan, ISO 8601.
    """

    site: Site
    job: Job
    store: Store
    facts: StoreFacts
    at: tool.At
    source: Host
    scratch: agent.Scratch
    snapshots: tuple[str, ...]
    seed: str
    when: str

    @property
    def options(self) -> DrillOptions:
        """What jobs.toml says of it."""
        options: DrillOptions = self.job.options
        return options

    @property
    def keeper(self) -> Host:
        """The host of the store."""
        return self.site.host(self.store.host)

    @property
    def far(self) -> bool:
        """Whether store and source are different machines."""
        return self.site.live and self.source.name != self.keeper.name

    @property
    def runs_on(self) -> str:
        """Where rsync runs: at one end, on the controller where it is one."""
        near = self.site.controller in (self.source.name, self.keeper.name)
        return self.site.controller if self.far or near else self.source.name

    def id(self, name: str) -> str:
        """The id of the step `name`."""
        return f"{self.job.name}/{name}"

    def step(self, name: str, host: str, action: Action, effect: Effect, why: str) -> Step:
        """A step of this drill."""
        return Step(id=self.id(name), job=self.job.name, host=host, action=action, effect=effect, why=why)

    def copy(self, facts: Facts, folder: str) -> Command:
        """Bring the names of an earlier step into `folder` of the scratch place, as a restore would."""
        sums = rsync.checksum(facts.hosts[self.source.name].rsync, facts.hosts[self.keeper.name].rsync)
        away, home = self.keeper.name, self.site.controller
        ends = rsync.Ends(
            source=(f"{away}:" if self.far and away != home else "") + f"{self.facts.path}/",
            target=(f"{self.source.name}:" if self.far and self.source.name != home else "")
            + f"{self.scratch.place}/{folder}/",
            rsh=ssh.rsh(f"{self.site.state}/ssh_config") if self.far else (),
            checksum=sums,
        )
        return Command(argv=agent.bring(tool.program(self.site.host(self.runs_on)), rsync.chosen(ends)))


def steps_files(drill: Drill, facts: Facts) -> tuple[Step, ...]:
    """Draw, copy, compare, and remember at the store that the files came back."""
    options, source = drill.options, drill.source
    names = DrawSample(
        store=drill.facts.path,
        snapshots=drill.snapshots,
        seed=drill.seed,
        files=options.files,
        most=options.most.bytes or 0,
        canary=options.canaries,
    )
    # In the sandbox the source's own folders stand in for it, or those of its playground.
    real = "/" if not source.root or source.stand_ins else source.root
    margin = 0 if source.name == drill.site.controller or not drill.site.live else _CLOCKS_APART
    draw = drill.step(
        "sample",
        drill.keeper.name,
        Command(argv=agent.sample(tool.program(drill.keeper), names)),
        Effect.READ,
        f"draw {count(options.files, 'file')} from {count(len(drill.snapshots), 'snapshot')}, "
        f"{count(len(options.canaries), 'canary', 'canaries')} from the newest",
    ).known_as(Role.SAMPLE)
    copy = drill.step(
        "copy", drill.runs_on, drill.copy(facts, "files"), Effect.WRITE, f"restore them to {source.name}"
    ).known_as(Role.COPY)
    compare = drill.step(
        "compare",
        source.name,
        Command(argv=drill.scratch.compare(source=real, margin=margin)),
        Effect.READ,
        "is it what was sealed, and what the source still has unchanged",
    ).known_as(Role.COMPARE)
    proven = drill.step(
        "proven-files",
        drill.keeper.name,
        Command(argv=agent.proven(drill.at, "files", drill.snapshots[-1], drill.when)),
        Effect.WRITE,
        "remember at the store that its files come back",
    ).known_as(Role.PROVEN)
    return (
        replace(draw, timeout=DAY),
        replace(copy, timeout=DAY, inputs=(draw.id,), ok_codes=_NOT_ALL),
        replace(compare, timeout=DAY, inputs=(draw.id,)),
        replace(proven, inputs=(draw.id,)),
    )


def wrong(drill: Drill) -> Finding | None:
    """Why no database can be tried, where `database` does not name a job that dumps those of the source."""
    name = drill.options.database
    job = next((job for job in drill.site.jobs if job.name == name), None)
    if job is None or job.kind != "dump":
        why = f"'{name}' is no job of kind dump"
    elif job.host != drill.source.name:
        why = f"job {name} dumps the databases of {job.host}, and store {drill.store.name} has {drill.source.name}"
    else:
        return None
    return Finding(
        severity="attention",
        source=drill.job.name,
        text=f"no database is tried: {why}",
        do="correct `database` of this job in jobs.toml",
    )


def steps_database(drill: Drill, facts: Facts, despite: Sequence[str]) -> tuple[Step, ...]:
    """Find the dumps, see that there is room, copy, restore and count, remember it at the store.

    They are tried also when the files (`despite`) did not come back as they should.
    """
    dump: Any = drill.site.job(drill.options.database).options
    host, keeper, newest = drill.source.name, drill.keeper.name, drill.snapshots[-1]
    reach = (getattr(dump, "user", ""), getattr(dump, "programs", ""))
    find = drill.step(
        "dumps",
        keeper,
        Command(argv=agent.newest_dumps(tool.program(drill.keeper), drill.facts.path, newest, dump.to)),
        Effect.READ,
        f"find the newest dumps in {newest}",
    ).known_as(Role.DUMPS)
    room = drill.step(
        "dumps-room", host, Command(argv=drill.scratch.measure()), Effect.READ, "there is room to restore them"
    ).known_as(Role.ROOM)
    copy = drill.step(
        "dumps-copy", drill.runs_on, drill.copy(facts, "dumps"), Effect.WRITE, f"copy them to {host}"
    ).known_as(Role.COPY)
    restore = drill.step(
        "restore",
        host,
        Command(argv=drill.scratch.try_dumps(*reach)),
        Effect.WRITE,
        "restore them into a server made for it, and count rows as they were counted then",
    ).known_as(Role.RESTORE)
    proven = drill.step(
        "proven-database",
        keeper,
        Command(argv=agent.proven(drill.at, "database", newest, drill.when)),
        Effect.WRITE,
        "remember at the store that its dumps come back",
    ).known_as(Role.PROVEN)
    read = (find.id,)
    steps = (
        find,
        replace(room, inputs=read),
        # Without a dump there is nothing to copy: the restore says so.
        replace(copy, inputs=read, timeout=DAY, ok_codes=_NOT_ALL),
        replace(restore, inputs=read, timeout=DAY),
        replace(proven, inputs=read),
    )
    return tuple(replace(step, despite=tuple(despite)) for step in steps)
