"""The options of `audit --against`, and its answer."""

from __future__ import annotations

from typing import NamedTuple

from ...arguments import ChainHead, Count, PathWord


class AuditAgainst(NamedTuple):
    """Options of `audit --against`: the head is one that a mail had, `NUMBER:DIGEST`; `contents`: all is read too."""

    store: PathWord
    against: ChainHead = ""
    contents: bool = False


class HistoryFinding(NamedTuple):
    """Something that is not as the chain says; docs/store.md says what each `kind` is.

    `path` is in the snapshot, `.` for all of it; or one below `.runner` or `.aside`, of what is known of a snapshot.
    """

    kind: str
    path: str
    snapshots: tuple[str, ...]


class HistoryChange(NamedTuple):
    """A line of the chain that changed which snapshots count."""

    at: str
    event: str
    snapshot: str


class AuditedAgainst(NamedTuple):
    """Answer of `audit --against`: `findings` are the first of `total`, `since` the first of `changes`.

    `written` is when the line of that head was, `head` the one of now, `snapshots` how many count. Of those `unlisted`
    no audit has listed the names yet, so their trees were not compared. `read_files` had their contents compared;
    `unchecked` have a checksum that no program here can check.
    """

    written: str
    head: ChainHead
    lines: Count
    snapshots: Count
    unlisted: tuple[str, ...]
    findings: tuple[HistoryFinding, ...]
    total: Count
    since: tuple[HistoryChange, ...]
    changes: Count
    read_files: Count = 0
    unchecked: Count = 0
