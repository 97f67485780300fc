"""A plan whose forecasts are counted and not guessed: each transfer is asked what it would send."""

from __future__ import annotations

from dataclasses import replace

from runner.jobs.snapshots.filesystems import scaffold
from runner.model.plan import Command, Plan, PlannedJob
from runner.model.role import Role
from runner.tools import agent, rsync
from runner.tools.foreseen import BLOCK, Foreseen
from runner.verbs.app import App


def counted(app: App, plan: Plan) -> Plan:
    """The plan with its snapshots' forecasts counted by a dry run of each transfer; reads only."""
    return replace(plan, jobs=tuple(_counted(app, plan, job) if job.writes else job for job in plan.jobs))


def _counted(app: App, plan: Plan, job: PlannedJob) -> PlannedJob:
    foreseen = Foreseen()
    own = [step for step in plan.steps if step.job == job.name]
    compared = [step for step in own if step.role == Role.DIFFER]
    # What is sent whole is counted at the source; nothing is there to compare it with.
    if not compared or any(step.role == Role.WALK for step in own):
        return job
    for step in compared:
        if isinstance(step.action, Command):
            argv = rsync.foresee(step.action.argv)
            result = app.transports[step.host].run(argv, timeout=step.timeout, sink=foreseen.hear)
            if result.exit not in rsync.PARTIAL_OK:
                return job
    around = scaffold(_mounts(plan, job))
    size = foreseen.bytes + around * BLOCK
    counted = replace(job.forecast, bytes=size, files=foreseen.inodes + around, exact=True)
    return replace(job, forecast=counted)


def _mounts(plan: Plan, job: PlannedJob) -> tuple[str, ...]:
    begins = (step.action for step in plan.steps if step.job == job.name and step.role == Role.BEGIN)
    return next((agent.begun(action.argv).points for action in begins if isinstance(action, Command)), ())
