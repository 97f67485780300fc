"""What became of a snapshot, of the check of a store, of a restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.jobs.retention.report import expired, spared, with_earlier
from runner.model.plan import PlannedJob
from runner.model.run import Around, JobReport, Outcome, State, Verdict
from runner.model.text import count, one_line, size
from runner.report.default import STOPPED, default_report, tail


def snapshot_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """What the snapshot holds, or how it stopped; what made room for it; what is wrong with what it came after."""
    report = with_earlier(_snapshot(job, outcomes, around), around)
    before = (around.reports[name] for name in job.after if name in around.reports)
    said = tuple(text for one in before for text in one.passes_on)
    return replace(report, details=(*said, *report.details))


def _snapshot(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    # Other answers have a number under the same word: how many snapshots there are.
    answers = (one.result for one in outcomes if isinstance(one.result.get("sealed"), str))
    sealed, went = next(answers, None), expired(outcomes)
    bad = next((one for one in outcomes if one.state in STOPPED), None)
    if sealed is None:
        report = default_report(job, outcomes, around, went or spared(outcomes))
    elif bad is None:
        report = _sealed(job, sealed, live=around.live, went=went)
    else:
        report = _not_to_the_end(job, bad)
    if sealed is not None:
        written = (int(sealed.get("added_bytes", 0)), int(sealed.get("added_files", 0)))
        report = replace(report, written=written, made=job.writes)
    return replace(report, details=(went, *report.details)) if bad and went else report


def _not_to_the_end(job: PlannedJob, outcome: Outcome) -> JobReport:
    # The snapshot is whole and counts: to call it failed would make another one at every run.
    went = "failed" if outcome.state == State.FAILED else f"was {outcome.state.value}"
    text = f"sealed {job.writes}, but then {outcome.label} {went}: {outcome.note}"
    return JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=text, details=tail(outcome))


def _sealed(job: PlannedJob, result: Mapping[str, Any], *, live: bool, went: str) -> JobReport:
    exceptions, fresh = int(result.get("exceptions", 0)), int(result.get("exceptions_new", 0))
    moved = int(result.get("vanished", 0)) + int(result.get("changed", 0))
    headline = (
        f"sealed {job.writes}: {count(int(result.get('files') or 0), 'file')}, "
        f"{size(int(result.get('added_bytes') or 0))} new in {count(int(result.get('added_files') or 0), 'file')}"
    )
    details = [f"to make room {went}"] if went else []
    if exceptions:
        new = f", {fresh} of them new" if fresh and fresh != exceptions else ""
        missing = "what could not be read is not in it (runner snapshots --exceptions)"
        details.append(f"{count(exceptions, 'exception')}{new}: {missing}")
    if moved:
        details.append(f"{count(moved, 'file')} changed or went while it was copied, as on any busy machine")
    verdict = Verdict.ATTENTION if fresh and live else Verdict.DONE
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=tuple(details))


def check_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """What the check found out, and which file will run out of links first."""
    report = default_report(job, outcomes, around)
    ended_well = report.verdict in (Verdict.NOTHING, Verdict.DONE)
    return replace(report, details=(*_links(outcomes), *report.details)) if ended_well else report


def _links(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    told = next((one.result for one in outcomes if one.result.get("fits") is False), None)
    if told is None:
        return ()
    snapshots = int(told["limit"]) // max(int(told["largest_group"]), 1)
    return (
        f"{one_line(str(told['path']))} has {count(int(told['largest_group']), 'name')} in each snapshot: after "
        f"{count(snapshots, 'snapshot')} its links run out, and it is copied once more; nothing is lost by it",
    )


def restore_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """That all came back, or how it stopped."""
    words = "copied back, and compared byte for byte with the snapshot: no difference"
    return default_report(job, outcomes, around, job.headline or words)
