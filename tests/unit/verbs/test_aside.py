"""Taking snapshots out of the count: what is asked of a person where it is not clear which are meant."""

from __future__ import annotations

from runner.model.site import Store
from runner.verbs import aside
from runner.verbs.browse import Holding


def test_where_several_stores_have_it_the_command_names_one() -> None:
    stores = [Holding(store=Store(name=name, host="h", path="/s"), contents=None) for name in ("papio", "second")]
    error = aside._several("2026-11-23T081500Z", stores, ("--set-aside", "2026-11-23T081500Z"))
    assert error.text == "several stores have 2026-11-23T081500Z: papio, second"
    assert error.command == "runner snapshots papio --set-aside 2026-11-23T081500Z"
