"""What a key may do with a store, and a person at the console may all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.answer import Refused
from runner.agent.policy import limits, refusals
from runner.agent.policy.rights import StoreRights
from runner.agent.store.layout import StoreFolder

DAY = limits.DAY


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    known: list[str] = []
    monkeypatch.setattr(refusals, "note", lambda key, what: known.append(what))
    return known


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[StoreFolder]:
    store = StoreFolder(tmp_path)
    limits.bind("papio", {str(tmp_path): StoreRights()})
    yield store
    limits._stores.clear()


def test_from_afar_nothing_is_pinned_for_years_nor_shorter_than_it_is_nor_all_of_it(
    bound: StoreFolder, noted: list[str], tmp_path: Path
) -> None:
    now = time.time_ns()
    for before, until, others in (
        (0, now + 91 * DAY, 0),
        (now + 9 * DAY, now + 8 * DAY, 0),
        (0, now + DAY, limits.PINS),
    ):
        with pytest.raises(Refused):
            limits.require_pin(bound, before, until, others)
        limits.require_pin(StoreFolder(tmp_path / "at the console"), before, until, others)
    assert len(noted) == 3
    limits.require_pin(bound, now + 8 * DAY, now + 89 * DAY, limits.PINS - 1)
