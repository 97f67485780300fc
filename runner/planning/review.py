"""What a plan may do without being asked: findings about it, and the ceiling. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from runner.model.errors import PlanRefused
from runner.model.facts import Facts, Snapshot, StoreFacts
from runner.model.names import SNAPSHOT, snapshot_time
from runner.model.plan import Argv, Check, Command, Effect, Ended, Finding, Plan, PutFile, Skip, Step, WaitFor
from runner.model.site import Site, Store
from runner.model.text import count

# What may name a file below the spool: no path, and nothing that a person could not read.
_ID = re.compile(r"(?!\.)[^/\0-\x1f\x7f\ud800-\udfff]{1,200}")
_KEPT = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]*/{SNAPSHOT.pattern}/\d{{1,6}}", re.ASCII)


def check(plan: Plan) -> tuple[Finding, ...]:
    """Refusals for a plan that does not hold together, whoever made it."""
    ids = [step.id for step in plan.steps]
    seen: set[tuple[str, str]] = set()
    faults: list[str] = [f"two steps are called {name}" for name, times in Counter(ids).items() if times > 1]
    names = Counter(job.name for job in plan.jobs)
    faults += [f"two jobs are called {name}" for name, times in names.items() if times > 1]
    faults += _circle(plan)
    for step in plan.steps:
        if step.job not in names:
            faults.append(f"{step.id} belongs to no job of this plan")
        needed = [name for name in step.inputs if not name.startswith("kept:")]
        if isinstance(step.unless, Ended):
            needed.append(step.unless.step)
        needed += step.despite
        faults += [
            f"{step.id} rests on {name}, which does not come before it in the same job"
            for name in needed
            if (step.job, name) not in seen
        ]
        seen.add((step.job, step.id))
    writes = Counter(job.writes.partition("/")[0] for job in plan.jobs if job.writes)
    faults += [f"{times} jobs of this plan write store {store}" for store, times in writes.items() if times > 1]
    return tuple(Finding(severity="refusal", text=text, source="review") for text in faults)


def names(plan: Plan, site: Site) -> tuple[Finding, ...]:
    """Refusals for a plan that names what cannot be: an unknown host, a file outside the spool, no command.

    Folders and files of the controller are named by a plan's id, a step's id and what a step keeps.
    """
    hosts = {host.name for host in site.hosts}
    faults = [] if _ID.fullmatch(plan.id) else ["the plan's id is none"]
    faults += [f"job {job.name!a} has no proper name" for job in plan.jobs if not _ID.fullmatch(job.name)]
    for step in plan.steps:
        if not _ID.fullmatch(step.id.replace("/", "_")):
            faults.append(f"step {step.id!a} has no proper name")
        kept = [name.removeprefix("kept:") for name in step.inputs if name.startswith("kept:")]
        kept += [step.keep_output_as] * bool(step.keep_output_as)
        faults += [f"{step.id} keeps its output as {name!a}" for name in kept if not _KEPT.fullmatch(name)]
    for owner, host, argv in _calls(plan):
        if host not in hosts:
            faults.append(f"{owner} is for {host!a}, which is no host of jobs.toml")
        if not argv or not all(_is_word(word) for word in argv):
            faults.append(f"{owner} has no command that can be run")
    return tuple(Finding(severity="refusal", text=text, source="review") for text in faults)


def _calls(plan: Plan) -> Iterator[tuple[str, str, Argv]]:
    """What would run where, and for whom: a file that is put somewhere is a command too."""
    for step in plan.steps:
        match step.action:
            case Command(argv=argv):
                yield step.id, step.host, argv
            case PutFile(path=path):
                yield step.id, step.host, (path,)
            case WaitFor(until=until):
                yield step.id, step.host, until.argv
                yield step.id, until.host, until.argv
            case _:
                assert_never(step.action)
        for check in (step.guard, step.unless):
            if isinstance(check, Check):
                yield step.id, check.host, check.argv
    for job in plan.jobs:
        yield from ((job.name, lock.host, lock.argv) for lock in job.locks)


def _is_word(text: str) -> bool:
    try:
        return b"\0" not in text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def floors(plan: Plan, site: Site, facts: Facts) -> tuple[Finding, ...]:
    """Refusals for a plan that would leave a store with less than its `retention.min`.

    Counted here again, and by itself: whoever decided what expires may be wrong. Every step that may
    expire counts as if it did. Only snapshots with a record and without exceptions count as left, and of
    each job and day (UTC, when they were sealed) no more than `retention.per_day`.
    """
    faults: list[str] = []
    steps = [(step, *gone) for step in plan.steps if (gone := _called(step, "expire"))]
    moved = [(step, *gone) for step in plan.steps if (gone := _called(step, "set-aside"))]
    for place in site.stores:
        host = facts.hosts.get(place.host)
        known = host.stores.get(place.name) if host else None
        if known is None:
            continue
        own = [(step, name) for step, path, name in steps if (step.host, path) == (place.host, known.path)]
        if own:
            faults += _below(place, known, own)
            steps = [row for row in steps if (row[0], row[2]) not in own]
        aside = [name for step, path, name in moved if (step.host, path) == (place.host, known.path)]
        faults += _below_aside(place, known, aside, facts.at)
    faults += [f"{step.id} expires {name} from {path}, which is no store that was read" for step, path, name in steps]
    return tuple(Finding(severity="refusal", text=text, source="review") for text in faults)


def _below(place: Store, known: StoreFacts, own: list[tuple[Step, str]]) -> list[str]:
    if place.retention is None:
        return [f"{step.id} expires {name}, and store {place.name} has no retention" for step, name in own]
    least = place.retention.min
    recorded = [snapshot for snapshot in known.sealed if snapshot.recorded]
    wrong = {snapshot.name: "is the newest" for snapshot in recorded[-1:]}
    wrong |= {snapshot.name: "is being read" for snapshot in recorded if snapshot.being_read}
    proven = {drill.snapshot for drill in known.proven.values()}
    wrong |= {
        snapshot.name: "is the last one that a drill restored"
        for snapshot in recorded
        if snapshot.proven or snapshot.name in proven
    }
    wrong |= {name: "is no sealed snapshot" for _, name in own if name not in {snapshot.name for snapshot in recorded}}
    faults = [f"{step.id} expires {name}, which {wrong[name]}" for step, name in own if name in wrong]
    faults += [
        f"{step.id} is given another minimum than min = {least}"
        for step, _ in own
        if f"--min={least}" not in _argv(step)
    ]
    most = place.retention.per_day
    faults += [
        f"{step.id} is given another number a day than per_day = {most}"
        for step, _ in own
        # A plan of an older runner says none: then the disk counts all, and it is counted here alone.
        if _per_day(_argv(step)) not in ("", str(most))
    ]
    left = _left(known, {name for _, name in own}, most)
    if left < least:
        many = count(left, "snapshot")
        faults.append(f"this plan would leave {many} without exceptions in store {place.name}, and min is {least}")
    return faults


def _below_aside(place: Store, known: StoreFacts, names: list[str], now: datetime) -> list[str]:
    """Why these may not be set aside: only one whose name lies in the future may be where too few would count."""
    past = [name for name in names if (at := snapshot_time(name)) is None or at <= now]
    counting = {snapshot.name for snapshot in known.sealed if snapshot.recorded and snapshot.exceptions == 0}
    if place.retention is None or not counting.intersection(past):
        return []
    left = _left(known, set(names), place.retention.per_day)
    if left >= place.retention.min:
        return []
    many = count(left, "snapshot")
    text = f"without {', '.join(past)} only {many} without exceptions would count in store {place.name}"
    return [f"{text}, and min is {place.retention.min}"]


def _left(known: StoreFacts, gone: set[str], most: int) -> int:
    stay = [each for each in known.sealed if each.recorded and each.exceptions == 0 and each.name not in gone]
    days = Counter((snapshot.job, _day(snapshot)) for snapshot in stay)
    return sum(min(many, most or many) for many in days.values())


def _per_day(argv: Argv) -> str:
    return next((word.partition("=")[2] for word in argv if word.startswith("--per-day=")), "")


def _day(snapshot: Snapshot) -> str:
    return f"{snapshot.sealed.astimezone(UTC):%Y-%m-%d}" if snapshot.sealed else snapshot.name.partition("T")[0]


def _called(step: Step, verb: str) -> tuple[str, str] | None:
    """Give the store's folder and the snapshot, where a step calls this verb of `runner-agent`."""
    argv = _argv(step)
    for program, word, path, name in zip(argv, argv[1:], argv[2:], argv[3:], strict=False):
        if word == verb and program.endswith("runner-agent"):
            return path, name
    return None


def _argv(step: Step) -> Argv:
    return step.action.argv if isinstance(step.action, Command) else ()


def _circle(plan: Plan) -> list[str]:
    """Jobs that would wait for each other, and so for ever."""
    waiting = {job.name: set(job.after) for job in plan.jobs}
    while free := [name for name, after in waiting.items() if not after & waiting.keys()]:
        for name in free:
            del waiting[name]
    return [f"{', '.join(sorted(waiting))} wait for each other"] if waiting else []


def contain(plan: Plan, ceiling: Effect) -> Plan:
    """The plan without the jobs that may not run unattended; a finding for each tells a person.

    For a run that nobody asked for by name: one job that is above the ceiling, or refused on its own
    account, keeps no other from running.
    """
    most = {name: max(step.effect for step in plan.steps if step.job == name) for name in _jobs(plan)}
    above = {name for name, effect in most.items() if effect > min(ceiling, Effect.INTERRUPT)}
    refused = {refusal.source for refusal in plan.refusals if refusal.source in {job.name for job in plan.jobs}}
    out = above | refused
    above_ceiling = [
        Finding(
            severity="attention",
            source=name,
            text=f"it would {effect.name.lower()}, and jobs.toml allows unattended runs no more than "
            f"{ceiling.name.lower()}",
            do="when it suits people, run:"
            if effect == Effect.INTERRUPT
            else f"runner plan {name} --out plan.toml, read it, then:",
            command=f"runner run {name} --yes" if effect == Effect.INTERRUPT else "runner apply plan.toml",
        )
        for name, effect in most.items()
        if name in above
    ]
    findings = [
        replace(finding, severity="attention")
        if finding.severity == "refusal" and finding.source in refused
        else finding
        for finding in plan.findings
    ]
    return replace(
        plan,
        jobs=tuple(job for job in plan.jobs if job.name not in out),
        steps=tuple(step for step in plan.steps if step.job not in out),
        skips=(*plan.skips, *(Skip(job=name, reason="it needs a person") for name in _jobs(plan) if name in out)),
        findings=(*findings, *above_ceiling),
    )


def _jobs(plan: Plan) -> tuple[str, ...]:
    return tuple(dict.fromkeys(step.job for step in plan.steps))


def allow(plan: Plan, *, ceiling: Effect, reviewed: bool, confirmed: bool) -> None:
    """Raise PlanRefused unless this plan may run now.

    `reviewed`: it comes from a plan file that a person has read. `confirmed`: --yes at a terminal,
    which is enough for INTERRUPT and never for DESTROY.
    """
    if plan.refusals:
        first = next((refusal for refusal in plan.refusals if refusal.advice), None)
        raise PlanRefused(
            "\n".join(f"refused by {refusal.source}: {refusal.text}" for refusal in plan.refusals),
            do=first.do if first else "put that right and plan again",
            command=first.command if first else "",
        )
    if reviewed or plan.effect <= min(ceiling, Effect.INTERRUPT):
        return
    strongest = next(step for step in plan.steps if step.effect == plan.effect)
    if plan.effect == Effect.INTERRUPT and confirmed:
        return
    file = "write the plan to a file (--out plan.toml), read it, and apply it: runner apply plan.toml"
    raise PlanRefused(
        f"{strongest.id} would {plan.effect.name.lower()}, and jobs.toml allows unattended runs "
        f"no more than {ceiling.name.lower()}",
        do=f"say --yes if you mean it, or {file}" if plan.effect == Effect.INTERRUPT else file,
    )
