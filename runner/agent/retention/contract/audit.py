"""The options of `audit` and `damaged`, and what the first answers."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...arguments import AbsolutePath, ChainHead, Count, DeclaredDisk, PathWord, Positive, SnapshotName


class Audit(NamedTuple):
    """Options of `audit`."""

    store: PathWord
    plan: str
    bytes: Positive
    seconds: Positive
    every: Positive
    disk: DeclaredDisk = DeclaredDisk()


class ListDamaged(NamedTuple):
    """Options of `damaged`: of the filesystem of `host` at `mount`, for what is made of the snapshot `basis`."""

    store: PathWord
    host: str
    mount: AbsolutePath
    basis: SnapshotName


class AuditFinding(NamedTuple):
    """Something that is not as it was sealed: `kind` is content, attributes, missing or added."""

    kind: str
    path: str
    snapshots: tuple[str, ...]


class Audited(NamedTuple):
    """Answer of `audit`: `findings` are the first of `total`.

    `complete_in_days` is of what can be compared, None where nothing was finished that it could be reckoned from.
    `lost_*` count what had checksums and has none now, `never_summed` the files that came without one. The next
    snapshots compare `noted` names with their hosts. `head` is that of the store's chain.
    """

    read_bytes: Count
    read_files: Count
    findings: tuple[AuditFinding, ...]
    total: Count
    taken: Count
    compared: Count
    unchecked: Count
    cursor: int
    complete_in_days: Optional[int]
    problem: str
    lost_snapshots: Count = 0
    lost_files: Count = 0
    lost_bytes: Count = 0
    never_summed: Count = 0
    noted: Count = 0
    head: ChainHead = ""
