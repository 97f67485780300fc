"""A store that tells its history page by page: no job waits long for one that tells nonsense, or tells it slowly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runner.agent.history.contract.standing import PAGE
from runner.agent.history.line import BEGUN, NOBODY, SEALED, ChainLine, Head, digest_of
from runner.engine import asking
from runner.hosts.transport import Local, Result
from runner.jobs.history.follow import HistoryLook
from runner.model.errors import RunnerError
from runner.model.facts import Facts, HostFacts, Reading, StoreFacts
from runner.model.stored import HistoryDoubt
from runner.verbs.history import HistoryDesk, StoresPast
from tests.contract.hosts.test_bounded_answers import Endless
from tests.unit import parts

STORE = parts.site().store("papio")
FAR = f"999999:{'a' * 64}"


def true_lines(many: int) -> list[str]:
    """A history that follows."""
    lines, last = list[str](), Head()
    for number in range(1, many + 1):
        event, name = (SEALED, "2026-11-21T081500Z") if number > 1 else (BEGUN, NOBODY)
        raw = ChainLine(number, last.digest, "2026-11-22T09:00:00.000000Z", event, name).raw
        lines.append(raw[:-1].decode())
        last = Head(number, digest_of(raw))
    return lines


class Slow(Local):
    """A host that answers one page after the other, each of which takes as long."""

    def __init__(self, pages: Sequence[Sequence[str]], seconds: float, head: str) -> None:
        super().__init__(STORE.host)
        self.pages, self.seconds, self.now, self.head = list(pages), seconds, parts.NOW, head
        self.patience: list[float] = []

    def run(self, argv: tuple[str, ...], *, timeout: float, **options: Any) -> Result:
        """Answer the next page, or be ended."""
        self.patience.append(timeout)
        self.now += timedelta(seconds=min(timeout, self.seconds))
        if self.seconds > timeout:
            return Result(exit=None, timed_out=True, error=f"ended after {timeout:.0f} s")
        options["sink"](json.dumps({"head": self.head, "lines": self.pages.pop(0)}).encode() + b"\n")
        return Result(exit=0)


def looked(host: Slow) -> HistoryLook:
    """What a look at the store shows, of which the first page came with the facts."""
    journal = SimpleNamespace(
        histories=SimpleNamespace(last=dict),
        heads=SimpleNamespace(answered=lambda names, since: (), made=lambda disk: None),
    )

    def now() -> datetime:
        return host.now

    site = replace(parts.site(), stores=(STORE,))
    desk = SimpleNamespace(site=site, spare=True, journal=journal, transports={STORE.host: host}, now=now)
    past = StoresPast(cast("HistoryDesk", desk))
    (probe,) = past.probes((STORE.host,), ())
    first = json.dumps({"head": host.head, "lines": host.pages.pop(0)})
    there = HostFacts(
        name=STORE.host,
        stores={STORE.name: StoreFacts(path=STORE.path, exists=True)},
        readings={probe.id: Reading(exit=0, out=first)},
    )
    past.looked(Facts(at=parts.NOW, hosts={STORE.host: there}))
    return past.looks[STORE.name]


def test_nonsense_is_not_asked_for_its_other_pages() -> None:
    host = Slow([["1 x y"] * PAGE] * 60, 1.0, FAR)
    assert looked(host).doubt == HistoryDoubt.ANOTHER and host.patience == []
    lines = true_lines(2 * PAGE)
    host = Slow([lines[:PAGE], [*lines[PAGE:-1], "x"], *[["x"] * PAGE] * 50], 1.0, FAR)
    assert looked(host).doubt == HistoryDoubt.ANOTHER and len(host.patience) == 1


@pytest.mark.parametrize("seconds", [50.0, 1000.0])
def test_all_pages_of_a_store_have_two_minutes_between_them(seconds: float) -> None:
    lines = true_lines(5 * PAGE)
    host = Slow([lines[at : at + PAGE] for at in range(0, len(lines), PAGE)], seconds, FAR)
    seen = looked(host)
    assert seen.problem and not seen.doubt and not seen.firm
    assert host.now - parts.NOW == timedelta(seconds=120)


def test_pages_that_follow_are_one_history() -> None:
    lines = true_lines(2 * PAGE + 7)
    head = Head(len(lines), digest_of(lines[-1].encode() + b"\n")).text
    host = Slow([lines[at : at + PAGE] for at in range(0, len(lines), PAGE)], 1.0, head)
    seen = looked(host)
    assert seen.now and seen.now.head == head and not seen.doubt and len(host.patience) == 2


def test_an_answer_that_comes_byte_by_byte_is_not_copied_for_each() -> None:
    heard: list[Any] = []
    with pytest.raises(RunnerError, match="cannot be read"):
        asking.ask_lines(Endless(iter([b"[", *[b"1,"] * 400_000, b"]\n"])), ("diff",), {}, heard.append)
    assert heard == []
