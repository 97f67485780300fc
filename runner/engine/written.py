"""The part of the journal about what was written: where each job sealed its snapshots, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from runner.model.facts import Wrote
from runner.model.role import Role
from runner.model.run import State

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
