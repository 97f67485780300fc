"""`begin`: make the folder that a new snapshot is sent into."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePosixPath

from .. import clock, durable
from ..answer import Refused, reply
from ..arguments import parse_as
from ..host import room as rooms
from ..host.mounts import mount_of, mounts
from ..host.processes import boot_id
from ..store import aside, disk, freed, received
from ..store.layout import StoreFolder, folders, is_name, open_store, partials, read_json, sealed
from ..store.lock import working
from ..store.trash import free_name
from .contract import Begin, Begun
from .instant import require_not_sealed


def run(argv: Sequence[str]) -> int:
    """Make `.partial/NAME` with a folder for each mount point, `0`, `1` and so on; print where it is.

    Refused unless the store is what the plan was made from: `--basis` is the newest sealed snapshot,
    `--resume` names every partial there is, and each `--share` is a folder in it.
    """
    options = parse_as(Begin, argv)
    store, name, points = open_store(options.store), options.name, options.points
    resumed = tuple(sorted(options.resume))
    _check_points(points)
    with working(store, options.plan):
        state = disk.require_writable(store, options.disk)
        require_not_sealed(store, options.job, options.instant)
        _check_names(store, name, options.basis, resumed)
        _tidy(store)
        _require_folders(store, resumed, options.share)
        _drop_torn(store, resumed)
        freed.forget(store, _older(options))
        whole = not disk.keeps_nanoseconds(store.runner)
        if options.disk.mount and state.uuid:
            disk.mark(store, state.uuid, clock.now())
        begun = {
            "format": received.APART,
            "name": name,
            "plan": options.plan,
            "instant": options.instant or None,
            "basis": options.basis,
            "resumed": resumed,
            "filesystems": points,
            "older": _older(options),
            "share": options.share,
            "started": clock.now(),
            "free": rooms.free(os.statvfs(store.root))._asdict(),
            "boot": boot_id(),
            "whole_seconds": whole,
        }
        _make(store, name, points)
        durable.write_json(store.begun(name), begun)
        reply(Begun(str(store.partial / name), whole))
    return 0


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
        raise Refused(f"the newest snapshot is {newest or 'none'}, not {basis or 'none'}", "make a new plan")
    there = partials(store)
    if there != resumed:
        raise Refused(
            f"the interrupted snapshots are {', '.join(there) or 'none'}, not {', '.join(resumed) or 'none'}",
            "make a new plan",
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
            (store.partial / name).rmdir()
        for path in store.partial.glob("*.json"):
            if path.stem not in there:
                path.unlink()
    if store.records.is_dir():
        for path in store.records.glob("*.tmp"):
            path.unlink()


def _require_folders(store: StoreFolder, resumed: Sequence[str], share: Sequence[str]) -> None:
    """Refused unless rsync can compare with these folders without leaving the store."""
    for other in resumed:
        received.part(store, other)
    for path in share:
        if not received.is_folder(store, path):
            raise Refused(
                f"{path!a} in the store is no folder, or a link leads to it: what it shows may not be the snapshot's",
                "make a new plan, which shares nothing with it",
            )


def _drop_torn(store: StoreFolder, resumed: Sequence[str]) -> None:
    """Empty the partials in which a power cut may have left files with their size and time, but not their content.

    rsync would take such a file for the source's. Only where the disk writes names before data, or in any order.
    """
    mount = mount_of(store.root, mounts())
    if mount is None or not (mount.type == "ext2" or "data=writeback" in mount.options):
        return
    for other in resumed:
        if read_json(store.begun(other)).get("boot") == boot_id():
            continue
        place = store.partial / other
        parts = [path.name for path in place.iterdir() if path.name.isdigit()]
        durable.make_folder(store.trash, 0o700)
        place.rename(free_name(store, other))
        place.mkdir(0o700)
        for part in parts:
            durable.make_folder(place / part, 0o700)


def _make(store: StoreFolder, name: str, points: Sequence[str]) -> None:
    durable.make_folder(store.partial, 0o700)
    durable.make_folder(store.parts, 0o700)
    folder = store.partial / name
    folder.mkdir(0o700)
    for number in range(len(points)):
        durable.make_folder(folder / str(number), 0o700)
    durable.sync_folder(folder)
    durable.sync_folder(store.partial)
    durable.sync_folder(store.root)
