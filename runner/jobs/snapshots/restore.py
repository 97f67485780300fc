"""Restoring something from a snapshot: a plan like any other, into a side folder unless another is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from runner.agent.arguments import argv
from runner.agent.snapshots.contract.find import InNewest, SeenInNewest
from runner.agent.snapshots.contract_restored import NEW, MakePlace
from runner.jobs.no_room import no_room
from runner.jobs.snapshots import restored, shell
from runner.jobs.snapshots.route import RestoreRequest, RestoreRoute
from runner.jobs.snapshots.when import means_newest
from runner.model.facts import Facts, HostFacts, Probe, Snapshot
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.plan import Command, Effect, Ended, Finding, Lock, PlannedJob, Step
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Host, Site, Store
from runner.model.text import one_line
from runner.report.default import default_report
from runner.tools import agent, answers, rsync

SIDE = restored.SIDE
# As the agent calls it.
FOLDER = "directory"


def probes(site: Site, host: str, path: str, when: str, only: str) -> tuple[Probe, ...]:
    """Whether the newest snapshot of `host` has `path`, of each store, or of `only`; nothing where another is meant.

    Whoever reads a host answers that beside: to ask once more costs more than all that is asked.
    """
    stores = [store for store in site.stores if means_newest(when) and only in ("", store.name)]
    return tuple(
        Probe(
            id=_probe(store),
            host=store.host,
            argv=(agent.ARTIFACT, *argv("in-newest", InNewest(site.host(store.host).at(store.path), host, path))),
        )
        for store in stores
    )


def seen(facts: Facts, store: Store, snapshot: Snapshot) -> str:
    """What was seen that this snapshot has as what is asked for; "" where it was not, or is not known."""
    reading = facts.reading(store.host, _probe(store))
    answer = answers.read(reading.out, SeenInNewest) if reading and reading.exit == 0 else None
    return answer.type if answer is not None and answer.snapshot == snapshot.name else ""


def _probe(store: Store) -> str:
    return f"in-newest.{store.name}"


def draft(site: Site, request: RestoreRequest, facts: Facts, now: datetime) -> Draft:
    """Make the folder, copy with owners, links, ACLs and all, then compare by content.

    Whatever a restore would overwrite is moved aside first, so nothing is lost by a wrong one; a
    restore into a folder that is in use interrupts, so it needs a person.
    """
    # To the millisecond, as the plan: what two restores of one second keep aside must not be mixed.
    way = RestoreRoute(site=site, request=request, facts=facts, stamp=plan_id(now))
    keeper, snapshot, job = way.keeper, request.snapshot.name, f"restore-{request.host}"
    # While it is read, nobody expires it.
    reading = agent.reading(agent.program(keeper), keeper.at(request.store.path), snapshot)
    lock = Lock(resource=f"reading {request.store.name}/{snapshot}", host=keeper.name, argv=reading)
    ends_of = (facts.hosts[request.host], facts.hosts[keeper.name])
    findings = tuple(_findings(site, job, way, ends_of))
    return Draft(planned=_planned(way, lock), steps=tuple(_steps(way, job)), findings=findings)


def _steps(way: RestoreRoute, job: str) -> Iterator[Step]:
    host, request = way.host, way.request
    make = restored.make_folder(host, way.stamp)
    if request.to:
        place = MakePlace(way.at_folder, restored.plain(request.path), host.at(way.closed), way.whole, way.apart)
        make = restored.make_place(host, place)
    yield Step(
        id=f"{job}/folder",
        role=Role.FOLDER,
        job=job,
        host=host.name,
        effect=Effect.WRITE,
        action=Command(argv=make),
        why=f"a folder for what is restored: {way.folder}",
    )
    copies = tuple(_copies(way, job))
    yield from copies
    yield _room(job, host, way.at_new)
    ids = [step.id for step in copies]
    yield restored.closed(job, host, way.closed, ids, (way.at_place,) if way.strange else ())
    compare = rsync.verify(way.ends(way.at_folder), parents=not request.to)
    yield replace(
        copies[0],
        id=f"{job}/compare",
        role=Role.COMPARE,
        subject="",
        effect=Effect.READ,
        action=Command(argv=compare),
        silent=True,
        why="what was restored equals the snapshot, byte for byte",
    )


def _copies(way: RestoreRoute, job: str) -> Iterator[Step]:
    """What receives it, and what puts it where it goes from there, if that is another place."""
    site, host, path = way.site, way.host, way.request.path
    aside = host.at(way.aside) if way.aside else ""
    effect = Effect.INTERRUPT if aside else Effect.WRITE
    into = way.folder + (f"; what it replaces goes to {way.aside}" if aside else "")
    copy = Step(
        id=f"{job}/copy",
        role=Role.COPY,
        subject=way.shown,
        job=job,
        host=site.controller if way.far or site.controller in (host.name, way.keeper.name) else host.name,
        effect=Effect.WRITE if way.apart else effect,
        timeout=7 * 86400,
        action=Command(argv=rsync.restore(way.ends(way.at_new), aside="" if way.apart else aside)),
        why=f"copy {path} of {way.request.snapshot.name} to {f'{way.closed}/{NEW}' if way.apart else into}",
    )
    yield copy
    if way.apart:
        put = Command(argv=rsync.restore(way.put(), aside=aside))
        why = f"put it into {into}"
        yield replace(
            copy, id=f"{job}/place", role=Role.STEP, subject="", host=host.name, effect=effect, action=put, why=why
        )


def restore_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """That all was restored, or how it stopped."""
    words = "copied back, and compared byte for byte with the snapshot: no difference"
    report = default_report(job, outcomes, around, job.headline or words)
    return no_room(report, outcomes, "no space left for what is restored")


def _findings(site: Site, job: str, way: RestoreRoute, ends: tuple[HostFacts, HostFacts]) -> Iterator[Finding]:
    """What a person should know of it; `ends` are where it goes and where it comes from."""
    for text in _notes(way):
        yield Finding(severity="note", source=job, text=text)
    if noise := shell.in_the_way(site, job, ends):
        yield replace(noise, severity="refusal")


def _room(job: str, host: Host, folder: str) -> Step:
    return Step(
        id=f"{job}/room",
        role=Role.ROOM,
        job=job,
        host=host.name,
        effect=Effect.READ,
        action=Command(argv=agent.room(agent.program(host), folder, by_hand=True)),
        unless=Ended(step=f"{job}/copy"),
        despite=(f"{job}/copy",),
        timeout=60,
        why="whether a copy that was cut off had room",
    )


def _planned(way: RestoreRoute, lock: Lock) -> PlannedJob:
    request = way.request
    back = f"{one_line(request.path)} of {request.host} is back as of {request.snapshot.name}"
    # Only that host was asked: it is what it says now, and not what was sealed.
    source = f", as the store on {way.keeper.name} has it" if way.far else ""
    return PlannedJob(
        name=f"restore-{request.host}",
        kind="restore",
        locks=(lock,),
        headline=f"{back}{source}, compared byte for byte: no difference",
        details=(f"it is in {way.shown}", *((way.rights,) if way.less else ())),
    )


def _notes(way: RestoreRoute) -> Iterator[str]:
    request = way.request
    name, exceptions = request.snapshot.name, request.snapshot.exceptions
    if not way.root:
        yield "not root: owners will not be restored"
    if exceptions:
        yield f"snapshot {name} has {exceptions} exceptions: some files are not in it"
    if exceptions is None:
        yield f"the record of snapshot {name} cannot be read: it is not known whether anything is missing from it"
    if request.to:
        yield f"writes over what is in {request.to}; what it replaces is kept in {SIDE}"
    if way.rights:
        yield way.rights
