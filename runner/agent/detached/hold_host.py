"""`hold-host`: take the lock on a host's packages or power and keep it until stdin ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..answer import BUSY, Refused
from ..arguments import parse_as
from ..store import hold, lock
from . import records
from .contract import HoldHost


def run(argv: Sequence[str]) -> int:
    """Print `{"held": true}` and wait for the end of stdin; exit 75 with the holder if taken.

    The packages are also taken while a detached command works on them, unless it is one of this plan or
    of the plan that `--attach` names: a plan that waits for its end.
    """
    options = parse_as(HoldHost, argv)
    resource, plan = options.resource, options.plan
    if not plan:
        raise Refused("--plan is missing", "say for which plan the lock is taken")
    path = lock.place(options.run, resource)
    descriptor = hold.take(path)
    at_work = records.working(options.state) if resource == "packages" else None
    former = None if options.run else lock.former_holder(resource)
    if descriptor is not None and former is None and _free(descriptor, at_work, (plan, options.attach)):
        hold.keep(descriptor, plan, options.who)
        return 0
    raise Refused(
        f"this host's {resource}: held by another run",
        "wait until it has ended",
        code=BUSY,
        holder=(at_work if descriptor is not None else None) or former or lock.holder(path) or {},
    )


def _free(descriptor: int, at_work: Mapping[str, Any] | None, plans: Sequence[str]) -> bool:
    if at_work is not None:
        return at_work["plan"] in plans
    return lock.held_by(descriptor, lock.WORK) is None
