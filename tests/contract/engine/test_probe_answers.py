"""What a host prints instead of an answer, or beside it: it is said which host, and nothing of it is believed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.engine import asking, probe
from runner.hosts.process import Process
from runner.hosts.session import Session
from runner.hosts.transport import Local
from runner.model.errors import FactsIncomplete, RunnerError
from runner.model.facts import HostFacts, Probe, Snapshot, StoreFacts
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
    asking.ask_lines(host, agent.find(str(store)), {"path": "/etc"}, lines.append)
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


class Odd(Local):
    """A host that no way of ours was meant for."""

    def _open(self, argv: tuple[str, ...]) -> Session:
        raise ZeroDivisionError("odd")


def test_a_bug_of_ours_that_a_host_has_found_hides_no_other() -> None:
    ways = {"good": Local("good"), "chatty": Odd("chatty")}
    facts = probe.gather(SITE, ("good", "chatty"), (), ways, at=datetime.now(UTC), program=probe.runner_agent())
    assert facts.hosts["good"].error == "" and facts.hosts["good"].kernel
    assert facts.hosts["chatty"].error.startswith("a bug in the runner: ZeroDivisionError('odd') (_open, line ")
    assert "the makers" in facts.hosts["chatty"].do


class Only(Local):
    """A host that answers everything with these words."""

    def __init__(self, words: str) -> None:
        """Start nothing yet."""
        super().__init__("chatty")
        self._words = os.memfd_create("words")
        os.write(self._words, words.encode())

    def _open(self, argv: tuple[str, ...]) -> Session:
        # Longer than an argument may be.
        return Process(("sh", "-c", 'cat > /dev/null; cat "$1"', "sh", f"/proc/{os.getpid()}/fd/{self._words}"))


def test_an_answer_that_lacks_a_store_or_a_reading_makes_the_host_unknown() -> None:
    site = replace(SITE, stores=(Store(name="a", host="chatty", path="/srv/a"),))
    probes = (Probe(id="power.up", host="chatty", argv=("uptime",)),)
    ways = {"chatty": Only("{}")}
    facts = probe.gather(site, ("chatty",), probes, ways, at=datetime.now(UTC), program=probe.runner_agent())
    assert facts.hosts["chatty"].error == "its answer lacks power.up, store a"


STORED = {"path": "/srv/a", "exists": True}
ONE = "2026-11-21T010000Z"


def asked(answer: Mapping[str, Any], *probes: Probe) -> HostFacts:
    """What is known of a host with two stores that answers so."""
    stores = (Store(name="a", host="chatty", path="/srv/a"), Store(name="b", host="chatty", path="/srv/b"))
    words = json.dumps({"stores": {"a": STORED, "b": {**STORED, "path": "/srv/b"}}, **answer})
    site, ways = replace(SITE, stores=stores), {"chatty": Only(words)}
    return probe.gather(site, ("chatty",), probes, ways, at=datetime.now(UTC), program=b"").hosts["chatty"]


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"now": "2026-11-23T08:15:00"}, "now"),
        ({"now": "9999-12-31T23:59:59Z"}, "`now` cannot be 9999-12-31T23:59:59"),
        ({"now": "1969-12-31T23:59:59Z"}, "`now` cannot be 1969-12-31"),
        ({"uid": 2**63}, "uid"),
        ({"uid": True}, "uid"),
        ({"boot_id": "x --evil"}, "`boot_id` cannot be 'x --evil'"),
        ({"program": "../x"}, "`program` cannot be '../x'"),
        ({"rsync": {"version": "3.2.7", "checksums": ["md5 --evil"]}}, "`checksums` cannot be 'md5 --evil'"),
        ({"rsync": {"version": "3.2.7", "trusts": "yes"}}, "trusts"),
        ({"filesystems": [{"mount": "--help", "source": "", "type": "", "dev": 0}]}, "`mount` cannot be '--help'"),
        ({"filesystems": [{"mount": "/a/../b", "source": "", "type": "", "dev": 0}]}, "`mount` cannot be '/a/../b'"),
        ({"filesystems": [{"mount": "/a", "source": "", "type": "", "dev": -1}]}, "dev"),
        ({"filesystems": [{"mount": "/a", "source": "-x", "type": "stand-in", "dev": 0}]}, "`type` cannot be 'stand-in'"),
        ({"stores": []}, "`stores` is no table"),
        ({"readings": 5}, "`readings` is no table"),
        ({"x": json.loads("[" * 40 + "]" * 40)}, "it is nested in more than 40 levels"),
    ],
)  # fmt: skip
def test_an_answer_beyond_its_bounds_makes_the_host_unknown(answer: Mapping[str, Any], what: str) -> None:
    error = asked(answer, Probe(id="p", host="chatty", argv=("x",))).error
    assert error.startswith("its answer makes no sense: ") and what in error
    assert len(error) < 250


@pytest.mark.parametrize(
    "digits", ["5" * 5_000, "-" + "5" * 5_000, "NaN", "-Infinity", "-1e999", "[" * 100_000 + "]" * 100_000]
)
def test_a_number_without_end_and_one_that_is_none_are_that_hosts_trouble(digits: str) -> None:
    ways = {"good": Local("good"), "chatty": Only('{"uid": %s}' % digits)}  # noqa: UP031
    facts = probe.gather(SITE, ("good", "chatty"), (), ways, at=datetime.now(UTC), program=probe.runner_agent())
    assert facts.hosts["good"].error == ""
    assert facts.hosts["chatty"].error.startswith("its answer makes no sense: ")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"space": {"size": 1, "free": 10**400, "inodes": 1, "inodes_free": 1}}, "$.space.free"),
        ({"space": {"size": 1, "free": -1, "inodes": 1, "inodes_free": 1}}, "free"),
        ({"sealed": [{"name": ONE, "pinned_until": "2026-11-23T08:15:00"}]}, "pinned_until"),
        ({"sealed": [{"name": "9999-12-31T235959Z"}]}, "`name` cannot be '9999-12-31T235959Z'"),
        ({"sealed": [{"name": "0000-01-01T000000Z"}]}, "`name` cannot be"),
        ({"sealed": [{"name": "2026-02-30T000000Z"}]}, "`name` cannot be"),
        ({"sealed": [{"name": "2026-11-21T010000Z\n"}]}, "`name` cannot be"),
        ({"sealed": [{"name": ONE}, {"name": ONE}]}, "`sealed` is not in order, or names one twice"),
        ({"sealed": [{"name": ONE, "filesystems": ["-e sh"]}]}, "`filesystems` cannot be '-e sh'"),
        ({"sealed": [{"name": ONE, "freed_bytes": -5}]}, "freed_bytes"),
        ({"partials": [{"name": "../../etc"}]}, "`name` cannot be '../../etc'"),
        ({"partials": [{"name": ONE, "basis": "../.."}]}, "`basis` cannot be '../..'"),
        ({"path": "--help"}, "`path` cannot be '--help'"),
        ({"path": "/a\0b"}, "`path` cannot be"),
        ({"uuid": "x --evil"}, "`uuid` cannot be 'x --evil'"),
        ({"trash": ["x" * 70_000]}, "trash"),
        ({"trash": ["x"] * 100_001}, "trash"),
        ({"proven": {"files": {"snapshot": "x", "at": "2026-11-23T08:15:00Z"}}}, "`snapshot` cannot be 'x'"),
        ({"holder": {"since": "0001-01-01T00:00:00+14:00"}}, "makes no sense"),
        ({"lacks": ["nosuid,exec,suid"]}, "lacks"),
        ({"exists": "yes"}, "exists"),
    ],
)
def test_a_store_beyond_its_bounds_cannot_be_used_and_its_hosts_others_can(answer: dict[str, Any], what: str) -> None:
    facts = asked({"stores": {"a": {**STORED, **answer}, "b": {**STORED, "path": "/srv/b"}, "papio": STORED}})
    assert facts.error == "" and not facts.stores["b"].problem
    assert set(facts.stores) == {"a", "b"}, "what it answers for the store of another host is not taken"
    problem = facts.stores["a"].problem
    assert problem.startswith("what its host answers of it makes no sense: ") and what in problem
    assert problem.endswith("; look at /srv/a there") and "\0" not in problem and len(problem) < 250


@pytest.mark.parametrize("answer", [{"exit": 0, "out": 5}, {"exit": True}, [], {"out": "x"}, {"exit": 0, "out": None}])
def test_a_reading_that_is_none_hides_no_other(answer: Any) -> None:
    probes = (Probe(id="p", host="chatty", argv=("x",)), Probe(id="q", host="chatty", argv=("x",)))
    facts = asked({"readings": {"p": answer, "q": {"exit": 0}}}, *probes)
    assert facts.error == "" and facts.readings["q"].exit == 0
    assert facts.readings["p"].exit is None and facts.readings["p"].err.startswith("the answer makes no sense: ")


def test_a_line_without_an_end_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER", 1 << 20)
    with pytest.raises(RunnerError, match="chatty: the answer to find cannot be read: xxx"):
        versions(Only("x" * (8 << 20)), tmp_path)


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
    pair = browse.Pair(
        holding=holding, older=Snapshot(name="2026-11-21T010000Z"), newer=Snapshot(name="2026-11-22T010000Z")
    )
    with pytest.raises(FactsIncomplete, match="chatty: its answer ended before the counts"):
        browse.diff(app, pair, lambda _: None)
