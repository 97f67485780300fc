"""What others are at is not begun, and nothing is made that is only for it; who was named and left out hears of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.model import cause
from runner.model.plan import Finding, Skip
from runner.model.run import Verdict
from runner.planning.schedule import DueJobs, for_somebody, left_out, named
from runner.report import outcome
from runner.report.report import RunResult, compose
from runner.verbs.due import busy as taken
from tests.unit import parts

BUSY = cause.of_store("papio", cause.Fault.BUSY)


def chosen(*names: str) -> DueJobs:
    """Backup comes after dump, and nothing else does."""
    site = parts.site()
    backup, other = site.jobs
    dump = replace(other, name="dump", after=())
    jobs = (dump, replace(backup, name="backup", after=("dump",)), replace(other, name="other", after=()))
    return named(replace(site, jobs=jobs), names)


def busy(*names: str) -> tuple[Skip, ...]:
    return tuple(Skip(job=name, reason="busy", cause=BUSY) for name in names)


@pytest.mark.parametrize(
    ("names", "taken", "left"),
    [
        (("backup",), ("backup",), ()),
        (("backup", "other"), ("backup",), ("other",)),
        (("backup", "dump"), ("backup",), ("dump",)),
        (("backup",), (), ("dump", "backup")),
        (("other",), ("other",), ()),
    ],
)
def test_nothing_is_made_for_a_job_that_will_not_be_done(
    names: tuple[str, ...], taken: tuple[str, ...], left: tuple[str, ...]
) -> None:
    due = for_somebody(chosen(*names), busy(*taken))
    assert tuple(job.name for job in due.jobs if job.name not in taken) == left


def test_what_is_due_on_its_own_account_is_done_whoever_is_busy() -> None:
    due = replace(chosen("backup", "other"), named=())
    assert for_somebody(due, busy("backup")) == due


@pytest.mark.parametrize(
    ("skip", "findings", "heard"),
    [
        (Skip(job="backup", reason="nobody logs in"), (), True),
        (Skip(job="backup", reason="done before", done=parts.NOW), (), False),
        (Skip(job="backup", reason="as declared", needless=True), (), False),
        (Skip(job="dump", reason="no database"), (), False),
        (Skip(job="backup", reason="no answer"), (Finding(severity="attention", text="x", source="backup"),), False),
        (Skip(job="backup", reason="no answer"), (Finding(severity="note", text="x", source="backup"),), True),
    ],
)
def test_a_job_that_was_named_and_left_out_wants_attention(
    skip: Skip, findings: tuple[Finding, ...], heard: bool
) -> None:
    plan = parts.plan(skips=(skip,), findings=findings)
    assert [finding.source for finding in left_out(chosen("backup"), plan)] == (["backup"] if heard else [])


@pytest.mark.parametrize(
    ("names", "heard"), [((), []), (("other",), []), (("backup",), ["backup"]), (("dump", "backup"), ["dump"])]
)
def test_only_who_named_what_another_run_is_at_hears_of_it_and_once(names: tuple[str, ...], heard: list[str]) -> None:
    run = cause.of_run("20261123T081500Z-7")
    skips = tuple(Skip(job=name, reason=f"busy: {name}", cause=run) for name in ("dump", "backup"))
    due = DueJobs(jobs=(), skips=skips, named=names)
    plan = parts.plan(skips=skips)
    findings = taken(due, plan)
    assert [finding.source for finding in findings] == heard
    assert left_out(due, plan) == ()
    told = replace(plan, findings=findings)
    result = RunResult(run="r", started=parts.NOW, ended=parts.NOW, plans=(told,), skips=skips)
    report = compose(parts.site(), result)
    assert (report.verdict, outcome.exit_code(report, None)) == (
        (Verdict.ATTENTION, 75) if heard else (Verdict.NOTHING, 0)
    )
    assert len(report.actions) == len(heard)


def test_a_run_that_found_others_at_work_ends_75() -> None:
    finding = Finding(severity="attention", source="backup", text="busy", cause=BUSY)
    plan = parts.plan(skips=busy("backup"), findings=(finding,))
    report = compose(
        parts.site(), RunResult(run="r", started=parts.NOW, ended=parts.NOW, plans=(plan,), skips=plan.skips)
    )
    assert outcome.exit_code(report, None) == 75
