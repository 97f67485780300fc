"""What keeps a snapshot from being made, and what a person should know of one that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.jobs.retention.prune import frozen
from runner.jobs.retention.room import waiting
from runner.jobs.snapshots import filesystems, foreign, shell
from runner.jobs.snapshots.room import Fit, RoomToMake
from runner.model.cause import Fault, of_store
from runner.model.copies import under_way
from runner.model.facts import HostFacts, StoreFacts
from runner.model.plan import Finding
from runner.model.role import Phase
from runner.model.site import Job, Site, Store
from runner.model.text import size
from runner.tools import rsync

LeftInside = Mapping[str, Sequence[tuple[str, str]]]
OLDEST_RSYNC = (3, 1, 3)
SAFE_RSYNC = (3, 5, 0)
LARGER = "take a larger disk for it, remove what else fills that one, or leave something out (`exclude`)"


def attention(job: Job, text: str, do: str) -> Finding:
    """What a person must see to, for that job."""
    return Finding(severity="attention", source=job.name, text=text, do=do)


def unusable(site: Site, job: Job, store: Store, source: HostFacts, keeper: HostFacts) -> Finding | None:
    """Why no faithful snapshot of `source` can be made in `store` of `keeper`; None where it can."""
    for host in (source, keeper):
        version = rsync.version_number(host.rsync.version)
        if version < OLDEST_RSYNC:
            has = f"rsync {host.rsync.version}" if version else "no rsync"
            return attention(job, f"{host.name} has {has}", f"install rsync 3.1.3 or newer on {host.name}")
    if busy := _under_way(job, store, keeper.stores[store.name]):
        return busy
    if problem := keeper.stores[store.name].problem:
        text = f"store {store.name} on {store.host} cannot be used: {problem}"
        finding = attention(job, text, "nothing was written to it; put that right and run again")
        return replace(finding, cause=of_store(store.name, Fault.UNUSABLE))
    rates = keeper.stores[store.name].rates
    if rates and not rates.seals:
        # It would be sent for nothing, and be told as what somebody else tries who has the key.
        text = f"the policy of {keeper.name} lets no more snapshots be sealed in store {store.name} in 24 hours"
        return attention(job, text, "wait, or raise `seals` in /etc/runner/agent.toml there")
    if site.live and keeper.uid != 0:
        text = f"owners cannot be kept: on {keeper.name} this runs as uid {keeper.uid}, not as root"
        return attention(job, text, f"set hosts.{keeper.name}.user to root, or run as root there")
    return shell.in_the_way(site, job.name, (source, keeper))


def _under_way(job: Job, store: Store, stored: StoreFacts) -> Finding | None:
    copy, holder = under_way(stored), stored.holder
    if copy is None or holder is None:
        return None
    since = f" since {holder.since:%Y-%m-%d %H:%M} UTC" if holder.since else ""
    text = f"store {store.name} is busy: {holder.who} has been making copy {copy.name}{since}"
    finding = attention(job, text, "wait until it has ended; `runner status` tells how far it is")
    return replace(finding, cause=of_store(store.name, Fault.BUSY))


def left_out(site: Site, job: Job, choice: filesystems.FilesystemChoice, inner: LeftInside) -> tuple[Finding, ...]:
    """What is mounted on the host and not copied, and why: a line for all that is `inner`, in one that is copied."""
    named = {mount for each in inner.values() for mount, _ in each}
    beside = () if job.options.filesystems or site.host(job.host).filesystems else choice.left
    notes = [f"left out: {mount} ({why})" for mount, why in beside if mount not in named]
    for top, each in inner.items():
        notes.append(f"left out inside {top}: {', '.join(f'{mount} ({why})' for mount, why in each)}")
    return tuple(Finding(severity="note", text=text, source=job.name) for text in notes)


def findings(
    site: Site, job: Job, choice: filesystems.FilesystemChoice, source: HostFacts, stored: StoreFacts
) -> tuple[Finding, ...]:
    """What a person should know of the snapshot before it is made: what it misses, and what is short."""
    store, version = job.options.store, source.rsync.version
    doubts: list[Finding] = []
    notes: list[str] = []
    for mount in choice.absent:
        text = f"{mount} of {job.host} should be in this snapshot and is not mounted"
        doubts.append(attention(job, text, "mount it, or name it in `exclude`"))
    if stored.whole_seconds:
        notes.append(f"the disk of store {store} keeps whole seconds only: times in its snapshots are cut to them")
    if unread := foreign.unread_records(site.store(store), stored):
        # In the words of the check: it is one thing to do, and is said once.
        doubts.append(replace(unread, source=job.name))
        own = [each for each in stored.sealed if each.recorded and each.host == job.host]
        shared = "nothing is shared with it" if own else f"there is no other of {job.host}, so all is copied again"
        notes.append(f"a snapshot whose record cannot be read is no basis: {shared}")
    if source.uid != 0:
        notes.append(f"not root on {job.host}: owners are not kept, and what only root may read is missing")
    if site.live and rsync.version_number(version) < SAFE_RSYNC:
        notes.append(f"rsync {version} on {job.host} follows links that its users plant; 3.5.0 does not")
    if stored.holder:
        since = f" since {stored.holder.since:%Y-%m-%d %H:%M} UTC" if stored.holder.since else ""
        notes.append(f"store {store} is busy now: {stored.holder.who} holds it{since}")
    return (
        *doubts,
        *_made(site, job, stored),
        *(Finding(severity="note", text=text, source=job.name) for text in notes),
    )


def _made(site: Site, job: Job, stored: StoreFacts) -> tuple[Finding, ...]:
    """Where a store begins: a person who mistyped its path sees it in the plan."""
    if stored.exists or not site.live:
        return ()
    text = f"{stored.path} is not there yet on {site.store(job.options.store).host}, and is made"
    return (Finding(severity="note", text=text, source=job.name, phase=Phase.FORECAST),)


def does_not_fit(job: Job, store: Store, stored: StoreFacts, room: RoomToMake) -> Finding:
    """That the next snapshot is known not to fit: how much it needs, how much there is, of whose disk, what to do."""
    fits = f"the next snapshot does not fit into store {store.name}"
    text = f"{f'no space left for store {store.name}' if room.tried else fits}: {_shortage(store, stored, room)}"
    finding = replace(attention(job, text, _larger(stored, room)), cause=of_store(store.name, Fault.FULL))
    if not stored.partials:
        return finding
    are, take = ("is", "takes") if len(stored.partials) == 1 else ("are", "take")
    kept = f"{waiting(stored.partials)} {are} kept there, and {take} room even if you leave something out"
    do = f"{finding.do}; {kept}; to give up what was sent, run:"
    return replace(finding, do=do, command=f"runner snapshots {store.name} --drop-partials")


def short(job: Job, store: Store, stored: StoreFacts, room: RoomToMake) -> tuple[Finding, ...]:
    """That there is little room, and that nothing goes for it; the snapshot is tried all the same.

    One may go for another reason: the new one is made of it, or there are more than `max`.
    """
    what = "there is little room, and nothing expires to make more"
    if room.decision and stored.sealed and (why := frozen(room.decision, store, what)):
        return (replace(why, source=job.name),)
    if room.fit == Fit.TIGHT:
        text = f"the next snapshot may not fit into store {store.name}: {_shortage(store, stored, room)}"
        do = f"it is tried, and ended before the disk is full; {_larger(stored, room)}"
        return (replace(attention(job, text, do), phase=Phase.FORECAST),)
    return ()


def _shortage(store: Store, stored: StoreFacts, room: RoomToMake) -> str:
    space, why = stored.space, "nothing in it expires without `retention`"
    disk = f"on its disk at {store.host}"
    if space and space.system:
        last = f"the last {size(space.last)} stay free for the system"
        disk = f"on {store.host}, where it shares the filesystem of {space.system} and {last}"
    if not stored.sealed:
        why = "there is no snapshot in it that could expire"
    elif store.retention:
        why = room.decision.frozen if room.decision and room.decision.frozen else "nothing in it may expire"
    if room.tried:
        return f"the last copy was ended for that, and no more is free since then {disk}; {why}"
    return f"it needs about {room.need.words()}, and {room.free.words()} are to be had {disk}; {why}"


def _larger(stored: StoreFacts, room: RoomToMake) -> str:
    return room.decision.do if room.decision and room.decision.do and stored.sealed else LARGER
