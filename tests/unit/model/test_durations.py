"""No duration is less than nothing, whatever the clock did meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runner.engine.step import step_outcome
from runner.model.run import State
from runner.model.text import age, length
from tests.unit import parts

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)


def test_a_length_is_never_negative() -> None:
    assert length(timedelta(hours=-3)) == length(-10800.0) == "0.0 s"
    assert length(timedelta(seconds=90)) == "1 min 30 s"


def test_what_is_to_come_has_no_age() -> None:
    assert age(NOW - timedelta(hours=2), NOW) == "2 h old"
    assert age(NOW + timedelta(hours=2), NOW) == "2 h ahead of the clock"


def test_a_step_ends_no_sooner_than_it_began() -> None:
    later = datetime.now(UTC) + timedelta(days=300)
    outcome = step_outcome(parts.step("a/one"), State.DONE, "", later)
    assert outcome.started == outcome.ended == later
