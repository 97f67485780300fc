"""Kind `access`: who got into a host in the last day, and who tried to; the guide's daily report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from runner.agent.access.contract import LookAtAccess
from runner.agent.arguments import argv as words
from runner.jobs.access.report import access_report
from runner.jobs.bundled import Bundled
from runner.model.facts import Facts
from runner.model.kind import Draft
from runner.model.options import AccessOptions
from runner.model.plan import Argv, Command, Effect, PlannedJob, Skip, Step
from runner.model.role import Role
from runner.model.site import Job, Site
from runner.report.default import or_default
from runner.tools import agent as tool

_PATIENCE = 3600

STATE = "/var/lib/runner/access"


class AccessKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "access"
    options = AccessOptions
    report = staticmethod(or_default(access_report))

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """One step, at the host: it reads the logs there and keeps the history of what is usual."""
        if not site.live:
            return Draft(skip=Skip(job=job.name, reason="nobody logs in to the sandbox"))
        options: AccessOptions = job.options
        hours = math.ceil(options.hours / timedelta(hours=1))
        argv = look(tool.program(site.host(job.host)), hours=hours, rows=options.rows, expected=options.expected)
        step = Step(
            id=f"{job.name}/look",
            role=Role.LOOK,
            job=job.name,
            host=job.host,
            effect=Effect.WRITE,
            timeout=_PATIENCE,
            action=Command(argv=argv),
            needs=("network",),
            why=f"see in the logs of {job.host} who got in and who tried to, and keep what is usual",
        )
        return Draft(planned=PlannedJob(name=job.name, kind=self.name, after=job.after), steps=(step,))


def look(program: str, *, hours: int, rows: int, expected: Sequence[str]) -> Argv:
    """Print as JSON what the host's logs say of the last `hours`, with `rows` rows a table.

    Adds what was counted to the host's own history of it. Sources in the networks `expected` are never new.
    """
    options = LookAtAccess(hours, rows, STATE, tuple(expected))
    return ("nice", "--adjustment=10", program, *words("access", options))
