"""Long tables of cases: a few of them in `make test-all`, the others with `make soak`."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.mark import ParameterSet


def few(cases: Iterable[object], *kept: object) -> list[ParameterSet]:
    """The cases as parameters; each that is not `kept` is marked `soak`. What is kept must be there."""
    every = list(cases)
    assert all(case in every for case in kept), "a case that is kept is in the table no more"
    return [pytest.param(case, marks=() if case in kept else pytest.mark.soak) for case in every]
