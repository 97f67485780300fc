"""What people read when a run is over. The golden texts in cases/view were read by a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.model.plan import Finding, Skip
from runner.model.role import Phase
from runner.model.run import JobReport, Report, Todo, Verdict
from runner.report.line import plain
from runner.report.report import RunResult, compose, report_lines, worst
from tests.unit import parts

NOTHING, DONE, ATTENTION, FAILED = Verdict


def job(name: str, verdict: Verdict, headline: str = "it ended", *details: str) -> JobReport:
    return JobReport(job=name, verdict=verdict, headline=headline, details=details)


def finding(severity: Any, text: str, source: str = "a", do: str = "") -> Finding:
    return Finding(severity=severity, text=text, source=source, do=do)


def made(**changes: Any) -> Report:
    values = {"run": "20261123T081500Z", "started": parts.NOW, "ended": parts.later(seconds=754), **changes}
    return compose(parts.site(), RunResult(**values))


GOLDEN = {
    "report-done": made(
        jobs=(
            job("backup-papio", DONE, "sealed papio/2026-11-23T081500Z: 412,331 files, 1.2 GiB new in 934 files",
                "12 files changed or went while it was copied, as on any busy machine"),
        ),
        skips=(Skip(job="backup-server", reason="not due until 2026-11-24 05:15 EST"),),
    ),
    "report-failed": made(
        plans=(parts.plan(findings=(
            finding("attention", "/data of papio should be in this snapshot and is not mounted", "backup-papio", "mount it"),
            finding("note", "left out: /n (it belongs to another machine (nfs4))", "backup-papio"),
        )),),
        jobs=(
            job("backup-papio", FAILED, "seal failed: the disk has 0 inodes left", "line one", "\x1b[2Jall is well\nDone"),
            job("backup-server", ATTENTION, "busy: store server on papio is held by another run (pid 7)"),
        ),
        findings=(finding("refusal", "the wrong\ndisk", "hooks.fsck"),),
    ),
    "report-nothing": made(skips=(Skip(job="backup-papio", reason="not due until\n2026-11-24 03:15 EST"),)),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_the_report_reads_like_the_golden_text(name: str) -> None:
    now = plain(report_lines(GOLDEN[name]))
    assert now == (parts.CASES / "view" / f"{name}.txt").read_text("utf-8"), f"it is now:\n{now}"


def test_what_a_plan_would_do_to_packages_is_no_news_once_it_was_run() -> None:
    notes = (
        replace(finding("note", "to install: libc6 1 -> 2, a security update"), phase=Phase.FORECAST),
        finding("note", "to install: what only begins like one"),
    )
    report = made(plans=(parts.plan(findings=notes),))
    assert [note.text for note in report.findings] == ["to install: what only begins like one"]


def test_at_the_end_of_a_run_only_what_it_found_itself_is_said_once_more() -> None:
    notes = (finding("note", "was in the plan", "journal"), replace(finding("note", "is new"), phase=Phase.RUN))
    lines = plain(report_lines(made(findings=notes)))
    assert "is new" in lines
    assert "was in the plan" not in lines


def test_no_text_from_outside_makes_a_line_of_its_own() -> None:
    for each in GOLDEN.values():
        assert all(piece.isprintable() for line in report_lines(each) for piece, _ in line)


@pytest.mark.parametrize(
    ("verdicts", "most"),
    [((), NOTHING), ((NOTHING, DONE), DONE), ((DONE, ATTENTION, DONE), ATTENTION), ((FAILED, ATTENTION), FAILED)],
)
def test_the_verdict_is_the_most_serious_of_the_jobs(verdicts: tuple[Verdict, ...], most: Verdict) -> None:
    assert worst(verdicts) == worst(verdicts[::-1]) == most
    assert made(jobs=tuple(job(str(number), verdict) for number, verdict in enumerate(verdicts))).verdict == most


@pytest.mark.parametrize(("severity", "verdict"), [("note", NOTHING), ("attention", ATTENTION), ("refusal", FAILED)])
def test_a_finding_raises_the_verdict_as_far_as_it_goes(severity: str, verdict: Verdict) -> None:
    assert made(findings=(finding(severity, "x"),)).verdict == verdict
    assert made(plans=(parts.plan(findings=(finding(severity, "x"),)),)).verdict == verdict


def test_what_to_do_holds_every_serious_finding_once_and_every_job_that_went_wrong() -> None:
    twice = replace(finding("attention", "not mounted", "a", "mount it, on papio run:"), command="mount /srv")
    report = made(
        plans=(parts.plan(findings=(twice,)), parts.plan(findings=(twice, finding("note", "fine")))),
        jobs=(job("a", FAILED, "seal failed"), job("b", DONE), job("c", ATTENTION, "busy")),
    )
    assert report.actions == (
        Todo(text="a: seal failed", headline="a: seal failed"),
        Todo(
            text="a: not mounted: mount it, on papio run:",
            do="mount it, on papio run:",
            command="mount /srv",
            headline="a: not mounted",
        ),
        Todo(text="c: busy", headline="c: busy"),
    )
    assert report.findings == (finding("note", "fine"),)


def test_the_report_knows_whom_and_where() -> None:
    report = made()
    assert (report.controller, report.timezone, report.sandbox) == ("papio", "America/New_York", "")
    assert set(report.recipients) == {"admin", "experts", "users"}
    sandbox = compose(parts.site(live=False), RunResult(run="r", started=parts.NOW, ended=parts.NOW))
    assert sandbox.sandbox == "/site/sandbox"
