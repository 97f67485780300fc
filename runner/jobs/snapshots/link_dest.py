"""How a snapshot gets written: the seam between the kind and runner-agent.

One rsync a filesystem into a fresh folder, sharing inodes with the newest sealed snapshot by
--link-dest. An interrupted snapshot is never written into again, because its files may be linked
to a sealed one and rsync changes attributes in place: it becomes one more --link-dest.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.model.facts import Filesystem, Partial
from runner.model.plan import Argv, Check, Command, Effect, Ended, Step
from runner.model.role import Role
from runner.tools import agent as store
from runner.tools import rsync

MOST_BASES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What is copied: from `host`, these filesystems, without the `excluded` real paths.

    `left_out` are left out whole, `emptied` are kept as empty folders. `program` is runner-agent
    on that host, `remote` is `host:` where rsync must reach it over ssh.
    """

    host: str
    filesystems: tuple[Filesystem, ...]
    emptied: tuple[str, ...]
    left_out: tuple[str, ...]
    absent: tuple[str, ...]
    program: str
    remote: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where the snapshot goes, and what it shares inodes with.

    `basis` is the newest sealed one. `bases` pairs each mount point with the newest that has it, which
    is an older one where a filesystem was not mounted lately. `partials` is oldest first.
    """

    host: str
    at: store.At
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

    `started` is by the controller's clock, `since` the same moment by the source's own. `halves`: what came
    of a big file before it was cut off is kept, and used by the next transfer.
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


def steps(source: Source, target: Target, manner: Manner, beside: tuple[Step, ...] = ()) -> tuple[Step, ...]:
    """Every step from `begin` on, in order; `beside` are those that leave something beside what is sealed."""
    copying = [
        step
        for number, filesystem in enumerate(source.filesystems)
        for step in _copy(source, target, manner, (number, filesystem))
    ]
    closing = (_seal(source, target, manner), *beside)
    reaping = (_reap(target, manner),) if target.partials or target.has_trash else ()
    return (*_open(source, target, manner), *copying, *closing, *reaping)


def real(filesystem: Filesystem) -> str:
    """Where a filesystem really is: in the sandbox a folder stands in for it."""
    return filesystem.source if filesystem.type == "stand-in" else filesystem.mount


def _id(manner: Manner, what: str, number: int | None = None) -> str:
    return f"{manner.job}/{what}" if number is None else f"{manner.job}/{what}-{number + 1}"


def _open(source: Source, target: Target, manner: Manner) -> tuple[Step, ...]:
    guard = Check(
        host=target.host, argv=store.newest(target.at), field="newest", relation="==",
        value=target.basis, why="the newest sealed snapshot is still the one this plan builds on",
    )  # fmt: skip
    begin = Step(
        id=_id(manner, "begin"), role=Role.BEGIN, job=manner.job, host=target.host, effect=Effect.WRITE, guard=guard,
        action=Command(
            argv=store.begin(
                target.at, target.name, basis=target.basis,
                resume=tuple(partial.name for partial in target.partials),
                mounts=tuple(one.mount for one in source.filesystems),
            )
        ),
        why="make the folder of the new snapshot",
    )  # fmt: skip
    return (begin,)


def disk_step(target: Target, manner: Manner) -> Step:
    """The step that looks whether the store's disk is there; its own, so that a sandbox can show it."""
    return Step(
        id=_id(manner, "disk"), role=Role.DISK, job=manner.job, host=target.host, effect=Effect.READ,
        action=Command(argv=store.check_disk(target.at)), needs=("device",),
        why="the store is on its own disk, mounted and writable",
    )  # fmt: skip


def _bases(target: Target, mount: str) -> tuple[str, ...]:
    inside = mount.rstrip("/")
    newest = [f"{target.at.path}/{name}{inside}" for point, name in target.bases if point == mount]
    resumed = [
        f"{target.at.path}/.partial/{partial.name}{inside}"
        for partial in reversed(target.partials)
        if mount in partial.filesystems
    ]
    return tuple((newest + resumed)[:MOST_BASES])


def _copy(source: Source, target: Target, manner: Manner, which: tuple[int, Filesystem]) -> tuple[Step, ...]:
    number, filesystem = which
    mount = filesystem.mount
    top = real(filesystem)
    ends = rsync.Ends(
        source=f"{source.remote}{top.rstrip('/')}/",
        target=f"{target.remote}{target.at.path}/.partial/{target.name}{mount.rstrip('/')}/",
        rsh=manner.rsh,
        checksum=manner.checksum,
    )
    exclude = (
        *(rsync.below(top, path) for path in source.emptied if _below(path, top)),
        *(rsync.exactly(top, path) for path in source.left_out if _below(path, top)),
    )
    bases = _bases(target, mount)
    guard = Check(
        host=source.host, argv=store.mounted(source.program, mount), field="dev", relation="==",
        value=filesystem.dev, why=f"{mount} is still the filesystem that was mounted when this was planned",
    )  # fmt: skip
    send = Step(
        id=_id(manner, "send", number), role=Role.SEND, job=manner.job, host=manner.runs_on, effect=Effect.WRITE,
        action=Command(
            argv=rsync.send(
                ends, link_dest=bases, exclude=exclude,
                keep_parts=f"{target.at.path}/.partial/parts" if manner.halves else "",
            )
        ),
        why=f"copy {mount}{_sharing(bases, target)}", ok_codes=rsync.PARTIAL_OK, timeout=manner.timeout,
        guard=guard if manner.guard_mounts else None,
        keep_output_as=f"{target.store}/{target.name}/{number}",
    )  # fmt: skip
    unless = Ended(step=send.id, codes=(0,))
    look = Step(
        id=_id(manner, "look", number), role=Role.LOOK, job=manner.job, host=manner.runs_on, effect=Effect.READ,
        action=Command(argv=rsync.look(ends, exclude=exclude)), unless=unless,
        ok_codes=rsync.PARTIAL_OK, timeout=manner.timeout,
        why=f"a second look: exactly what of {mount} is not in the copy",
    )  # fmt: skip
    explain = Step(
        id=_id(manner, "explain", number), role=Role.EXPLAIN, job=manner.job, host=source.host, effect=Effect.READ,
        action=Command(
            argv=store.explain(
                source.program, top, since=manner.since,
                exclude=tuple(p for p in (*source.emptied, *source.left_out) if _below(p, top)),
            )
        ),
        inputs=(look.id,), unless=unless, timeout=manner.timeout,
        why="why it is not: gone, changed meanwhile, unreadable, or no reason at all",
    )  # fmt: skip
    return (send, look, explain)


def _sharing(bases: tuple[str, ...], target: Target) -> str:
    if not bases:
        return ", whole: there is nothing to share with"
    interrupted = [one for one in bases if one.startswith(f"{target.at.path}/.partial/")]
    sealed = [one.removeprefix(f"{target.at.path}/").partition("/")[0] for one in bases if one not in interrupted]
    told = [f"has not changed since {sealed[0]}"] if sealed else []
    told += ["the interrupted one had"] if interrupted else []
    return f", sharing what {' and what '.join(told)}"


def _below(path: str, top: str) -> bool:
    return path.startswith(top.rstrip("/") + "/")


def _seal(source: Source, target: Target, manner: Manner) -> Step:
    mounts = tuple(enumerate(one.mount for one in source.filesystems))
    transfers = tuple((_id(manner, "send", number), mount) for number, mount in mounts)
    explained = tuple((_id(manner, "explain", number), mount) for number, mount in mounts)
    kept = tuple(
        f"kept:{target.store}/{partial.name}/{number}"
        for partial in target.partials
        for number in range(len(partial.filesystems))
    )
    sealing = store.Sealing(
        transfers=transfers, explained=explained, kept=kept, absent=source.absent,
        host=source.host, job=manner.job, started=manner.started, checksum=manner.checksum,
    )  # fmt: skip
    return Step(
        id=_id(manner, "seal"), role=Role.SEAL, job=manner.job, host=target.host, effect=Effect.WRITE,
        action=Command(argv=store.seal(target.at, target.name, sealing)),
        inputs=(*(step for step, _ in transfers), *(step for step, _ in explained), *kept),
        timeout=3600, why="a faithful copy gets its name and is never written again",
    )  # fmt: skip


def _reap(target: Target, manner: Manner) -> Step:
    return Step(
        id=_id(manner, "reap"), role=Role.REAP, job=manner.job, host=target.host, effect=Effect.EXPIRE,
        action=Command(argv=store.reap(target.at)), timeout=manner.timeout,
        why="remove what is in the trash: interrupted copies that are now part of a sealed one",
    )  # fmt: skip
