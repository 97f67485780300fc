"""What a job will probably cost, from what it cost before."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from runner.model.plan import Forecast
from runner.model.run import Past

MOST = 10


def forecast(past: Sequence[Past]) -> Forecast:
    """The median of the past runs (newest first, at most `MOST`), without the first that there ever was.

    The first copies everything and says nothing of a day: from it alone only the number of runs is known.
    """
    daily = past if len(past) >= MOST else past[:-1]
    if not daily:
        return Forecast(runs=len(past))
    return Forecast(
        bytes=int(median(one.bytes for one in daily)),
        files=int(median(one.files for one in daily)),
        seconds=float(median(one.seconds for one in daily)),
        runs=len(past),
    )
