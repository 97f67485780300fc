"""`clone`: what a new snapshot begins as, an exact hard-link clone of a sealed one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .. import durable, tree
from ..answer import STALE, Refused, reply
from ..arguments import parse_as
from ..host import room as rooms
from ..policy import limits
from ..retention.floor import StoreFloor
from ..store import begun as begins
from ..store import disk
from ..store.layout import StoreFolder, is_name, open_store, read_json, require_sealed
from ..store.lock import working
from .basis import opened_top
from .contract.clone import Clone, Cloned, ClonedFilesystem
from .full import full, not_full
from .leaving import Taken
from .places import brief, placed
from .recycle import recycle, require_recyclable, take_apart, telling
from .tree_clone import TreeClone

# In the partial's folder, beside the filesystems, while they are cloned.
SCRATCH = "scratch"
# Noted by `compose`, which what is cloned again undoes.
NO_MORE = ("composing", "composed", "left", "shared")


class _Origin(NamedTuple):
    """A filesystem that is to be cloned: its number in the partial, and where it is in which snapshot.

    What other filesystems that snapshot has below it are the paths `inner`, by component; `beside` are the folders that
    no filesystem of that snapshot brought, which count with this one.
    """

    number: int
    mount: str
    snapshot: str
    inner: tuple[tuple[str, ...], ...]
    beside: tuple[tuple[bytes, ...], ...]


class _FilesystemClone(NamedTuple):
    """A filesystem that was cloned; what the snapshot's own folders take there, and the groups of links, if known."""

    answer: ClonedFilesystem
    room: Taken
    groups: Optional[Mapping[int, int]]  # noqa: UP045


def run(argv: Sequence[str]) -> int:
    """Make of `.partial/NAME/N` an exact hard-link clone of the folder /MOUNT of a sealed snapshot, for each `--basis`.

    N is the number of the filesystem mounted there. Whatever is there already becomes it: what has the right inode
    number stays. That may be the tree of the snapshot `--recycle`, which expires for it; refused as `expire` refuses
    it. Can be repeated after any interruption; nothing sealed is changed but how many links it has.
    """
    options = parse_as(Clone, argv)
    store = open_store(options.store)
    with telling(store, options.recycle):
        cloned = _cloned(store, options)
    reply(Cloned(cloned, options.recycle))
    return 0


def _cloned(store: StoreFolder, options: Clone) -> tuple[ClonedFilesystem, ...]:
    name = options.name
    with working(store, options.plan) as descriptor:
        disk.require_writable(store, options.disk)
        begun = begins.require(store, name, options.plan, descriptor)
        bases = _bases(store, begun, options.basis)
        limits.require_basis(store, (basis.snapshot for basis in bases))
        if options.recycle:
            limits.require_seal(store)
            _require_recyclable(store, options, descriptor)
            _require_unused(begun, bases, options.recycle)
        with not_full(), contextlib.ExitStack() as opened:
            tops = _tops(store, bases, opened)
            _note(store, name, bases, ())
            partial = _kept(opened, opened_top(_root(store, opened), (b".partial", name.encode())))
            numbers = {basis.mount: basis.number for basis in bases}
            take_apart(store, partial, numbers)
            if options.recycle:
                recycle(store, options.recycle, name, options.disk)
                take_apart(store, partial, numbers)
            cloned = tuple(_clone(store, partial, basis, top) for basis, top in tops)
            _note(store, name, bases, cloned)
    return tuple(each.answer for each in cloned)


def _require_recyclable(store: StoreFolder, options: Clone, descriptor: int) -> None:
    """Stale where it cannot expire: the plan knew it as one that can, so another may do without it."""
    try:
        require_recyclable(store, options.recycle, StoreFloor(options.min, options.per_day), descriptor)
    except Refused as refused:
        raise Refused(refused.error, "make a new plan: it does without that", code=STALE, again=True) from None


def _require_unused(begun: Mapping[str, Any], bases: Sequence[_Origin], recycled: str) -> None:
    """Refused where the new snapshot shares files with the one that is to go."""
    shared = (str(path).partition("/") for path in begun.get("share", ()))
    used = {*(basis.snapshot for basis in bases), *begun.get("older", ()), *(snapshot for snapshot, _, _ in shared)}
    if recycled in used:
        raise Refused(f"the new snapshot shares files with {recycled}: it cannot be recycled", "make a new plan")


def _bases(store: StoreFolder, begun: Mapping[str, Any], given: Sequence[str]) -> tuple[_Origin, ...]:
    points = [str(point) for point in begun.get("filesystems", ())]
    wanted: dict[str, str] = {}
    for each in given:
        snapshot, _, mount = each.partition("=")
        if not is_name(snapshot) or mount in wanted:
            raise Refused("--basis takes SNAPSHOT=/MOUNTPOINT, each mount point once", "see docs/store.md")
        if mount not in points:
            raise Refused(f"{mount!a} is no filesystem that was begun", "make a new plan")
        # Its place is, or was, where it is received: no file of a sealed snapshot may ever be there.
        if mount in (*begun.get("whole", ()), *begun.get("moved", ())):
            raise Refused(f"{mount!a} was begun to be sent whole", "make a new plan")
        wanted[mount] = snapshot
    if not wanted:
        raise Refused("nothing is to be cloned", "name a --basis, SNAPSHOT=/MOUNTPOINT")
    require_sealed(store, *wanted.values())
    origins = []
    for mount, snapshot in wanted.items():
        parts = _points(store, snapshot)
        own = tree.components(mount)
        inner = tuple(tuple(map(os.fsdecode, each[len(own) :])) for each in parts if each[: len(own)] == own != each)
        origins.append(_Origin(points.index(mount), mount, snapshot, inner, beside(parts) if own == min(parts) else ()))
    return tuple(origins)


def beside(points: Sequence[tuple[bytes, ...]]) -> tuple[tuple[bytes, ...], ...]:
    """Of a snapshot that has filesystems at these paths the folders that are in none of them, its own among them."""
    above = {point[:depth] for point in points for depth in range(len(point))}
    return tuple(sorted(each for each in above if not any(each[: len(point)] == point for point in points)))


def _points(store: StoreFolder, snapshot: str) -> tuple[tuple[bytes, ...], ...]:
    """Where the filesystems of a snapshot are, by component; Refused where nobody knows."""
    known = read_json(store.record(snapshot)).get("filesystems")
    listed = known if isinstance(known, list) else []
    points = [each.get("mount") if isinstance(each, dict) else None for each in listed]
    if not points or not all(isinstance(point, str) for point in points):
        raise Refused(
            f"the record of {snapshot} does not say which filesystems are in it",
            f"look at {store.record(snapshot)}; without it the next snapshot has to be sent whole",
        )
    return tuple(tree.components(str(point)) for point in points)


def _tops(store: StoreFolder, bases: Sequence[_Origin], opened: contextlib.ExitStack) -> list[tuple[_Origin, int]]:
    """Each with a descriptor of its folder in the snapshot; Refused where that is none, or a link leads to it."""
    root, tops = _root(store, opened), list[tuple[_Origin, int]]()
    for basis in bases:
        parts = (basis.snapshot.encode(), *tree.components(basis.mount))
        try:
            tops.append((basis, _kept(opened, opened_top(root, parts))))
        except OSError as problem:
            if not tree.is_absence(problem):
                raise
            raise Refused(
                f"{basis.mount!a} in {basis.snapshot} is no folder, or a link leads to it",
                "find out what is there; a new plan has to send that filesystem whole",
            ) from None
    return tops


def _clone(store: StoreFolder, partial: int, basis: _Origin, top: int) -> _FilesystemClone:
    guard = rooms.guard(store.root)

    def look() -> None:
        if guard.look().left is None:
            raise full()

    with placed(partial, str(basis.number)) as clone, brief(partial, SCRATCH) as scratch:
        work = TreeClone(top, clone, scratch, look).make(basis.inner)
    room = work.room
    for folder in basis.beside:
        with tree.parent_of(str(store.root / basis.snapshot), (*folder, b".")) as descriptor:
            room = room.and_of(os.fstat(descriptor))
    # Of what was copied the snapshot keeps what the clone has not: how much that is was not counted.
    groups = None if work.copied else work.groups
    answer = ClonedFilesystem(
        basis.mount, basis.snapshot, work.names, work.folders, work.kept, work.linked, work.copied, work.removed
    )
    return _FilesystemClone(answer, room, groups)


def _note(store: StoreFolder, name: str, bases: Sequence[_Origin], cloned: Sequence[_FilesystemClone]) -> None:
    """Write down with the partial what was cloned, and before that no more what was cloned and composed until now."""
    before, ours = read_json(store.begun(name)), {basis.mount for basis in bases}
    known = before.get("cloned")
    others = {mount: each for mount, each in known.items() if mount not in ours} if isinstance(known, dict) else {}
    names = {each.answer.mount: _noted(each) for each in cloned}
    rest = {key: value for key, value in before.items() if key not in (*NO_MORE, "cloned")}
    if cloned or len(rest) < len(before):
        durable.write_json(store.begun(name), {**rest, "cloned": {**others, **names}})


def _noted(clone: _FilesystemClone) -> Mapping[str, Any]:
    noted = {"basis": clone.answer.basis, "names": clone.answer.names}
    if clone.groups is None:
        return noted
    return {**noted, "room": clone.room, "groups": clone.groups}


def _root(store: StoreFolder, opened: contextlib.ExitStack) -> int:
    return _kept(opened, os.open(store.root, tree.FOLDER))


def _kept(opened: contextlib.ExitStack, descriptor: int) -> int:
    opened.callback(os.close, descriptor)
    return descriptor
