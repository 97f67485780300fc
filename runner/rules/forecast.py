"""What a job will probably cost, from what it cost before."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from runner.model.plan import Forecast
from runner.model.run import Past


def forecast(past: Sequence[Past]) -> Forecast:
    """The median of the past runs; nothing is foretold from nothing."""
    if not past:
        return Forecast()
    return Forecast(
        bytes=int(median(one.bytes for one in past)),
        files=int(median(one.files for one in past)),
        seconds=float(median(one.seconds for one in past)),
        runs=len(past),
    )
