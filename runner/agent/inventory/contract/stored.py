"""The options of `about-of`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import PathWord, SnapshotWord
from .about import MachineFacts
from .dumps import SnapshotDumps


class AboutOf(NamedTuple):
    """Options of `about-of`: folders of dumps, beside those that are kept with the snapshot."""

    store: PathWord
    name: SnapshotWord
    dumps: tuple[str, ...] = ()


class StoredAbout(NamedTuple):
    """Answer of `about-of`: what a snapshot's host was, and the dumps in it.

    `files` are in `folder` on the store's host. Where nothing was kept, the facts are empty; `problem` says why
    they cannot be read.
    """

    folder: str
    facts: MachineFacts = MachineFacts()
    files: tuple[str, ...] = ()
    dumps: tuple[SnapshotDumps, ...] = ()
    problem: str = ""

    @property
    def known(self) -> bool:
        """Whether anything was kept of the host."""
        return self.facts != MachineFacts()
