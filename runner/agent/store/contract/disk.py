"""The options of `check-disk`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import DeclaredDisk, PathWord, Uuid


class CheckDisk(NamedTuple):
    """Options of `check-disk`."""

    store: PathWord
    disk: DeclaredDisk = DeclaredDisk()


class DiskChecked(NamedTuple):
    """Answer of `check-disk`."""

    ok: bool
    uuid: Uuid
