"""`begin`: make the folder that a new snapshot is sent into."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePosixPath

from .. import clock, durable
from ..answer import STALE, Refused, reply
from ..arguments import parse_as
from ..compose.full import full
from ..host import room as rooms
from ..host.processes import boot_id
from ..host.room import Room
from ..policy import limits
from ..store import aside, disk, freed, owned, received, receivers
from ..store.layout import StoreFolder, folders, is_name, open_store, partials, read_json, sealed
from ..store.lock import working
from . import resume
from .contract.begin import Begin, Begun
from .instant import require_not_sealed

# Beside the folders of the mount points: those that they are in, and what is written down.
_BESIDE = 16


def run(argv: Sequence[str]) -> int:
    """Make `.partial/NAME` and `.incoming/NAME`, in each a folder for each mount point, `0`, `1` and so on.

    Refused unless the store is what the plan was made from: `--basis` is the newest sealed snapshot,
    `--resume` names every partial there is, which are taken up, and each `--share` is a folder in it.
    """
    options = parse_as(Begin, argv)
    store, name, points = open_store(options.store), options.name, options.points
    resumed = tuple(sorted(options.resume))
    _check_points(points)
    with working(store, options.plan) as descriptor:
        state = disk.require_writable(store, options.disk)
        require_not_sealed(store, options.job, options.instant)
        limits.require_new(store, name)
        limits.require_basis(store, (path.partition("/")[0] for path in options.share))
        _check_names(store, name, options.basis, resumed)
        receivers.end(descriptor, (*resumed, name))
        _tidy(store)
        _require_room(store, len(points))
        _require_folders(store, options.share)
        for folder in filter(os.path.lexists, (store.incoming, store.trash)):
            owned.require_folder(folder, "find out who made it and move it away: the next run makes it anew")
        freed.forget(store, _older(options))
        whole = not disk.keeps_nanoseconds(store.runner)
        if options.disk.mount and state.uuid:
            disk.mark(store, state.uuid, clock.now())
        begun = {
            "format": received.BESIDE,
            "name": name,
            "plan": options.plan,
            "instant": options.instant or None,
            "basis": options.basis,
            "resumed": resumed,
            "filesystems": points,
            "older": _older(options),
            "share": options.share,
            "whole": options.whole,
            "kept": _kept(store, resumed, points),
            "started": clock.now(),
            "free": rooms.free(os.statvfs(store.root))._asdict(),
            "boot": boot_id(),
            "whole_seconds": whole,
        }
        durable.make_folder(store.partial, 0o700)
        # First, so that what it takes up from here on is known to be its.
        durable.write_json(store.begun(name), begun)
        resume.make(resume.NewSnapshot(store, name, points, options.whole), resumed)
        reply(Begun(str(store.partial / name), whole, state.uuid if options.disk.mount else ""))
    return 0


def _require_room(store: StoreFolder, points: int) -> None:
    """Refused where the folders themselves would take the last of the disk: whoever begins says how many there are."""
    space = os.statvfs(store.root)
    seen = rooms.guard(store.root).seen(space)
    names = 2 * points + _BESIDE
    need = Room(names * space.f_frsize, names if seen.last.inodes else 0)
    if rooms.short(seen.free, Room(seen.last.bytes + need.bytes, seen.last.inodes + need.inodes)):
        raise full()


def _kept(store: StoreFolder, resumed: Sequence[str], points: Sequence[str]) -> tuple[str, ...]:
    """The interrupted snapshots of which something is taken up and that had the same filesystems, newest first."""
    chain: list[str] = []
    for other in sorted(resumed, reverse=True):
        begun = read_json(store.begun(other))
        if list(begun.get("filesystems", ())) == list(points):
            chain += [other, *(str(each) for each in begun.get("kept", ()))]
    return tuple(each for each in dict.fromkeys(chain) if is_name(each))


def _older(options: Begin) -> tuple[str, ...]:
    """The snapshots before the newest with which it shares files as well."""
    names = {path.partition("/")[0] for path in options.share}
    return tuple(sorted(name for name in names if is_name(name) and name != options.basis))


def _check_points(points: Sequence[str]) -> None:
    if not points:
        raise Refused("no mount point is named", "see docs/store.md")
    for point in points:
        parts = PurePosixPath(point).parts
        if not point.startswith("/") or ".." in parts or point.startswith("//"):
            raise Refused(f"not an absolute mount point: {point!a}", "name each as on the host, from /")
    if len(set(points)) != len(points):
        raise Refused("a mount point is named twice", "name each once")


def _check_names(store: StoreFolder, name: str, basis: str, resumed: tuple[str, ...]) -> None:
    counted = sealed(store)
    newest = counted[-1] if counted else ""
    if newest != basis:
        text = f"the newest snapshot is {newest or 'none'}, not {basis or 'none'}"
        raise Refused(text, "make a new plan", code=STALE)
    there = partials(store)
    if there != resumed:
        raise Refused(
            f"the interrupted snapshots are {', '.join(there) or 'none'}, not {', '.join(resumed) or 'none'}",
            "make a new plan",
            code=STALE,
        )
    for other in (*counted, *there):
        if other >= name:
            raise Refused(f"{name} is not later than {other}", "check the clocks, then make a new plan", cause="clock")
    if name in folders(store):
        raise Refused(f"there is a {name} already", "look at what it is; the next plan takes another name")


def _tidy(store: StoreFolder) -> None:
    """Finish what a seal that was cut off after its rename left undone, and drop torn drafts."""
    aside.tidy(store)
    aside.point_latest(store)
    counted, there = sealed(store), partials(store)
    if store.partial.is_dir():
        for name in set(counted).intersection(path.name for path in store.partial.iterdir()):
            try:
                (store.partial / name).rmdir()
            except OSError:
                # Whatever is in it is not what was sealed, and nobody is to come for it.
                resume.throw_away(store, store.partial / name)
        for path in store.partial.glob("*.json"):
            if path.stem not in there:
                path.unlink()
    for folder in (store.records, store.partial):
        for path in folder.glob("*.tmp") if folder.is_dir() else ():
            path.unlink()
    resume.tidy(store)


def _require_folders(store: StoreFolder, share: Sequence[str]) -> None:
    """Refused unless what is in these folders can be linked without leaving the store."""
    for path in share:
        if not received.is_folder(store, path):
            raise Refused(
                f"{path!a} in the store is no folder, or a link leads to it: what it shows may not be the snapshot's",
                "make a new plan, which shares nothing with it",
            )
