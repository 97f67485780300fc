"""Whole lives of a store, made up: whatever is cut off, lost, or asked twice, an instant has one snapshot at most."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runner.jobs.catalogue import KINDS
from runner.model.facts import Facts, Partial, Snapshot
from runner.model.names import snapshot_time
from runner.model.plan import Plan
from runner.planning import planner, schedule
from tests.unit import parts
from tests.unit.planning.test_schedule import SCHEDULES, TURNS, ZONES

JOB = "backup-papio"

# A run by one of two controllers, that comes to its end or is cut off; a lost journal; time that goes on, or back.
STEPS = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 1), st.booleans()),
    st.tuples(st.just("retry"), st.integers(0, 1), st.booleans()),
    st.tuples(st.just("lose"), st.integers(0, 1), st.just(True)),
    st.tuples(st.just("wait"), st.integers(-7200, 90_000), st.just(True)),
)


class Life:
    """A store, and two controllers, each with what its journal knows of when the job last succeeded."""

    def __init__(self, zone: str, line: str, day: str) -> None:
        self.site = parts.site(timezone=zone, jobs=(parts.job(JOB, schedule=line),))
        self.now = datetime.fromisoformat(day).replace(tzinfo=UTC)
        self.sealed: list[Snapshot] = []
        self.partials: list[Partial] = []
        self.journals: list[dict[str, datetime]] = [{}, {}]

    def step(self, what: str, number: int, ends: bool) -> None:
        if what == "wait":
            self.now += timedelta(seconds=number)
        elif what == "lose":
            self.journals[number].clear()
        else:
            last = self.journals[number] if what == "run" else {}
            self.run(schedule.due(self.site, last, self.now), number, ends=ends)

    def run(self, due: schedule.DueJobs, number: int, *, ends: bool) -> None:
        plan = planner.draft(self.site, due.jobs, self.facts(), KINDS, {})
        assert all(skip.done for skip in plan.skips if skip.reason.startswith("already done"))
        for job in plan.jobs:
            name = job.writes.partition("/")[2]
            if not ends:
                self.partials.append(Partial(name=name, filesystems=("/",)))
                continue
            about: dict[str, Any] = {"host": parts.PAPIO, "job": job.name, "filesystems": ("/", "/home")}
            self.sealed.append(Snapshot(name=name, started=self.now, sealed=self.now, instant=job.instant, **about))
            self.partials.clear()
            self.journals[number][job.name] = self.now

    def facts(self) -> Facts:
        known = parts.facts(at=self.now)
        server = known.hosts[parts.SERVER]
        store = replace(server.stores["papio"], sealed=tuple(self.sealed), partials=tuple(self.partials))
        return replace(known, hosts={**known.hosts, parts.SERVER: replace(server, stores={"papio": store})})


@given(
    zone=st.sampled_from(ZONES), line=st.sampled_from(SCHEDULES), day=st.sampled_from(TURNS),
    steps=st.lists(STEPS, max_size=25),
)  # fmt: skip
def test_an_instant_has_one_snapshot_at_most_and_each_has_an_instant(
    zone: str, line: str, day: str, steps: list[tuple[str, int, bool]]
) -> None:
    life = Life(zone, line, day)
    for step in steps:
        life.step(*step)
    instants = [snapshot.instant for snapshot in life.sealed]
    assert None not in instants and len(set(instants)) == len(instants)
    # None is for a time that was over when it was begun.
    for snapshot in life.sealed:
        begun = snapshot_time(snapshot.name)
        assert snapshot.instant and begun and snapshot.started and snapshot.instant <= snapshot.started


def test_a_run_that_is_cut_off_again_and_again_comes_to_one_snapshot() -> None:
    life = Life("America/New_York", "15 3 * * *", "2026-11-23")
    for ends in (False, False, True, True, False):
        life.step("retry", 0, ends)
        life.step("wait", 60, True)
    assert len(life.sealed) == 1 and life.partials == []


def test_it_is_made_again_where_it_was_sealed_for_the_time_before() -> None:
    life = Life("UTC", "15 3 * * *", "2026-11-23")
    for _ in range(3):
        life.step("retry", 0, True)
        life.step("wait", 86_400, True)
    assert [snapshot.instant for snapshot in life.sealed] == [
        datetime(2026, 11, day, 3, 15, tzinfo=UTC) for day in (22, 23, 24)
    ]


def test_a_plan_without_anything_due_has_no_step() -> None:
    life = Life("UTC", "15 3 * * *", "2026-11-23")
    life.step("run", 0, True)
    plan: Plan = planner.draft(life.site, schedule.due(life.site, {}, life.now).jobs, life.facts(), KINDS, {})
    assert plan.steps == () and plan.skips[0].done
