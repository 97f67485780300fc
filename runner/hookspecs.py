"""The plugin contract: seven functions a plugin may implement, and when each is called.

A plugin is an object whose methods carry `@hookimpl`. It is given values, never the application;
it takes the arguments named here, all or some, without defaults. It is given the site with each call
that may need it, so it keeps its own settings and nothing else. docs/hooks.md shows a whole one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pluggy

from runner.model.event import Event
from runner.model.facts import Facts, Probe
from runner.model.kind import JobKind
from runner.model.notice import Notice
from runner.model.plan import Finding, Insertion, Plan, PlannedJob, Step
from runner.model.run import Report
from runner.model.site import Site

PROJECT = "runner"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Specs(Protocol):
    """The seven hooks in the order in which a run calls them; plugins are called in name order."""

    @hookspec
    def declare_kinds(self) -> Sequence[JobKind]:
        """Offer kinds of jobs of your own. Called before the jobs of jobs.toml are read.

        No I/O. Raising, or a name that is taken, refuses to go on (exit 4).
        """
        ...

    @hookspec
    def declare_probes(self, site: Site) -> Sequence[Probe]:
        """Name the READ commands whose output you want when planning. Called before facts are read.

        No I/O; the runner asks. An id is unique on its host: begin it with the hook's name.
        What was read is `facts.reading(host, id)`, None where it could not be asked. Raising
        refuses the plan (exit 4).
        """
        ...

    @hookspec
    def add_steps(self, site: Site, job: PlannedJob, steps: tuple[Step, ...], facts: Facts) -> Sequence[Insertion]:
        """Put steps of your own before or after a step of this job. Called once for each planned job.

        No I/O. `steps` are those of the job's kind, not what other hooks add. The new steps are
        shown in the plan with your name, and are above the ceiling or not like any other. Raising,
        a step of another job, an unknown anchor or an id that is taken refuses the plan (exit 4).
        """
        ...

    @hookspec
    def check_plan(self, site: Site, plan: Plan, facts: Facts) -> Sequence[Finding]:
        """Say what a reviewer of this plan should know. Called once the plan is complete, if it has steps.

        No I/O. A `refusal` stops the run before it starts; `attention` makes a person look at it
        and the exit code 3; a `note` is only read. Raising refuses the plan (exit 4).
        """
        ...

    @hookspec
    def observe(self, event: Event) -> None:
        """Hear that the run began or ended, that a step began, goes on or ended, as it happens.

        Be quick: the run waits. Raising is contained, and is a finding of the report, once.
        """
        ...

    @hookspec
    def deliver_report(self, report: Report) -> None:
        """Carry the report to people. Called once a run, always: also when nothing was done.

        The run is recorded before. Raising means that it did not arrive: the other hooks are
        still called, and the exit code is 6.
        """
        ...

    @hookspec
    def deliver_notice(self, notice: Notice) -> None:
        """Carry a message to the users: an interruption comes, is over, is late, or is not to be.

        Called when a person announces or cancels one, and after the run that carried it out. It is
        recorded before. Raising means that it did not arrive; a person is told so.
        """
        ...
