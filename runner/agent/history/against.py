"""`audit --against HEAD`: is all that is here what it was when an old message was sent? Of the disk alone.

Whoever has been root here can have changed all of it but not that message: a line of the chain that is another one now
gives another head.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..answer import BUSY, Refused, reply
from ..arguments import parse_as
from ..retention import contents, manifest
from ..retention.findings import LISTED, Findings
from ..store import aside, lock
from ..store.layout import StoreFolder, folders, open_store, sealed
from . import chain
from .contract.against import AuditAgainst, AuditedAgainst, HistoryChange, HistoryFinding
from .heard import MOST, Heard, hear
from .line import head_of

# What is known of a snapshot, by the end of its name.
FILES: Mapping[str, str] = {"record": ".json", "sums": ".sums.gz", "gone": ".gone.gz", "names": ".names.gz"}
DIFFERS = 3
# Nobody stops it before the end, which may be days away.
MOST_BYTES, _LONG = 1 << 62, 10**8


def run(argv: Sequence[str]) -> int:
    """Compare what is in the store with its chain, and that with a head that somebody kept. Reads only.

    3 where anything is not as it was, or is not known to the chain; Refused where that is none or has not this head.
    """
    options = parse_as(AuditAgainst, argv)
    store, known = open_store(options.store), head_of(options.against)
    if not options.against:
        raise Refused(
            "--against takes the head of a chain, NUMBER:DIGEST", "every message of a run has that of each store"
        )
    holder = lock.holder(store.lock)
    if holder is not None:
        raise Refused(f"{store.root} is being worked on", "wait until that has ended", code=BUSY, holder=holder)
    try:
        heard = hear(store, known)
    except FileNotFoundError:
        do = "this is no store, or another disk, or somebody removed it"
        raise Refused(f"{chain.place(store)} is not there", do) from None
    if heard.at is None:
        there = f"line {known.number} is another one" if known.number <= heard.story.head.number else "it is shorter"
        raise Refused(
            f"{chain.place(store)} is not the chain that this head is of: {there}",
            "its history was written anew, or is that of an old copy: trust nothing that is younger than the last head "
            "that it has; try those of older messages",
        )
    differing = [*_of_lines(heard), *of_names(store, heard)]
    trees, unlisted = _trees(store, heard)
    # The lists of checksums by which they are read were compared with the chain.
    bounds = contents.Bounds(MOST_BYTES, time.monotonic() + _LONG, 1.0)
    read = contents.reread(store, 0, bounds, trees) if options.contents else None
    differing += [HistoryFinding(*each) for each in trees.listed]
    if hear(store, known).story.head != heard.story.head:
        raise Refused(f"{store.root} was worked on meanwhile", "run this again", code=BUSY)
    answer = AuditedAgainst(
        written=heard.at.time,
        head=heard.story.head.text,
        lines=heard.story.head.number,
        snapshots=len(heard.story.alive),
        unlisted=tuple(unlisted),
        findings=tuple(differing[:LISTED]),
        total=len(differing) - len(trees.listed) + trees.total,
        since=tuple(HistoryChange(line.time, line.event, line.name) for line in heard.since[:MOST]),
        changes=heard.changes,
        read_files=read.files if read else 0,
        unchecked=read.unchecked if read else 0,
    )
    reply(answer)
    return DIFFERS if answer.total else 0


def _of_lines(heard: Heard) -> Iterator[HistoryFinding]:
    """What no program of ours writes into a chain, since that head."""
    for why, line in heard.story.odd:
        if heard.at and line.number > heard.at.number:
            yield HistoryFinding(why, ".", (line.name,))
    if heard.undone and heard.at:
        yield HistoryFinding("undone", ".", (heard.at.name,))


def of_names(store: StoreFolder, heard: Heard) -> Iterator[HistoryFinding]:
    """What is gone, changed or not known of the snapshots that count and of those that lie aside."""
    alive, lying = heard.story.alive, heard.story.aside
    counted, there = set(sealed(store)), set(folders(store))
    for name in sorted(alive.keys() | counted):
        if name not in alive:
            yield HistoryFinding("unknown", ".", (name,))
            continue
        if name not in there:
            yield HistoryFinding("gone", ".", (name,))
        yield from _of_files(store, (store.records,), name, alive[name])
    for name in sorted(lying.keys() | set(aside.names(store))):
        if name not in lying:
            yield HistoryFinding("unknown", f".aside/{name}", (name,))
            continue
        if not (store.aside / name).is_dir():
            yield HistoryFinding("gone", f".aside/{name}", (name,))
        # Where it was cut off some are on their way still.
        yield from _of_files(store, (aside.records(store), store.records), name, lying[name])


def _of_files(
    store: StoreFolder, homes: Sequence[Path], name: str, known: Mapping[str, str]
) -> Iterator[HistoryFinding]:
    for key, end in FILES.items():
        places = [home / f"{name}{end}" for home in homes]
        path = next(filter(os.path.lexists, places), places[0])
        there, now = os.path.lexists(path), chain.digest(path)
        if now != known.get(key) or there != (now is not None):
            kind = "changed" if key in known and there else "gone" if key in known else "unknown"
            yield HistoryFinding(kind, os.fspath(path.relative_to(store.root)), (name,))


def _trees(store: StoreFolder, heard: Heard) -> tuple[Findings, list[str]]:
    """The trees that are there compared with their manifests, where these are the ones that the chain has."""
    findings, digests, unlisted = Findings(store), manifest.Digests(), list[str]()
    counted = sealed(store)
    for name in sorted(heard.story.alive):
        if name not in counted:
            continue
        expected = heard.story.alive[name].get("names")
        if expected is None or expected != chain.digest(store.names(name)):
            unlisted.append(name)
            continue
        try:
            manifest.compare(store, name, findings, digests)
        except (EOFError, zlib.error, OSError):
            findings.add_record("content", store.names(name), name)
    return findings, unlisted
