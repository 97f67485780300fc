"""Kind `audit`: one bounded step a night, and what is said of what it found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.jobs.retention.audit import AuditKind
from runner.jobs.retention.report import audit_report
from runner.model.kind import Draft
from runner.model.options import AuditOptions
from runner.model.plan import Command, Effect, PlannedJob
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome, State, Verdict
from runner.model.site import Amount, Job
from tests.unit import parts

KIND = AuditKind()
JOB = PlannedJob(name="audit", kind="audit")


def draft(options: AuditOptions | None = None, **store: Any) -> Draft:
    wanted = options or AuditOptions(store="papio")
    job = Job(name="audit", kind="audit", host="server", options=wanted)
    here = parts.site()
    here = replace(here, jobs=(*here.jobs, job))
    return KIND.draft(here, job, parts.facts({"server": {"store": store}}), parts.NOW)


def test_it_reads_a_share_at_idle_priority_within_its_bounds_and_its_lock() -> None:
    options = AuditOptions(store="papio", every=timedelta(days=30), most=Amount(bytes=7), within=timedelta(hours=1))
    made = draft(options)
    (step,) = made.steps
    assert isinstance(step.action, Command)
    assert step.action.argv == (
        "ionice", "--class=idle", "nice", "--adjustment=19", "/usr/local/sbin/runner-agent", "audit",
        "/srv/backups/papio", "--plan=20261123T081500.000Z", "--bytes=7", "--seconds=3600", "--every=30",
        "--mount=/srv/backups/papio", "--uuid=11111111-2222-3333-4444-555555555555",
    )  # fmt: skip
    assert (step.effect, step.timeout > 3600) == (Effect.WRITE, True)
    assert made.planned
    assert [(lock.resource, lock.host) for lock in made.planned.locks] == [("store papio", "server")]


def test_less_than_a_day_is_a_day() -> None:
    (step,) = draft(AuditOptions(store="papio", every=timedelta(hours=2))).steps
    assert isinstance(step.action, Command)
    assert "--every=1" in step.action.argv


def test_without_a_snapshot_there_is_nothing_to_audit_and_nobody_is_called() -> None:
    made = draft(sealed=[])
    assert made.skip
    assert (made.skip.reason, made.findings) == ("there is no snapshot to audit yet", ())


def test_a_store_that_cannot_be_read_is_told() -> None:
    made = draft(problem="the disk is not mounted")
    assert made.skip
    assert [one.severity for one in made.findings] == ["attention"]
    assert made.findings[0].text == made.skip.reason


def report_of(**result: Any) -> JobReport:
    answer = {
        "read_bytes": 1 << 30, "read_files": 9, "findings": [], "total": 0, "taken": 1, "compared": 2, "unchecked": 0,
        "cursor": 7, "complete_in_days": 60, "problem": "", **result,
    }  # fmt: skip
    outcome = Outcome(step="audit/read", job="audit", role=Role.AUDIT, state=State.DONE, result=answer)
    return audit_report(JOB, [outcome], Around())


def finding(kind: str, path: str = "etc/passwd", *names: str) -> dict[str, Any]:
    return {"kind": kind, "path": path, "snapshots": list(names or ("2026-11-22T081500Z",))}


READ = "read 1.0 GiB again"
BAD = "not as sealed; the disk may be failing, or somebody wrote to it"


@pytest.mark.parametrize(
    ("result", "verdict", "headline", "details"),
    [
        ({}, Verdict.DONE, f"{READ}: all as it was sealed", ["so all of the store is read once in 60 days"]),
        ({"complete_in_days": None}, Verdict.DONE, f"{READ}: all as it was sealed", []),
        (
            {"findings": [finding("content", "a\nb", "x", "y")], "total": 1, "complete_in_days": 1},
            Verdict.ATTENTION, f"{READ}: 1 name {BAD}",
            ["content: a\\nb in x, y", "so all of the store is read once in 1 day"],
        ),
        (
            # The program lists the first; it counted all.
            {"findings": [finding("missing")] * 7, "total": 70_000, "complete_in_days": None},
            Verdict.ATTENTION, f"{READ}: 70,000 names {BAD}",
            [*["missing: etc/passwd in 2026-11-22T081500Z"] * 5, "and 69,995 more"],
        ),
        (
            {"problem": "9 files have a checksum that no program here can check", "complete_in_days": None},
            Verdict.ATTENTION, f"{READ}, but not everything could be compared",
            ["9 files have a checksum that no program here can check"],
        ),
    ],
)  # fmt: skip
def test_what_an_audit_found_is_said_in_full_number_and_by_name(
    result: dict[str, Any], verdict: Verdict, headline: str, details: list[str]
) -> None:
    made = report_of(**result)
    assert (made.verdict, made.headline, list(made.details)) == (verdict, headline, details)


@pytest.mark.parametrize("result", [{"findings": None}, {"total": "many"}, {"findings": [{"kind": "content"}]}])
def test_an_audit_whose_answer_cannot_be_read_found_nobody_knows_what(result: dict[str, Any]) -> None:
    report = report_of(**result)
    text = "the audit ended, but its answer cannot be read: what it found is not known"
    assert (report.verdict, report.headline) == (Verdict.ATTENTION, text)


def test_three_kinds_of_damage_are_three_different_words() -> None:
    made = report_of(findings=[finding("content"), finding("attributes"), finding("missing")], total=3)
    assert [one.partition(":")[0] for one in made.details[:3]] == ["content", "attributes", "missing"]


def test_checksums_that_are_gone_are_said_first_with_their_numbers_and_what_is_read_is_not_all() -> None:
    report = report_of(lost_snapshots=2, lost_files=1234, lost_bytes=3 << 30, complete_in_days=60)
    assert report.verdict == Verdict.ATTENTION
    assert report.headline == (
        "the checksums of 1,234 files (3.0 GiB) in 2 snapshots are gone: nobody sees it if they rot; "
        f"{READ}: what could be compared is as it was sealed"
    )
    assert report.details[-1] == "so what has a checksum is read once in 60 days"
    nothing = report_of(lost_snapshots=2, lost_files=1234, lost_bytes=3 << 30, complete_in_days=None, read_bytes=0)
    assert not any("read once" in text for text in nothing.details)
    worse = report_of(lost_snapshots=1, lost_files=1, total=1, findings=[finding("content")])
    assert "1 name not as sealed" in worse.headline and "are gone" in worse.headline


def test_what_the_next_snapshot_mends_is_said() -> None:
    made = report_of(findings=[finding("content")], total=1, noted=2)
    assert made.details[1] == "the next snapshot compares 2 names with the host: what is still there is right in it"


def test_what_never_had_a_checksum_is_told_and_calls_nobody() -> None:
    report = report_of(never_summed=5)
    assert (report.verdict, report.headline) == (Verdict.DONE, f"{READ}: all as it was sealed")
    assert "5 files came without a checksum, and cannot be audited" in report.details
