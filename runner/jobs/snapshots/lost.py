"""What a store has held and has no more, though no run expired it: the disk and the journal remember each for itself.

A new snapshot is made all the same: it is the best answer to a loss. But the job does not end as done.
"""

from __future__ import annotations

from runner.jobs.retention.minimum import OlderOnes
from runner.model.cause import Fault, of_store
from runner.model.facts import Facts, Snapshot, StoreFacts, Wrote
from runner.model.options import SnapshotOptions
from runner.model.plan import Finding
from runner.model.site import Site, Store
from runner.model.text import count, size

_NAMED = 5


def gone(site: Site, store: Store, facts: Facts) -> Finding | None:
    """What is gone from the store, to be said before anything else; None where nothing is, as far as is known.

    Another folder, or another disk, is another store: nothing is missed there. Of a disk that is declared without
    its uuid `emptied` says more.
    """
    stored = facts.hosts[store.host].stores[store.name]
    if stored.lost:
        many, ends = len(stored.lost), f"between {stored.lost[0]} and {stored.lost[-1]}"
        are, them = ("is", "it") if many == 1 else ("are", "them")
        # Of many only the ends are told, and nobody is to take that for all between them.
        where, named = (f" {ends}", "") if many > _NAMED else ("", f": {', '.join(stored.lost)}")
        text = f"{count(many, 'snapshot')}{where} of store {store.name} {are} gone, and no run expired {them}{named}"
        do = "find out who removed what; only the records are left, and when that is known they go aside:"
        return _finding(store, text, do, f"runner snapshots {store.name} --set-aside lost")
    wrote = _wrote(site, store, stored, facts)
    if not wrote or any(snapshot.recorded for snapshot in stored.sealed):
        return None
    # Of the last one that there was a person may know; what was put aside before it excuses nothing.
    if max(wrote, key=lambda each: each.last).names[-1] in _put_aside(stored):
        return None
    first, last = min(each.first for each in wrote), max(each.last for each in wrote)
    many = sum(len(each.names) for each in wrote)
    was = f"{count(many, 'snapshot')} sealed in it since {first:%Y-%m-%d}, the last on {last:%Y-%m-%d}"
    if stored.sealed:
        text = f"store {store.name} has lost its records: {was}, and {len(stored.sealed)} there count for nothing now"
        return _finding(store, text, f"find out who removed {stored.path}/.runner/records, and put it back if you can")
    text = f"store {store.name} has been emptied: {was}, and none is left"
    return _finding(store, text, f"find out who emptied {stored.path}; the next snapshot copies everything again")


def older(site: Site, store: Store, facts: Facts) -> OlderOnes:
    """What is known of snapshots before the oldest that this very store has."""
    stored = facts.hosts[store.host].stores[store.name]
    oldest = next((each for each in stored.sealed if each.recorded), None)
    if oldest is None:
        return OlderOnes.NONE
    if any(name < oldest.name for name in stored.lost):
        return OlderOnes.LOST
    aside, sealed = _put_aside(stored), [name for each in _wrote(site, store, stored, facts) for name in each.names]
    # A journal may be newer than the store: what the disk has itself counts as well.
    before = [name for name in (*sealed, *aside) if name < oldest.name]
    if not before:
        return OlderOnes.NONE if _is_first(oldest) else OlderOnes.GONE
    # Those that expired came before the others: the newest of them is the one that matters.
    return OlderOnes.KNOWN if max(before) in aside else OlderOnes.GONE


def _put_aside(stored: StoreFacts) -> frozenset[str]:
    """What a person took out of the count: snapshots, and the records of those that were lost."""
    return frozenset((*stored.written_off, *(each.name for each in stored.aside)))


def _is_first(oldest: Snapshot) -> bool:
    """Whether it may be the first that was ever made: then most of it was new."""
    if oldest.files is None or oldest.added_files is None:
        return False
    return 2 * oldest.added_files >= oldest.files


def _wrote(site: Site, store: Store, stored: StoreFacts, facts: Facts) -> tuple[Wrote, ...]:
    """What the journal knows was sealed here. A sandbox that is made anew begins with a new journal, which is in it."""
    here = stored.path, stored.uuid
    every = (job for job in site.jobs if isinstance(job.options, SnapshotOptions) and job.options.store == store.name)
    return tuple(wrote for job in every for wrote in facts.wrote.get(job.name, ()) if (wrote.path, wrote.uuid) == here)


def lies_aside(store: Store, stored: StoreFacts) -> tuple[Finding, ...]:
    """That something lies aside and takes room, though it counts for nothing."""
    if not stored.aside:
        return ()
    room = sum(each.room or 0 for each in stored.aside)
    many, brought = count(len(stored.aside), "snapshot"), f" and brought {size(room)}" if room else ""
    lie = "lies" if len(stored.aside) == 1 else "lie"
    text, do = f"{many} of store {store.name} {lie} aside{brought}", "how to bring back or drop what lies there:"
    return (Finding(severity="note", source="", text=text, do=do, command=f"runner snapshots {store.name}"),)


def _finding(store: Store, text: str, do: str, command: str = "") -> Finding:
    cause = of_store(store.name, Fault.LOST)
    return Finding(severity="attention", source="", text=text, do=do, command=command, cause=cause)
