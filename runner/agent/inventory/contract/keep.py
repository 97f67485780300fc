"""The options of `keep-about`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import Count, DeclaredDisk, PathWord, SnapshotWord


class KeepAbout(NamedTuple):
    """Options of `keep-about`: the steps that printed `about` and jobs.toml, whose SHA-256 the plan knows."""

    store: PathWord
    name: SnapshotWord
    plan: str
    about: str
    site: str
    site_sha256: str
    dumps: tuple[str, ...] = ()
    disk: DeclaredDisk = DeclaredDisk()


class AboutKept(NamedTuple):
    """Answer of `keep-about`: how many files there are, how many of them are new, whether jobs.toml is kept."""

    kept: str
    files: Count
    fresh: Count
    site: bool
