"""The verbs that plan and run, as visible lists of calls: load, gather, plan, review, execute, report."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.config.plugins import Hooks
from runner.engine import execute, machines, planfile, probe, seal, spool
from runner.engine.journal import Journal
from runner.engine.recording import Recording
from runner.hosts import reach
from runner.hosts.reach import transports, write_ssh_config
from runner.hosts.transport import Transport
from runner.jobs.catalogue import REPORTERS, TAKEN, looking_kinds, together
from runner.model.errors import Busy, GoingDown, RunnerError, StalePlan, UsageError
from runner.model.event import Event, RunStarted
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.plan import Basis, Finding, Plan, PlannedJob, Skip
from runner.model.run import Outcome, Pass, Report, Reporter, Verdict
from runner.model.site import Site
from runner.model.text import minute
from runner.planning import doubted, floors, keepers, passes, planner, review, schedule
from runner.planning import machines as same
from runner.planning.passes import MOST_PASSES, again, waits
from runner.planning.schedule import DueJobs, forecast
from runner.report.outcome import job_lines
from runner.verbs import applied, due, history, new_machines
from runner.verbs.due import RunRequest
from runner.verbs.spare import Spare

Tell = Callable[[Event], None]
_WAITS = (10.0, 60.0)
_AGAIN = "plan again, read it, apply it"


class App:
    """An opened site: journal, ways to the hosts, plugins. A context manager."""

    def __init__(self, site: Site, tell: Tell, stop: threading.Event, *, looks: bool = False) -> None:
        """Open it; `tell` hears every event of a run, `stop` ends it. `looks`: nothing is to be recorded."""
        self.site = site
        self.spare = Spare() if looks else None
        self.stop = stop
        self._say, self._saying = tell, threading.Lock()
        self.recording = Recording()
        if not site.live:
            reach.make(site)
        self.hooks = Hooks.load(site)
        self._kinds = together(self.hooks.declare_kinds(TAKEN))
        self.kinds: Mapping[str, Reporter] = {**REPORTERS, **self._kinds}
        self.looking = looking_kinds(self._kinds)
        self._read = Facts(at=self.now(), hosts={})
        self.past = history.StoresPast(self)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connections and the journal."""
        if "transports" in vars(self):
            for transport in self.transports.values():
                transport.close()
        if "journal" in vars(self):
            self.journal.close()
        if self.spare:
            self.spare.close()

    # Both need room on the controller's disk. They are opened when they are first used, so that a run
    # that cannot have them is reported like any other failure.
    @cached_property
    def journal(self) -> Journal:
        """The journal; RunnerError where it cannot be opened."""
        path = Path(self.site.journal)
        try:
            return Journal(path)
        except RunnerError as error:
            if not self.spare:
                raise
            return self.spare.journal(path, error)

    @cached_property
    def transports(self) -> Mapping[str, Transport]:
        """The ways to the hosts, by name; RunnerError where their configuration cannot be written."""
        ssh_config = Path(self.site.state) / "ssh_config"
        if self.site.live:
            try:
                write_ssh_config(self.site, ssh_config)
            except RunnerError as error:
                if not self.spare:
                    raise
                ssh_config = self.spare.ssh_config(self.site, error)
        return transports(self.site, ssh_config)

    @property
    def key(self) -> bytes:
        """The key that seals plans; RunnerError where it cannot be used."""
        return seal.key_of(Path(self.site.state))

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    def gather(self, hosts: Sequence[str], probes: Sequence[Probe] = ()) -> Facts:
        """Read these hosts now; one that is another machine than it was is not believed."""
        self._read = same.checked(self.site, self.gather_any(hosts, probes))
        return self._read

    def gather_any(self, hosts: Sequence[str], probes: Sequence[Probe] = ()) -> Facts:
        """Read these hosts now, whichever machines they are."""
        asked, program = self.past.probes(hosts, probes), probe.runner_agent()
        facts = probe.gather(self.site, hosts, asked, self.transports, at=self.now(), program=program)
        known, bound = self.journal, machines.bound(Path(self.site.state)) if self.site.live else {}
        facts = replace(facts, last=known.last_success(), wrote=known.wrote(), took=known.took())
        return self.past.looked(replace(facts, announced=known.announcements.coming(), bound=bound))

    def plan(self, request: RunRequest) -> Plan:
        """The plan for the named jobs, or for what is due, with all findings of review and hooks."""
        doing, looking = schedule.apart(due.asked(self, request), self.looking)
        if not doing.jobs:
            return self._planned(looking)
        waits = tuple(Skip(job=job.name, reason="looks when the others are done") for job in looking.jobs)
        return self._planned(replace(doing, skips=(*doing.skips, *waits)))

    def _planned(self, chosen: DueJobs) -> Plan:
        own = [probe for job in chosen.jobs for probe in self._kinds[job.kind].probes(self.site, job)]
        hosts = planner.hosts_of(self.site, chosen.jobs, own)
        brought = [probe for probe in self.hooks.declare_probes(self.site) if probe.host in hosts]
        # Two jobs may want the same reading of a host, and some readings take long.
        facts = self.gather(hosts, tuple({(probe.host, probe.id): probe for probe in (*brought, *own)}.values()))
        past = {job.name: forecast(self.journal.past(job.name)) for job in chosen.jobs}
        plan = planner.draft(self.site, chosen.jobs, facts, self._kinds, past)
        if (wanted := schedule.for_somebody(chosen, plan.skips)) != chosen:
            chosen = wanted
            plan = planner.draft(self.site, chosen.jobs, facts, self._kinds, past)
        schedule.require_not_missed(self.site, chosen, plan)
        plan = replace(plan, findings=(*plan.findings, *due.busy(chosen, plan)))
        more = (*schedule.left_out(chosen, plan), *due.cut_off(self, plan), *same.notes(self.site, facts))
        plan = replace(plan, findings=(*plan.findings, *more, *self.past.findings(plan.id)))
        since = self.journal.asides.since()
        plan = doubted.left_out(plan, since) if since else plan
        return self._reviewed(replace(plan, skips=(*plan.skips, *chosen.skips)), facts)

    def plan_of(self, draft: Draft, facts: Facts) -> Plan:
        """The plan of one draft that is no job of jobs.toml, such as a restore."""
        return self._reviewed(planner.assemble(self.site, (draft,), facts, {}), facts)

    def _reviewed(self, plan: Plan, facts: Facts) -> Plan:
        plan = planner.insert(plan, facts, partial(self.hooks.add_steps, self.site))
        reviewed = (*review.check(plan), *review.names(plan, self.site), *floors.refusals(plan, self.site, facts))
        # A hook speaks of the plan it is given; with nothing planned there is nothing to speak of.
        of_hooks = self.hooks.check_plan(self.site, plan, facts) if plan.steps else ()
        return replace(plan, findings=(*plan.findings, *reviewed, *of_hooks))

    def run(self, request: RunRequest, shown: Callable[[Plan], None]) -> tuple[Report, int]:
        """Plan, review and run what is asked, up to three passes; `shown` gets each plan before it runs.

        A job that is not there by its name is answered at once: there is no run, and nobody else need hear of it.
        """
        due.require_possible(self.site, request)
        taken: list[Finding] = []

        def run_pass(chosen: DueJobs, done: list[Pass], run: str) -> None:
            plan = self._planned(chosen)
            plan = replace(plan, findings=(*taken, *plan.findings))
            if not request.jobs:
                plan = keepers.contain(plan, self.site, confirmed=request.confirmed)
            shown(plan)
            keepers.allow(plan, self.site, reviewed=False, confirmed=request.confirmed)
            done.append(self._pass(plan, run, len(done)))

        def passes(done: list[Pass], run: str) -> None:
            taken.extend(new_machines.take(self, request.new_machines))
            self._go_on(done, run)
            doing, looking = schedule.apart(due.asked(self, request), self.looking)
            for number in range(MOST_PASSES if doing.jobs or not looking.jobs else 0):
                run_pass(doing, done, run)
                names = again(done[-1])
                last = not names or number + 1 == MOST_PASSES
                if last or self.stop.wait(_WAITS[number] if self.site.live and waits(done[-1]) else 0.0):
                    break
                # These and nothing else: what they come after has been done.
                doing = replace(doing, jobs=tuple(job for job in doing.jobs if job.name in names), skips=(), missed="")
            if looking.jobs and not self.stop.is_set():
                run_pass(looking, done, run)

        return self._reported(passes)

    def apply(
        self, plan: Plan, *, reviewed: bool, confirmed: bool, fresh: bool = False, signers: Sequence[str] = ()
    ) -> tuple[Report, int]:
        """Run exactly this plan, once; StalePlan if anything it rests on changed. Nothing where it was run before.

        `fresh`: it was made just now of what was read last, and nobody was asked since. `signers` have signed it.
        """
        allow = partial(keepers.allow, site=self.site, reviewed=reviewed, confirmed=confirmed, signers=signers)

        def passes(done: list[Pass], run: str) -> None:
            self._go_on(done, run)
            if left := applied.earlier(self.journal, plan, self.site):
                done.append(Pass(plan=left, outcomes=()))
                return
            allow(replace(plan, findings=(*plan.findings, *review.check(plan), *review.names(plan, self.site))))
            facts = self._facts_of(plan, fresh=fresh)
            same.require_same(self.site, facts)
            if left := applied.made(plan, facts):
                done.append(Pass(plan=left, outcomes=()))
                return
            _require_fresh(plan, planner.basis(self.site, facts))
            allow(replace(plan, findings=floors.refusals(plan, self.site, facts)))
            done.append(self._pass(plan, run, 0))

        return self._reported(passes)

    def _reported(self, passes: Callable[[list[Pass], str], None]) -> tuple[Report, int]:
        from runner.verbs import deliver  # late: a verb that only asks reports nothing

        return deliver.reported(self, passes)

    def _facts_of(self, plan: Plan, *, fresh: bool) -> Facts:
        """Read again what the plan was made from, unless it is `fresh`; UsageError where that is another site."""
        if plan.site != self.site.name:
            text = f"this plan is for site {plan.site}, and jobs.toml declares {self.site.name}"
            raise UsageError(text, do="name the jobs.toml that it was made from: --file")
        if plan.live != self.site.live:
            where = "the real site" if plan.live else "the sandbox"
            raise StalePlan(f"jobs.toml changed: this plan was made for {where}", do=_AGAIN)
        subjects = {basis.subject for basis in plan.basis}
        hosts = tuple(host.name for host in self.site.hosts if f"host {host.name}" in subjects)
        return self._read if fresh and self._read.hosts.keys() >= {*hosts} else self.gather(hosts)

    def _pass(self, plan: Plan, run: str, number: int) -> Pass:
        if not plan.steps:
            return Pass(plan=plan, outcomes=())
        if not self.journal.plan_started(run, plan, planfile.data(plan)):
            raise Busy(f"plan {plan.id} is being run by another runner", do="wait until that run has ended")
        if self.site.live and (fresh := same.fresh(self._read, dict.fromkeys(step.host for step in plan.steps))):
            machines.bind(Path(self.site.state), fresh)
        zone, kept = self.site.timezone, Path(self.site.state) / "spool"
        spool.sweep(kept, lambda name: (line := self.journal.run_of(name)) is not None and line.alive)
        self.tell(RunStarted(run=run, plan=plan, at=self.now(), again=number, timezone=zone))
        means = execute.Means(
            transports=self.transports, artifacts={"runner-agent": probe.runner_agent()},
            spool=kept, stop=self.stop, tell=self.tell,
            already=lambda job: self._already(job, run),
            begun=lambda step, at: self.recording.sure(partial(self.journal.step_started, plan.id, step, at)),
            ended=lambda step, outcome: self.recording.soon(partial(self.journal.step_ended, plan.id, step, outcome)),
            left=lambda job, outcomes: self._left(run, plan, job, outcomes),
        )  # fmt: skip
        outcomes = execute.run(plan, means)
        if self._goes_down(plan, outcomes):
            raise GoingDown(f"{self.site.controller} goes down, as planned", do="the next run reports how it returned")
        return Pass(plan=plan, outcomes=outcomes)

    def _already(self, job: PlannedJob, run: str) -> str:
        """Why a job that has its locks is done for its instant by another run than this; "" where it is not."""
        at = due.done_at(self, job, job.instant, but=run) if job.instant else None
        return f"by the run that ended at {minute(at, self.site.timezone)}" if at else ""

    def _go_on(self, done: list[Pass], run: str) -> None:
        """Do what is left of a plan that rebooted the machine that the runner is on."""
        for line in self.journal.killed():
            for values, outcomes in self.journal.passes_of(line.id) if line.rebooted else ():
                plan = planfile.plan(values)
                left = passes.rest(plan, outcomes, self.site.controller)
                if left and self.journal.run_of(left.id) is None:
                    now = self._pass(left, run, len(done))
                    done.append(Pass(plan=plan, outcomes=passes.joined(plan, outcomes, now.outcomes)))
                    self.journal.run_ended(line.id, self.now(), Verdict.DONE)

    def _goes_down(self, plan: Plan, outcomes: tuple[Outcome, ...]) -> bool:
        return self.stop.is_set() and passes.rest(plan, outcomes, self.site.controller) is not None

    def _left(self, run: str, plan: Plan, job: PlannedJob, outcomes: tuple[Outcome, ...]) -> None:
        if self._goes_down(plan, outcomes):
            return
        for line in job_lines(Pass(plan=replace(plan, jobs=(job,)), outcomes=outcomes), self.kinds):
            self.recording.soon(partial(self.journal.job_ended, run, line))

    def tell(self, event: Event) -> None:
        """Send it to the terminal and the plugins; one event at a time. A terminal that has gone ends nothing."""
        with self._saying:
            try:
                self._say(event)
            except (OSError, ValueError):
                self._say = lambda event: None
            self.hooks.observe(event)


def _require_fresh(plan: Plan, now: Sequence[Basis]) -> None:
    if changes := planner.changed(plan.basis, now):
        raise StalePlan("\n".join(changes), do=_AGAIN)
