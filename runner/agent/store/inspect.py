"""A store as `probe` answers it: disk, snapshots, records, who works on it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import clock
from ..answer import Refused
from ..arguments import DeclaredDisk
from . import disk, freed, lock
from .layout import Store, folders, nearest, open_store, partials, read_json
from .pins import StoredPin, pins
from .proven import Proof, proofs

SNAPSHOT = ("started", "sealed", "host", "job", "files", "added_files", "added_bytes")


def inspect_store(request: Mapping[str, Any], *, played: bool) -> dict[str, Any]:
    """Facts of one store; `played` is true in a sandbox, where missing parents are nothing."""
    path = str(request["path"])
    try:
        return _inspect(path, request, played=played)
    except OSError as problem:
        error = f"{path} cannot be read: {problem.strerror or problem}; look at the disk"
        return {"path": path, "exists": False, "problem": error}


def _inspect(path: str, request: Mapping[str, Any], *, played: bool) -> dict[str, Any]:
    store = open_store(path)
    state = disk.look(store, DeclaredDisk(str(request.get("mount", "")), str(request.get("uuid", ""))))
    exists = store.root.is_dir()
    here = nearest(store.root)
    proven = proofs(store)
    return {
        "path": str(store.root),
        "exists": exists,
        "mounted": state.mounted,
        "writable": os.access(here, os.W_OK) and not state.read_only,
        "uuid": state.uuid,
        "device": state.device,
        "problem": _problem(store, state, exists=exists, played=played),
        "whole_seconds": disk.whole_seconds(store),
        "sealed": _snapshots(store, proven),
        "partials": [_partial(store, name) for name in partials(store)],
        "trash": _names(store.trash),
        "holder": lock.holder(store.lock),
        "space": _space(here),
        "max_links": _max_links(here),
        "proven": {sort: each._asdict() for sort, each in proven.items()},
    }


def _problem(store: Store, state: disk.StoreDisk, *, exists: bool, played: bool) -> str:
    if state.problem:
        return f"{state.problem}; {state.do}"
    if not exists and os.path.lexists(store.root):
        return f"{store.root} is not a folder; correct the path in jobs.toml, or move what is there"
    if not exists and not played and not store.root.parent.is_dir():
        return f"{store.root.parent} is not there; make it, or correct the path in jobs.toml"
    return ""


def _snapshots(store: Store, proven: Mapping[str, Proof]) -> list[dict[str, Any]]:
    names = folders(store)
    known = standing(store, names)
    sorts = {name: [sort for sort, each in proven.items() if each.snapshot == name] for name in names}
    return [{**_snapshot(store, name), **known[name], "proven": sorts[name]} for name in names]


def _snapshot(store: Store, name: str) -> dict[str, Any]:
    record, recorded = read_json(store.record(name)), store.record(name).exists()
    about: dict[str, Any] = {key: record[key] for key in SNAPSHOT if record.get(key) is not None}
    points = record.get("filesystems", ())
    if points and all(point.get("folders") is not None for point in points):
        about["folders"] = sum(int(point["folders"]) for point in points)
    # Of a record that cannot be read it is not known whether there were exceptions: it is not a clean one.
    about["exceptions"] = record.get("exceptions") if recorded else 0
    return {
        **about,
        "name": name,
        "recorded": recorded,
        "filesystems": [str(point.get("mount", "")) for point in points],
    }


def _partial(store: Store, name: str) -> dict[str, Any]:
    begun = read_json(store.begun(name))
    points = [str(point) for point in begun.get("filesystems", ())]
    return {"name": name, "basis": str(begun.get("basis", "")), "filesystems": points}


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _space(folder: Path) -> dict[str, int]:
    space = os.statvfs(folder)
    return {
        "size": space.f_blocks * space.f_frsize,
        "free": space.f_bfree * space.f_frsize,
        "available": space.f_bavail * space.f_frsize,
        "inodes": space.f_files,
        "inodes_free": space.f_ffree,
    }


def _max_links(folder: Path) -> int | None:
    try:
        return os.pathconf(folder, "PC_LINK_MAX")
    except (OSError, ValueError):
        return None


def standing(store: Store, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each snapshot the fields `pinned_until`, `pinned_why`, `being_read`, `freed_bytes` and
    `freed_inodes` of `Snapshot` that are known. Reads only.
    """
    read, pinned, gains = _being_read(store, names), _pins(store), freed.oldest(store)
    facts: dict[str, dict[str, Any]] = {name: {"being_read": name in read} for name in names}
    for name, pin in pinned.items():
        facts.get(name, {}).update(pinned_until=clock.text(pin.until), pinned_why=pin.why)
    for name, gain in gains.items():
        facts[name].update(freed_bytes=gain.bytes, freed_inodes=gain.inodes)
    return facts


def _pins(store: Store) -> dict[str, StoredPin]:
    # A file that cannot be understood is not this reading's matter: `expire` refuses until it is corrected.
    try:
        return pins(store)
    except (Refused, OSError):
        return {}


def _being_read(store: Store, names: Sequence[str]) -> frozenset[str]:
    try:
        descriptor = os.open(store.lock, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return frozenset()
    try:
        return frozenset(name for name in names if lock.held_by(descriptor, lock.byte_of(name)) is not None)
    finally:
        os.close(descriptor)
