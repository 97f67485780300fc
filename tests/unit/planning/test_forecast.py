"""What a job will probably cost: the median of what it cost."""

from __future__ import annotations

import pytest

from runner.model.plan import Forecast
from runner.model.run import Past
from runner.planning.schedule import MOST, forecast


def past(size: int, files: int, seconds: float) -> Past:
    return Past(bytes=size, files=files, seconds=seconds)


DAY = past(10, 1, 2.0)
FIRST = past(10**12, 10**6, 3600.0)


@pytest.mark.parametrize(
    ("runs", "foretold"),
    [
        ((), Forecast()),
        ((FIRST,), Forecast(runs=1)),
        ((DAY, FIRST), Forecast(bytes=10, files=1, seconds=2.0, runs=2)),
        ((past(21, 4, 3.0), DAY, FIRST), Forecast(bytes=15, files=2, seconds=2.5, runs=3)),
        ((past(9, 9, 9.0), DAY, past(10**12, 5, 1.0), FIRST), Forecast(bytes=10, files=5, seconds=2.0, runs=4)),
        ((past(0, 0, 0.0), FIRST), Forecast(bytes=0, files=0, seconds=0.0, runs=2)),
        # Of ten the first that there ever was is not among them any more.
        ((DAY,) * 5 + (past(30, 3, 6.0),) * 5, Forecast(bytes=20, files=2, seconds=4.0, runs=10)),
        ((DAY,) * MOST, Forecast(bytes=10, files=1, seconds=2.0, runs=MOST)),
    ],
)
def test_the_forecast_is_the_median_of_the_days_after_the_first(runs: tuple[Past, ...], foretold: Forecast) -> None:
    assert forecast(runs) == foretold
