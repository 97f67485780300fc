"""The job that puts runner-agent on a host: the planner makes it, jobs.toml has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.model.plan import PlannedJob
from runner.model.run import Around, JobReport, Outcome, Verdict
from runner.report.default import default_report


def prepare_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """That the program is in place; worth a word to people only where it went wrong."""
    report = default_report(job, outcomes, around, job.headline or "runner-agent is in place")
    return replace(report, quiet=report.verdict == Verdict.DONE)
