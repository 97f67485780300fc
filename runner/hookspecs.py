"""The plugin contract: seven functions a plugin may implement, and when each is called.

A plugin is an object whose methods carry `@hookimpl`. It gets values, never the application. A method takes the
arguments named here, or fewer of them, without defaults. Each call that may need the site gets it, so a plugin keeps
its own settings and nothing else. docs/hooks.md shows a whole plugin.
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

        No I/O. Raising, or a name that is taken, stops the runner (exit 4).
        """

    @hookspec
    def declare_probes(self, site: Site) -> Sequence[Probe]:
        """Name the READ commands whose output you want when planning. Called before facts are read.

        No I/O; the runner runs them. An id is unique on its host: begin it with the hook's name.
        `facts.reading(host, id)` is what the command printed, None where it could not be run. Raising
        refuses the plan (exit 4).
        """

    @hookspec
    def add_steps(self, site: Site, job: PlannedJob, steps: tuple[Step, ...], facts: Facts) -> Sequence[Insertion]:
        """Put steps of your own before or after a step of this job. Called once for each planned job.

        No I/O. `steps` are those of the job's kind, without what other hooks add. The plan shows the new
        steps with your name, and the ceiling holds for them too. Raising, a step of another job, an unknown
        anchor or an id that is taken refuses the plan (exit 4).
        """

    @hookspec
    def check_plan(self, site: Site, plan: Plan, facts: Facts) -> Sequence[Finding]:
        """Say what a reviewer of this plan should know. Called once the plan is complete, if it has steps.

        No I/O. A `refusal` stops the run before it starts; `attention` makes a person look at it
        and the exit code 3; a `note` is only read. Raising refuses the plan (exit 4).
        """

    @hookspec
    def observe(self, event: Event) -> None:
        """Hear that the run began or ended, that a step began, goes on or ended, as it happens.

        Be quick: the run waits. Raising stops nothing; the report has one finding about it.
        """

    @hookspec
    def deliver_report(self, report: Report) -> None:
        """Deliver the report to people. Called once a run, always: also when nothing was done.

        The run is recorded before. Raising means that the report did not arrive: the other hooks are
        called all the same, and the exit code is 6. Who raised gets it again: after a minute if what it raised is
        a ReportUndelivered with `passing`, and before the report of the next run, for 14 days, with `report.late`.
        """

    @hookspec
    def deliver_notice(self, notice: Notice) -> None:
        """Deliver a notice to the users: an interruption comes, is over, is late, or is cancelled.

        Called when a person announces or cancels one, and after the run that brought it. Raising means
        that the notice did not arrive; a person learns that.
        """
