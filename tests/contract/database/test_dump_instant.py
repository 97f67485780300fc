"""Dumps for an instant, from a real server: made once, whoever asks and however often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from runner.model.run import State
from runner.model.site import Job
from tests.contract import pg
from tests.contract.database.test_dump_job import Papio
from tests.contract.dump_parts import folder
from tests.unit import parts

pytestmark = pytest.mark.packages

INSTANT = parts.NOW - timedelta(minutes=15)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Due(Papio):
    """Its job is run for INSTANT."""

    @property
    def job(self) -> Job:
        return replace(super().job, instant=INSTANT)

    def count(self) -> dict[str, int]:
        return {name: len(rows) for name, rows in self.dumps.listed()["databases"].items()}


@pytest.fixture(scope="module")
def cluster() -> Iterator[pg.Cluster]:
    with pg.cluster() as cluster:
        pg.fill(cluster)
        yield cluster


@pytest.fixture
def papio(cluster: pg.Cluster, tmp_path: Path) -> Iterator[Due]:
    with folder(cluster) as dumps:
        yield Due(dumps=dumps, root=tmp_path)


def test_a_dump_is_made_once_for_its_instant(papio: Due) -> None:
    late = papio.plan(parts.NOW + MINUTE)
    done, _ = papio.run(papio.plan(parts.NOW))
    assert {outcome.state for outcome in done.values()} == {State.DONE}, done
    once = papio.count()
    assert set(once.values()) == {1}
    assert papio.plan(parts.NOW + 2 * MINUTE).skips[0].done
    # Planned before the first had ended, run when it has: the same moment, twice.
    done, _ = papio.run(late)
    assert done.pop("instant").state == State.ALREADY
    assert {outcome.state for outcome in done.values()} == {State.NOT_REACHED}
    assert papio.count() == once and len(papio.dumps.listed()["globals"]) == 1


def test_what_was_cut_off_is_taken_up_and_what_was_dumped_is_left_alone(papio: Due) -> None:
    plan, late = papio.plan(parts.NOW), papio.plan(parts.NOW + MINUTE)
    cut = [step.id for step in plan.steps].index("dump-papio/dump-babase") + 1
    papio.run(replace(plan, steps=plan.steps[:cut]))
    first = papio.count()
    assert 0 < len(first) < len(papio.dumps.cluster.databases())
    # One that was planned before that makes no second dump of any, and a new plan may do better.
    done, _ = papio.run(late)
    assert done["instant"].state == State.FAILED and done["instant"].result["again"] is True
    assert papio.count() == first
    done, report = papio.run(papio.plan(parts.NOW + 2 * MINUTE))
    assert {outcome.state for outcome in done.values()} == {State.DONE}, done
    assert set(papio.count().values()) == {1} and len(papio.count()) == len(papio.dumps.cluster.databases())
    assert report and not any("new since" in text for text in report.details)
    assert papio.plan(parts.NOW + 3 * MINUTE).skips[0].done


def test_without_its_lock_a_dump_is_still_not_made_twice(papio: Due) -> None:
    papio.run(papio.plan(parts.NOW))
    mark = ("--job=dump-papio", f"--instant={INSTANT.isoformat()}")
    said = papio.dumps.dump("babase", *mark, day=25)
    assert said.code == 1 and said.answer["error"] == "dump-papio has dumped it for that time"
    assert papio.dumps.dump("babase", day=25).code == 0
