"""What was restored to a host is scratch: in no snapshot, told, and cleared after `restored_keep`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from runner.agent.arguments import argv
from runner.agent.snapshots.contract_restored import (
    TREE,
    ClearRestored,
    ListRestored,
    LookAtReceived,
    MakePlace,
    MakeRestored,
    RestoredCleared,
    RestoredListing,
)
from runner.model.facts import HostFacts, Probe
from runner.model.names import plan_id
from runner.model.options import DrillOptions
from runner.model.plan import Argv, Command, Effect, Finding, Step
from runner.model.role import Phase, Role
from runner.model.run import Outcome, State
from runner.model.site import Host, Job, Site
from runner.model.text import count, excerpt, length, one_line
from runner.tools import agent, answers

SIDE = "/var/restored"
_SHOWN = 300
_NO_ANSWER = "its answer cannot be read"
_PATIENCE = 6 * 3600
# Whatever becomes of it, the snapshot is sealed.
_EITHER = (0, 1)


def probes(site: Site, job: Job) -> tuple[Probe, ...]:
    """What was restored to the host of `job`; nothing of that is in a sandbox's sources."""
    if not site.live:
        return ()
    return (Probe(id=_probe(job), host=job.host, argv=(agent.ARTIFACT, *argv("restored", ListRestored(SIDE)))),)


def make_folder(host: Host, name: str) -> Argv:
    """Make and mark the folder for what plan `name` restores."""
    return (agent.program(host), *argv("make-restored", MakeRestored(host.at(SIDE), name)))


def make_place(host: Host, place: MakePlace) -> Argv:
    """Make the folder that something is restored to, and the one for what is replaced: where they really are."""
    return (agent.program(host), *argv("make-place", place))


def inside(folder: str) -> str:
    """Where in a closed folder something is received."""
    return f"{folder}/{TREE}"


def closed(job: str, host: Host, folder: str, copies: Sequence[str], places: tuple[str, ...] = ()) -> Step:
    """The step that looks whether the folder (as on that host) is still closed, however these copies ended.

    And that nothing in `places`, really, still belongs to what received it.
    """
    look = LookAtReceived(plain(host.at(folder)), places)
    return Step(
        id=f"{job}/closed",
        role=Role.STEP,
        job=job,
        host=host.name,
        effect=Effect.WRITE,
        action=Command(argv=(agent.program(host), *argv("received", look))),
        despite=tuple(copies),
        timeout=_PATIENCE,
        why=f"nobody else could enter {folder} meanwhile",
    )


def plain(path: str) -> str:
    """A path as the agent takes it."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def read(site: Site, job: Job, source: HostFacts) -> RestoredListing | None:
    """What was restored to the host of `job`; None where that is not known."""
    if not site.live:
        return RestoredListing(())
    reading = source.readings.get(_probe(job))
    return answers.read(reading.out, RestoredListing) if reading else None


def left_out(site: Site, known: RestoredListing | None, now: datetime) -> tuple[str, ...]:
    """The folders that no snapshot has: those that a restore has made, or a drill of the same plan makes meanwhile.

    What else is in these places is somebody's.
    """
    if not site.live:
        return ()
    drills = [job.options for job in site.jobs if isinstance(job.options, DrillOptions)]
    making = dict.fromkeys(f"{options.scratch.rstrip('/')}/{plan_id(now)}" for options in drills)
    return (*(f"{SIDE}/{each.name}" for each in (known.made if known else ())), *making)


def steps(site: Site, job: Job, known: RestoredListing | None, now: datetime) -> tuple[Step, ...]:
    """Clear what was restored longer ago than is kept; nothing where a run of nobody may not remove anything."""
    return tuple(_clear(site, job, name, at, now) for name, at in _old(site, known, now) if _may(site))


def findings(site: Site, job: Job, source: HostFacts, now: datetime) -> Iterator[Finding]:
    """What is left out of the snapshot, and what of it nobody clears; or that it is not known, so all is copied."""
    known = read(site, job, source)
    if known is None:
        text = f"what was restored to {job.host} is not known, so it is in this snapshot: {_unread(source, job)}"
        do = f"see why {SIDE} cannot be read there"
        yield Finding(severity="attention", source=job.name, text=text, do=do)
    elif known.made:
        text = f"left out: {count(len(known.made), 'folder')} restored into {SIDE} of {job.host}, which are scratch"
        yield Finding(severity="note", source=job.name, text=text, phase=Phase.FORECAST)
    old = _old(site, known, now)
    if old and not _may(site):
        days = length(site.restored_keep)
        text = f"{count(len(old), 'folder')} restored to {job.host} more than {days} ago, the oldest {SIDE}/{old[0][0]}"
        do = f'remove what is not needed; with unattended = "{Effect.EXPIRE.name.lower()}" this job does'
        yield Finding(severity="note", source=job.name, text=text, do=do)


def _unread(source: HostFacts, job: Job) -> str:
    """Why it is not known, in the words of who was to read it."""
    reading = source.readings.get(_probe(job))
    return _why(answers.last_object(reading.out)) if reading else _NO_ANSWER


def cleared(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What became of the folders that were to be cleared."""
    return tuple(_cleared(outcome) for outcome in outcomes if outcome.role == Role.TIDY and outcome.state == State.DONE)


def _cleared(outcome: Outcome) -> str:
    answer = answers.read(outcome.result, RestoredCleared)
    place = f"{SIDE}/{outcome.subject}"
    if answer is None:
        return f"{place} is still there: {_why(outcome.result)}"
    if not answer.removed:
        return f"{place} stays" + (f": something in it changed on {answer.changed:%Y-%m-%d}" if answer.changed else "")
    return f"removed {place}, which was restored long ago"


def _why(answer: Mapping[str, Any]) -> str:
    """What the agent says was in its way."""
    return one_line(excerpt(answer.get("error") or _NO_ANSWER, _SHOWN))


def _probe(job: Job) -> str:
    return f"restored.{job.name}"


def _may(site: Site) -> bool:
    return site.unattended >= Effect.EXPIRE


def _old(site: Site, known: RestoredListing | None, now: datetime) -> list[tuple[str, datetime]]:
    made = known.made if known else ()
    return [(each.name, each.at) for each in made if now - each.at > site.restored_keep]


def _clear(site: Site, job: Job, name: str, at: datetime, now: datetime) -> Step:
    options = ClearRestored(SIDE, name, round(site.restored_keep.total_seconds()))
    return Step(
        id=f"{job.name}/clear-{name}",
        role=Role.TIDY,
        subject=name,
        job=job.name,
        host=job.host,
        effect=Effect.EXPIRE,
        timeout=_PATIENCE,
        ok_codes=_EITHER,
        action=Command(argv=(agent.program(site.host(job.host)), *argv("clear-restored", options))),
        why=f"restored {length(now - at)} ago; it stays if anything in it has changed since",
    )
