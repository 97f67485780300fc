"""The steps of a drill: files and databases come out of a store, and are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.agent.arguments import argv as words
from runner.agent.drill.contract import UNTRIED, Bring, CompareDrill, DrawSample, DrillRoom, NewestDumps, TryDumps
from runner.agent.store.contract.proven import Prove
from runner.model.facts import Facts, StoreFacts
from runner.model.options import DrillOptions, DumpOptions
from runner.model.plan import Argv, Command, Effect, Ended, Finding, Step
from runner.model.role import Role
from runner.model.site import Host, Job, Site, Store
from runner.model.text import count
from runner.tools import agent, rsync, ssh

DAY = 24 * 3600
# A name that is not there, or that rsync could not give back whole, is named by the comparison.
_NOT_ALL = (0, 23, 24)
# A file that differs, or a dump that does not come back, ends 1.
_TRIED = (0, UNTRIED)
# Clocks that are kept by NTP are much closer; a change within it is not seen as one.
_CLOCKS_APART = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Drill:
    """One drill: from `store` (as in `facts`, worked on as `at`) back to `source`, whose snapshots it has.

    `folder` is the scratch folder as it really is there. `snapshots` are those to draw from, oldest first. `when` is
    the time of the plan, ISO 8601.
    """

    site: Site
    job: Job
    store: Store
    facts: StoreFacts
    at: agent.At
    source: Host
    folder: str
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
    def place(self) -> str:
        """The folder that this drill makes and removes."""
        return f"{self.folder}/{self.at.plan}"

    @property
    def locks(self) -> str:
        """The folder of the locks of the source, "" for the usual one."""
        return self.source.at("/run/runner/lock") if self.source.root else ""

    @property
    def far(self) -> bool:
        """Whether store and source are different machines."""
        return self.site.live and self.source.name != self.keeper.name

    def id(self, name: str) -> str:
        """The id of the step `name`."""
        return f"{self.job.name}/{name}"

    def step(self, name: str, host: Host, verb: Argv, why: str, **more: Any) -> Step:  # noqa: ANN401
        """A step of this drill, which calls the agent on `host`; it writes, unless `more` says another effect."""
        action = Command(argv=(agent.program(host), *verb))
        values = {"effect": Effect.WRITE, **more}
        return Step(id=self.id(name), job=self.job.name, host=host.name, action=action, why=why, **values)

    def room(self, name: str, why: str, **options: Any) -> Step:  # noqa: ANN401
        """A step that makes the scratch folder, looks for room there, or removes it."""
        own = {key: options.pop(key) for key in DrillRoom._fields if key in options}
        room = DrillRoom(self.folder, self.at.plan, run=self.locks, **own)
        return self.step(name, self.source, words("drill-room", room), why, **options)

    def copy(self, name: str, facts: Facts, folder: str, why: str, **more: Any) -> Step:  # noqa: ANN401
        """Bring the names of an earlier step into `folder` of the scratch place, as a restore would."""
        home, keeper, source = self.site.controller, self.keeper.name, self.source.name
        place = f"{self.place}/{folder}"
        confined = self.far and facts.hosts[source].uid == 0 and self.source.confined
        way = ssh.rsh(self.site.state)[-1:] if source == home else ()
        only = agent.Only(writes=(place,), reads=way)
        ends = rsync.Ends(
            source=f"{keeper}:{self.facts.path}/" if self.far and keeper != home else f"{self.facts.path}/",
            target=f"{source}:{place}/" if self.far and source != home else f"{place}/",
            rsh=ssh.rsh(self.site.state) if self.far else (),
            checksum=rsync.checksum(facts.hosts[source].rsync, facts.hosts[keeper].rsync),
            keep=agent.keep_room(agent.program(self.source), place, only=only) if confined else (),
            confined=confined,
        )
        # rsync runs at one end, on the controller where it is one.
        runs_on = self.site.host(home if self.far or home in (source, keeper) else source)
        bring = words("bring", Bring(rsync.chosen(ends)))
        return self.step(name, runs_on, bring, why, role=Role.COPY, timeout=DAY, ok_codes=_NOT_ALL, **more)

    def proven(self, sort: str, why: str, **more: Any) -> Step:  # noqa: ANN401
        """Record at the store that a drill of this sort succeeded, unless there was nothing to try."""
        proof = Prove(self.at.path, sort, self.snapshots[-1], self.when, self.at.disk)
        unless = Ended(step=self.id("restore" if sort == "database" else "compare"), codes=(UNTRIED,))
        verb = words("proven", proof)
        return self.step(f"proven-{sort}", self.keeper, verb, why, role=Role.PROVEN, unless=unless, **more)


def steps_files(drill: Drill, facts: Facts) -> tuple[Step, ...]:
    """Draw, copy, compare, and record at the store that the files can be restored."""
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
    compare = words("compare-drill", CompareDrill(f"{drill.place}/files", real, margin))
    drawn = f"draw {count(options.files, 'file')} from {count(len(drill.snapshots), 'snapshot')}"
    why = f"{drawn}, {count(len(options.canaries), 'canary', 'canaries')} from the newest"
    compared = "compare them with what was sealed, and with what the source still has unchanged"
    space = f"check that there is room on {source.name} for what was drawn"
    read, look = (drill.id("sample"),), {"effect": Effect.READ, "timeout": DAY}
    return (
        drill.step("sample", drill.keeper, words("sample", names), why, role=Role.SAMPLE, **look),
        drill.room("files-room", space, measure=True, role=Role.ROOM, inputs=read, effect=Effect.READ),
        drill.copy("copy", facts, "files", f"restore them to {source.name}", inputs=read),
        drill.step("compare", source, compare, compared, role=Role.COMPARE, inputs=read, ok_codes=_TRIED, **look),
        drill.proven("files", "record at the store that its files can be restored", inputs=read),
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
    """Find the dumps, see that there is room, copy, restore and count, and record it at the store.

    They are tried also when the files (`despite`) did not come back as they should.
    """
    dump: DumpOptions = drill.site.job(drill.options.database).options
    host, newest = drill.source, drill.snapshots[-1]
    find = words("newest-dumps", NewestDumps(drill.facts.path, newest, dump.to))
    restore = words("try-dumps", TryDumps(drill.place, dump.user, dump.programs))
    why = "restore them into a server of their own, and count the rows again"
    space = "check that there is room to restore them"
    look: dict[str, Any] = {"effect": Effect.READ, "despite": tuple(despite)}
    more: dict[str, Any] = {"inputs": (drill.id("dumps"),), "despite": tuple(despite)}
    return (
        drill.step("dumps", drill.keeper, find, f"find the newest dumps in {newest}", role=Role.DUMPS, **look),
        drill.room("dumps-room", space, measure=True, role=Role.ROOM, **{**more, **look}),
        # Without a dump there is nothing to copy: the restore says so.
        drill.copy("dumps-copy", facts, "dumps", f"copy them to {host.name}", **more),
        drill.step("restore", host, restore, why, role=Role.RESTORE, timeout=DAY, ok_codes=_TRIED, **more),
        drill.proven("database", "record at the store that its dumps can be restored", **more),
    )
