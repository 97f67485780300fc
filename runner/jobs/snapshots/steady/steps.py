"""How a snapshot gets written: the seam between the kind and runner-agent.

What a filesystem had in the newest snapshot is cloned by hard links, at the store. What differs is sent into a folder
of its own, where nothing is shared with what is sealed, and composed with the clone. A filesystem that no snapshot has
is sent whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.agent.compose.contract.clone import Clone
from runner.agent.compose.contract.compose import Compose
from runner.agent.look.contract import SPARING
from runner.agent.snapshots.contract.begin import Begin
from runner.agent.snapshots.contract.not_sealed import NotSealed
from runner.agent.snapshots.contract.seal import Seal
from runner.jobs.snapshots.steady.between import Manner, Source, Target
from runner.jobs.snapshots.steady.transfer import Transfer, transfers
from runner.model.plan import Effect, Ended, Step
from runner.model.role import Role
from runner.model.text import one_line
from runner.tools import agent


def steps(source: Source, target: Target, manner: Manner, beside: tuple[Step, ...] = ()) -> tuple[Step, ...]:
    """Every step from `begin` on, in order; `beside` are those that leave something beside what is sealed."""
    work = _SnapshotSteps(source=source, target=target, manner=manner)
    proven = [step for each in work.transfers for step in each.proof()]
    reaping = (_reap(work),) if target.partials or target.has_trash or target.recycle else ()
    ending = (_room(work), _compose(work), *proven, _seal(work), *beside, *reaping)
    return (_begin(work), *_cloned_and_sent(work), *ending)


def instant_step(target: Target, manner: Manner) -> Step:
    """The step that looks, under the lock, whether another run has made the snapshot meanwhile."""
    argv = target.at.call("not-sealed", NotSealed(target.at.path, manner.job, manner.instant))
    why = "no other run has sealed the snapshot for this time meanwhile"
    return manner.step("instant", target.host, Role.INSTANT, Effect.READ, argv, why)


@dataclass(frozen=True, kw_only=True, slots=True)
class _SnapshotSteps:
    source: Source
    target: Target
    manner: Manner

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        return transfers(self.source, self.target, self.manner)

    @property
    def listed(self) -> tuple[Transfer, ...]:
        return tuple(each for each in self.transfers if each.basis)

    def pairs(self, what: str, among: tuple[Transfer, ...]) -> tuple[str, ...]:
        """The steps called `what`, each with its mount point."""
        return tuple(f"{each.id(what)}={each.filesystem.mount}" for each in among)


def _begin(work: _SnapshotSteps) -> Step:
    target, at = work.target, work.target.at
    options = Begin(
        store=at.path,
        name=target.name,
        points=tuple(each.filesystem.mount for each in work.transfers),
        plan=at.plan,
        basis=target.basis,
        resume=tuple(partial.name for partial in target.partials),
        disk=at.disk,
        share=tuple(dict.fromkeys(base for each in work.transfers for base in each.bases)),
        job=work.manner.job if work.manner.instant else "",
        instant=work.manner.instant,
        whole=tuple(each.filesystem.mount for each in work.transfers if not each.basis),
    )
    newest = f"if {target.basis} is still the newest" if target.basis else "if there is still none"
    why = f"make the folders of the new snapshot, {newest}"
    return work.manner.step("begin", target.host, Role.BEGIN, Effect.WRITE, at.call("begin", options), why)


def _cloned_and_sent(work: _SnapshotSteps) -> tuple[Step, ...]:
    recycle = work.target.recycle
    if not work.listed or not recycle:
        sent = tuple(step for each in work.transfers for step in (each.first(), *each.rest()))
        return (replace(_clone(work, "clone"), until=_waits(work, sent)), *sent) if work.listed else sent
    # Nothing expires before it is known that the source is still there: that cannot be undone.
    looks = tuple(each.first() for each in work.transfers)
    of_listed = [step.id for each, step in zip(work.transfers, looks, strict=True) if each.basis]
    shrunk = Ended(step=of_listed[0], codes=SPARING, others=tuple(of_listed[1:]))
    cloned = replace(_clone(work, "clone", recycle), unless=shrunk)
    linked = replace(_clone(work, "link"), unless=Ended(step=cloned.id))
    return (*looks, cloned, linked, *(step for each in work.transfers for step in each.rest()))


def _clone(work: _SnapshotSteps, name: str, recycle: str = "") -> Step:
    target, at = work.target, work.target.at
    basis = tuple(f"{each.basis}={each.filesystem.mount}" for each in work.listed)
    options = Clone(
        store=at.path,
        name=target.name,
        plan=at.plan,
        basis=basis,
        recycle=recycle,
        min=target.least if recycle else 0,
        per_day=target.per_day if recycle else 0,
        disk=at.disk,
    )
    names = " and ".join(dict.fromkeys(each.basis for each in work.listed))
    effect, why = Effect.WRITE, f"link every file of {names} into the new snapshot"
    if recycle:
        effect, why = Effect.EXPIRE, f"{why}; {recycle} expires for it, {target.why}"
    elif name != "clone":
        why = f"{why}: nothing expires where the source has shrunk, or nobody knows whether it has"
    step = work.manner.step(name, target.host, Role.CLONE, effect, at.call("clone", options), why)
    return replace(step, timeout=work.manner.timeout, subject=one_line(recycle))


def _waits(work: _SnapshotSteps, sent: Sequence[Step]) -> str:
    """The step that waits for the clone, "" for the next: what reads another disk meanwhile costs no seeks.

    In the sandbox all is on one disk, and nobody waits for it.
    """
    apart = work.source.host != work.target.host
    if not work.manner.guard_mounts or work.target.rotational and not apart:
        return ""
    ends = (Role.SEND, Role.DIFFER) if work.target.rotational else (Role.SEND,)
    waiting = next(step.id for step in sent if step.role in ends)
    return "" if waiting == sent[0].id else waiting


def _room(work: _SnapshotSteps) -> Step:
    """Look why a transfer was cut off: over a connection, that it was for room is not to be seen at this end."""
    target, manner = work.target, work.manner
    sends = tuple(step for each in work.transfers for step in each.sends)
    argv = agent.room(target.at.program, target.at.path, partial=target.name)
    why = "whether a transfer that was cut off had room"
    step = manner.step("room", target.host, Role.ROOM, Effect.READ, argv, why)
    # Of what is listed nothing may have to be sent: that all were sent is known by what comes after.
    last = work.transfers[-1].rest()[-1]
    return replace(step, unless=Ended(step=last.id), despite=sends, timeout=60)


def _compose(work: _SnapshotSteps) -> Step:
    target, manner, at = work.target, work.manner, work.target.at
    lists = tuple(each for sent in work.listed for each in sent.lists)
    listed = tuple(f"{each}={sent.filesystem.mount}" for sent in work.listed for each in sent.lists)
    options = Compose(
        store=at.path,
        name=target.name,
        plan=at.plan,
        listed=listed,
        settled=work.pairs("settle", work.listed),
        disk=at.disk,
    )
    why = "put what was sent into its place, and take away what is gone"
    step = manner.step("compose", target.host, Role.COMPOSE, Effect.WRITE, at.call("compose", options), why)
    return replace(step, inputs=(*(each.id("settle") for each in work.listed), *lists), timeout=manner.timeout)


def _seal(work: _SnapshotSteps) -> Step:
    source, target, manner = work.source, work.target, work.manner
    whole = tuple(each for each in work.transfers if not each.basis)
    fresh = {each.filesystem.mount for each in whole}
    # What the last transfer did not send again is as an earlier one did.
    first = {each.id("send"): each.filesystem.mount for each in work.listed}
    kept = {
        f"kept:{target.store}/{name}/{number}": mount
        for partial in reversed(target.partials)
        for name in (partial.name, *partial.kept)
        for number, mount in enumerate(partial.filesystems)
        if mount in fresh
    }
    options = Seal(
        store=target.at.path,
        name=target.name,
        plan=target.at.plan,
        host=source.host,
        job=manner.job,
        started=manner.started,
        checksum=manner.checksum,
        transfer=tuple(f"{each.sends[-1]}={each.filesystem.mount}" for each in work.transfers),
        explained=work.pairs("explain", work.transfers),
        walked=work.pairs("walk", whole),
        settled=work.pairs("settle", work.listed),
        kept=tuple(f"{name}={mount}" for name, mount in {**first, **kept}.items()),
        absent=source.absent,
        disk=target.at.disk,
        accept=source.accepted,
        machine=source.machine,
    )
    why = "a faithful copy gets its name and is never written again"
    step = manner.step("seal", target.host, Role.SEAL, Effect.WRITE, target.at.call("seal", options), why)
    pairs = (*options.transfer, *options.explained, *options.walked, *options.settled)
    inputs = tuple(dict.fromkeys(pair.partition("=")[0] for pair in pairs))
    return replace(step, inputs=(*inputs, *first, *kept), timeout=3600)


def _reap(work: _SnapshotSteps) -> Step:
    why = "remove what is in the trash: what no snapshot has any more"
    argv = agent.reap(work.target.at)
    step = work.manner.step("reap", work.target.host, Role.REAP, Effect.EXPIRE, argv, why)
    return replace(step, timeout=work.manner.timeout)
