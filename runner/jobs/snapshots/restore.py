"""Restoring something from a snapshot: a plan like any other, into a side folder unless another is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from runner.agent.arguments import argv
from runner.agent.snapshots.contract.find import InNewest, SeenInNewest
from runner.jobs.no_room import no_room
from runner.jobs.snapshots import restored, shell
from runner.jobs.snapshots.when import means_newest
from runner.model.facts import Facts, HostFacts, Probe, Snapshot
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.plan import Argv, Command, Effect, Ended, Finding, Lock, PlannedJob, Step
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Host, Site, Store
from runner.model.text import one_line
from runner.report.default import default_report
from runner.tools import agent, answers, rsync, ssh

# For those above.
SIDE = restored.SIDE


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreRequest:
    """What a person wants restored: `path` of `host` (absolute) as it is in `snapshot` of `store`.

    `to` is an absolute folder of the host, "" for a new side folder, "/" for where it was.
    """

    host: str
    path: str
    store: Store
    snapshot: Snapshot
    to: str = ""


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


def seen(facts: Facts, store: Store, snapshot: Snapshot) -> bool:
    """Whether it was seen that this snapshot has what is asked for; False where it was not, or is not known."""
    reading = facts.reading(store.host, _probe(store))
    answer = answers.read(reading.out, SeenInNewest) if reading and reading.exit == 0 else None
    return answer is not None and answer.snapshot == snapshot.name and answer.there


def _probe(store: Store) -> str:
    return f"in-newest.{store.name}"


def draft(site: Site, request: RestoreRequest, facts: Facts, now: datetime) -> Draft:
    """Make the folder, copy with owners, links, ACLs and all, then compare by content.

    Whatever a restore would overwrite is moved aside first, so nothing is lost by a wrong one; a
    restore into a folder that is in use interrupts, so it needs a person.
    """
    host, keeper, snapshot = site.host(request.host), site.host(request.store.host), request.snapshot.name
    # To the millisecond, as the plan: what two restores of one second keep aside must not be mixed.
    stamp = plan_id(now)
    closed = f"{SIDE}/{stamp}-replaced" if request.to else f"{SIDE}/{stamp}"
    folder = request.to or restored.inside(closed)
    aside = restored.inside(closed) if request.to else ""
    job = f"restore-{request.host}"
    disk = restored.plain(host.at(folder))
    far = site.live and host.name != keeper.name
    only = _only(site, host, (disk, *((host.at(aside),) if aside else ()))) if far else None
    # Who is not root there receives as himself.
    only = only if facts.hosts[host.name].uid == 0 and host.confined else None
    keep = agent.keep_room(agent.program(host), disk, by_hand=True, only=only)
    ends = _ends(site, request, facts, host.at(folder), keep)
    looks = agent.confine(agent.program(host), (disk, *only.reads)) if only and only.reads else ()
    ends = replace(ends, confined=only is not None, looks=looks)
    runs_on = site.controller if far or site.controller in (host.name, keeper.name) else host.name
    effect = Effect.INTERRUPT if request.to else Effect.WRITE
    place = one_line(f"{host.at(folder).rstrip('/')}/{request.path.strip('/')}")
    make = restored.make_place(host, folder, request.path, closed) if aside else restored.make_folder(host, stamp)
    why = f"copy {request.path} of {snapshot} to {folder}" + (f"; what it replaces goes to {aside}" if aside else "")
    steps = (
        Step(
            id=f"{job}/folder", role=Role.FOLDER, job=job, host=host.name, effect=Effect.WRITE,
            action=Command(argv=make), why=f"a folder for what is restored: {folder}",
        ),
        Step(
            id=f"{job}/copy", role=Role.COPY, subject=place, job=job, host=runs_on, effect=effect, timeout=7 * 86400,
            action=Command(argv=rsync.restore(ends, aside=host.at(aside) if aside else "")), why=why,
        ),
        _room(job, host, disk),
        restored.closed(job, host, closed, (f"{job}/copy",)),
        Step(
            id=f"{job}/compare", role=Role.COMPARE, job=job, host=runs_on, effect=Effect.READ, timeout=7 * 86400,
            action=Command(argv=rsync.verify(ends, parents=not aside)), silent=True,
            why="what was restored equals the snapshot, byte for byte",
        ),
    )  # fmt: skip
    # While it is read, nobody expires it.
    reading = agent.reading(agent.program(keeper), keeper.at(request.store.path), snapshot)
    lock = Lock(resource=f"reading {request.store.name}/{snapshot}", host=keeper.name, argv=reading)
    planned = _planned(request, lock, place)
    ends_of = (facts.hosts[host.name], facts.hosts[keeper.name])
    return Draft(planned=planned, steps=steps, findings=tuple(_findings(site, job, request, ends_of)))


def _ends(site: Site, request: RestoreRequest, facts: Facts, place: str, keep: Argv) -> rsync.Ends:
    """From the snapshot to `place`, where `keep` begins what receives."""
    host, keeper = site.host(request.host), site.host(request.store.host)
    far = site.live and host.name != keeper.name
    source = f"{keeper.at(request.store.path)}/{request.snapshot.name}/./{request.path.strip('/')}"
    return rsync.Ends(
        source=f"{keeper.name}:{source}" if far and keeper.name != site.controller else source,
        target=(f"{host.name}:" if far and host.name != site.controller else "") + place.rstrip("/") + "/",
        rsh=ssh.rsh(site.state) if far else (),
        checksum=rsync.checksum(facts.hosts[host.name].rsync, facts.hosts[keeper.name].rsync),
        keep=keep,
    )


def _only(site: Site, host: Host, places: tuple[str, ...]) -> agent.Only | None:
    """What a restore from another host sees where it goes; None where it may write all, and cannot be confined."""
    way = ssh.rsh(site.state)[-1:] if host.name == site.controller else ()
    return None if "/" in places else agent.Only(writes=places, reads=way)


def restore_report(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """That all was restored, or how it stopped."""
    words = "copied back, and compared byte for byte with the snapshot: no difference"
    report = default_report(job, outcomes, around, job.headline or words)
    return no_room(report, outcomes, "no space left for what is restored")


def _findings(site: Site, job: str, request: RestoreRequest, ends: tuple[HostFacts, HostFacts]) -> Iterator[Finding]:
    """What a person should know of it; `ends` are where it goes and where it comes from."""
    for text in _notes(request, root=ends[0].uid == 0):
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


def _planned(request: RestoreRequest, lock: Lock, place: str) -> PlannedJob:
    back = f"{one_line(request.path)} of {request.host} is back as of {request.snapshot.name}"
    return PlannedJob(
        name=f"restore-{request.host}",
        kind="restore",
        locks=(lock,),
        headline=f"{back}, compared byte for byte: no difference",
        details=(f"it is in {place}",),
    )


def _notes(request: RestoreRequest, *, root: bool) -> Iterator[str]:
    name, exceptions = request.snapshot.name, request.snapshot.exceptions
    if not root:
        yield "not root: owners will not be restored"
    if exceptions:
        yield f"snapshot {name} has {exceptions} exceptions: some files are not in it"
    if exceptions is None:
        yield f"the record of snapshot {name} cannot be read: it is not known whether anything is missing from it"
    if request.to:
        yield f"writes over what is in {request.to}; what it replaces is kept in {SIDE}"
