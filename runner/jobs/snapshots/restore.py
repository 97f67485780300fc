"""Getting something back out of a snapshot: a plan like any other, into a side folder unless told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from runner.model.facts import Facts, Snapshot
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.plan import Argv, Command, Effect, Finding, Lock, PlannedJob, Step
from runner.model.role import Role
from runner.model.site import Host, Site, Store
from runner.model.text import one_line
from runner.tools import agent as store
from runner.tools import files, rsync, ssh

SIDE = "/var/restored"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a person asks back: `path` of `host` (absolute) as it is in `snapshot` of `store`.

    `to` is an absolute folder of the host, "" for a new side folder, "/" for where it was.
    """

    host: str
    path: str
    store: Store
    snapshot: Snapshot
    to: str = ""


def draft(site: Site, wanted: Wanted, facts: Facts, now: datetime) -> Draft:
    """Make the folder, copy with owners, links, ACLs and all, then compare by content.

    Whatever a restore would overwrite is moved aside first, so nothing is lost by a wrong one; a
    restore into a folder that is in use interrupts, so it needs a person.
    """
    host, keeper = site.host(wanted.host), site.host(wanted.store.host)
    # To the millisecond, as the plan: what two restores of one second keep aside must not be mixed.
    stamp = plan_id(now)
    folder = wanted.to or f"{SIDE}/{stamp}"
    aside = f"{SIDE}/{stamp}-replaced" if wanted.to else ""
    job = f"restore-{wanted.host}"
    far = _far(site, host, keeper)
    sums = rsync.checksum(facts.hosts[host.name].rsync, facts.hosts[keeper.name].rsync)
    ends = replace(_ends(site, wanted, (host, keeper), host.at(folder)), checksum=sums)
    runs_on = site.controller if far or site.host(site.controller).name in (host.name, keeper.name) else host.name
    effect = Effect.INTERRUPT if wanted.to else Effect.WRITE
    place = one_line(f"{host.at(folder).rstrip('/')}/{wanted.path.strip('/')}")
    make = tuple(host.at(one) for one in (folder, aside) if one and one != "/")
    steps = (
        Step(
            id=f"{job}/folder", role=Role.FOLDER, job=job, host=host.name, effect=Effect.WRITE,
            action=Command(argv=files.make_folders(make)), why=f"a folder for what comes back: {folder}",
        ),
        Step(
            id=f"{job}/copy", role=Role.COPY, subject=place, job=job, host=runs_on, effect=effect, timeout=7 * 86400,
            action=Command(argv=rsync.restore(ends, aside=host.at(aside) if aside else "")),
            why=_why(wanted, folder, aside),
        ),
        Step(
            id=f"{job}/compare", role=Role.COMPARE, job=job, host=runs_on, effect=Effect.READ, timeout=7 * 86400,
            action=Command(argv=rsync.verify(ends, parents=not aside)), silent=True,
            why="what came back equals the snapshot, byte for byte",
        ),
    )  # fmt: skip
    # While it is read, nobody expires it.
    lock = Lock(
        resource=f"reading {wanted.store.name}/{wanted.snapshot.name}", host=keeper.name,
        argv=store.reading(store.program(keeper), keeper.at(wanted.store.path), wanted.snapshot.name),
    )  # fmt: skip
    planned = PlannedJob(name=job, kind="restore", locks=(lock,))
    return Draft(planned=planned, steps=steps, findings=_findings(site, wanted, facts, job))


def _why(wanted: Wanted, folder: str, aside: str) -> str:
    kept = f"; what it replaces goes to {aside}" if aside else ""
    return f"copy {wanted.path} of {wanted.snapshot.name} to {folder}{kept}"


def _far(site: Site, host: Host, keeper: Host) -> bool:
    return site.live and host.name != keeper.name


def _ends(site: Site, wanted: Wanted, pair: tuple[Host, Host], folder: str) -> rsync.Ends:
    host, keeper = pair
    far = _far(site, host, keeper)
    folder_of = keeper.at(wanted.store.path)
    inside = wanted.path.strip("/")
    source = f"{folder_of}/{wanted.snapshot.name}/./{inside}"
    rsh: Argv = ssh.rsh(f"{site.state}/ssh_config") if far else ()
    return rsync.Ends(
        source=f"{keeper.name}:{source}" if far and keeper.name != site.controller else source,
        target=(f"{host.name}:" if far and host.name != site.controller else "") + folder.rstrip("/") + "/",
        rsh=rsh,
    )


def _findings(site: Site, wanted: Wanted, facts: Facts, job: str) -> tuple[Finding, ...]:
    found: list[Finding] = []
    if facts.hosts[wanted.host].uid != 0:
        found.append(Finding(severity="note", source=job, text="not root: owners will not come back as they were"))
    if wanted.snapshot.exceptions:
        text = f"snapshot {wanted.snapshot.name} has {wanted.snapshot.exceptions} exceptions: some files are not in it"
        found.append(Finding(severity="note", source=job, text=text))
    if wanted.to:
        text = f"writes over what is in {wanted.to}; what it replaces is kept in {SIDE}"
        found.append(Finding(severity="note", source=job, text=text))
    return tuple(found)
