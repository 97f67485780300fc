"""The table of kinds against the kinds themselves: each can all that is asked of a kind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.jobs.catalogue import KINDS, only_live, weight
from runner.model.kind import Draft, JobKind
from runner.model.plan import PlannedJob, Skip
from runner.model.run import Around, JobReport
from tests.unit import hostile_parts, parts


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_kind_has_a_schema_and_tells_how_a_job_without_steps_ended(name: str) -> None:
    kind: JobKind = KINDS[name]
    assert kind.name == name and kind.schema["properties"]
    report = kind.report(PlannedJob(name="job", kind=name), (), Around(live=True, looked=False))
    assert isinstance(report, JobReport) and report.job == "job"


def test_each_kind_has_a_weight_of_its_own_and_what_a_plugin_brings_comes_behind_them() -> None:
    assert [weight(name) for name in KINDS] == list(range(len(KINDS)))
    assert weight("mine") == len(KINDS) and min(KINDS, key=weight) == "snapshot"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_table_and_the_kind_agree_on_whether_the_sandbox_has_anything_for_it(name: str) -> None:
    sandbox = parts.site(live=False)
    site = replace(hostile_parts.site(), live=False, hosts=sandbox.hosts)
    facts = parts.facts(live=False)
    (job, *_) = (each for each in site.jobs if each.kind == name)
    made = KINDS[name].draft(site, job, facts, parts.NOW)
    # Skipped, and there is nothing that anybody could do about it; whatever else skips a job has a finding.
    nothing = made.skip is not None and made == Draft(skip=Skip(job=job.name, reason=made.skip.reason))
    assert (nothing, made.planned is None) == (only_live(name), only_live(name)), made
