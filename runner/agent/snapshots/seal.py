"""`seal`: give a snapshot its name, once all of it and what is known about it is on the disk."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import clock, durable
from ..answer import Refused, reply, shown, table
from ..arguments import MOST, pairs, parse_as
from ..compose.copies import Copy
from ..compose.full import full
from ..compose.missed import EXCEPTIONS, HARMLESS, LISTED, UNSTEADY, MissedNames
from ..host import room as rooms
from ..policy import limits
from ..store import begun, disk, received, trash
from ..store.freed import BLOCK
from ..store.layout import StoreFolder, is_name, open_store, read_json, sealed
from ..store.lock import working
from . import readme
from .contract.record import LeftBehind, SnapshotException, SnapshotRecord
from .contract.seal import Seal, Sealed
from .gather import ExpectedOutputs, Gathered, gather
from .instant import require_not_sealed
from .sums import LEVEL, Sums, zipped

# A name is sent twice, and an inode may have many of them.
_TIMES = 10


class PartialSnapshot(NamedTuple):
    """The partial that becomes a snapshot, and what `begin` wrote about it."""

    store: StoreFolder
    name: str
    begun: Mapping[str, Any]

    @property
    def resumed(self) -> tuple[str, ...]:
        """The partials that it supersedes."""
        return tuple(str(name) for name in self.begun.get("resumed", ()))

    @property
    def copies(self) -> Mapping[str, Copy]:
        """Each filesystem by its mount point, with the sealed snapshots that it may share files with."""
        composed, shared = self.begun.get("composed", {}), dict[str, list[Path]]()
        for path in self.begun.get("share", ()):
            each, _, inside = str(path).partition("/")
            if is_name(each):
                shared.setdefault(f"/{inside}", []).append(self.store.root / each / inside)
        places = received.places(self.store, self.name)
        return {point: Copy(place, shared.get(point, ()), composed.get(point)) for point, place in places.items()}

    @property
    def instant(self) -> str | None:
        """The scheduled time that it is made for."""
        instant = self.begun.get("instant")
        return str(instant) if instant else None


def run(argv: Sequence[str]) -> int:
    """Seal the partial NAME from the outputs on stdin, or refuse and leave it as it is.

    Whenever it is cut off, a folder with a final name is whole, synced and has its record.
    """
    began = time.monotonic()
    options = parse_as(Seal, argv)
    store, name = open_store(options.store), options.name
    expected = ExpectedOutputs(
        pairs(options.transfer, "transfer"),
        pairs(options.explained, "explained"),
        pairs(options.walked, "walked"),
        pairs(options.settled, "settled"),
        pairs(options.kept, "kept"),
    )
    with working(store, options.plan) as descriptor:
        disk.require_writable(store, options.disk)
        snapshot = PartialSnapshot(store, name, begun.require(store, name, options.plan, descriptor))
        require_not_sealed(store, options.job, snapshot.instant or "")
        limits.require_seal(store)
        _require_filesystems(snapshot, expected)
        durable.make_folder(store.records, 0o700)
        gathered = _gather(snapshot, expected, options)
        _require_room(store)
        record = _chained(store, _record(snapshot, gathered, options))
        whole = received.join(store, name, snapshot.begun["filesystems"], options.host or "the host")
        durable.sync_filesystem(store.root)
        _keep(snapshot, record)
        disk.require(store, options.disk)
        head = _name(snapshot, whole)
    missed = sum(each["missed"] for each in gathered.settled.values())
    reply(_answer(record, round(time.monotonic() - began, 3))._replace(missed=missed, head=head))
    return 0


def _require_filesystems(snapshot: PartialSnapshot, expected: ExpectedOutputs) -> None:
    points = sorted(str(point) for point in snapshot.begun.get("filesystems", ()))
    if not points or sorted(expected.transfers.values()) != points:
        raise Refused("the transfers are not those of the filesystems that were begun", "make a new plan")
    if "composed" not in snapshot.begun:
        raise Refused(f"the partial {snapshot.name} has not been composed", "run the job again", again=True)
    # Its folder must be empty once it has its name. What a seal that was cut off has joined is at its mount point.
    known = {*map(str, range(len(points))), *(() if "/" in points else (received.SCAFFOLD,))}
    folder = snapshot.store.partial / snapshot.name
    others = sorted({each.name for each in folder.iterdir()} - known)
    if others:
        error = f"{shown(others[0])} in the partial {snapshot.name} is of no filesystem that was begun"
        raise Refused(error, "run the job again: what was sent is used", again=True)


def _gather(snapshot: PartialSnapshot, expected: ExpectedOutputs, options: Seal) -> Gathered:
    store, name, basis = snapshot.store, snapshot.name, str(snapshot.begun.get("basis", ""))
    before, known = _exceptions(store, basis) if basis else (0, frozenset())
    missed = MissedNames(known, options.accept)
    gathered = Gathered(missed, snapshot.copies, expected.kept.values())
    gathered.sums_of = {} if snapshot.resumed else None
    guard = rooms.guard(store.root)
    gathered.most = _TIMES * os.statvfs(store.root).f_files or MOST
    with durable.replacing(store.sums(name), 0o600) as stream, zipped(stream, LEVEL) as lines:
        gather(sys.stdin.buffer, expected, Sums(lines, lambda: _require_rest(guard)), gathered)
        gathered.absent(options.absent)
        _require_explained(store, missed)
    _recount(gathered, snapshot.copies)
    count = sum(missed.cause(cause) for cause in EXCEPTIONS)
    if before > LISTED:
        missed.new = max(0, count - before)
    return gathered


def _require_rest(guard: rooms.Guard) -> None:
    """Refused where half of the last of the disk is gone. It is there for a seal, but what is told may be endless."""
    seen = guard.look()
    if seen.free.bytes < seen.last.bytes // 2:
        raise full()


def _recount(gathered: Gathered, copies: Mapping[str, Copy]) -> None:
    """Where interrupted transfers brought something too, count what is new by itself: no output tells all of it."""
    if gathered.sums_of is None:
        return
    gathered.added_files = gathered.added_bytes = gathered.added_room = gathered.unsummed = 0
    for point, copy in copies.items():
        known = gathered.sums_of.get(point, set[int]())
        with copy.opened() as trees:
            for status in trees.added():
                gathered.added_files += 1
                if stat.S_ISREG(status.st_mode):
                    gathered.added_bytes += status.st_size
                    gathered.added_room += status.st_blocks * BLOCK
                    gathered.unsummed += status.st_ino not in known


def _exceptions(store: StoreFolder, name: str) -> tuple[int, frozenset[SnapshotException]]:
    """How many exceptions sealed snapshot `name` has, and the first of them; none where its record is damaged."""
    record = read_json(store.record(name))
    try:
        listed = (
            SnapshotException(str(each["path"]), str(each["cause"])) for each in record.get("exceptions_list", ())
        )
        return int(record.get("exceptions", 0)), frozenset(listed)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return 0, frozenset()


def _require_explained(store: StoreFolder, missed: MissedNames) -> None:
    without = missed.without_cause()
    if not without:
        return
    changed, full = sum(missed.count(point, cause) for point in without for cause in UNSTEADY), _fullness(store)
    error = (
        f"{sum(without.values())} names of {' and '.join(map(shown, without))} are missing or differ for no reason "
        f"that the source shows, such as {', '.join(missed.unexplained)}"
    )
    # Full: the next plan makes room. Out of links: in a fresh folder rsync copies what it could not link.
    if changed and not full:
        do = "run the job again when less changes there; if this stays, look at the disk; the partial is kept"
        raise Refused(f"{error}; {changed} changed there meanwhile", do, again=True)
    do = "free room or look at the disk, then run the job again; the partial is kept"
    raise Refused(f"{error}{full}", do, again=True)


def _fullness(store: StoreFolder) -> str:
    space = os.statvfs(store.root)
    if space.f_files and space.f_ffree * 1000 < space.f_files:
        return f"; the disk has {space.f_ffree} inodes left"
    if space.f_bfree * 1000 < space.f_blocks:
        return f"; the disk has {space.f_bfree * space.f_frsize} bytes left"
    return ""


def _require_room(store: StoreFolder) -> None:
    space = os.statvfs(store.root)
    if space.f_files and not space.f_ffree:
        raise Refused("the disk has no inode left", "prune the store, then run the job again", again=True)


def _record(snapshot: PartialSnapshot, gathered: Gathered, options: Seal) -> SnapshotRecord:
    missed = gathered.missed
    causes = {cause: missed.cause(cause) for cause in (*EXCEPTIONS, *HARMLESS)}
    return SnapshotRecord(
        format=1,
        name=snapshot.name,
        host=options.host,
        job=options.job,
        plan=options.plan,
        started=options.started or str(snapshot.begun.get("started", "")),
        sealed=clock.now(),
        basis=snapshot.begun.get("basis", ""),
        resumed=snapshot.resumed,
        filesystems=tuple(gathered.filesystems[point] for point in snapshot.begun["filesystems"]),
        files=sum(each.files for each in gathered.filesystems.values()),
        added_files=gathered.added_files,
        added_bytes=gathered.added_bytes,
        added_room=gathered.added_room,
        exceptions=sum(causes[cause] for cause in EXCEPTIONS),
        exceptions_by_cause=causes,
        exceptions_new=missed.new,
        exceptions_list=tuple(missed.exceptions),
        checksum=options.checksum or "xxh128",
        summed=gathered.summed,
        unsummed=gathered.unsummed,
        whole_seconds=bool(snapshot.begun.get("whole_seconds")),
        instant=snapshot.instant,
        machine=options.machine,
        older=tuple(map(str, snapshot.begun.get("older", ()))),
        shared=snapshot.begun.get("shared"),
        left=tuple(LeftBehind(**each) for each in snapshot.begun.get("left", ())),
    )


def _chained(store: StoreFolder, record: SnapshotRecord) -> SnapshotRecord:
    """The record with what it follows. What was sealed before the store had a chain is what that begins with."""
    from ..history import chain  # noqa: PLC0415  (as above)

    chain.begin(store)
    before = [name for name in sealed(store) if name < record.name][-1:]
    known = chain.digest(store.record(before[0])) if before else None
    return record._replace(before=known or "", chain=chain.head(store))


def _keep(snapshot: PartialSnapshot, record: SnapshotRecord) -> None:
    store, name = snapshot.store, snapshot.name
    readme.keep(store)
    durable.write_json(store.record(name), table(record), 0o600)
    durable.sync_folder(store.runner)


def _name(snapshot: PartialSnapshot, whole: Path) -> str:
    """Give it its name, which the chain has first; the head of that."""
    from ..history import chain  # noqa: PLC0415  (what it needs is slow to load, and most of a seal comes before)

    store, name = snapshot.store, snapshot.name
    chain.add(store, "sealed", name, chain.known_of(store, name))
    with received.unchanged(whole):
        whole.rename(store.root / name)
    durable.sync_folder(store.root)
    (store.partial / name).rmdir()
    durable.point(store.root / "latest", name, store.runner / "latest.tmp")
    for other in snapshot.resumed:
        store.record(other).unlink(missing_ok=True)
        store.sums(other).unlink(missing_ok=True)
        store.gone(other).unlink(missing_ok=True)
    _clear(snapshot)
    store.begun(name).unlink(missing_ok=True)
    durable.sync_folder(store.partial)
    durable.sync_filesystem(store.root)
    return chain.head(store)


def _clear(snapshot: PartialSnapshot) -> None:
    """Remove where it was received: little is left there, unless it took up much that it did not want."""
    place = snapshot.store.incoming / snapshot.name
    if snapshot.resumed and place.is_dir():
        durable.make_folder(snapshot.store.trash, 0o700)
        place.rename(trash.free_name(snapshot.store, snapshot.name))
    else:
        trash.empty(snapshot.store.root, place)
        with contextlib.suppress(FileNotFoundError):
            place.rmdir()


def _answer(record: SnapshotRecord, seconds: float) -> Sealed:
    alike = {key: getattr(record, key) for key in Sealed._fields if hasattr(record, key)}
    causes = record.exceptions_by_cause
    moved = {cause: causes[cause] for cause in HARMLESS}
    return Sealed(**{**alike, **moved, "sealed": record.name, "seconds": seconds})
