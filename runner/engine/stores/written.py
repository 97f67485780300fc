"""The part of the journal about what was written: where each job sealed its snapshots, when, and to which head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from runner.model.facts import Wrote
from runner.model.names import HEAD, SNAPSHOT
from runner.model.role import Role
from runner.model.run import State
from runner.model.stored import SeenHead

_MOST = 5000
# Of what `begin` answers the folder of the partial and the disk, which once `check-disk` told; of whatever became of
# the job or its run after the seal nothing is asked.
_SEALS = """
SELECT seal.job, seal.ended, json_extract(begun.result, '$.partial'),
       coalesce(json_extract(begun.result, '$.uuid'), json_extract(disk.result, '$.uuid'))
FROM steps AS seal
JOIN steps AS begun ON begun.plan = seal.plan AND begun.job = seal.job AND begun.role = ? AND begun.state = ?
LEFT JOIN steps AS disk ON disk.plan = seal.plan AND disk.job = seal.job AND disk.role = ? AND disk.state = ?
WHERE seal.role = ? AND seal.state = ? AND seal.ended IS NOT NULL
GROUP BY seal.plan, seal.job ORDER BY seal.rowid DESC LIMIT ?
"""
_ANSWERED = (Role.SEAL, Role.EXPIRE, Role.AUDIT)
_LETTING_GO = (Role.EXPIRE, Role.CLONE, Role.ASIDE, Role.DROP)
# Of so many steps.
_MOST_LETTING_GO = 1000
_MOST_ANSWERED = 1000
_HEADS = """
SELECT job, json_extract(result, '$.head') AS head, ended, max(rowid) FROM steps
WHERE role IN (?, ?, ?) AND state = ? AND ended IS NOT NULL AND json_extract(result, '$.head') != '' GROUP BY job
"""
_SINCE = """
SELECT job, json_extract(result, '$.head'), ended, rowid FROM steps
WHERE role IN (?, ?, ?) AND state = ? AND ended IS NOT NULL AND rowid > ? AND json_extract(result, '$.head') != ''
ORDER BY rowid DESC LIMIT ?
"""
# However they ended: what was begun may have been done. What such a step is about is the snapshot.
_LET_GO = "SELECT subject FROM steps WHERE role IN (?, ?, ?, ?) ORDER BY rowid DESC LIMIT ?"
# However it ended: what was begun may have been done. What it is about is the disk.
_MADE = "SELECT max(rowid), started FROM steps WHERE role = ? AND subject = ? AND (state IS NULL OR state IN (?, ?, ?))"


def places(rows: Callable[..., list[tuple[Any, ...]]]) -> Mapping[str, tuple[Wrote, ...]]:
    """For each job the stores that it sealed snapshots in, by folder and disk; what cannot be read is none."""
    known: dict[str, dict[tuple[str, str], Wrote]] = {}
    values = (Role.BEGIN, State.DONE, Role.DISK, State.DONE, Role.SEAL, State.DONE)
    for job, ended, partial, uuid in rows(_SEALS, *(value.value for value in values), _MOST):
        store, between, name = str(partial).rpartition("/.partial/")
        if not between:
            continue
        at, own = datetime.fromisoformat(ended), known.setdefault(job, {})
        here = Wrote(path=store, uuid=str(uuid or ""), first=at, last=at, names=())
        before = own.get((here.path, here.uuid), here)
        # The rows come newest first.
        names, first, last = (name, *before.names), min(before.first, at), max(before.last, at)
        own[here.path, here.uuid] = replace(before, first=first, last=last, names=names)
    return {job: tuple(wrote.values()) for job, wrote in known.items()}


class Heads:
    """What the journal has seen of the chains of stores."""

    def __init__(self, rows: Callable[..., list[tuple[Any, ...]]]) -> None:
        """`rows` gives the rows that a statement of the journal selects."""
        self._rows = rows

    def last(self) -> Mapping[str, SeenHead]:
        """By job the head that one of its steps answered last."""
        rows = self._rows(_HEADS, *(role.value for role in _ANSWERED), State.DONE.value)
        return {
            job: SeenHead(head=head, at=datetime.fromisoformat(ended), place=place)
            for job, head, ended, place in rows
            if isinstance(head, str) and HEAD.fullmatch(head)
        }

    def answered(self, job_names: Sequence[str], since: int) -> tuple[SeenHead, ...]:
        """The heads that steps of these jobs were answered after that place of the journal, the last first."""
        rows = self._rows(_SINCE, *(role.value for role in _ANSWERED), State.DONE.value, since, _MOST_ANSWERED)
        return tuple(
            SeenHead(head=head, at=datetime.fromisoformat(ended), place=place)
            for job, head, ended, place in rows
            if job in job_names and isinstance(head, str) and HEAD.fullmatch(head)
        )

    def made(self, disk: str) -> tuple[int, datetime] | None:
        """Where in the journal, and when, a step of ours last made the filesystem of that disk; None where none did."""
        states = (State.DONE, State.FAILED, State.INTERRUPTED)
        for place, started in self._rows(_MADE, Role.FORMAT.value, disk, *(state.value for state in states)):
            return (place, datetime.fromisoformat(started)) if place else None
        return None

    def asked(self) -> frozenset[str]:
        """The snapshots that steps of any run were to let go, the last ones."""
        rows = self._rows(_LET_GO, *(role.value for role in _LETTING_GO), _MOST_LETTING_GO)
        return frozenset(str(name) for (name,) in rows if SNAPSHOT.fullmatch(str(name)))
