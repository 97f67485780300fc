"""What a host prints instead of an answer, or beside it: it is said which host, and nothing of it is believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.engine import probe
from runner.hosts.process import Process
from runner.hosts.session import Session
from runner.hosts.transport import Local
from runner.model.errors import FactsIncomplete, RunnerError
from runner.model.facts import Probe, Snapshot, StoreFacts
from runner.model.site import Host, Site, Store
from runner.tools import agent
from runner.verbs import browse

SITE = Site(
    name="x",
    controller="good",
    folder="/",
    state="/",
    sandbox="/",
    digest="",
    hosts=(Host(name="good", address=""), Host(name="chatty", address="")),
)
NOTHING = {"versions": [], "missing": 0}


class Chatty(Local):
    """A host on which something prints `words` before each answer, and `after` behind it."""

    def __init__(self, words: str, after: str = "") -> None:
        """Start nothing yet."""
        super().__init__("chatty")
        self._words, self._after = words, after

    def _open(self, argv: tuple[str, ...]) -> Session:
        script = 'printf %s "$1"; after=$2; shift 2; "$@"; code=$?; printf %s "$after"; exit $code'
        return Process(("sh", "-c", script, "sh", self._words, self._after, *argv))


def versions(host: Local, store: Path) -> list[Mapping[str, Any]]:
    lines: list[Mapping[str, Any]] = []
    probe.ask_lines(host, agent.find(str(store)), {"path": "/etc"}, lines.append)
    return lines


def test_an_answer_is_read_whole_also_without_a_newline_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "store" / ".runner").mkdir(parents=True)
    assert versions(Local("good"), tmp_path / "store") == [NOTHING]
    assert versions(Chatty("", '{"more": 1}'), tmp_path / "store") == [NOTHING, {"more": 1}]


@pytest.mark.parametrize(
    "words", ["Welcome!\n", "[1, 2]\n", "[" * 100_000 + "\n", "\x1b[31m\n", "\n", '{"versions": [\n']
)
def test_a_line_that_is_no_json_object_makes_the_answer_unknown_and_says_where(words: str, tmp_path: Path) -> None:
    (tmp_path / "store" / ".runner").mkdir(parents=True)
    with pytest.raises(RunnerError, match=r"chatty: the answer to find cannot be read: ") as caught:
        versions(Chatty(words), tmp_path / "store")
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 300


def test_what_comes_after_the_answer_makes_it_unknown_too(tmp_path: Path) -> None:
    (tmp_path / "store" / ".runner").mkdir(parents=True)
    with pytest.raises(RunnerError, match="chatty: the answer to find cannot be read: Goodbye"):
        versions(Chatty("", "Goodbye"), tmp_path / "store")


@pytest.mark.parametrize("words", ["Welcome!\n", "[" * 100_000])
def test_a_host_whose_answer_cannot_be_read_hides_no_other(words: str) -> None:
    ways = {"good": Local("good"), "chatty": Chatty(words)}
    facts = probe.gather(SITE, ("good", "chatty"), (), ways, at=datetime.now(UTC), program=probe.runner_agent())
    assert facts.hosts["good"].error == "" and facts.hosts["good"].kernel
    assert facts.hosts["chatty"].error.startswith("its answer makes no sense: ")


class Only(Local):
    """A host that answers everything with these words."""

    def __init__(self, words: str) -> None:
        """Start nothing yet."""
        super().__init__("chatty")
        self._words = words

    def _open(self, argv: tuple[str, ...]) -> Session:
        return Process(("sh", "-c", 'cat > /dev/null; printf %s "$1"', "sh", self._words))


def test_an_answer_that_lacks_a_store_or_a_reading_makes_the_host_unknown() -> None:
    site = replace(SITE, stores=(Store(name="a", host="chatty", path="/srv/a"),))
    probes = (Probe(id="power.up", host="chatty", argv=("uptime",)),)
    ways = {"chatty": Only("{}")}
    facts = probe.gather(site, ("chatty",), probes, ways, at=datetime.now(UTC), program=probe.runner_agent())
    assert facts.hosts["chatty"].error == "its answer lacks power.up, store a"


STORED = {"path": "/srv/a", "exists": True}


@pytest.mark.parametrize(
    "answer",
    [
        {"now": "2026-11-23T08:15:00"},
        {"uid": 2**63},
        {"stores": {"a": {**STORED, "space": {"size": 1, "free": 10**400, "inodes": 1, "inodes_free": 1}}}},
        {"stores": {"a": {**STORED, "sealed": [{"name": "x", "pinned_until": "2026-11-23T08:15:00"}]}}},
        {"stores": {"a": {**STORED, "trash": ["x" * 70_000]}}},
    ],
)
def test_an_answer_beyond_its_bounds_makes_the_host_unknown(answer: Mapping[str, Any]) -> None:
    site = replace(SITE, stores=(Store(name="a", host="chatty", path="/srv/a"),))
    words = json.dumps({"stores": {"a": STORED}, **answer})
    facts = probe.gather(site, ("chatty",), (), {"chatty": Only(words)}, at=datetime.now(UTC), program=b"")
    assert facts.hosts["chatty"].error.startswith("its answer makes no sense: ")


def test_what_a_command_printed_may_be_long() -> None:
    probes = (Probe(id="p", host="chatty", argv=("dpkg-query",)),)
    words = json.dumps({"readings": {"p": {"exit": 0, "out": "x" * 100_000}}})
    facts = probe.gather(SITE, ("chatty",), probes, {"chatty": Only(words)}, at=datetime.now(UTC), program=b"")
    assert facts.hosts["chatty"].error == "" and len(facts.hosts["chatty"].readings["p"].out) == 100_000


@pytest.mark.parametrize("words", ["", '{"change": "added", "path": "/etc/a", "size": 1}\n'])
def test_differences_without_their_counts_are_not_all_there_are(words: str) -> None:
    app: Any = SimpleNamespace(transports={"chatty": Only(words)})
    store = Store(name="a", host="chatty", path="/srv/a")
    holding = browse.Holding(store=store, contents=StoreFacts(path="/srv/a", exists=True))
    pair = browse.Pair(holding=holding, older=Snapshot(name="x"), newer=Snapshot(name="y"))
    with pytest.raises(FactsIncomplete, match="chatty: its answer ended before the counts"):
        browse.diff(app, pair, lambda _: None)
