"""Jobs and facts to a plan, pure: drafts of each kind, what hooks insert, what it was made from."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from runner.model.errors import HookFailed, RunnerError
from runner.model.facts import Facts, HostFacts, Probe, StoreFacts
from runner.model.kind import Draft, JobKind
from runner.model.names import plan_id
from runner.model.plan import (
    PREPARE,
    Argv,
    Basis,
    Command,
    Effect,
    Finding,
    Forecast,
    Insertion,
    Plan,
    PlannedJob,
    PutFile,
    Skip,
    Step,
    WaitFor,
)
from runner.model.role import Role
from runner.model.site import Job, Site, Store
from runner.model.text import count, excerpt, minute, one_line
from runner.planning import attempts, closing
from runner.tools import agent, files, machines

Together = Callable[[Site, Sequence[Job], tuple[Draft, ...], Facts], tuple[Draft, ...]]
AddSteps = Callable[[PlannedJob, tuple[Step, ...], Facts], Sequence[Insertion]]


def hosts_of(site: Site, jobs: Sequence[Job], probes: Sequence[Probe] = ()) -> tuple[str, ...]:
    """The hosts to read when planning these jobs: those they need or ask, and those whose snapshots they concern."""
    names = {name for job in jobs for name in needed(site, job)} | {probe.host for probe in probes}
    stores = {getattr(job.options, "store", "") for job in jobs} - {""}
    names |= {job.host for job in site.jobs if getattr(job.options, "store", "") in stores}
    return tuple(host.name for host in site.hosts if host.name in names)


def needed(site: Site, job: Job) -> tuple[str, ...]:
    """The hosts without which a job cannot be planned: its own and that of its store."""
    store_name = getattr(job.options, "store", "")
    return tuple(dict.fromkeys((job.host, *((site.store(store_name).host,) if store_name else ()))))


def draft(
    site: Site, jobs: Sequence[Job], facts: Facts, kinds: Mapping[str, JobKind], past: Mapping[str, Forecast]
) -> Plan:
    """The plan for these jobs (in order) as of `facts.at`: literal, complete, nothing run yet."""
    drafts = tuple(_draft(site, job, facts, kinds[job.kind], past.get(job.name, Forecast())) for job in jobs)
    for name in dict.fromkeys(job.kind for job in jobs):
        # Not by isinstance: from Python 3.12 on that sees no method which a plugin's kind passes on.
        if together := getattr(kinds[name], "together", None):
            drafts = _settled(together, name, site, jobs, drafts, facts)
    return assemble(site, drafts, facts, past)


def assemble(site: Site, drafts: Sequence[Draft], facts: Facts, past: Mapping[str, Forecast]) -> Plan:
    """One plan of these drafts; where a host lacks runner-agent, putting it there comes first."""
    steps = [step for draft in drafts for step in draft.steps]
    users = {step.host for step in steps if _uses(step, agent.program(site.host(step.host)))}
    users |= {lock.host for draft in drafts if draft.planned for lock in draft.planned.locks}
    stores = {name: _named(site, facts.hosts[name], steps) for name in sorted(users)}
    preparing = tuple(
        step
        for name in stores
        for step in (
            *_prepare(site, facts.hosts[name], facts.program),
            *closing.steps(site, f"prepare-{name}", name, stores[name]),
        )
    )
    planned = [(draft.planned, draft.anew) for draft in drafts if draft.planned]
    return Plan(
        id=plan_id(facts.at),
        made_at=facts.at,
        site=site.name,
        live=site.live,
        jobs=(
            *(PlannedJob(name=name, kind=PREPARE) for name in dict.fromkeys(step.job for step in preparing)),
            *(_after(job, preparing, Forecast() if anew else past.get(job.name, Forecast())) for job, anew in planned),
        ),
        steps=(*preparing, *steps),
        skips=tuple(draft.skip for draft in drafts if draft.skip),
        findings=(
            *(finding for draft in drafts for finding in draft.findings),
            *(finding for name in stores for finding in closing.findings(f"prepare-{name}", name, stores[name])),
            *attempts.findings(facts.hosts.values(), site.timezone),
        ),
        basis=_concerned(basis(site, facts), steps, facts),
    )


def insert(plan: Plan, facts: Facts, add_steps: AddSteps) -> Plan:
    """The plan with every step that hooks want in it, next to its anchor, marked with who added it.

    Several behind one anchor stand in the order in which they were wished for. HookFailed if an
    anchor does not exist, or an id is taken.
    """
    steps: list[Step] = []
    for job in plan.jobs:
        own = [step for step in plan.steps if step.job == job.name]
        behind: dict[str, str] = {}
        for wish in add_steps(job, tuple(own), facts):
            _place(own, wish, behind)
        steps += own
    ids = [step.id for step in steps]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise HookFailed(f"two steps are called {', '.join(twice)}", do="rename the step in the hook")
    return replace(plan, steps=tuple(steps))


def basis(site: Site, facts: Facts) -> tuple[Basis, ...]:
    """What the plan rests on, each with a digest: jobs.toml, the hosts, what is in the stores."""
    known = [host for _, host in sorted(facts.hosts.items())]
    hosts = [_host_basis(host) for host in known if not host.error]
    stores = [_store_basis(name, store) for host in known for name, store in sorted(host.stores.items())]
    file = Basis(subject="jobs.toml", digest=site.digest[:16], description=f"SHA-256 {site.digest[:8]}...")
    return (file, *hosts, *stores)


def changed(then: Sequence[Basis], now: Sequence[Basis]) -> tuple[str, ...]:
    """A sentence for each thing that is not as it was when the plan was made."""
    today = {entry.subject: entry for entry in now}
    changes: list[str] = []
    for old in then:
        new = today.get(old.subject)
        if new is None:
            changes.append(f"{old.subject} cannot be read now")
        elif new.digest != old.digest:
            changes.append(f"{old.subject} changed: {old.description} then, {new.description} now")
    return tuple(changes)


def _draft(site: Site, job: Job, facts: Facts, kind: JobKind, forecast: Forecast) -> Draft:
    for name in needed(site, job):
        if finding := machines.unread(site, job.name, facts, name):
            return Draft(skip=Skip(job=job.name, reason=finding.text, cause=finding.cause), findings=(finding,))
    try:
        return _kind_draft(site, job, facts, kind, forecast)
    except RunnerError:
        raise
    except Exception as error:  # an odd answer of a host, or a bug: the other jobs are planned all the same
        return _unplanned(site, job, error)


def _kind_draft(site: Site, job: Job, facts: Facts, kind: JobKind, forecast: Forecast) -> Draft:
    done = getattr(kind, "done", None) if getattr(kind, "records", False) else None
    if job.instant and done and (skip := done(site, job, facts)):
        reason = f"already done for {minute(job.instant, site.timezone)}: {skip.reason}"
        return Draft(skip=replace(skip, reason=reason))
    doubts = getattr(kind, "doubt", None)
    if doubts and (doubt := doubts(site, job, facts, forecast)):
        return Draft(skip=Skip(job=job.name, reason=doubt.text, cause=doubt.cause), findings=(doubt,))
    draft = kind.draft(site, job, facts, facts.at)
    return replace(draft, planned=replace(draft.planned, instant=job.instant)) if draft.planned else draft


def _settled(
    together: Together, kind: str, site: Site, jobs: Sequence[Job], drafts: tuple[Draft, ...], facts: Facts
) -> tuple[Draft, ...]:
    """The drafts, settled; where that cannot be done, those of this kind are none: they might do a thing twice."""
    try:
        return together(site, jobs, drafts, facts)
    except RunnerError:
        raise
    except Exception as error:  # as in `_draft`
        unplanned = {job.name: _unplanned(site, job, error) for job in jobs if job.kind == kind}
        return tuple(unplanned.get(draft.planned.name, draft) if draft.planned else draft for draft in drafts)


def _unplanned(site: Site, job: Job, error: Exception) -> Draft:
    """The skip of a job whose kind could not plan it; it says enough for whoever mends the kind."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    hosts = " and ".join(needed(site, job))
    text = f"kind {job.kind} could not plan it: {excerpt(repr(error), 200)} ({place.name}, line {place.lineno})"
    do = f"look at what is odd on {hosts}; if nothing is, it is a bug: send this line to the makers"
    finding = Finding(severity="attention", source=job.name, text=one_line(text), do=do)
    return Draft(skip=Skip(job=job.name, reason=finding.text), findings=(finding,))


def _uses(step: Step, program: str) -> bool:
    """Whether it wants this runner's agent there first: not what brings it to whichever is there."""
    brings = isinstance(step.action, Command) and step.action.artifact == agent.ARTIFACT
    return program in _argv(step) and not brings


def _prepare(site: Site, facts: HostFacts, sha256: str) -> Iterator[Step]:
    host, job = site.host(facts.name), f"prepare-{facts.name}"
    put = Step(
        id=f"{job}/runner-agent",
        role=Role.PREPARE,
        job=job,
        host=host.name,
        effect=Effect.WRITE,
        action=PutFile(path=agent.program(host), artifact=agent.ARTIFACT, sha256=sha256, mode=0o755),
        why="the agent is not there yet, or is another version",
    )
    if facts.program != sha256:
        yield put
    if facts.former:
        why = "the agent has a new name, and nothing uses the file under its old name"
        yield replace(put, id=f"{job}/former", action=Command(argv=files.remove_file(agent.former(host))), why=why)


def _named(site: Site, facts: HostFacts, steps: Sequence[Step]) -> tuple[tuple[Store, StoreFacts], ...]:
    """The stores of a host that steps name, as they were read."""
    words = [word for step in steps for word in _argv(step)]
    known = [(store, facts.stores[store.name]) for store in site.stores if store.name in facts.stores]
    return tuple((store, read) for store, read in known if _among(words, read.path))


def _among(words: Sequence[str], path: str) -> bool:
    return any(path in word for word in words)


def _after(job: PlannedJob, preparing: Sequence[Step], forecast: Forecast) -> PlannedJob:
    first = dict.fromkeys(step.job for step in preparing)
    # Before anything is known from history, what the kind itself foresees: a first copy is of all there is.
    known = forecast if forecast.bytes is not None or job.forecast.bytes is None else job.forecast
    return replace(job, after=(*first, *job.after), forecast=replace(known, runs=forecast.runs))


def _place(own: list[Step], wish: Insertion, behind: dict[str, str]) -> None:
    after = wish.where == "after"
    anchor = behind.get(wish.anchor, wish.anchor) if after else wish.anchor
    for index, step in enumerate(own):
        if step.id == anchor:
            own.insert(index + after, wish.step)
            if after:
                behind[wish.anchor] = wish.step.id
            return
    raise HookFailed(
        f"hook {wish.step.added_by} wants a step {wish.where} {wish.anchor}, which is not in the plan",
        do="anchor it to a step that add_steps was given",
    )


def _concerned(known: Sequence[Basis], steps: Sequence[Step], facts: Facts) -> tuple[Basis, ...]:
    """Without the stores that no step names: a reboot is not stale because of a new snapshot."""
    words = [word for step in steps for word in _argv(step)]
    paths = {f"store {name}": store.path for host in facts.hosts.values() for name, store in host.stores.items()}
    return tuple(entry for entry in known if entry.subject not in paths or _among(words, paths[entry.subject]))


def _argv(step: Step) -> Argv:
    match step.action:
        case Command(argv=argv):
            return argv
        case WaitFor(until=until):
            return until.argv
        case PutFile(path=path):
            return (path,)
        case _:
            assert_never(step.action)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _host_basis(host: HostFacts) -> Basis:
    mounts = tuple(
        sorted(
            (filesystem.mount, filesystem.type, filesystem.dev) for filesystem in host.filesystems if filesystem.size
        )
    )
    return Basis(
        subject=f"host {host.name}",
        digest=_digest(host.uid, host.rsync.version, mounts),
        description=f"uid {host.uid}, rsync {host.rsync.version}, {len(mounts)} filesystems",
    )


def _store_basis(name: str, store: StoreFacts) -> Basis:
    sealed = tuple(snapshot.name for snapshot in store.sealed)
    partials = tuple(partial.name for partial in store.partials)
    newest = f", the newest {sealed[-1]}" if sealed else ""
    aside = tuple(snapshot.name for snapshot in store.aside)
    return Basis(
        subject=f"store {name}",
        digest=_digest(store.path, store.uuid, store.problem, sealed, partials, *([aside] if aside else ())),
        description=f"{count(len(sealed), 'snapshot')}{newest}, {count(len(partials), 'interrupted snapshot')}",
    )
