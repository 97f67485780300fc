"""What grows with something else than files: a store of 400 snapshots beside one of 10, a site of 20 hosts beside 2."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench import tree
from tests.bench.meters.disk import Disk
from tests.bench.meters.measure import Work
from tests.bench.peers.contender import Place
from tests.bench.peers.ours import JOB, KEEPER, PRUNE_JOB, RUNNER, Runner, environment
from tests.bench.running import Bench, in_turn

FILES, FEW, MANY, ROUNDS = 300, 10, 400, 3
HOSTS_FEW, HOSTS_MANY = 2, 20

HEAD = """[site]
name       = "bench"
controller = "host1"
timezone   = "UTC"
live       = false

[people]
admin = ["root@localhost"]

[hosts.keeper]

[sandbox]
"""
HOST = """
[hosts.host{number}]
filesystems = "all"

[stores.host{number}]
host = "keeper"
path = "/backups/host{number}"
retention = {{ min = 1, max = 30 }}

[jobs.backup-host{number}]
kind     = "snapshot"
host     = "host{number}"
store    = "host{number}"
schedule = "15 3 * * *"
"""

Found = Mapping[str, Mapping[int, list[float]]]


def stores(folder: Path, bench: Bench) -> Found:
    """Processor seconds of a day at max, `plan` and `status` of stores that have few and many snapshots."""
    found: dict[str, dict[int, list[float]]] = {"day": {}, "plan": {}, "status": {}}
    bench.say(f"stores of {FEW} and {MANY} snapshots")
    with _emptied(folder):
        runs = {number: _store(folder / f"of{number}", number, bench) for number in (FEW, MANY)}
        for number in range(ROUNDS):
            for name in in_turn(tuple(map(str, runs)), number):
                run, most = runs[int(name)], int(name)
                # The plan is asked for what is done next, and then it is done.
                works = {"plan": run.ask("plan", JOB, PRUNE_JOB, most=most), "status": run.ask("status", most=most)}
                for verb, work in works.items():
                    cost = bench.cost(run.place, work, f"{verb}: {name} snapshots")
                    found[verb].setdefault(most, []).append(cost.cpu)
                cost = bench.cost(run.place, run.work(most=most), f"day: {name} snapshots")
                found["day"].setdefault(most, []).append(cost.cpu)
    return found


def _store(top: Path, snapshots: int, bench: Bench) -> Runner:
    """A store of so many: one is made, and the older ones are made of it, as they would have been."""
    source = tree.make(top / "source", files=FILES)
    (top / KEEPER / "papio").mkdir(parents=True)
    run = Runner(place=Place(folder=top, source=source.root, disk=Disk(mount=top / KEEPER / "papio")))
    bench.cost(run.place, run.work(), "first snapshot")
    store = run.place.store
    (newest,) = store.glob("[0-9]*Z")
    record = json.loads((store / f".runner/records/{newest.name}.json").read_text("utf-8"))
    made = datetime.strptime(newest.name, "%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC)
    for number in range(1, snapshots):
        name = f"{made - timedelta(days=number):%Y-%m-%dT%H%M%SZ}"
        subprocess.run(("cp", "-al", newest, store / name), check=True)
        text = json.dumps({**record, "name": name}, indent=1)
        (store / f".runner/records/{name}.json").write_text(text, "utf-8")
        shutil.copy(store / f".runner/records/{newest.name}.sums.gz", store / f".runner/records/{name}.sums.gz")
    return run


def hosts(folder: Path, bench: Bench) -> Found:
    """Processor seconds of `status` and `plan` of sites that have few and many hosts, each with one snapshot."""
    found: dict[str, dict[int, list[float]]] = {"status": {}, "plan": {}}
    bench.say(f"sites of {HOSTS_FEW} and {HOSTS_MANY} hosts")
    with _emptied(folder):
        places = {number: _site(folder / f"hosts{number}", number) for number in (HOSTS_FEW, HOSTS_MANY)}
        jobs = {number: tuple(f"backup-host{each}" for each in range(1, number + 1)) for number in places}
        for number, place in places.items():
            bench.cost(place, _work(place, "run", *jobs[number]), f"first snapshots of {number} hosts")
        for number in range(ROUNDS):
            for name in in_turn(tuple(map(str, places)), number):
                for verb, by_number in found.items():
                    place = places[int(name)]
                    # Nothing is due: what is not named would not be planned, nor its host asked.
                    named = jobs[int(name)] if verb == "plan" else ()
                    cost = bench.cost(place, _work(place, verb, *named), f"{verb}: {name} hosts")
                    by_number.setdefault(int(name), []).append(cost.cpu)
    return found


def _site(top: Path, number: int) -> Place:
    top.mkdir(parents=True)
    site = HEAD
    for each in range(1, number + 1):
        (top / f"source{each}").mkdir()
        (top / f"source{each}/file").write_text(f"{each}", "ascii")
        site += f'host{each} = ["{top}/source{each}"]\n'
    site += "".join(HOST.format(number=each) for each in range(1, number + 1))
    (top / "jobs.toml").write_text(site, "utf-8")
    return Place(folder=top, source=top, disk=Disk(mount=top))


def _work(place: Place, *words: str) -> Work:
    return Work(
        commands=((*RUNNER, *words),), folder=place.folder, environment=environment(place.folder), ok_codes=(0, 3)
    )


@contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    folder.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(folder)
