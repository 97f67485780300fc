"""What a key may do with a store, and a person at the console may all the same."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent import clock
from runner.agent.answer import Refused
from runner.agent.history import chain
from runner.agent.inventory import stored
from runner.agent.policy import limits, refusals
from runner.agent.policy.rights import StoreRights
from runner.agent.retention.expire import require_spared
from runner.agent.retention.floor import StoreFloor
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
    limits._key.clear()


NAMES = r"""
import io, json, sys
from runner.agent.__main__ import work
from runner.agent.policy.limits import bound_memory

lines = b"".join(b">f.st......|%0200d//\n" % number for number in range(200_000))
heads = ({"from": "t", "state": "done", "exit": 0, "bytes": 0}, {"from": "c", "state": "done", "exit": 0, "bytes": len(lines)})
first, second = (json.dumps(head).encode() + b"\n" for head in heads)
sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(first + b"\n" + second + lines + b"\n")))
size = int(open("/proc/self/statm").read().split()[0]) * 4096
bound_memory(size + (32 << 20))
sys.exit(work())
"""


def test_names_that_are_sent_take_so_much_memory_and_end_with_one_line(tmp_path: Path) -> None:
    words = ("walk", str(tmp_path), "--since=2020-01-01T00:00:00Z", "--looked=c")
    done = subprocess.run((sys.executable, "-c", NAMES, *words), check=False, capture_output=True, text=True)
    assert done.returncode == 1 and "memory" in json.loads(done.stdout)["error"], done


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


def test_what_was_done_while_the_clock_was_ahead_is_not_counted_until_then(
    bound: StoreFolder, noted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is set right again would let nothing expire for as long as it was wrong."""
    bound.runner.mkdir()
    bound.lock.touch()
    chain.begin(bound)
    now = time.time_ns()
    for year, left in ((365 * DAY, 4), (0, 3), (-2 * DAY, 3)):
        monkeypatch.setattr(time, "time_ns", lambda at=now + year: at)
        chain.add(bound, "expired", f"{clock.text(now + year)[:10]}T010000Z")
        monkeypatch.setattr(time, "time_ns", lambda: now)
        assert limits.rates(bound) == (4, left), "of four"
    assert limits.rates(StoreFolder(bound.root / "of nobody")) is None


def test_from_afar_only_beside_the_newest_is_kept_what_it_was(bound: StoreFolder, noted: list[str]) -> None:
    bound.records.mkdir(parents=True)
    for name, job in (("2026-11-01T010000Z", "a"), ("2026-11-02T010000Z", "b"), ("2026-11-03T010000Z", "a")):
        (bound.root / name).mkdir()
        bound.record(name).write_text(json.dumps({"host": "papio", "job": job}))
    limits.require_newest(bound, "2026-11-02T010000Z")
    limits.require_newest(bound, "2026-11-03T010000Z")
    with pytest.raises(Refused):
        limits.require_newest(bound, "2026-11-01T010000Z")
    assert len(noted) == 1
    limits._stores.clear()
    limits.require_newest(bound, "2026-11-01T010000Z")


def test_the_jobs_toml_that_a_key_replaces_stays_beside_it(bound: StoreFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    bound.runner.mkdir()
    former = bound.runner / "jobs.toml-before"

    def put(content: bytes, day: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: f"2026-{1 + day // 28:02}-{1 + day % 28:02}T01:00:00.000000Z")
        assert stored._keep_site(bound, content, hashlib.sha256(content).hexdigest())

    for content in (b"own", b"own", b"bad", b"worse"):
        put(content, 0)
    assert [path.read_bytes() for path in former.iterdir()] == [b"own"], "the first of a day"
    assert (bound.runner / "jobs.toml").read_bytes() == b"worse"
    for day in range(1, 41):
        put(b"%d" % day, day)
    assert len(list(former.iterdir())) == 30
    limits._key.clear()
    put(b"at the console", 60)
    assert len(list(former.iterdir())) == 30


def test_whatever_jobs_are_named_a_day_fills_no_more_of_the_floor(
    bound: StoreFolder, noted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"2026-11-{day:02}T010000Z" for day in range(1, 11)] + [f"2026-11-20T01000{each}Z" for each in range(8)]
    bound.records.mkdir(parents=True)
    bound.lock.touch()
    for number, name in enumerate(names):
        (bound.root / name).mkdir()
        sealed = f"{name[:10]}T01:00:00.000000Z"
        record = {"exceptions": 0, "sealed": sealed, "job": f"junk-{number}"}
        bound.record(name).write_text(json.dumps(record))
    monkeypatch.setattr(limits, "require_expiry", lambda store, name: None)
    descriptor = os.open(bound.lock, os.O_RDWR)
    for per_day, floor, spared in ((1, 10, True), (1, 11, False), (2, 11, True), (2, 12, False), (0, 17, True)):
        limits.bind("papio", {str(bound.root): StoreRights(floor=floor, per_day=per_day)})
        try:
            require_spared(bound, names[0], StoreFloor(1, 0), descriptor)
        except Refused:
            assert not spared, (per_day, floor)
        else:
            assert spared, (per_day, floor)
    os.close(descriptor)
