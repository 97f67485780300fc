"""`not-sealed`: whether a job must still make its snapshot for an instant; `begin` and `seal` ask that as well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from .. import clock
from ..answer import AlreadyDone, reply
from ..arguments import parse_as
from ..store.contract.due import StillDue
from ..store.layout import StoreFolder, open_store, read_json, sealed
from .contract.not_sealed import NotSealed

# A snapshot is named by the time at which it was planned, and that is after its instant, but for a clock set back.
MARGIN = timedelta(days=1)


def run(argv: Sequence[str]) -> int:
    """Print `{"due": true}`; exit 79 with the snapshot that JOB has sealed for that instant. Reads only."""
    options = parse_as(NotSealed, argv)
    require_not_sealed(open_store(options.store), options.job, options.instant)
    reply(StillDue(due=True))
    return 0


def require_not_sealed(store: StoreFolder, job: str, instant: str) -> None:
    """AlreadyDone where `job` has sealed a snapshot for `instant`; nothing was ever sealed for none, which is ""."""
    if not instant:
        return
    at = clock.at(clock.nanoseconds(instant))
    first = (at - MARGIN).strftime("%Y-%m-%dT%H%M%SZ")
    for name in reversed(sealed(store)):
        if name < first:
            return
        record = read_json(store.record(name))
        if record.get("job") == job and clock.moment(record.get("instant")) == at:
            raise AlreadyDone(f"{job} has sealed {name} for that time", name)
