"""The verbs that plan and run, as visible lists of calls: load, gather, plan, review, execute, report."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.config.complaints import no_such
from runner.config.plugins import Hooks
from runner.engine import execute, planfile, probe, seal
from runner.engine.journal import Journal
from runner.hosts import reach
from runner.hosts.reach import transports, write_ssh_config
from runner.hosts.transport import Transport
from runner.jobs.catalogue import REPORTERS, TAKEN, looking_kinds, together
from runner.model.errors import GoingDown, RunnerError, StalePlan, UsageError
from runner.model.event import Event, RunStarted
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.plan import Plan, PlannedJob, Skip
from runner.model.run import Outcome, Pass, Report, Reporter, Verdict
from runner.model.site import Site
from runner.planning import passes, planner, review, schedule
from runner.planning.passes import MOST_PASSES, again, waits
from runner.planning.schedule import forecast
from runner.report.outcome import job_lines

Tell = Callable[[Event], None]
_WAITS = (10.0, 60.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """What a person or cron asks of a run: these jobs (empty: what is due), confirmed with --yes or not.

    `packages` are the only ones that the jobs of kind `upgrade` among them shall upgrade.
    """

    jobs: tuple[str, ...] = ()
    confirmed: bool = False
    packages: tuple[str, ...] = ()


class App:
    """An opened site: journal, ways to the hosts, plugins. A context manager."""

    def __init__(self, site: Site, tell: Tell, stop: threading.Event) -> None:
        """Open it; `tell` hears every event of a run, `stop` ends it."""
        self.site = site
        self.stop = stop
        self._say = tell
        self._saying = threading.Lock()
        if not site.live:
            reach.make(site)
        self.hooks = Hooks.load(site)
        self._kinds = together(self.hooks.declare_kinds(TAKEN))
        self.kinds: Mapping[str, Reporter] = {**REPORTERS, **self._kinds}
        self.looking = looking_kinds(self._kinds)

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

    # Both need room on the controller's disk. They are opened when they are first used, so that a run
    # that cannot have them is reported like any other failure.
    @cached_property
    def journal(self) -> Journal:
        """The journal; RunnerError where it cannot be opened."""
        return Journal(Path(self.site.journal))

    @cached_property
    def transports(self) -> Mapping[str, Transport]:
        """The ways to the hosts, by name; RunnerError where their configuration cannot be written."""
        ssh_config = Path(self.site.state) / "ssh_config"
        try:
            if self.site.live:
                write_ssh_config(self.site, ssh_config)
        except OSError as error:
            raise RunnerError(f"{ssh_config} cannot be written: {error}", do="free room there") from error
        return transports(self.site, ssh_config)

    @property
    def key(self) -> bytes:
        """The key that seals plans; RunnerError where it cannot be used."""
        return seal.key_of(Path(self.site.state))

    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    def gather(self, hosts: Sequence[str], probes: Sequence[Probe] = ()) -> Facts:
        """Read these hosts now."""
        facts = probe.gather(self.site, hosts, probes, self.transports, at=self.now(), program=probe.runner_agent())
        known = self.journal
        return replace(facts, last=known.last_success(), took=known.took(), announced=known.announcements.coming())

    def due(self, names: Sequence[str], packages: tuple[str, ...] = ()) -> schedule.DueJobs:
        """What is to be planned: the named jobs, or what is due; UsageError for what is not in jobs.toml."""
        known = {job.name for job in self.site.jobs}
        self._require_here(names)
        unknown = [name for name in names if name not in known]
        if unknown:
            unknown_jobs = "; ".join(no_such("job", name, sorted(known)) for name in unknown)
            raise UsageError(unknown_jobs, do="name a job of jobs.toml")
        if packages:
            return narrowed(schedule.named(self.site, names), packages)
        return (
            schedule.named(self.site, names)
            if names
            else schedule.due(self.site, self.journal.last_success(), self.now())
        )

    def _require_here(self, names: Sequence[str]) -> None:
        """UsageError where a job is started on another host, or none at all on this one."""
        for job in self.site.elsewhere:
            if job.name in names:
                raise UsageError(f"{job.name} is started on {job.runs_on}, by `runs_on`", do="run it there")
        if self.site.elsewhere and not self.site.jobs:
            here, starters = self.site.controller, {job.runs_on for job in self.site.elsewhere}
            raise UsageError(
                f"this machine is {here}, and jobs.toml starts no job on it",
                do=f"run it on {' or '.join(sorted(starters))}; if this is not {here}: --here HOST",
            )

    def plan(self, names: Sequence[str], packages: tuple[str, ...] = ()) -> Plan:
        """The plan for the named jobs, or for what is due, with all findings of review and hooks."""
        doing, looking = schedule.apart(self.due(names, packages), self.looking)
        if not doing.jobs:
            return self._planned(looking)
        waits = tuple(Skip(job=job.name, reason="looks when the others are done") for job in looking.jobs)
        return self._planned(replace(doing, skips=(*doing.skips, *waits)))

    def _planned(self, due: schedule.DueJobs) -> Plan:
        own = [probe for job in due.jobs for probe in self._kinds[job.kind].probes(self.site, job)]
        hosts = planner.hosts_of(self.site, due.jobs, own)
        brought = [probe for probe in self.hooks.declare_probes(self.site) if probe.host in hosts]
        # Two jobs may want the same reading of a host, and some readings take long.
        facts = self.gather(hosts, tuple({(probe.host, probe.id): probe for probe in (*brought, *own)}.values()))
        past = {job.name: forecast(self.journal.past(job.name)) for job in due.jobs}
        plan = planner.draft(self.site, due.jobs, facts, self._kinds, past)
        return self._reviewed(replace(plan, skips=(*plan.skips, *due.skips)), facts)

    def plan_of(self, draft: Draft, facts: Facts) -> Plan:
        """The plan of one draft that is no job of jobs.toml, such as a restore."""
        return self._reviewed(planner.assemble(self.site, (draft,), facts, {}), facts)

    def _reviewed(self, plan: Plan, facts: Facts) -> Plan:
        plan = planner.insert(plan, facts, partial(self.hooks.add_steps, self.site))
        reviewed = (*review.check(plan), *review.names(plan, self.site), *review.floors(plan, self.site, facts))
        # A hook speaks of the plan it is given; with nothing planned there is nothing to speak of.
        of_hooks = self.hooks.check_plan(self.site, plan, facts) if plan.steps else ()
        return replace(plan, findings=(*plan.findings, *reviewed, *of_hooks))

    def run(self, request: RunRequest, shown: Callable[[Plan], None]) -> tuple[Report, int]:
        """Plan, review and run what is asked, up to three passes; `shown` gets each plan before it runs."""

        def run_pass(due: schedule.DueJobs, done: list[Pass], run: str) -> None:
            plan = self._planned(due)
            if not request.jobs and not request.confirmed:
                plan = review.contain(plan, self.site.unattended)
            shown(plan)
            review.allow(plan, ceiling=self.site.unattended, reviewed=False, confirmed=request.confirmed)
            done.append(self._pass(plan, run, len(done)))

        def passes(done: list[Pass], run: str) -> None:
            self._go_on(done, run)
            doing, looking = schedule.apart(self.due(request.jobs, request.packages), self.looking)
            for number in range(MOST_PASSES if doing.jobs or not looking.jobs else 0):
                run_pass(doing, done, run)
                names = again(done[-1])
                last = not names or number + 1 == MOST_PASSES
                if last or self.stop.wait(_WAITS[number] if self.site.live and waits(done[-1]) else 0.0):
                    break
                # These and nothing else: what they come after has been done.
                doing = schedule.DueJobs(jobs=tuple(job for job in doing.jobs if job.name in names), skips=())
            if looking.jobs and not self.stop.is_set():
                run_pass(looking, done, run)

        return self._reported(passes)

    def apply(self, plan: Plan, *, reviewed: bool, confirmed: bool) -> tuple[Report, int]:
        """Run exactly this plan, once; StalePlan if anything it rests on changed, or it was run before."""

        def passes(done: list[Pass], run: str) -> None:
            self._go_on(done, run)
            checked = replace(plan, findings=(*plan.findings, *review.check(plan), *review.names(plan, self.site)))
            review.allow(checked, ceiling=self.site.unattended, reviewed=reviewed, confirmed=confirmed)
            facts = self._fresh(plan)
            below = replace(plan, findings=review.floors(plan, self.site, facts))
            review.allow(below, ceiling=self.site.unattended, reviewed=reviewed, confirmed=confirmed)
            done.append(self._pass(plan, run, 0))

        return self._reported(passes)

    def _reported(self, passes: Callable[[list[Pass], str], None]) -> tuple[Report, int]:
        # Late: a verb that only asks reports nothing.
        from runner.verbs import deliver

        return deliver.reported(self, passes)

    def _fresh(self, plan: Plan) -> Facts:
        again_do = "plan again, read it, apply it"
        ran = self.journal.plan_run(plan.id)
        if ran:
            raise StalePlan(f"plan {plan.id} was run already, at {ran:%Y-%m-%d %H:%M} UTC", do=again_do)
        if plan.site != self.site.name or plan.live != self.site.live:
            raise StalePlan("this plan was made for another site, or for the sandbox", do=again_do)
        subjects = {basis.subject for basis in plan.basis}
        hosts = tuple(host.name for host in self.site.hosts if f"host {host.name}" in subjects)
        facts = self.gather(hosts)
        changes = planner.changed(plan.basis, planner.basis(self.site, facts))
        if changes:
            raise StalePlan("\n".join(changes), do=again_do)
        return facts

    def _pass(self, plan: Plan, run: str, number: int) -> Pass:
        if not plan.steps:
            return Pass(plan=plan, outcomes=())
        if not self.journal.plan_started(run, plan, planfile.data(plan)):
            raise StalePlan(f"plan {plan.id} was run already", do="plan again, read it, apply it")
        zone = self.site.timezone
        self.tell(RunStarted(run=run, plan=plan, at=self.now(), again=number, timezone=zone))
        means = execute.Means(
            transports=self.transports, artifacts={"runner-agent": probe.runner_agent()},
            spool=Path(self.site.state) / "spool", stop=self.stop, tell=self.tell,
            begun=lambda step, at: self.journal.step_started(plan.id, step, at),
            ended=lambda step, outcome: self.journal.step_ended(plan.id, step, outcome),
            left=lambda job, outcomes: self._left(run, plan, job, outcomes),
        )  # fmt: skip
        outcomes = execute.run(plan, means)
        if self._goes_down(plan, outcomes):
            raise GoingDown(f"{self.site.controller} goes down, as planned", do="the next run reports how it returned")
        return Pass(plan=plan, outcomes=outcomes)

    def _go_on(self, done: list[Pass], run: str) -> None:
        """Do what is left of a plan that rebooted the machine that the runner is on."""
        for line in self.journal.killed():
            for values, outcomes in self.journal.passes_of(line.id) if line.rebooted else ():
                plan = planfile.plan(values)
                left = passes.rest(plan, outcomes, self.site.controller)
                if left and self.journal.plan_run(left.id) is None:
                    now = self._pass(left, run, len(done))
                    done.append(Pass(plan=plan, outcomes=passes.joined(plan, outcomes, now.outcomes)))
                    self.journal.run_ended(line.id, self.now(), Verdict.DONE)

    def _goes_down(self, plan: Plan, outcomes: tuple[Outcome, ...]) -> bool:
        return self.stop.is_set() and passes.rest(plan, outcomes, self.site.controller) is not None

    def _left(self, run: str, plan: Plan, job: PlannedJob, outcomes: tuple[Outcome, ...]) -> None:
        if self._goes_down(plan, outcomes):
            return
        for line in job_lines(Pass(plan=replace(plan, jobs=(job,)), outcomes=outcomes), self.kinds):
            self.journal.job_ended(run, line)

    def tell(self, event: Event) -> None:
        """Send it to the terminal and the plugins; one event at a time. A terminal that has gone ends nothing."""
        with self._saying:
            try:
                self._say(event)
            except (OSError, ValueError):
                self._say = lambda event: None
            self.hooks.observe(event)


def narrowed(due: schedule.DueJobs, packages: tuple[str, ...]) -> schedule.DueJobs:
    """The same jobs, those of kind `upgrade` for these packages only; UsageError where there is none."""
    jobs = tuple(
        replace(job, options=replace(job.options, packages=packages)) if job.kind == "upgrade" else job
        for job in due.jobs
    )
    if jobs == due.jobs:
        raise UsageError("--package is for jobs of kind upgrade", do="name such a job: runner run JOB --package NAME")
    return replace(due, jobs=jobs)
