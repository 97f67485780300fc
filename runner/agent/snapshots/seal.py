"""`seal`: give a snapshot its name, once all of it and what is known about it is on the disk."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import clock, durable
from ..answer import Refused, reply, table
from ..arguments import pairs, parse_as
from ..store import disk, received
from ..store.layout import StoreFolder, is_name, open_store, partials, read_json, sealed
from ..store.lock import working
from ..store.trash import free_name
from . import readme
from .contract import Seal, Sealed, SnapshotException, SnapshotRecord
from .gather import EXCEPTIONS, HARMLESS, LISTED, ExpectedOutputs, Gathered, gather
from .instant import require_not_sealed
from .resumed import ResumedFiles
from .sums import Sums, zipped


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
    def shared(self) -> Mapping[str, Sequence[str]]:
        """By mount point the sealed snapshots that it was compared with there; all of them where that was not noted."""
        points = [str(point) for point in self.begun.get("filesystems", ())]
        if not self.begun.get("share"):
            known = (str(name) for name in (self.begun.get("basis"), *self.begun.get("older", ())) if name)
            return dict.fromkeys(points, tuple(known))
        shared = [str(path).partition("/") for path in self.begun["share"]]
        return {
            point: [name for name, _, inside in shared if is_name(name) and f"/{inside}" == point] for point in points
        }

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
        options.kept,
    )
    with working(store, options.plan):
        disk.require_writable(store, options.disk)
        snapshot = PartialSnapshot(store, name, _begun(store, name, options.plan))
        require_not_sealed(store, options.job, snapshot.instant or "")
        _require_filesystems(snapshot, expected)
        durable.make_folder(store.records, 0o700)
        gathered = _gather(snapshot, expected, options)
        _require_room(store)
        record = _record(snapshot, gathered, options)
        whole = received.join(store, name, snapshot.begun["filesystems"], options.host or "the host")
        durable.sync_filesystem(store.root)
        _keep(snapshot, record)
        disk.require(store, options.disk)
        _name(snapshot, whole)
        durable.sync_filesystem(store.root)
    reply(_answer(record, round(time.monotonic() - began, 3)))
    return 0


def _begun(store: StoreFolder, name: str, plan: str) -> Mapping[str, Any]:
    if not is_name(name) or name not in partials(store):
        raise Refused(f"there is no partial {name!a}", "run `begin` and the transfers first")
    begun = read_json(store.begun(name))
    if begun.get("plan") != plan or begun.get("name") != name:
        raise Refused(f"the partial {name} was begun by another plan", "make a new plan")
    if begun.get("format") != received.APART:
        raise Refused(
            f"the partial {name} was begun by an older runner-agent", "make a new plan; what was sent is used"
        )
    counted = sealed(store)
    newest = counted[-1] if counted else ""
    if newest != begun.get("basis", ""):
        raise Refused(f"the newest snapshot is {newest or 'none'} now", "make a new plan")
    if os.path.lexists(store.root / name):
        raise Refused(f"there is a {name} already", "look at what it is; nothing was changed")
    return begun


def _require_filesystems(snapshot: PartialSnapshot, expected: ExpectedOutputs) -> None:
    points = sorted(str(point) for point in snapshot.begun.get("filesystems", ()))
    if not points or sorted(expected.transfers.values()) != points:
        raise Refused("the transfers are not those of the filesystems that were begun", "make a new plan")


def _gather(snapshot: PartialSnapshot, expected: ExpectedOutputs, options: Seal) -> Gathered:
    store, name, basis = snapshot.store, snapshot.name, str(snapshot.begun.get("basis", ""))
    before, known = _exceptions(store, basis) if basis else (0, frozenset())
    gathered = Gathered(known, received.places(store, name), options.accept)
    resumed = ResumedFiles(store, name, snapshot.shared, snapshot.resumed)
    with durable.replacing(store.sums(name), 0o600) as stream, zipped(stream, 9) as lines:
        gather(sys.stdin.buffer, expected, resumed, Sums(lines), gathered)
        gathered.absent(options.absent)
        _require_explained(store, gathered)
    count = sum(gathered.cause(cause) for cause in EXCEPTIONS)
    if before > LISTED:
        gathered.new = max(0, count - before)
    return gathered


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


def _require_explained(store: StoreFolder, gathered: Gathered) -> None:
    causes = {cause for counts in gathered.causes.values() for cause in counts}
    unexplained = sum(gathered.cause(cause) for cause in causes.difference(EXCEPTIONS, HARMLESS))
    if unexplained:
        raise Refused(
            f"{unexplained} names are missing or differ for no reason that the source shows: "
            f"{', '.join(gathered.unexplained)}{_fullness(store)}",
            "free room or look at the disk, then run the job again; the partial is kept",
            # Full: the next plan makes room. Out of links: in a fresh folder rsync copies what it could not link.
            again=True,
        )


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
    causes = {cause: gathered.cause(cause) for cause in (*EXCEPTIONS, *HARMLESS)}
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
        exceptions_new=gathered.new,
        exceptions_list=tuple(gathered.exceptions),
        checksum=options.checksum or "xxh128",
        summed=gathered.summed,
        unsummed=gathered.unsummed,
        whole_seconds=bool(snapshot.begun.get("whole_seconds")),
        instant=snapshot.instant,
        machine=options.machine,
        older=tuple(map(str, snapshot.begun.get("older", ()))),
    )


def _keep(snapshot: PartialSnapshot, record: SnapshotRecord) -> None:
    store, name = snapshot.store, snapshot.name
    readme.keep(store)
    durable.write_json(store.record(name), table(record), 0o600)
    durable.sync_folder(store.runner)


def _name(snapshot: PartialSnapshot, whole: Path) -> None:
    store, name = snapshot.store, snapshot.name
    with received.unchanged(whole):
        whole.rename(store.root / name)
    durable.sync_folder(store.root)
    (store.partial / name).rmdir()
    durable.point(store.root / "latest", name, store.runner / "latest.tmp")
    durable.make_folder(store.trash, 0o700)
    for other in snapshot.resumed:
        if (store.partial / other).is_dir():
            (store.partial / other).rename(free_name(store, other))
            store.record(other).unlink(missing_ok=True)
            store.sums(other).unlink(missing_ok=True)
        store.begun(other).unlink(missing_ok=True)
    store.begun(name).unlink(missing_ok=True)
    durable.sync_folder(store.partial)


def _answer(record: SnapshotRecord, seconds: float) -> Sealed:
    alike = {key: getattr(record, key) for key in Sealed._fields if hasattr(record, key)}
    causes = record.exceptions_by_cause
    moved = {cause: causes[cause] for cause in HARMLESS}
    return Sealed(**{**alike, **moved, "sealed": record.name, "seconds": seconds})
