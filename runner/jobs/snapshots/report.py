"""What became of a snapshot, of the check of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.agent.retention.contract.links import LinkGroups
from runner.agent.snapshots.contract.begin import Begun
from runner.agent.snapshots.contract.seal import Sealed
from runner.jobs.no_room import no_room
from runner.jobs.retention.report import WELL, answered, counted, expired, spared, with_earlier
from runner.jobs.snapshots import fallen, recycled, restored
from runner.model.cause import Fault, of_store
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import STOPPED, Around, JobReport, Outcome, State, Verdict
from runner.model.site import Store
from runner.model.text import count, one_line, size
from runner.report.default import default_report, tail
from runner.tools.answers import read


def snapshot_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """What the snapshot holds, or how it stopped; what made room for it; what is wrong with the jobs before it."""
    report = answered(with_earlier(_snapshot(job, outcomes, around), around), outcomes, {Role.BEGIN: Begun})
    before = (around.reports[name] for name in job.after if name in around.reports)
    passed_on = tuple(text for earlier in before for text in earlier.passes_on)
    details = (*passed_on, *_recycled(outcomes, around.earlier), *report.details, *restored.cleared(outcomes))
    unsure = recycled.unsure((*around.earlier, *outcomes), job.writes.partition("/")[0])
    return replace(report, details=details, advice=(*unsure, *report.advice))


def _recycled(outcomes: Sequence[Outcome], earlier: Sequence[Outcome]) -> tuple[str, ...]:
    """Which snapshot expired for the new one, also where that was not made then; nothing where none did."""
    before = (f"in a pass before {text}" for text in recycled.gone(earlier))
    return (*before, *recycled.stays(outcomes), *recycled.gone(outcomes))


def _snapshot(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    seal = next((outcome for outcome in outcomes if outcome.role == Role.SEAL and outcome.state == State.DONE), None)
    bad = next((outcome for outcome in outcomes if outcome.state in STOPPED), None)
    sealed, went = read(seal.result, Sealed) if seal else None, expired(outcomes)
    if seal is None:
        report = default_report(job, outcomes, around, went or spared(outcomes))
        host, store = next((lock.host for lock in job.locks), "its host"), job.writes.partition("/")[0]
        report = no_room(report, outcomes, f"no space left for store {store} on {host}", of_store(store, Fault.FULL))
    elif bad:
        report = _not_to_the_end(job, bad)
    elif sealed is None:
        text = f"sealed {job.writes}, but the answer of the seal cannot be read: what it holds is not known"
        report = JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=text, details=tail(seal))
    else:
        report = _sealed(job, sealed, live=around.live, went=went)
    if seal is not None:
        written = (_room(sealed), sealed.added_files) if sealed else None
        report = replace(report, written=written, made=job.writes)
    return replace(report, details=(went, *report.details)) if went and (bad or (seal and not sealed)) else report


def _room(sealed: Sealed) -> int:
    """What the new files take of the disk; an older agent said only how long they are."""
    return sealed.added_bytes if sealed.added_room is None else sealed.added_room


def _not_to_the_end(job: PlannedJob, outcome: Outcome) -> JobReport:
    # The snapshot is whole and counts: to call it failed would make another one at every run.
    went = "failed" if outcome.state == State.FAILED else f"was {outcome.state.value}"
    text = f"sealed {job.writes}, but then {outcome.label} {went}: {outcome.note}"
    return JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=text, details=tail(outcome))


def _sealed(job: PlannedJob, sealed: Sealed, *, live: bool, went: str) -> JobReport:
    exceptions, fresh, moved = sealed.exceptions, sealed.exceptions_new, sealed.vanished + sealed.changed
    headline = (
        f"sealed {job.writes}: {count(sealed.files, 'file')}, "
        f"{size(_room(sealed))} new in {count(sealed.added_files, 'file')}"
    )
    details = [f"to make room {went}"] if went else []
    if sealed.accepted:
        details.append(f"{count(sealed.accepted, 'name')} could not be copied, as `accept` in jobs.toml allows")
    if moved:
        details.append(f"{count(moved, 'file')} changed or went while it was copied, as on any busy machine")
    if sealed.missed:
        names = count(sealed.missed, "name")
        details.append(
            f"rsync found {names} changed that the record of the last look had not shown: this snapshot has them as "
            "they are now, and those before may have them as they were earlier"
        )
    shrank = fallen.shrank(job, sealed.files)
    if shrank:
        headline = f"{shrank.text}; {headline}"
        details.append(shrank.do)
    verdict = Verdict.ATTENTION if (fresh and live) or job.doubt or shrank or sealed.missed else Verdict.DONE
    headline = f"{job.headline}; {headline}" if job.doubt else headline
    cause = of_store(job.writes.partition("/")[0], Fault.LOST) if job.doubt else ""
    advice = (_listed(job, sealed),) if exceptions else ()
    return JobReport(
        job=job.name, verdict=verdict, headline=headline, details=tuple(details), advice=advice, cause=cause
    )


def _listed(job: PlannedJob, sealed: Sealed) -> str:
    """How much could not be read, and what lists it: another snapshot may be the newest when somebody looks."""
    store, _, name = job.writes.partition("/")
    fresh = sealed.exceptions_new
    new = f", {fresh} of them new" if fresh and fresh != sealed.exceptions else ""
    lists = f"`runner snapshots {store} --exceptions {name}` lists it"
    return f"{count(sealed.exceptions, 'exception')}{new}: what could not be read is not in it; {lists}"


def check_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """What the check shows, and which file will run out of links first."""
    return counted(_linked(default_report(job, outcomes, around), outcomes), outcomes)


def _linked(report: JobReport, outcomes: Sequence[Outcome]) -> JobReport:
    step = next((outcome for outcome in outcomes if outcome.role == Role.LINKS and outcome.state == State.DONE), None)
    if step is None or report.verdict not in WELL:
        return report
    groups = read(step.result, LinkGroups)
    if groups is None:
        text = f"whether any file will run out of links is not known: the answer cannot be read; {report.headline}"
        return replace(report, verdict=Verdict.ATTENTION, headline=text)
    return replace(report, details=(*_links(groups), *report.details))


def _links(groups: LinkGroups) -> tuple[str, ...]:
    if groups.fits:
        return ()
    snapshots = groups.limit // max(groups.largest_group, 1)
    return (
        f"{one_line(groups.path)} has {count(groups.largest_group, 'name')} in each snapshot: after "
        f"{count(snapshots, 'snapshot')} its links run out, and it is copied once more; nothing is lost by it",
    )


def too_many_links(store: Store, answer: Mapping[str, Any]) -> str:
    """Where `max` of the store is more than the links of some file allow, as its check answered last; else ""."""
    groups, policy = read(answer, LinkGroups), store.retention
    if groups is None or policy is None or not groups.largest_group or groups.largest_group * policy.max < groups.limit:
        return ""
    return (
        f"stores.{store.name}.retention.max: {policy.max} snapshots of a file with {groups.largest_group} names are "
        f"more than the {groups.limit:,} links that the disk allows: it is copied once more after "
        f"{count(groups.limit // groups.largest_group, 'snapshot')}"
    )
