"""A store as `probe` answers it: disk, snapshots, records, who works on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .. import clock
from ..answer import Refused
from ..arguments import MACHINE, MOST, PATH, DeclaredDisk
from ..host import room as rooms
from ..host.mounts import rotates
from ..policy import limits
from ..retention import coverage, noted
from ..retention.floor import kept_floor
from . import aside, closed, disk, freed, layout, lock, owned, received
from . import contract_probe as contract
from .contract.holder import HolderAnswer
from .contract.proven import ProofAnswer
from .layout import StoreFolder
from .pins import StoredPin, pins
from .proven import guarded, proofs

TEXTS = ("host", "job", "plan")
TIMES = ("started", "sealed", "instant")
COUNTS = ("files", "added_files", "added_bytes", "added_room")
# No id of a plan is longer.
_PLAN = 200
FOREIGN = 5
LONGEST = 1000

T = TypeVar("T")


def inspect_store(request: Mapping[str, Any]) -> contract.StoreAnswer:
    """Facts of one store. One that is not there yet is no problem: `hold` makes it, and what is missing above it."""
    path = str(request["path"])
    try:
        return _inspect(path, request)
    except OSError as problem:
        error = f"{path} cannot be read: {problem.strerror or problem}; look at the disk"
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
        # A file in it that no version of ours wrote so. The host and its other stores are looked at all the same.
        error = f"a record of {path} cannot be understood ({type(problem).__name__}); look at {path}/.runner"
    return contract.StoreAnswer(path, exists=False, problem=error)


def _inspect(path: str, request: Mapping[str, Any]) -> contract.StoreAnswer:
    store = layout.open_store(path)
    state = disk.look(store, DeclaredDisk(str(request.get("mount", "")), str(request.get("uuid", ""))))
    exists, here, holder = store.root.is_dir(), layout.nearest(store.root), lock.holder(store.lock)
    proven, pinned = proofs(store), _seen(lambda: pins(store))
    trash, lost = _seen(lambda: _names(store.trash)), _seen(lambda: layout.lost(store))
    written_off, odd = _seen(lambda: aside.written_off(store)), tuple(_odd(store))
    error, do = owned.trouble(path)
    exposed = f"{error}; {do}" if error else ""
    return contract.StoreAnswer(
        path=str(store.root),
        exists=exists,
        problem=_problem(store, state, exists=exists) or exposed,
        mounted=state.mounted,
        writable=os.access(here, os.W_OK) and not state.read_only,
        uuid=state.uuid,
        device=state.device,
        whole_seconds=disk.whole_seconds(store),
        rotational=rotates(here.stat().st_dev),
        sealed=_snapshots(store, proven, pinned or {}),
        partials=tuple(_partial(store, name) for name in layout.partials(store)),
        trash=trash or (),
        aside=tuple(_aside(store, name) for name in aside.names(store)),
        lost=lost or (),
        written_off=written_off or (),
        unread=(
            *((str(store.pins),) if pinned is None else ()),
            *((str(store.floor),) if _seen(lambda: kept_floor(store)) is None else ()),
            *((str(store.proven),) if _seen(lambda: guarded(store)) is None else ()),
            # Where it cannot be read nobody knows what is lost: any of them may be there.
            *((str(store.trash),) if trash is None or lost is None else ()),
            *(path for path, holds in odd if holds),
        )[:FOREIGN],
        odd=(
            *((str(aside.records(store)),) if written_off is None else ()),
            *(path for path, holds in odd if not holds),
        )[:FOREIGN],
        holder=HolderAnswer(**{**holder, "since": clock.moment(holder["since"])}) if holder else None,
        space=_space(here),
        proven=proven,
        lacks=state.lacks,
        open=() if exposed else closed.open_places(store),
        foreign=closed.foreign(store)[:FOREIGN],
        damaged=tuple(contract.DamagedAnswer(*each) for each in noted.counted(store)),
        rates=contract.RatesAnswer(*rates) if (rates := limits.rates(store)) else None,
    )


def _problem(store: StoreFolder, state: disk.StoreDisk, *, exists: bool) -> str:
    if state.problem:
        return f"{state.problem}; {state.do}"
    if not exists and os.path.lexists(store.root):
        return f"{store.root} is not a folder; correct the path in jobs.toml, or move what is there"
    if os.path.lexists(store.lock) and not store.lock.is_file():
        return f"{store.lock} is not a file, so nobody can hold it; see who made it, and move it away"
    return ""


def _snapshots(
    store: StoreFolder, proven: Mapping[str, ProofAnswer], pinned: Mapping[str, StoredPin]
) -> tuple[contract.SnapshotAnswer, ...]:
    names = layout.folders(store)
    there = layout.sealed(store)
    records = freed.records_of(store, names)
    gains = freed.oldest(store, {name: records[name] for name in there if name in records})
    being_read, answers = _being_read(store, names), []
    for name in names:
        answer = _snapshot(store, name, records[name])._replace(
            being_read=name in being_read,
            proven=tuple(sort for sort, proof in proven.items() if proof.snapshot == name),
        )
        if name in pinned:
            answer = answer._replace(
                pinned_until=clock.text(min(pinned[name].until, clock.LAST)), pinned_why=pinned[name].why
            )
        if name in gains:
            answer = answer._replace(freed_bytes=gains[name].bytes, freed_inodes=gains[name].inodes)
        answers.append(answer)
    return tuple(answers)


def _snapshot(store: StoreFolder, name: str, kept: Mapping[str, Any]) -> contract.SnapshotAnswer:
    record, recorded = _fitting(kept), store.record(name).exists()
    points = record.get("filesystems", ())
    counted = bool(points) and all(point.get("folders") is not None for point in points)
    return contract.SnapshotAnswer(
        name=name,
        recorded=recorded,
        being_read=False,
        filesystems=_shareable(store, name, (str(point.get("mount", "")) for point in points)),
        proven=(),
        # Of a record that cannot be read it is not known whether there were exceptions: it is not a clean one.
        exceptions=record.get("exceptions") if recorded else 0,
        folders=sum(int(point["folders"]) for point in points) if counted else None,
        started=clock.moment(record.get("started")),
        sealed=clock.moment(record.get("sealed")),
        instant=clock.moment(record.get("instant")),
        machine=_machine(record.get("machine")),
        filled=tuple(filter(None, map(_filled, points))),
        **{key: record[key] for key in (*TEXTS, *COUNTS) if record.get(key) is not None},
    )


def _fitting(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record, empty where something in it is not of its type: then no more of it is believed."""
    points = record.get("filesystems", [])
    fits = (
        *(_is_text(record.get(key)) for key in TEXTS),
        *(clock.moment(record[key]) is not None for key in TIMES if record.get(key) is not None),
        *(_is_count(record.get(key, 0)) for key in (*COUNTS, "exceptions")),
        isinstance(points, list) and all(map(_is_point, points)),
    )
    return record if all(fits) else {}


def _filled(point: Mapping[str, Any]) -> contract.FilledAnswer | None:
    files, size = point.get("files"), point.get("size")
    if files is None or size is None or not (_is_count(files) and _is_count(size)):
        return None
    return contract.FilledAnswer(str(point["mount"]), files, size)


def _machine(value: object) -> str:
    return value if isinstance(value, str) and MACHINE.fullmatch(value) else ""


def _is_text(value: object) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= LONGEST)


def _is_point(point: object) -> bool:
    return isinstance(point, dict) and _is_path(point.get("mount")) and _is_count(point.get("folders"))


def _is_path(value: object) -> bool:
    return isinstance(value, str) and PATH.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value <= MOST)


def _partial(store: StoreFolder, name: str) -> contract.PartialAnswer:
    begun = layout.read_json(store.begun(name))
    basis, points = begun.get("basis", ""), begun.get("filesystems", [])
    fits = (basis == "" or layout.is_name(str(basis))) and isinstance(points, list) and all(map(_is_path, points))
    if fits and not received.is_apart(store, name):
        fits = _shareable(store, f".partial/{name}", points) == tuple(points)
    # One that is not known to be a basis for anything is resumed from nothing, and removed with the others.
    plan = str(begun.get("plan") or "")[:_PLAN]
    ended = rooms.ended(begun)
    made = contract.PartialAnswer(
        name,
        basis if fits else "",
        tuple(points) if fits else (),
        ended.full,
        *(ended.free or (None, None)),
        *(ended.sent or (None, None)),
    )
    kept = begun.get("kept", ())
    return made._replace(plan=plan, kept=tuple(filter(layout.is_name, map(str, kept))) if fits else ())


def _aside(store: StoreFolder, name: str) -> contract.AsideAnswer:
    record = _fitting(layout.read_json(aside.record(store, name)))
    room = record.get("added_room")
    return contract.AsideAnswer(name, record.get("host") or "", record.get("added_bytes") if room is None else room)


def _shareable(store: StoreFolder, name: str, points: Iterable[str]) -> tuple[str, ...]:
    """The mount points at which there is a folder of the snapshot's own: nothing is compared with what a link shows."""
    return tuple(point for point in points if received.is_folder(store, f"{name}/{point}"))


def _odd(store: StoreFolder) -> Iterator[tuple[str, bool]]:
    """What is in the place of a file of ours and is no regular file, or says nothing; or of a snapshot and no folder.

    Each with whether a record may lie there, so that a snapshot has to stay: for any other nothing waits.
    """
    for name in layout.replaced(store):
        yield str(store.root / name), False
    for path in (store.freed, store.audit, store.disk, store.runner / "chain"):
        if os.path.lexists(path) and not path.is_file():
            yield str(path), False
    try:
        with os.scandir(store.records) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError:
        return  # where there is no such folder there is nothing in it; else `sealed` has said so
    for entry in entries:
        if not entry.is_file():
            yield entry.path, layout.is_name(layout.whose(Path(entry.path)))
        elif _is_damaged_debt(Path(entry.path)):
            yield entry.path, False


def _is_damaged_debt(path: Path) -> bool:
    """Whether it is to say which checksums went with a snapshot that is gone, and cannot be understood."""
    try:
        owed = layout.require_json(path) if path.suffix == ".owed" else {}
    except (Refused, OSError):
        return True
    return not all(map(coverage.noted, owed.values()))


def _names(folder: Path) -> tuple[str, ...]:
    """What is in it, nothing where it is not there."""
    try:
        return tuple(sorted(entry.name for entry in folder.iterdir()))
    except FileNotFoundError:
        return ()


def _seen(look: Callable[[], T]) -> T | None:
    """What the look gives; None where it failed. What cannot be read hides nothing else: `check` names it."""
    try:
        return look()
    except (Refused, OSError):
        return None


def _space(folder: Path) -> contract.SpaceAnswer:
    space, guard = os.statvfs(folder), rooms.guard(folder)
    size, inodes = min(space.f_blocks * space.f_frsize, MOST), min(space.f_files, MOST)
    seen = guard.seen(space)
    free, least = seen.free, seen.least
    return contract.SpaceAnswer(size, free.bytes, inodes, free.inodes, least.bytes, least.inodes, guard.system)


def _being_read(store: StoreFolder, names: Sequence[str]) -> frozenset[str]:
    try:
        descriptor = os.open(store.lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return frozenset()
    try:
        return frozenset(name for name in names if lock.held_by(descriptor, lock.byte_of(name)) is not None)
    finally:
        os.close(descriptor)
