"""`compose`: make of the clone and of what was sent the filesystems of a snapshot."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Optional

from .. import durable, tree
from ..answer import Refused, reply, shown
from ..arguments import MOST, pairs, parse_as
from ..frames import Frame, frames
from ..host.mounts import mounts
from ..snapshots.contract.record import LeftBehind
from ..snapshots.sums import LEVEL, zipped
from ..store import begun as begins
from ..store import disk, received, trash
from ..store.layout import StoreFolder, open_store
from ..store.lock import working
from .contract.compose import Compose, Composed, ComposedFilesystem
from .full import not_full
from .leaving import Leaving, Taken
from .older import OlderSnapshots
from .settled import SettledFilesystem, require_whole, settled, top_attributes
from .tree_compose import ComposedTree

# Of each filesystem the folders on the way to the last name stay open in every older snapshot that is shared with.
OPEN_FILES = 4096


class ClonedSnapshot(NamedTuple):
    """The partial `name`, whose filesystems at `cloned` are clones; `begun` is what `begin` and `clone` wrote."""

    store: StoreFolder
    name: str
    begun: Mapping[str, Any]

    @property
    def points(self) -> tuple[str, ...]:
        """The mount points, in the order of their numbers."""
        return tuple(map(str, self.begun["filesystems"]))

    @property
    def cloned(self) -> Mapping[str, Mapping[str, Any]]:
        """By mount point what `clone` wrote."""
        return dict(self.begun.get("cloned", {}))

    @property
    def incoming(self) -> Path:
        """Where each filesystem was sent, in a folder of its own."""
        return self.store.incoming / self.name

    @property
    def partial(self) -> Path:
        """Where each of them is composed."""
        return self.store.partial / self.name

    def older(self, point: str) -> tuple[str, ...]:
        """Where other snapshots that may be shared with have this filesystem."""
        inside = point.strip("/")
        places = (str(path).partition("/") for path in self.begun.get("share", ()))
        basis = self.cloned[point].get("basis")
        return tuple(f"{name}/{inside}" for name, _, below in places if below.strip("/") == inside and name != basis)


class Outputs(NamedTuple):
    """The steps whose outputs are to be read, with their mount points."""

    listed: Mapping[str, str]
    settled: Mapping[str, str]


class _Finished(NamedTuple):
    """A filesystem that was composed; what its basis has and it has not, None where that is not known; `shared` files
    are those of older snapshots."""

    answer: ComposedFilesystem
    left: Optional[LeftBehind]  # noqa: UP045
    shared: int


def run(argv: Sequence[str]) -> int:
    """Compose the partial NAME from the lists and answers on stdin, or refuse.

    What is half done when it is refused or cut off is no clone any more, and `begun` says so first of all: the next
    snapshot is cloned anew over it. No sealed snapshot is touched.
    """
    options = parse_as(Compose, argv)
    store, name = open_store(options.store), options.name
    outputs = Outputs(pairs(options.listed, "listed"), pairs(options.settled, "settled"))
    with working(store, options.plan) as descriptor:
        disk.require_writable(store, options.disk)
        snapshot = _snapshot(store, options, descriptor)
        _require_outputs(snapshot, outputs)
        _require_no_mount(snapshot)
        _allow_open_files()
        with not_full():
            rest = {key: value for key, value in snapshot.begun.items() if key != "cloned"}
            composing = {**rest, "composing": sorted(snapshot.cloned)}
            durable.write_json(store.begun(name), composing)
            with _gone_names(snapshot) as names:
                done = _compose(snapshot, outputs, names)
            noted = {
                **_move_whole(snapshot, composing),
                "composed": {each.answer.mount: each.answer.names for each in done},
                "left": [each.left._asdict() for each in done if each.left],
                "shared": sum(each.shared for each in done),
            }
            durable.write_json(store.begun(name), {**snapshot.begun, **noted})
    reply(Composed(tuple(each.answer for each in done)))
    return 0


def _snapshot(store: StoreFolder, options: Compose, descriptor: int) -> ClonedSnapshot:
    name = options.name
    begun = begins.require(store, name, options.plan, descriptor)
    if "composing" in begun or "composed" in begun:
        raise Refused(f"the partial {name} has been composed already, or half", "run the job again", again=True)
    return ClonedSnapshot(store, name, begun)


def _require_outputs(snapshot: ClonedSnapshot, outputs: Outputs) -> None:
    cloned = set(snapshot.cloned)
    named = (set(outputs.listed.values()), set(outputs.settled.values()))
    if not cloned <= set(snapshot.points) or named != (cloned, cloned):
        raise Refused("the lists are not those of the filesystems that were cloned", "make a new plan")


def _require_no_mount(snapshot: ClonedSnapshot) -> None:
    """A bind mount of the same filesystem has its device: only the table of mounts tells."""
    for mount in mounts():
        point = Path(mount.point)
        if any(place == point or place in point.parents for place in (snapshot.partial, snapshot.incoming)):
            raise Refused(f"something is mounted at {shown(mount.point)}", "unmount it, then run the job again")


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < OPEN_FILES:
        raised = hard if 0 <= hard < OPEN_FILES else OPEN_FILES
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))


@contextlib.contextmanager
def _gone_names(snapshot: ClonedSnapshot) -> Iterator[Optional[BinaryIO]]:  # noqa: UP045
    """Where to note which names are gone; of a snapshot that was made of nothing none is."""
    if not snapshot.cloned:
        yield None
        return
    durable.make_folder(snapshot.store.records, 0o700)
    with durable.replacing(snapshot.store.gone(snapshot.name), 0o600) as stream, zipped(stream, LEVEL) as names:
        yield names


def _compose(snapshot: ClonedSnapshot, outputs: Outputs, names: BinaryIO | None) -> tuple[_Finished, ...]:
    with contextlib.ExitStack() as opened:
        trees: dict[str, ComposedTree] = {}
        answers: dict[str, SettledFilesystem] = {}
        seen: set[str] = set()
        for frame in frames(sys.stdin.buffer):
            if frame.source in seen:
                raise Refused(f"{shown(frame.source)} is given twice", "give each output once")
            seen.add(frame.source)
            point = outputs.listed.get(frame.source)
            # The look that had no record lists nothing, and another one does in its place.
            if point is not None and frame.state == "done" and frame.exit == 0:
                if point in trees:
                    raise Refused(f"what changed in {shown(point)} is listed twice", "give one list of it")
                if point not in answers:
                    raise Refused(f"what became of {shown(point)} is not known yet", "give that before the list")
                leaving = _leaving(snapshot, point, names)
                trees[point] = _taken(snapshot, point, frame, answers[point], leaving, opened)
            elif frame.source in outputs.settled:
                point = outputs.settled[frame.source]
                answers[point] = settled(frame, point, os.statvfs(snapshot.store.root).f_files or MOST)
        return tuple(_finished(snapshot, point, trees, answers) for point in snapshot.cloned)


def _taken(
    snapshot: ClonedSnapshot, point: str, frame: Frame, answer: SettledFilesystem, leaving: Leaving,
    opened: contextlib.ExitStack,
) -> ComposedTree:  # fmt: skip
    number, root = str(snapshot.points.index(point)), snapshot.store.root
    place, sent = snapshot.partial / number, snapshot.incoming / number
    below = f"/{place.relative_to(root)}"
    older = OlderSnapshots(opened, root, snapshot.older(point), below)
    with _opened(root, place) as clone, _opened(root, sent) as incoming:
        composed = ComposedTree(place, os.dup(clone), os.dup(incoming), older, leaving)
    opened.callback(composed.close)
    composed.fates = answer.fates
    for name in frame.names():
        composed.take(name)
    composed.rest()
    return composed


def _leaving(snapshot: ClonedSnapshot, point: str, names: BinaryIO | None) -> Leaving:
    groups = snapshot.cloned[point].get("groups", {})
    place = os.fsencode(point).strip(b"/")
    return Leaving({int(inode): int(many) for inode, many in groups.items()}, names, place)


def _finished(
    snapshot: ClonedSnapshot, point: str, trees: Mapping[str, ComposedTree], answers: Mapping[str, SettledFilesystem]
) -> _Finished:
    if point not in trees or point not in answers:
        raise Refused(f"what changed in {shown(point)} is not known to its end", "run the job again", again=True)
    composed, now = trees[point], answers[point].answer
    names = int(snapshot.cloned[point]["names"]) - composed.removed + composed.names_placed
    answer = ComposedFilesystem(
        point, max(names, 0), composed.names_placed, composed.kept, composed.removed, composed.missing
    )
    require_whole(answer, answers[point], composed.unsent)
    composed.finish(top_attributes(now.top))
    return _Finished(answer, _left(snapshot.cloned[point], point, composed), composed.shared)


def _left(cloned: Mapping[str, Any], point: str, composed: ComposedTree) -> Optional[LeftBehind]:  # noqa: UP045
    """What the basis has there and this one has not."""
    # What an older snapshot has in it may be what left.
    if composed.shared or "room" not in cloned:
        return None
    own, gone = Taken(*cloned["room"]), composed.left
    return LeftBehind(str(cloned["basis"]), point, own.bytes + gone.bytes, own.inodes + gone.inodes)


def _move_whole(snapshot: ClonedSnapshot, begun: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give each filesystem that was sent whole its place; what an interrupted snapshot left there goes.

    Of each of them `begun` says so, as `moved`, while nothing is there: what is there from then on was received.
    """
    moved = [str(point) for point in begun.get("moved", ())]
    for number, point in enumerate(snapshot.points):
        if point in snapshot.cloned or point in moved:
            continue
        place = snapshot.partial / str(number)
        _, stuck = trash.empty(snapshot.store.root, place)
        if stuck:
            raise Refused(f"{stuck} names in {place} could not be removed", "is something mounted there?")
        moved.append(point)
        durable.write_json(snapshot.store.begun(snapshot.name), {**begun, "moved": moved})
        _move(snapshot, number)
    return {"moved": moved} if moved else {}


def _move(snapshot: ClonedSnapshot, number: int) -> None:
    # The folder itself becomes the snapshot's: whoever had it open would write to that. Nobody has: see `receivers`.
    root, place, sent = snapshot.store.root, snapshot.partial / str(number), snapshot.incoming / str(number)
    with _opened(root, place.parent) as here, _opened(root, sent.parent) as other, received.unchanged(sent):
        os.rename(sent.name, place.name, src_dir_fd=other, dst_dir_fd=here)


@contextlib.contextmanager
def _opened(root: Path, place: Path) -> Iterator[int]:
    """A folder of the store that no link leads to."""
    parts = tree.components(f"/{place.relative_to(root)}")
    with tree.parent_of(str(root), (*parts, b".")) as descriptor:
        yield descriptor
