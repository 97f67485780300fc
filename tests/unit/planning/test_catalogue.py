"""The table of kinds against the kinds themselves: each can all that is asked of a kind."""

from __future__ import annotations

import pytest

from runner.jobs.catalogue import KINDS
from runner.model.kind import JobKind
from runner.model.plan import PlannedJob
from runner.model.run import Around, JobReport


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_kind_has_a_schema_and_tells_how_a_job_without_steps_ended(name: str) -> None:
    kind: JobKind = KINDS[name]
    assert kind.name == name and kind.schema["properties"]
    report = kind.report(PlannedJob(name="job", kind=name), (), Around(live=True, looked=False))
    assert isinstance(report, JobReport) and report.job == "job"
