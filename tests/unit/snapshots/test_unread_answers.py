"""An answer that cannot be read leaves no verdict of done."""

from __future__ import annotations

from typing import Any

import pytest

from runner.jobs.drill.report import drill_report
from runner.jobs.snapshots.report import snapshot_report
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import Around, Outcome, State, Verdict
from tests.unit import parts

BEGUN = {"partial": "/srv/a/.partial/x", "whole_seconds": False}
KEPT = {"proven": "files", "snapshot": "2026-11-23T081500Z", "kept": False}


def outcome(name: str, role: Role, result: dict[str, Any]) -> Outcome:
    """A step that was done with this answer."""
    job = name.partition("/")[0]
    return Outcome(step=name, job=job, role=role, state=State.DONE, exit=0, result=result)


@pytest.mark.parametrize("answer", [{}, {"partial": 5}, {**BEGUN, "whole_seconds": "no"}])
def test_a_snapshot_whose_beginning_cannot_be_read_is_not_just_done(answer: dict[str, Any]) -> None:
    job = PlannedJob(name="backup", kind="snapshot", writes="papio/x")
    seal = outcome("backup/seal", Role.SEAL, parts.seal_answer())
    around = Around(live=True, looked=False)
    well = snapshot_report(job, (outcome("backup/begin", Role.BEGIN, BEGUN), seal), around)
    assert well.verdict == Verdict.DONE
    report = snapshot_report(job, (outcome("backup/begin", Role.BEGIN, answer), seal), around)
    assert report.verdict == Verdict.ATTENTION and report.made == "papio/x"
    assert report.headline.startswith("what begin did is not known: the answer cannot be read; sealed papio/x")


@pytest.mark.parametrize("answer", [{}, {"proven": 5}, {**KEPT, "kept": "no"}])
def test_a_drill_whose_proof_may_not_be_kept_is_not_just_done(answer: dict[str, Any]) -> None:
    job = PlannedJob(name="drill", kind="drill")
    compared = dict.fromkeys(("files", "canaries", "snapshots", "recorded", "unchecked", "attributes", "source"), 1)
    compare = outcome("drill/compare", Role.COMPARE, compared)
    proof = outcome("drill/proven-files", Role.PROVEN, KEPT)
    assert (well := drill_report(job, (compare, proof))) and well.verdict == Verdict.DONE
    report = drill_report(job, (compare, outcome("drill/proven-files", Role.PROVEN, answer)))
    assert report and report.verdict == Verdict.ATTENTION
    assert "whether the store remembers it is not known: the answer cannot be read" in report.headline
