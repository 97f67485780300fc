"""Hosts that are folders of one machine are asked by one process, and each is answered as if it were asked alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.engine import probe
from runner.hosts.process import Process
from runner.hosts.session import Session
from runner.hosts.transport import Local
from runner.model.facts import Facts, HostFacts, Probe
from runner.model.site import Host, Site, Store

NAMES = ("one", "two", "three")
NOISE = ("sh", "-c", 'echo "$1"; shift; exec "$@"', "sh")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Three hosts of a sandbox, each with a store."""
    hosts = tuple(Host(name=name, address="", root=str(tmp_path / name)) for name in NAMES)
    for name in NAMES:
        (tmp_path / name / "srv").mkdir(parents=True)
    (tmp_path / "two/srv/s").write_text("no folder")
    stores = tuple(Store(name=f"of-{name}", host=name, path="/srv/s") for name in NAMES)
    return Site(
        name="x", controller="one", folder="/", state="/", sandbox=str(tmp_path), digest="", hosts=hosts, stores=stores
    )


class Opened:
    """What is started on this machine, each after the words before it."""

    def __init__(self, before: Sequence[tuple[str, ...]] = ()) -> None:
        """Start nothing yet."""
        self.before = list(before)
        self.count = 0

    def __call__(self, argv: tuple[str, ...]) -> Session:
        """Start a command."""
        self.count += 1
        return Process((*(self.before.pop(0) if self.before else ()), *argv))


def gather(
    monkeypatch: pytest.MonkeyPatch, site: Site, names: Sequence[str], before: Sequence[tuple[str, ...]] = ()
) -> tuple[Facts, int]:
    opened = Opened(before)

    def begin(transport: Local, argv: tuple[str, ...]) -> Session:
        return opened(argv)

    monkeypatch.setattr(Local, "_open", begin)
    probes = [Probe(id=f"{name}.words", host=name, argv=("echo", "words")) for name in NAMES]
    probes.append(Probe(id="own", host="three", argv=("echo", "own")))
    ways = {name: Local(name) for name in names}
    facts = probe.gather(site, names, probes, ways, at=datetime.now(UTC), program=probe.runner_agent())
    assert list(facts.hosts) == list(names)
    return facts, opened.count


def timeless(facts: HostFacts) -> HostFacts:
    """Without what is another each time."""
    stores = {name: replace(store, space=None) for name, store in facts.stores.items()}
    sizeless = tuple(replace(each, size=0, used=0, inodes_used=0) for each in facts.filesystems)
    return replace(facts, now=None, stores=stores, filesystems=sizeless)


def test_one_process_answers_each_host_as_if_it_were_asked_alone(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    together, count = gather(monkeypatch, site, NAMES)
    assert count == 1
    for name in NAMES:
        alone, count = gather(monkeypatch, site, (name,))
        assert count == 1
        assert timeless(together.hosts[name]) == timeless(alone.hosts[name])
        assert together.hosts[name].error == ""
    assert [together.hosts[name].stores[f"of-{name}"].problem != "" for name in NAMES] == [False, True, False]
    assert together.hosts["three"].readings["own"].out == "own\n"


@pytest.mark.parametrize(
    ("before", "processes"),
    [
        ((*NOISE, "Welcome"), 4),
        ((*NOISE, '{"name": "one"}'), 4),
        (("false",), 4),
        (("sh", "-c", '"$@" | head -n 2', "sh"), 2),
        (("sh", "-c", '"$@" | head -c 9999999 | tr -d "\\n"', "sh"), 4),
    ],
)
def test_whoever_it_does_not_answer_beyond_doubt_is_asked_alone(
    monkeypatch: pytest.MonkeyPatch, site: Site, before: tuple[str, ...], processes: int
) -> None:
    facts, count = gather(monkeypatch, site, NAMES, (before,))
    assert count == processes
    assert [facts.hosts[name].error for name in NAMES] == ["", "", ""]
    assert all(facts.hosts[name].stores for name in NAMES)


def test_what_is_wrong_with_one_host_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, site: Site, tmp_path: Path
) -> None:
    agent = tmp_path / "two/usr/local/sbin/runner-agent"
    agent.parent.mkdir(parents=True)
    agent.touch()
    agent.chmod(0o666)
    facts, count = gather(monkeypatch, site, NAMES)
    assert count == 2
    assert [bool(facts.hosts[name].error) for name in NAMES] == [False, True, False]
    assert str(agent) in facts.hosts["two"].error
