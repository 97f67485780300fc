"""How a snapshot gets written: the seam between the kind and runner-agent.

One rsync a filesystem, each into a fresh folder of its own, sharing inodes with the newest sealed
snapshot by --link-dest; the seal joins them. An interrupted snapshot is never written into again, because
its files may be linked to a sealed one and rsync changes attributes in place: it becomes one more --link-dest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.agent.arguments import argv as words
from runner.agent.host.contract import LookAtMount
from runner.agent.snapshots.contract import Begin, Explain, NotSealed, Seal, Walk
from runner.model.facts import STAND_IN, Filesystem, Partial
from runner.model.plan import Argv, Check, Command, Effect, Ended, Step
from runner.model.role import Role
from runner.tools import agent, rsync

MOST_BASES = 20
# The steps whose outputs the seal reads, for each filesystem.
_INPUTS = ("send", "explain", "walk")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What is copied: from `host`, these filesystems; `left_out` and `emptied` are real paths.

    `left_out` are left out whole, `emptied` are kept as empty folders. What cannot be copied at or below
    an `accepted` path is no exception. `program` is runner-agent on that host, `remote` is `host:` where rsync
    must reach it over ssh. `machine` is its machine-id, "" where that is not known.
    """

    host: str
    filesystems: tuple[Filesystem, ...]
    emptied: tuple[str, ...]
    left_out: tuple[str, ...]
    absent: tuple[str, ...]
    program: str
    remote: str = ""
    accepted: tuple[str, ...] = ()
    machine: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where the snapshot goes, and what it shares inodes with.

    `basis` is the newest sealed one. `bases` pairs each mount point with the newest that has it, which is an older
    one where a filesystem was not mounted lately, and then with those that had much more. `partials` is oldest first.
    """

    host: str
    at: agent.At
    store: str
    name: str
    basis: str
    bases: tuple[tuple[str, str], ...]
    partials: tuple[Partial, ...]
    remote: str = ""
    has_trash: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How it is copied: where rsync runs, over what, how long it may take.

    `started` is by the controller's clock, `since` the same moment by the source's own. `halves`: what was
    sent of a big file before it was cut off is kept, and used by the next transfer. `instant` is the scheduled
    time that it is copied for, "" for none.
    """

    job: str
    runs_on: str
    rsh: Argv
    checksum: str
    timeout: int
    started: str
    since: str
    guard_mounts: bool
    halves: bool = True
    instant: str = ""

    def step(self, name: str, host: str, role: Role, effect: Effect, argv: Argv, why: str) -> Step:
        """A step of the job at `host`."""
        id_, action = f"{self.job}/{name}", Command(argv=argv)
        return Step(id=id_, job=self.job, host=host, action=action, effect=effect, why=why, role=role)


def steps(source: Source, target: Target, manner: Manner, beside: tuple[Step, ...] = ()) -> tuple[Step, ...]:
    """Every step from `begin` on, in order; `beside` are those that leave something beside what is sealed."""
    work = _CopyWork(source=source, target=target, manner=manner)
    copying = [step for number in range(len(source.filesystems)) for step in _copy(work, number)]
    reaping = (_reap(work),) if target.partials or target.has_trash else ()
    return (_begin(work), *copying, _room(work), _seal(work), *beside, *reaping)


def disk_step(target: Target, manner: Manner) -> Step:
    """The step that looks whether the store's disk is there; its own, so that a sandbox can show it."""
    why = "the store is on its own disk, mounted and writable"
    step = manner.step("disk", target.host, Role.DISK, Effect.READ, agent.check_disk(target.at), why)
    return replace(step, needs=("device",))


def instant_step(target: Target, manner: Manner) -> Step:
    """The step that looks, under the lock, whether another run has made the snapshot meanwhile."""
    argv = target.at.call("not-sealed", NotSealed(target.at.path, manner.job, manner.instant))
    why = "no other run has sealed the snapshot for this time meanwhile"
    return manner.step("instant", target.host, Role.INSTANT, Effect.READ, argv, why)


def real(filesystem: Filesystem) -> str:
    """Where a filesystem really is: in the sandbox a folder stands in for it."""
    return filesystem.source if filesystem.type == STAND_IN else filesystem.mount


@dataclass(frozen=True, kw_only=True, slots=True)
class _CopyWork:
    source: Source
    target: Target
    manner: Manner

    @property
    def mounts(self) -> tuple[str, ...]:
        return tuple(filesystem.mount for filesystem in self.source.filesystems)


def _begin(work: _CopyWork) -> Step:
    target = work.target
    why = "the newest sealed snapshot is still the one this plan builds on"
    guard = Check(
        host=target.host, argv=agent.newest(target.at), field="newest", relation="==", value=target.basis, why=why
    )
    resume = tuple(partial.name for partial in target.partials)
    at = target.at
    share = tuple(dict.fromkeys(each for mount in work.mounts for each in _bases(target, mount)))
    options = Begin(
        store=at.path,
        name=target.name,
        points=work.mounts,
        plan=at.plan,
        basis=target.basis,
        resume=resume,
        disk=at.disk,
        share=share,
        job=work.manner.job if work.manner.instant else "",
        instant=work.manner.instant,
    )
    argv = at.call("begin", options)
    why = "make the folder of the new snapshot"
    return replace(work.manner.step("begin", target.host, Role.BEGIN, Effect.WRITE, argv, why), guard=guard)


def _bases(target: Target, mount: str) -> tuple[str, ...]:
    """The folders in the store with which what is mounted there is compared."""
    newest = [f"{name}{mount.rstrip('/')}" for point, name in target.bases if point == mount]
    resumed = [_received(partial, mount) for partial in reversed(target.partials) if mount in partial.filesystems]
    return tuple((newest + resumed)[:MOST_BASES])


def _received(partial: Partial, mount: str) -> str:
    inside = f"/{partial.filesystems.index(mount)}" if partial.apart else mount.rstrip("/")
    return f".partial/{partial.name}{inside}"


def _copy(work: _CopyWork, number: int) -> tuple[Step, ...]:
    """Send one filesystem, look for what differs unless that went well, and explain it."""
    source, target, manner = work.source, work.target, work.manner
    filesystem = source.filesystems[number]
    mount, top = filesystem.mount, real(filesystem)
    ends = rsync.Ends(
        source=f"{source.remote}{top.rstrip('/')}/",
        target=f"{target.remote}{target.at.path}/.partial/{target.name}/{number}/",
        rsh=manner.rsh,
        checksum=manner.checksum,
        keep=agent.keep_room(target.at.program, target.at.path, partial=target.name),
    )
    # What is mounted in it comes from a transfer of its own, and is joined where it leaves an empty folder.
    others = tuple(f"{top.rstrip('/')}{each[len(mount.rstrip('/')) :]}" for each in _below(work.mounts, mount))
    emptied, left_out = _below((*source.emptied, *others), top), _below(source.left_out, top)
    exclude = (*(rsync.below(top, path) for path in emptied), *(rsync.exactly(top, path) for path in left_out))
    bases = tuple(f"{target.at.path}/{each}" for each in _bases(target, mount))
    parts = f"{target.at.path}/.partial/parts" if manner.halves else ""
    argv = rsync.send(ends, link_dest=bases, exclude=exclude, keep_parts=parts)
    why = f"copy {mount}{_sharing(target, mount)}"
    send = replace(
        manner.step(f"send-{number + 1}", manner.runs_on, Role.SEND, Effect.WRITE, argv, why),
        ok_codes=rsync.PARTIAL_OK,
        guard=_same_filesystem(source, filesystem) if manner.guard_mounts else None,
        keep_output_as=f"{target.store}/{target.name}/{number}",
    )
    argv = rsync.look(ends, exclude=exclude)
    why = f"a second look: exactly what of {mount} is not in the copy"
    look = replace(
        manner.step(f"look-{number + 1}", manner.runs_on, Role.LOOK, Effect.READ, argv, why),
        unless=Ended(step=send.id, codes=(0,)),
        ok_codes=rsync.PARTIAL_OK,
    )
    argv = (source.program, *words("explain", Explain(top, manner.since)))
    why = "why it is not: gone, changed meanwhile, unreadable, or no reason at all"
    explain = replace(
        manner.step(f"explain-{number + 1}", source.host, Role.EXPLAIN, Effect.READ, argv, why),
        unless=look.unless,
        inputs=(look.id,),
    )
    argv = (source.program, *words("walk", Walk(top, manner.since, emptied, left_out)))
    why = f"count what {mount} has, whatever rsync saw of it"
    walk = replace(manner.step(f"walk-{number + 1}", source.host, Role.WALK, Effect.READ, argv, why), inputs=(send.id,))
    return tuple(replace(step, timeout=manner.timeout) for step in (send, look, explain, walk))


def _room(work: _CopyWork) -> Step:
    """Look why a transfer was cut off: over a connection, that it was for room is not to be seen at this end."""
    target, manner = work.target, work.manner
    sends = tuple(f"{manner.job}/send-{number + 1}" for number in range(len(work.mounts)))
    argv = agent.room(target.at.program, target.at.path, partial=target.name)
    why = "whether a transfer that was cut off had room"
    step = manner.step("room", target.host, Role.ROOM, Effect.READ, argv, why)
    return replace(step, unless=Ended(step=sends[-1], codes=rsync.PARTIAL_OK), despite=sends, timeout=60)


def _same_filesystem(source: Source, filesystem: Filesystem) -> Check:
    return Check(
        host=source.host,
        argv=(source.program, *words("mounted", LookAtMount(filesystem.mount))),
        field="dev",
        relation="==",
        value=filesystem.dev,
        why=f"{filesystem.mount} is still the filesystem that was mounted when this was planned",
    )


def _sharing(target: Target, mount: str) -> str:
    shared = [f"has not changed since {name}" for point, name in target.bases if point == mount]
    shared += ["the interrupted one had"] if any(mount in partial.filesystems for partial in target.partials) else []
    return f", sharing what {' and what '.join(shared)}" if shared else ", whole: there is nothing to share with"


def _below(paths: tuple[str, ...], top: str) -> tuple[str, ...]:
    return tuple(path for path in paths if path != top and path.startswith(top.rstrip("/") + "/"))


def _seal(work: _CopyWork) -> Step:
    source, target, manner = work.source, work.target, work.manner
    steps = {what: [f"{manner.job}/{what}-{number + 1}" for number in range(len(work.mounts))] for what in _INPUTS}
    kept = tuple(
        f"kept:{target.store}/{partial.name}/{number}"
        for partial in target.partials
        for number in range(len(partial.filesystems))
    )
    transfer, explained, walked = (tuple(map("=".join, zip(steps[what], work.mounts, strict=True))) for what in _INPUTS)
    options = Seal(
        store=target.at.path,
        name=target.name,
        plan=target.at.plan,
        host=source.host,
        job=manner.job,
        started=manner.started,
        checksum=manner.checksum,
        transfer=transfer,
        explained=explained,
        walked=walked,
        kept=kept,
        absent=source.absent,
        disk=target.at.disk,
        accept=source.accepted,
        machine=source.machine,
    )
    argv = target.at.call("seal", options)
    why = "a faithful copy gets its name and is never written again"
    step = manner.step("seal", target.host, Role.SEAL, Effect.WRITE, argv, why)
    return replace(step, inputs=(*steps["send"], *steps["explain"], *steps["walk"], *kept), timeout=3600)


def _reap(work: _CopyWork) -> Step:
    why = "remove what is in the trash: interrupted snapshots that are now part of a sealed one"
    argv = agent.reap(work.target.at)
    step = work.manner.step("reap", work.target.host, Role.REAP, Effect.EXPIRE, argv, why)
    return replace(step, timeout=work.manner.timeout)
