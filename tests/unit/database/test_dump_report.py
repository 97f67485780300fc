"""What people are told of a `dump` job, and of the snapshot that comes after one that failed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from runner.jobs.catalogue import KINDS
from runner.jobs.database.report import dump_report
from runner.model.plan import Plan, PlannedJob
from runner.model.role import Role
from runner.model.run import JobReport, Outcome, Pass, State, Verdict
from runner.report.outcome import job_reports
from tests.unit import parts

LAST = "2026-11-22T07:00:00+00:00"
JOB = PlannedJob(name="dump-papio", kind="dump", since=datetime.fromisoformat(LAST))


def step(name: str, state: State = State.DONE, code: int = 0, note: str = "", **result: Any) -> Outcome:
    role = {"role": Role.EXPIRE_DUMP} if name.startswith("expire-") else parts.role(f"dump-papio/{name}")
    return Outcome(
        step=f"dump-papio/{name}", **role, job="dump-papio", state=state, exit=code, result=result, note=note,
        started=parts.NOW, ended=parts.NOW,
    )  # fmt: skip


def good(name: str, **changes: Any) -> Outcome:
    values = {
        "database": name, "dump": "x.dump", "bytes": 2048, "objects": 9, "rows": 1204113, "tables": 41,
        "took": 3.5, "doubts": [], "complaint": "",
    }  # fmt: skip
    return step(f"dump-{name}", **{**values, **changes})


def told(*outcomes: Outcome) -> JobReport:
    found = dump_report(JOB, (step("answers"), step("globals", globals="x", bytes=9, passwords=True), *outcomes))
    assert found is not None
    return found


def test_what_was_dumped_is_told_with_its_rows() -> None:
    said = told(good("babase"), good("empty", rows=0, tables=0), step("all", spared=False, new=[], gone=[]))
    assert said.verdict == Verdict.DONE
    assert said.headline == "dumped 2 databases with 1,204,113 rows, 4.0 KiB, and read them again"
    assert said.details[0] == "babase: 2.0 KiB, 1,204,113 rows in 41 tables, in 3.5 s"


def test_a_database_that_failed_is_told_first_with_what_to_do_and_since_when_it_is_old() -> None:
    bad = step("dump-babase", code=1, error="the disk is full after 9 bytes: x", do="free some")
    missing = [{"database": "babase", "last": LAST}]
    end = step(
        "all",
        State.FAILED,
        1,
        "no good dump",
        error="no good dump of this run: 'babase'",
        do="see",
        spared=True,
        missing=missing,
    )
    said = told(bad, good("other"), end)
    assert said.verdict == Verdict.FAILED
    assert said.headline == (
        "dump-babase failed: the disk is full after 9 bytes: x -> free some; "
        "database babase: stale since 2026-11-22 07:00 UTC"
    )
    assert any(line.startswith("other: ") for line in said.details)


def test_a_server_that_is_down_is_told_with_the_last_good_dump() -> None:
    said = dump_report(JOB, (
        step("answers", State.FAILED, 1, "the database server does not answer: x -> start it", error="y", do="z"),
        step("globals", State.NOT_REACHED), step("all", State.NOT_REACHED),
    ))  # fmt: skip
    assert said is not None
    assert (said.verdict, said.headline) == (
        Verdict.FAILED,
        "answers failed: the database server does not answer: x -> start it; database: stale since 2026-11-22 07:00 UTC",
    )


def test_one_that_shrank_or_was_dropped_needs_a_person() -> None:
    said = told(
        good("babase", doubts=["700 rows, 2,000 before"]),
        step("dump-old", database="old", gone=True),
        step("all", spared=False),
    )
    assert said.verdict == Verdict.ATTENTION
    assert "babase has become much smaller: 700 rows, 2,000 before" in said.headline
    assert any("old was dropped" in line for line in said.details)


def test_what_expired_what_was_spared_and_what_is_new_is_told() -> None:
    said = told(
        good("babase"), step("expire-babase-1", expired_dump="1", database="babase", left=3), step("expire-babase-2", State.NOT_NEEDED),
        step("all", spared=False, new=["fresh\n"]),
    )  # fmt: skip
    assert said.verdict == Verdict.DONE
    assert said.details[-3:] == (
        "1 old dump expired",
        "1 old dump spared: there is no new one, or a doubtful one",
        "new since the plan was made, dumped the next time: fresh\\n",
    )


def test_a_run_that_was_stopped_or_found_it_busy_is_told_as_any_other() -> None:
    for state in (State.BUSY, State.INTERRUPTED):
        assert dump_report(JOB, (step("answers"), step("globals", state, 75))) is None


def snapshot_report(*outcomes: Outcome, after: tuple[str, ...] = ("dump-papio",)) -> JobReport:
    """What the report of the snapshot says; the seal went well."""
    backup = PlannedJob(name="backup-papio", kind="snapshot", after=after, writes="papio/x")
    seal = Outcome(
        step="backup-papio/seal", **parts.role('backup-papio/seal'), job="backup-papio", state=State.DONE, result=parts.seal_answer(files=3),
        started=parts.NOW, ended=parts.NOW,
    )  # fmt: skip
    plan = Plan(id="p", made_at=parts.NOW, site="s", live=True, jobs=(JOB, backup))
    reports = job_reports((Pass(plan=plan, outcomes=(*outcomes, seal)),), KINDS, parts.site())
    return next(one for one in reports if one.job == "backup-papio")


def test_a_snapshot_after_a_failed_dump_is_sealed_and_says_how_old_its_database_is() -> None:
    failed = step("answers", State.FAILED, 1, "x", error="the server does not answer", do="start it")
    said = snapshot_report(failed)
    assert said.verdict == Verdict.DONE
    assert said.details == ("database: stale since 2026-11-22 07:00 UTC",)
    assert snapshot_report(failed, after=()).details == ()
    assert snapshot_report(step("answers"), good("babase"), step("all", spared=False)).details == ()


def test_an_answer_that_cannot_be_read_is_no_good_dump() -> None:
    said = told(good("babase", rows="many"), step("all", spared=False))
    assert said.verdict == Verdict.FAILED
    assert said.headline.startswith("dump-babase failed: its answer cannot be read; database: stale since")
