"""One cause is one thing to do, what matters most is first, and there are never more than five."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.jobs.catalogue import KINDS, weight
from runner.model import cause
from runner.model.plan import Finding, Skip
from runner.model.role import Phase
from runner.model.run import JobReport, Outcome, Pass, State, Verdict
from runner.report import outcome
from runner.report.report import RunResult, compose, merged_skips
from runner.report.todo import MOST, named, to_do
from tests.unit import parts

FULL = cause.of_store("papio", cause.Fault.FULL)
AWAY = cause.of_host("server", cause.Fault.UNREACHABLE)
WEIGHTS = {"": weight("disk"), **{f"{kind}-x": weight(kind) for kind in KINDS}}


def failed(job: str, text: str = "it failed", why: str = "") -> JobReport:
    return JobReport(job=job, verdict=Verdict.FAILED, headline=text, cause=why)


def wish(source: str, text: str, do: str = "", **more: Any) -> Finding:
    return Finding(severity="attention", source=source, text=text, do=do, **more)


def texts(jobs: tuple[JobReport, ...] = (), findings: tuple[Finding, ...] = ()) -> list[str]:
    return [todo.text for todo in to_do(jobs, findings, WEIGHTS).items]


def test_a_cause_is_one_thing_to_do_however_many_jobs_suffer_from_it() -> None:
    full = wish("prune-x", "store papio is full", "free room", cause=FULL)
    jobs = (failed("snapshot-x", "send-1 failed: no space left", FULL), failed("drill-x", "no room", FULL))
    assert texts(jobs, (full,)) == ["store papio is full (prune-x, snapshot-x, drill-x): free room"]
    away = tuple(wish(f"job-{number}", "server cannot be read", "see to it", cause=AWAY) for number in range(6))
    assert texts((), away) == ["server cannot be read (job-0, job-1, job-2 and 3 more): see to it"]


def test_different_causes_stay_apart_and_what_is_to_be_done_alike_is_said_once() -> None:
    assert texts((failed("a", why=FULL), failed("b", why=AWAY))) == ["a: it failed", "b: it failed"]
    alike = (wish("a", "/data is not mounted", "mount it"), wish("a", "/srv is not mounted", "mount it"))
    assert texts((), alike) == ["a: /data is not mounted; /srv is not mounted: mount it"]
    assert texts((), (replace(alike[0], do=""), replace(alike[1], do=""))) == [
        "a: /data is not mounted",
        "a: /srv is not mounted",
    ]
    assert len(texts((), (alike[0], replace(alike[1], command="mount /srv")))) == 2


def test_what_failed_comes_first_then_snapshots_before_packages_before_access() -> None:
    findings = (
        wish("access-x", "who was that?"), wish("updates-x", "a reboot is due"), wish("hooks.fsck", "a check is due"),
        wish("snapshot-x", "nothing is mounted"),
    )  # fmt: skip
    said = texts((failed("access-x"),), findings)
    assert [text.partition(":")[0] for text in said] == [
        "access-x", "snapshot-x", "hooks.fsck", "updates-x", "access-x",
    ]  # fmt: skip
    stop = replace(wish("runner", "the plan was refused"), severity="refusal")
    assert texts((failed("snapshot-x"),), (stop,))[0] == "runner: the plan was refused"


@pytest.mark.parametrize(("many", "shown"), [(0, 0), (1, 1), (MOST, MOST), (MOST + 1, MOST), (40, MOST)])
def test_there_are_five_at_most_and_the_others_are_counted_and_not_lost(many: int, shown: int) -> None:
    findings = tuple(wish(f"job-{number}", f"trouble {number}") for number in range(many))
    told = to_do((), findings, {})
    assert len(told.items) == shown
    if many > MOST:
        assert told.items[-1].text == f"and {many - MOST + 1} more things, below"
        assert told.left == findings[MOST - 1 :]
        report = compose(parts.site(), RunResult(run="r", started=parts.NOW, ended=parts.NOW, findings=findings))
        assert report.findings == told.left


def test_the_names_of_many_jobs_are_cut_where_that_saves_a_word() -> None:
    assert named(("a",)) == "a"
    assert named(("a", "b", "c", "d")) == "a, b, c, d"
    assert named(("a", "b", "c", "d", "e")) == "a, b, c and 2 more"


def test_jobs_that_one_cause_keeps_from_being_done_are_left_out_in_one_line() -> None:
    skips = [Skip(job=name, reason="server cannot be read", cause=AWAY) for name in "ab"]
    skips += [Skip(job=name, reason="not due") for name in "cd"]
    assert merged_skips(skips) == (("a, b", "server cannot be read"), ("c", "not due"), ("d", "not due"))


@pytest.mark.parametrize(
    ("changes", "named_cause"),
    [
        ({"result": {"cause": "full"}}, "store/papio/full"),
        ({"result": {"cause": "clock"}}, "host/papio/clock"),
        ({"result": {"cause": "full"}, "cause": AWAY}, AWAY),
        ({"result": {"cause": "store/papio/full\n"}}, ""),
        ({"result": {"cause": ["full"]}}, ""),
        ({"result": {"cause": "full"}, "state": State.DONE}, ""),
    ],
)
def test_a_job_has_the_cause_that_stopped_it(changes: dict[str, Any], named_cause: str) -> None:
    step = parts.step("backup-papio/send-1")
    ended = {"step": step.id, "job": step.job, "state": State.FAILED, "started": parts.NOW, "ended": parts.NOW}
    one = Pass(plan=parts.plan(step), outcomes=(Outcome(**{**ended, **changes}),))
    (report,) = outcome.job_reports((one,), {}, parts.site())
    assert report.cause == named_cause


def sealed(store: str) -> JobReport:
    return JobReport(job="backup", verdict=Verdict.DONE, headline="sealed", made=f"{store}/2026-11-23T081500Z")


@pytest.mark.parametrize(("store", "mended"), [("papio", True), ("server", False)])
def test_what_the_run_itself_has_mended_is_not_told_at_its_end(store: str, mended: bool) -> None:
    empty = cause.of_store("papio", cause.Fault.EMPTY)
    skip = Skip(job="drill", reason="there is no snapshot", cause=empty)
    plan = parts.plan(skips=(skip,), findings=(wish("drill", "it was left out", cause=empty), wish("x", "else")))
    (told,) = outcome.current((Pass(plan=plan, outcomes=()),), (sealed(store),))
    assert [finding.source for finding in told.findings] == (["x"] if mended else ["drill", "x"])
    assert (told.skips == (skip,)) is not mended


@pytest.mark.parametrize(("reports", "told"), [((), ["it may not fit", "else"]), ((sealed("papio"),), ["else"])])
def test_that_a_snapshot_may_not_fit_is_void_once_it_is_sealed(reports: tuple[JobReport, ...], told: list[str]) -> None:
    may_not = replace(wish("backup", "it may not fit"), phase=Phase.FORECAST)
    plan = parts.plan(findings=(may_not, wish("backup", "else")))
    (left,) = outcome.current((Pass(plan=plan, outcomes=()),), reports)
    assert [finding.text for finding in left.findings] == told


def test_of_a_job_that_was_planned_again_only_the_last_plan_is_told() -> None:
    first = parts.plan(
        parts.step("a/1"), findings=(wish("a", "no room"), wish("b", "else")), skips=(Skip(job="c", reason="later"),)
    )
    second = parts.plan(parts.step("a/1"), parts.step("c/1"), findings=(wish("c", "new"),))
    told = outcome.current((Pass(plan=first, outcomes=()), Pass(plan=second, outcomes=())), ())
    assert [finding.text for plan in told for finding in plan.findings] == ["else", "new"]
    assert [skip.job for plan in told for skip in plan.skips] == []


def test_why_a_job_was_left_out_is_not_said_again_where_it_failed_of_that() -> None:
    skips = tuple(Skip(job=job, reason="no space left", cause=FULL) for job in ("backup", "drill"))
    first, second = parts.plan(parts.step("backup/1")), parts.plan(skips=skips)
    passes = (Pass(plan=first, outcomes=()), Pass(plan=second, outcomes=()))
    told = outcome.current(passes, (failed("backup", "no space left", FULL),))
    assert [skip.job for plan in told for skip in plan.skips] == ["drill"]
    told = outcome.current(passes, (failed("backup", "it went away", AWAY),))
    assert [skip.job for plan in told for skip in plan.skips] == ["backup", "drill"]
