"""What is not done where it is not known whether it was done before. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from runner.model.plan import Effect, Finding, Plan, Skip


def left_out(plan: Plan, since: datetime) -> Plan:
    """The plan without the jobs that would interrupt people for an instant before `since`: from then on only it is
    known what was done, and nothing may reboot twice for one instant. A finding for each tells a person.
    """
    out = {
        job.name
        for job in plan.jobs
        if job.instant
        and job.instant < since
        and any(step.job == job.name and step.effect >= Effect.INTERRUPT for step in plan.steps)
    }
    why = "whether it was done for its last time is not known, since the journal was lost"
    return replace(
        plan,
        jobs=tuple(job for job in plan.jobs if job.name not in out),
        steps=tuple(step for step in plan.steps if step.job not in out),
        skips=(*plan.skips, *(Skip(job=name, reason=why) for name in sorted(out))),
        findings=(
            *plan.findings,
            *(
                Finding(
                    severity="attention",
                    source=name,
                    text=why,
                    do="it comes again at its next time; if it shall be done now:",
                    command=f"runner run {name} --yes",
                )
                for name in sorted(out)
            ),
        ),
    )
