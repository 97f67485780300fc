"""What all steps of a drill have in common: where it takes from, where it restores to, over what."""

from __future__ import annotations

from dataclasses import dataclass

from runner.jobs.drill import agent
from runner.model.facts import Facts, StoreFacts
from runner.model.kind import DrillOptions
from runner.model.plan import Action, Command, Effect, Step
from runner.model.site import Host, Job, Site, Store
from runner.tools import agent as tool
from runner.tools import rsync, ssh


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """One drill: from `place` (as `found`, worked on as `at`) back to `source`, whose snapshots it has.

    `snapshots` are those to draw from, oldest first. `when` is the time of the plan, ISO 8601.
    """

    site: Site
    job: Job
    place: Store
    found: StoreFacts
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
        return self.site.host(self.place.host)

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
            source=(f"{away}:" if self.far and away != home else "") + f"{self.found.path}/",
            target=(f"{self.source.name}:" if self.far and self.source.name != home else "")
            + f"{self.scratch.place}/{folder}/",
            rsh=ssh.rsh(f"{self.site.state}/ssh_config") if self.far else (),
            checksum=sums,
        )
        return Command(argv=agent.bring(tool.program(self.site.host(self.runs_on)), rsync.chosen(ends)))
