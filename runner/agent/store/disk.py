"""Is the disk the disk: mounted where it should be, the one that was declared, and writable."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .. import durable
from ..answer import Refused, reply
from ..arguments import UUID, DeclaredDisk, parse_as
from ..host.fstab import unmounted
from ..host.mounts import EXT, device_of, mount_of, mounts, superblock, uuid_of
from ..policy import limits
from .contract.disk import CheckDisk, DiskChecked
from .layout import StoreFolder, nearest, open_store, require_json

HARMLESS = ("nosuid", "nodev")


class StoreDisk(NamedTuple):
    """The disk as it is now; `problem` and `do` are "" when the store may be used.

    `lacks` are the options with which no program and no device in a snapshot is one here, where they are not set.
    """

    mounted: bool = False
    uuid: str = ""
    device: str = ""
    read_only: bool = False
    lacks: tuple[str, ...] = ()
    problem: str = ""
    do: str = ""


def look(store: StoreFolder, declared: DeclaredDisk) -> StoreDisk:
    """Compare what is mounted with what is declared. Reads only; the store itself need not exist."""
    here = nearest(store.root)
    mount = mount_of(here, mounts())
    known = mount is not None and mount.local and bool(declared.mount or declared.uuid)
    uuid = uuid_of(mount) if mount and known else ""
    device = device_of(mount) if mount and mount.local else None
    own = here == store.root and here.stat().st_dev != here.parent.stat().st_dev
    lacks = tuple(option for option in HARMLESS if mount and option not in mount.options)
    state = StoreDisk(own, uuid, str(device or ""), bool(mount and mount.read_only), lacks)
    if declared.mount:
        problem = _not_mounted(store, declared)
        if problem:
            return state._replace(mounted=False, problem=problem, do=f"mount {declared.mount} and try again")
        state = state._replace(mounted=True)
    try:
        # Whoever has a key may declare what he likes, and can unmount where a person lets him end the host.
        ask = limits.is_bound() or (not declared.mount and here != store.root)
        if ask and (point := unmounted(store.root)):
            problem = f"nothing is mounted at {point}, and {store.root} is not there"
            return state._replace(problem=problem, do=f"mount {point} and try again, or correct the path in jobs.toml")
        problem = _wrong(state, declared, _marked(store) if declared.mount else "")
    except Refused as refused:
        return state._replace(problem=refused.error, do=refused.do)
    if problem:
        return state._replace(problem=problem, do="attach the right disk, or correct jobs.toml")
    if state.read_only:
        return state._replace(problem=f"{here} is mounted read-only", do="look for disk errors, then remount it")
    return state


def require(store: StoreFolder, declared: DeclaredDisk) -> StoreDisk:
    """As `look`, but any problem is Refused."""
    state = look(store, declared)
    if state.problem:
        raise Refused(state.problem, state.do, cause="unusable")
    return state


def require_writable(store: StoreFolder, declared: DeclaredDisk) -> StoreDisk:
    """As `require`, and by writing, syncing and removing a file: a failed disk may be mounted `rw` all the same."""
    state = require(store, declared)
    trial = store.runner / f"trial.{os.getpid()}"
    try:
        durable.write_file(trial, b"written to see whether this disk can be written\n")
        trial.unlink()
    except OSError as problem:
        raise Refused(
            f"{store.root} cannot be written: {problem.strerror}",
            "look at the disk and its free space",
            # Without an inode left the trial cannot be made either: the next plan makes room.
            again=problem.errno in (errno.ENOSPC, errno.EDQUOT),
            cause="full" if problem.errno in (errno.ENOSPC, errno.EDQUOT) else "unusable",
        ) from problem
    return state


def mark(store: StoreFolder, uuid: str, since: str) -> str:
    """Let the store keep on which disk it is, in one move; gives what it keeps: what is there already stays."""
    kept = _marked(store)
    if not kept:
        durable.write_json(store.disk, {"uuid": uuid, "since": since})
    return kept or uuid


def whole_seconds(store: StoreFolder) -> bool:
    """Whether times are kept in whole seconds only, as far as reading shows (True only if sure)."""
    for path in (store.root, store.runner, store.lock, store.records):
        try:
            if path.stat().st_mtime_ns % 10**9:
                return False
        except OSError:
            continue
    mount = mount_of(nearest(store.root), mounts())
    device = device_of(mount) if mount and mount.type in EXT else None
    block = superblock(device) if device else b""
    return bool(block) and int.from_bytes(block[0x58:0x5A], "little") == 128


def keeps_nanoseconds(folder: Path) -> bool:
    """Whether times below `folder` keep their nanoseconds, by giving a new file one and reading it."""
    trial = folder / f"trial.{os.getpid()}"
    try:
        trial.touch()
        os.utime(trial, ns=(1_000_000_000_123_456_789, 1_000_000_000_123_456_789))
        return trial.stat().st_mtime_ns == 1_000_000_000_123_456_789
    finally:
        trial.unlink(missing_ok=True)


def _not_mounted(store: StoreFolder, declared: DeclaredDisk) -> str:
    point = Path(declared.mount).resolve()
    try:
        status = point.stat()
    except OSError as problem:
        return f"the disk's mount point {declared.mount} is not there: {problem.strerror}"
    if status.st_dev == point.parent.stat().st_dev:
        return f"the disk is not mounted at {declared.mount}"
    if point != store.root and point not in store.root.parents:
        return f"{store.root} is not below {declared.mount}"
    if nearest(store.root).stat().st_dev != status.st_dev:
        return f"{store.root} is not on the disk mounted at {declared.mount}"
    return ""


def _marked(store: StoreFolder) -> str:
    """The uuid of the disk that the store was made on, "" where nobody noted it. Refused where it cannot be read."""
    path = store.disk
    marked = require_json(path).get("uuid", "")
    if not isinstance(marked, str) or not UUID.fullmatch(marked):
        raise Refused(f"{path} cannot be understood", "correct it, or remove it if you know that this is the disk")
    return marked.lower()


def _wrong(state: StoreDisk, declared: DeclaredDisk, marked: str) -> str:
    if declared.uuid and state.uuid != declared.uuid.lower():
        actual = state.uuid or "one whose uuid cannot be read"
        return f"another disk is mounted: {actual} instead of {declared.uuid.lower()}"
    if declared.mount and marked and state.uuid and marked != state.uuid:
        return f"this store was made on disk {marked}, but {state.uuid} is mounted"
    return ""


def run(argv: Sequence[str]) -> int:
    """Print the uuid of the store's disk, or refuse; reads only."""
    options = parse_as(CheckDisk, argv)
    state = require(open_store(options.store), options.disk)
    reply(DiskChecked(ok=True, uuid=state.uuid))
    return 0
