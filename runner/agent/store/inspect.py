"""A store as `probe` tells it: the disk, the snapshots and their records, who works on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import disk, lock
from .layout import Store, folders, nearest, open_store, partials, read_json
from .proven import Proof, proofs
from .standing import standing

SNAPSHOT = ("started", "sealed", "host", "job", "files", "added_files", "added_bytes", "exceptions")


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
    declared = disk.Declared(str(request.get("mount", "")), str(request.get("uuid", "")).lower())
    found = disk.look(store, declared)
    exists = store.root.is_dir()
    here = nearest(store.root)
    proven = proofs(store)
    return {
        "path": str(store.root),
        "exists": exists,
        "mounted": found.mounted,
        "writable": os.access(here, os.W_OK) and not found.read_only,
        "uuid": found.uuid,
        "device": found.device,
        "problem": _problem(store, found, exists=exists, played=played),
        "whole_seconds": disk.whole_seconds(store),
        "sealed": _snapshots(store, proven),
        "partials": [_partial(store, name) for name in partials(store)],
        "trash": _names(store.trash),
        "holder": lock.holder(store.lock),
        "space": _space(here),
        "max_links": _max_links(here),
        "proven": {sort: each._asdict() for sort, each in proven.items()},
    }


def _problem(store: Store, found: disk.Found, *, exists: bool, played: bool) -> str:
    if found.problem:
        return f"{found.problem}; {found.do}"
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
    record = read_json(store.record(name))
    about: dict[str, Any] = {"name": name, "recorded": store.record(name).exists()}
    about.update({key: record[key] for key in SNAPSHOT if record.get(key) is not None})
    points = record.get("filesystems", ())
    about["filesystems"] = [str(each.get("mount", "")) for each in points]
    if points and all("folders" in each for each in points):
        about["folders"] = sum(int(each["folders"]) for each in points)
    return about


def _partial(store: Store, name: str) -> dict[str, Any]:
    told = read_json(store.told(name))
    points = [str(point) for point in told.get("filesystems", ())]
    return {"name": name, "basis": str(told.get("basis", "")), "filesystems": points}


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
