"""The table of kinds against the kinds themselves: each can all that is asked of a kind."""

from __future__ import annotations

import pytest

from runner.jobs.catalogue import KINDS, weight
from runner.model.kind import JobKind
from runner.model.plan import PlannedJob
from runner.model.run import Around, JobReport


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_kind_has_a_schema_and_tells_how_a_job_without_steps_ended(name: str) -> None:
    kind: JobKind = KINDS[name]
    assert kind.name == name and kind.schema["properties"]
    report = kind.report(PlannedJob(name="job", kind=name), (), Around(live=True, looked=False))
    assert isinstance(report, JobReport) and report.job == "job"


def test_each_kind_has_a_weight_of_its_own_and_what_a_plugin_brings_comes_behind_them() -> None:
    assert [weight(name) for name in KINDS] == list(range(len(KINDS)))
    assert weight("mine") == len(KINDS) and min(KINDS, key=weight) == "snapshot"
