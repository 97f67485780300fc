"""What a job will probably cost: the median of what it cost."""

from __future__ import annotations

import pytest

from runner.model.plan import Forecast
from runner.model.run import Past
from runner.rules.forecast import forecast


def past(size: int, files: int, seconds: float) -> Past:
    return Past(bytes=size, files=files, seconds=seconds)


@pytest.mark.parametrize(
    ("runs", "foretold"),
    [
        ((), Forecast()),
        ((past(10, 1, 2.0),), Forecast(bytes=10, files=1, seconds=2.0, runs=1)),
        ((past(10, 1, 2.0), past(21, 4, 3.0)), Forecast(bytes=15, files=2, seconds=2.5, runs=2)),
        (
            (past(9, 9, 9.0), past(1, 2, 3.0), past(10**12, 5, 1.0)),
            Forecast(bytes=9, files=5, seconds=3.0, runs=3),
        ),
        ((past(0, 0, 0.0),), Forecast(bytes=0, files=0, seconds=0.0, runs=1)),
    ],
)
def test_the_forecast_is_the_median_and_nothing_comes_of_nothing(
    runs: tuple[Past, ...], foretold: Forecast
) -> None:
    assert forecast(runs) == foretold
    assert forecast(runs[::-1]) == foretold
