"""What a plan may do without being asked: findings about it, and the ceiling. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from runner.model.errors import PlanRefused
from runner.model.names import SNAPSHOT
from runner.model.plan import Argv, Check, Command, Effect, Ended, Finding, Plan, PutFile, Skip, Step, WaitFor
from runner.model.site import Site

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
        faults += [
            f"{step.id} rests on {name}, which does not come before it in the same job"
            for name in _needed(step)
            if (step.job, name) not in seen
        ]
        seen.add((step.job, step.id))
    faults += _waited(plan)
    writes = Counter(job.writes.partition("/")[0] for job in plan.jobs if job.writes)
    faults += [f"{times} jobs of this plan write store {store}" for store, times in writes.items() if times > 1]
    return tuple(Finding(severity="refusal", text=text, source="review") for text in faults)


def _waited(plan: Plan) -> Iterator[str]:
    """Steps that would go on beside others without an end that is waited for, or beside one that rests on them."""
    for number, step in enumerate(plan.steps):
        if not step.until:
            continue
        after = [other for other in plan.steps[number + 1 :] if other.job == step.job]
        end = next((place for place, other in enumerate(after) if other.id == step.until), None)
        if end is None:
            yield f"{step.id} goes on until {step.until}, which does not come after it in the same job"
            continue
        yield from (
            f"{other.id} rests on {step.id}, and does not wait for it"
            for other in after[:end]
            if step.id in _needed(other)
        )


def _needed(step: Step) -> list[str]:
    """The earlier steps that it rests on."""
    needed = [name for name in step.inputs if not name.startswith("kept:")] + list(step.feed)
    ended = step.unless.steps if isinstance(step.unless, Ended) else ()
    return [*needed, *ended, *step.despite]


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
