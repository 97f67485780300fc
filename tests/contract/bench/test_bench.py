"""The thresholds of `make bench` that a busy machine cannot break: start-up, memory, faithful copies; and its means."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.bench import rows, table
from tests.bench.contest import Contest, compete
from tests.bench.figures import Aside, Ratio, Stage, Tree, ratio
from tests.bench.meters.disk import disk
from tests.bench.meters.measure import Cost, Meter, Work, meter
from tests.bench.meters.spinning import RATE, Request, busy
from tests.bench.meters.trace import parsed
from tests.bench.meters.wire import Counts
from tests.bench.network import ASKED, UNCHANGED, Crossed
from tests.bench.peers.contenders import BARE, OURS
from tests.bench.running import Bench
from tests.bench.startup import start_up
from tests.mounts import need_mounts

QUICK = Contest(files=1000, names=(BARE, OURS), below=1, at_max=0, prunes=0, disks=False)
COST = Cost(wall=1.0, cpu=1.0, own=0.4, written=8, reads=2, busy=3.0, memory=1, peaks={"runner": 1})
NOTHING = Aside(start={}, stores={}, hosts={})


@pytest.fixture
def measuring() -> Iterator[Meter]:
    with meter() as one:
        yield one


def broken(found: Sequence[rows.Row]) -> list[str]:
    return [f"{row.text}: {row.found}, at most {row.most}" for row in found if row.holds is False]


@pytest.mark.alone
def test_the_first_word_comes_soon(tmp_path: Path, measuring: Meter) -> None:
    found = tuple(rows.of_aside(dataclasses.replace(NOTHING, start=start_up(tmp_path, measuring))))
    assert len(found) == 2
    assert broken(found) == []


@pytest.mark.skipif(not shutil.which("rsync"), reason="needs rsync")
def test_a_snapshot_takes_little_memory_and_is_right(tmp_path: Path, measuring: Meter) -> None:
    said: list[str] = []
    tree = compete(QUICK, tmp_path / "srv", None, Bench(meter=measuring, say=said.append))
    found = tuple(rows.of_copies(tree))
    assert {row.text.split(",")[0] for row in found} == {
        "peak memory of runner", "peak memory of runner-agent", "peak memory of all our processes",
        "names that are wrong",
    }  # fmt: skip
    assert broken(found) == []
    assert any("day 1: runner" in line for line in said)
    assert list((tmp_path / "srv").iterdir()) == []
    # What nobody measured neither holds nor is broken, and is said to be missing.
    day = tuple(rows.of_the_day(tree))
    assert {row.text for row in day if row.found is not None} == {
        "snapshot below max, CPU warm / rsync", "first snapshot, CPU / rsync",
    }  # fmt: skip
    assert "not measured in this run: audit of the store, CPU / xxhsum" in tuple(rows.without(day, {}))


def tree(**costs: Cost) -> Tree:
    """One in which everybody paid this for a warm day at max."""
    return Tree(
        files=1, names=1, kept=1, costs={Stage.MAX_WARM: {name: (cost,) for name, cost in costs.items()}},
        differences={BARE: 0, OURS: 0}, rewritten={BARE: 0, OURS: 0}, calls={}, traced=True, grouped=True,
    )  # fmt: skip


def test_a_program_that_was_never_seen_does_not_pass_for_a_small_one() -> None:
    blind = tree(rsync=COST, runner=COST)
    assert broken(tuple(rows.of_copies(blind))) == ["peak memory of runner-agent, 1 files, MB: inf, at most 120.0"]


def test_a_threshold_is_of_the_same_day_and_a_peer_must_be_beaten() -> None:
    dear = dataclasses.replace(COST, cpu=4.0)
    found = {row.text: row for row in rows.of_the_day(tree(rsync=dear, runner=COST, borg=COST, look=COST))}
    assert found["day at max, CPU warm / rsync and rm"].holds is True
    assert found["day at max, bytes written, warm / rsync and rm"].holds is False
    assert found["day at max, CPU warm / borg"].holds is False, "as much is not less"
    # Of the runner that is 1.0 without the 0.4 of its own process; of the look all.
    alone = found["day at max, CPU warm, agent and rsync alone / rsync -aHAXn"].found
    assert alone == pytest.approx(0.6)
    assert found["day at max, CPU cold / rsync and rm"].holds is None
    assert not any(row.held for row in found.values()), "it is of one file"
    assert all(len(line.split("|")) == 12 for line in table.of_tree(tree(rsync=COST, runner=COST)) if line[:1] == "|")


def test_the_questions_of_a_day_are_what_turns_beyond_those_of_one_rsync() -> None:
    def crossed(size: int, turns: int) -> Crossed:
        return Crossed(seconds=1.0, counts=Counts(bytes=size, connections=1, turns=turns))

    days = {
        UNCHANGED: {BARE: crossed(100, 70), OURS: crossed(5, 60)},
        ASKED: {BARE: crossed(9, 18), OURS: crossed(9, 30)},
    }
    found = [row.found for row in rows.of_network(days)]
    assert found == [0.05, None, None, 1, 12]
    assert all(row.holds is not False for row in rows.of_network({}))


def test_ratios_are_of_the_same_day() -> None:
    assert ratio((2.0, 30.0, 4.0), (1.0, 10.0, 4.0)) == Ratio(middle=2.0, least=1.0, most=3.0)
    assert ratio((0.0,), (0.0,)) is None


def test_a_spinning_disk_seeks_for_what_is_far_and_sorts_what_it_writes() -> None:
    near = (Request(0, 4096), Request(4096, 4096))
    assert busy(near, 1 << 30) == pytest.approx(8192 / RATE)
    assert busy((Request(1 << 29, 0),), 1 << 30) == pytest.approx(0.002 + 0.008 * 0.5**0.5 + 0.00417)
    there_and_back = [Request(place << 20, 4096, write=True) for place in (9, 1, 8, 2)]
    assert busy(there_and_back, 1 << 30) == busy(sorted(there_and_back), 1 << 30)
    flushed = [one for each in there_and_back for one in (each, Request(0, 0, flush=True))]
    assert busy(flushed, 1 << 30) > busy(there_and_back, 1 << 30)


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("7,1 WSM 4096 () 16 + 8 be,0,4 [x]", Request(8192, 4096, write=True)),
        ("7,1 RA 8192 () 8 + 16 none,0,0 [a) 1 + 2]", Request(4096, 8192)),
        ("7,1 FWFS 512 () 2 + 1 none,0,0 [x]", Request(1024, 512, write=True)),
        ("7,1 FF 0 () 0 + 0 none,0,0 [x]", Request(0, 0, flush=True)),
        ("7,1 DS 4096 () 16 + 8 none,0,0 [x]", None),
        ("nothing of the kind", None),
    ],
)
def test_a_request_is_read_from_a_trace(line: str, request_: Request | None) -> None:
    assert parsed(f" x-1 [000] d..1. 1.5: block_rq_issue: {line}") == request_


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_time_of_a_daemon_counts_and_so_does_every_request(tmp_path: Path, measuring: Meter) -> None:
    if not measuring.group or not measuring.tracer:
        pytest.skip("this machine has no control groups or no tracing for us")
    need_mounts()
    # It ends at once, and leaves somebody working whom it never waits for.
    spin = "import os, time\nif not os.fork():\n  os.setsid()\n  while time.process_time() < 0.3: pass"
    with disk(tmp_path / "image", tmp_path / "disk", size=16 << 20) as made:
        write = ("dd", "if=/dev/zero", f"of={made.mount}/file", "bs=1M", "count=2", "conv=fsync", "status=none")
        work = Work(commands=((sys.executable, "-c", spin), write), folder=tmp_path)
        found = measuring.measure(work, made, tmp_path / "log")
        (made.mount / "file").unlink()
    assert found.cpu > 0.3
    assert found.own < 0.3
    assert found.written >= 2 << 20
    assert found.busy is not None
    assert found.busy > (2 << 20) / RATE
