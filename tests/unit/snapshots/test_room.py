"""Room for the next snapshot: what it needs, what goes for it and when, what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.jobs.catalogue import KINDS
from runner.jobs.snapshots import room as making_room
from runner.jobs.snapshots.room import Need
from runner.jobs.snapshots.snapshot import SnapshotKind
from runner.model.facts import Filesystem, Snapshot, Space, StoreFacts
from runner.model.kind import Draft
from runner.model.options import PruneOptions
from runner.model.plan import Check, Command, Plan, PlannedJob
from runner.model.run import JobReport, Outcome, Pass, State
from runner.model.site import Amount, Job, Retention
from runner.planning import planner, review
from runner.planning.passes import again
from runner.report import outcome
from tests.unit import parts

MIB, GIB = 1 << 20, 1 << 30
POLICY = Retention(min=2, max=400)
BIG = Space(size=1000 * GIB, free=500 * GIB, inodes=10**8, inodes_free=10**8)


def sealed(count: int, *, freed: int | None = GIB, **changes: Any) -> tuple[Snapshot, ...]:
    """One a day until yesterday, each bringing 10 MiB in 4 files; `changes` of all."""
    stored = []
    for number in range(count):
        values: dict[str, Any] = {"added_bytes": 10 * MIB, "added_files": 4, "folders": 0, "files": 1000}
        if freed is not None:
            values |= {"freed_bytes": freed * (number + 1), "freed_inodes": 100 * (number + 1)}
        name = f"2026-11-{23 - count + number:02}T081500Z"
        stored.append(Snapshot(name=name, host="papio", **{**values, **changes}))
    return tuple(stored)


def filesystem(used: int, inodes: int, kind: str = "ext4") -> Filesystem:
    return Filesystem(mount="/", source="s", type=kind, dev=1, used=used, inodes_used=inodes)


@pytest.mark.parametrize(
    ("about", "stored", "need"),
    [
        ("before the first all that is used", (), Need(bytes=12, inodes=34)),
        ("half as much again as usual", sealed(9), Need(bytes=15 * MIB, inodes=6)),
        ("the first is whole and says nothing", sealed(1), Need(bytes=0, inodes=0)),
        (
            "each folder is made anew", sealed(9, folders=1000),
            Need(bytes=15 * MIB + 1000 * 4096, inodes=6 + 1000),
        ),
        ("holes take nothing", sealed(9, added_room=MIB), Need(bytes=3 * MIB // 2, inodes=6)),
        ("holes are known of one only", (*sealed(8), *sealed(1, added_room=MIB)), Need(bytes=3 * MIB // 2, inodes=6)),
        ("how many files is known of some", (*sealed(8, added_files=None), *sealed(1)), Need(bytes=15 * MIB, inodes=6)),
        ("how many folders is not known", sealed(9, folders=None), Need(bytes=15 * MIB, inodes=6)),
        ("the last seven are usual, no more", (*sealed(5, added_bytes=GIB), *sealed(4)), Need(bytes=15 * MIB, inodes=6)),
        ("nothing is known", sealed(9, added_bytes=None, added_files=None), Need(bytes=0, inodes=0)),
    ],
)  # fmt: skip
def test_the_next_snapshot_needs(about: str, stored: tuple[Snapshot, ...], need: Need) -> None:
    assert making_room.need(stored, [filesystem(5, 30), filesystem(7, 4)]) == need, about


def test_what_a_folder_that_stands_in_for_a_filesystem_needs_is_not_known() -> None:
    assert making_room.need((), [filesystem(5, 30, "stand-in")]) == Need()


def room(
    stored: tuple[Snapshot, ...], free: int, need: int, policy: Retention | None = POLICY, **more: Any
) -> making_room.RoomToMake:
    space = replace(BIG, free=free)
    facts = StoreFacts(path="/s", exists=True, sealed=stored, space=space, **more)
    return making_room.room(facts, policy, Need(bytes=need), parts.NOW)


def gone(made: making_room.RoomToMake) -> list[str]:
    return [one.snapshot.name[8:10] for one in made.decision.expire] if made.decision else []


@pytest.mark.parametrize(
    ("about", "stored", "free", "need", "policy", "wanted"),
    [
        ("there is room", sealed(9), 5 * GIB, 5 * GIB, POLICY, []),
        ("one goes", sealed(9), 4 * GIB, 5 * GIB, POLICY, ["14"]),
        ("one byte more", sealed(9), 4 * GIB, 5 * GIB + 1, POLICY, ["14", "15"]),
        ("the floor must hold afterwards", sealed(9), 5 * GIB, 5 * GIB, replace(POLICY, free_space=Amount(bytes=2 * GIB)), ["14", "15"]),
        ("over max goes by a prune job", sealed(9), 5 * GIB, 5 * GIB, Retention(min=2, max=4), []),
        ("not more than the room needs, over max", sealed(9), 4 * GIB, 5 * GIB, Retention(min=2, max=4), ["14"]),
        ("never below min", sealed(3), 0, 5 * GIB, POLICY, []),
        ("without retention never", sealed(9), 0, 5 * GIB, None, []),
        ("not measured: not by trial", sealed(9, freed=None), 4 * GIB, 5 * GIB, POLICY, []),
        ("not measured and not even room to note it", sealed(9, freed=None), 0, 5 * GIB, POLICY, ["14"]),
        ("what no run sealed never goes", (Snapshot(name="2025-01-01T000000Z", recorded=False), *sealed(9)), 4 * GIB, 5 * GIB, POLICY, ["14"]),
    ],
)  # fmt: skip
def test_for_room_goes_what_is_needed_and_no_more(
    about: str, stored: tuple[Snapshot, ...], free: int, need: int, policy: Retention | None, wanted: list[str]
) -> None:
    assert gone(room(stored, free, need, policy)) == wanted, about


PARTIAL = (parts.facts({"server": {"store": {"partials": [{"name": "2026-11-23T000000Z"}]}}})
           .hosts["server"].stores["papio"].partials)  # fmt: skip


@pytest.mark.parametrize(
    ("about", "stored", "free", "least", "partials", "full"),
    [
        ("min forbids and it was tried", sealed(3), 0, 0, PARTIAL, True),
        ("min forbids and it was not tried", sealed(3), 0, 0, (), False),
        ("one may go", sealed(9), 4 * GIB, 0, PARTIAL, False),
        ("what they free is measured first", sealed(9, freed=None), 4 * GIB, 0, PARTIAL, False),
        ("enough for the snapshot, not for the floor", sealed(3), 5 * GIB, 100, PARTIAL, False),
    ],
)
def test_a_store_is_full_only_when_it_was_tried_and_nothing_may_go(
    about: str, stored: tuple[Snapshot, ...], free: int, least: int, partials: Any, full: bool
) -> None:
    policy = replace(POLICY, free_space=Amount(bytes=least * GIB))
    assert room(stored, free, 5 * GIB, policy, partials=partials).full == full, about


@pytest.mark.parametrize(
    ("about", "inodes", "free", "need", "floor", "wanted"),
    [
        ("just enough", 1000, 10, 10, None, []),
        ("one too few", 1000, 10, 11, None, ["14"]),
        ("more than one frees", 1000, 10, 111, None, ["14", "15"]),
        ("enough for the floor too", 1000, 10, 5, Amount(bytes=5), []),
        ("not for the floor", 1000, 10, 6, Amount(bytes=5), ["14"]),
        ("a filesystem that counts none", 0, 0, 11, None, []),
    ],
)
def test_inodes_are_room_as_bytes_are(
    about: str, inodes: int, free: int, need: int, floor: Amount | None, wanted: list[str]
) -> None:
    facts = StoreFacts(path="/s", exists=True, sealed=sealed(9), space=replace(BIG, inodes=inodes, inodes_free=free))
    policy = replace(POLICY, free_inodes=floor)
    assert gone(making_room.room(facts, policy, Need(inodes=need), parts.NOW)) == wanted, about


@pytest.mark.parametrize(
    ("inodes", "free", "need", "full"), [(1000, 10, 11, True), (1000, 10, 10, False), (0, 0, 11, False)]
)
def test_a_store_is_full_too_when_it_has_no_inodes_left(inodes: int, free: int, need: int, full: bool) -> None:
    space = replace(BIG, inodes=inodes, inodes_free=free)
    facts = StoreFacts(path="/s", exists=True, sealed=sealed(3), space=space, partials=PARTIAL)
    policy = replace(POLICY, free_inodes=Amount(bytes=500))
    assert making_room.room(facts, policy, Need(inodes=need), parts.NOW).full == full


def test_of_a_store_whose_room_is_not_known_nothing_goes() -> None:
    facts = StoreFacts(path="/s", exists=True, sealed=sealed(9), space=None)
    assert making_room.room(facts, POLICY, Need(bytes=GIB), parts.NOW) == making_room.RoomToMake(need=Need(bytes=GIB))


def draft(stored: tuple[Snapshot, ...], free: int, **store: Any) -> Draft:
    here = parts.site()
    here = replace(here, stores=(replace(here.stores[0], retention=POLICY), here.stores[1]))
    facts = parts.facts()
    server = facts.hosts["server"]
    kept = replace(server.stores["papio"], sealed=stored, space=replace(BIG, free=free), **store)
    known = replace(facts, hosts={**facts.hosts, "server": replace(server, stores={"papio": kept})})
    made = SnapshotKind().draft(here, here.job("backup-papio"), known, parts.NOW)
    if made.planned:
        plan = Plan(id="x", made_at=parts.NOW, site="s", live=True, jobs=(made.planned,), steps=made.steps)
        assert (*review.check(plan), *review.floors(plan, here, known)) == ()
    return made


def ids(made: Draft) -> list[str]:
    return [one.id.removeprefix("backup-papio/") for one in made.steps]


def test_what_goes_goes_before_the_snapshot_is_begun_and_only_unless_there_is_room() -> None:
    made = draft(sealed(9, freed=8 * MIB), 4 * MIB)
    assert ids(made)[:6] == ["disk", "expire-1", "empty-1", "expire-2", "empty-2", "begin"]
    for step in made.steps[1:5]:
        assert isinstance(step.unless, Check)
        assert (step.unless.field, step.unless.value) == ("free_bytes", 15 * MIB)


def test_where_it_is_not_known_what_goes_would_free_that_is_measured_and_the_snapshot_tried() -> None:
    made = draft(sealed(9, freed=None), 4 * MIB)
    assert ids(made)[:3] == ["disk", "measure-first", "begin"]
    measure = made.steps[1]
    assert isinstance(measure.action, Command)
    assert measure.action.argv[-8:] == tuple(f"2026-11-{day}T081500Z" for day in range(14, 22))
    assert not measure.replans, "it was tried all the same"
    assert measure.ok_codes == (0, 1), "that it cannot be noted must not keep the snapshot from being tried"


def test_a_full_store_is_skipped_in_words_and_keeps_what_was_sent() -> None:
    made = draft(sealed(2), 4 * MIB, partials=PARTIAL)
    assert made.skip
    (finding,) = made.findings
    assert finding.severity == "attention"
    assert finding.text.startswith("store papio is full, the next snapshot needs about 15.0 MiB and 6 inodes, and ")
    assert "min = 2" in finding.text
    assert "what was sent is kept" in finding.do


def test_little_room_of_which_nothing_may_be_made_is_told_and_the_snapshot_tried() -> None:
    made = draft(sealed(2), 4 * MIB)
    assert made.planned
    (finding,) = made.findings
    assert finding.text.startswith("there is little room, and nothing expires: ")


def ended(name: str, state: State = State.DONE, **result: Any) -> Outcome:
    return Outcome(step=name, **parts.role(name), job=name.partition("/")[0], state=state, result=result)


GONE = parts.expire_answer("2026-11-14T081500Z", 8)
SEAL = parts.seal_answer(files=1, added_files=1, added_bytes=1)


def report(*passes: tuple[Outcome, ...], kind: str = "snapshot", told: str = "") -> JobReport:
    job = PlannedJob(name="a", kind=kind, writes="papio/x" if kind == "snapshot" else "", headline=told)
    plans = [parts.plan(*(parts.step(one.step) for one in each), jobs=(job,)) for each in passes]
    plans = [replace(plan, id=str(number)) for number, plan in enumerate(plans)]
    done = [Pass(plan=plan, outcomes=each) for plan, each in zip(plans, passes, strict=True)]
    (told_of,) = outcome.job_reports(done, KINDS, parts.site())
    return told_of


WENT = "expired 1 snapshot: 2026-11-14T081500Z; 8 are left"


@pytest.mark.parametrize(
    ("passes", "headline", "details"),
    [
        (
            ((ended("a/expire-1", **GONE), ended("a/seal", **SEAL)),),
            "sealed papio/x: 1 file, 1 B new in 1 file", [f"to make room {WENT}"],
        ),
        (
            (
                (ended("a/expire-1", **GONE), ended("a/send-1", State.FAILED)),
                (ended("a/seal", **SEAL),),
            ),
            "sealed papio/x: 1 file, 1 B new in 1 file", [f"in a pass before {WENT}"],
        ),
        (((ended("a/expire-1", **GONE), ended("a/begin", State.FAILED)),), "begin failed: ", [WENT]),
    ],
)  # fmt: skip
def test_no_snapshot_goes_for_another_without_a_word(
    passes: tuple[tuple[Outcome, ...], ...], headline: str, details: list[str]
) -> None:
    job_report = report(*passes)
    assert (job_report.headline, list(job_report.details)) == (headline, details)


@pytest.mark.parametrize(
    ("outcomes", "headline"),
    [
        ((ended("a/expire-1", **GONE), ended("a/empty")), WENT),
        (
            (ended("a/expire-1", **GONE), ended("a/expire-2", **parts.expire_answer("2026-11-15T081500Z", 7))),
            "expired 2 snapshots: 2026-11-14T081500Z to 2026-11-15T081500Z; 7 are left",
        ),
        (
            # An answer that cannot be read is no snapshot that stayed: the step tells which went.
            (ended("a/expire-1", **GONE), replace(ended("a/expire-2", sealed=7), subject="2026-11-15T081500Z")),
            "expired 2 snapshots: 2026-11-14T081500Z to 2026-11-15T081500Z; how many are left is not known",
        ),
        (
            (ended("a/expire-1", State.NOT_NEEDED), ended("a/empty-1", State.NOT_NEEDED)),
            "no snapshot had to go",
        ),
        (
            (ended("a/expire-1", State.NOT_NEEDED), ended("a/measure")),
            "no snapshot had to go",
        ),
        ((ended("a/measure"),), "what the plan said"),
    ],
)  # fmt: skip
def test_a_prune_is_told_by_what_went(outcomes: tuple[Outcome, ...], headline: str) -> None:
    assert report(outcomes, kind="prune", told="what the plan said").headline == headline


@pytest.mark.parametrize(
    ("replans", "state", "jobs"), [(True, State.DONE, ("a",)), (True, State.FAILED, ()), (False, State.DONE, ())]
)
def test_a_job_that_had_to_do_something_first_is_planned_again_in_the_same_run(
    replans: bool, state: State, jobs: tuple[str, ...]
) -> None:
    step = parts.step("a/measure-first", replans=replans)
    plan = parts.plan(step, jobs=(PlannedJob(name="a", kind="prune"),))
    assert again(Pass(plan=plan, outcomes=(ended("a/measure-first", state),))) == jobs


def test_of_two_jobs_that_make_room_in_one_store_only_one_expires_each() -> None:
    here = parts.site()
    purge = Job(name="purge", kind="prune", host="server", options=PruneOptions(store="papio"))
    policy = Retention(min=2, max=7, free_space=Amount(bytes=5 * MIB))
    here = replace(here, jobs=(*here.jobs, purge), stores=(replace(here.stores[0], retention=policy),))
    server = parts.facts().hosts["server"]
    kept = replace(server.stores["papio"], sealed=sealed(9, freed=8 * MIB), space=replace(BIG, free=8 * MIB))
    known = replace(parts.facts(), hosts={**parts.facts().hosts, "server": replace(server, stores={"papio": kept})})
    plan = planner.draft(here, [here.job("backup-papio"), purge], known, KINDS, {})
    gone = [(one.job, one.id.rpartition("/")[2]) for one in plan.steps if "/expire-" in one.id]
    # The third goes for the snapshot that is being made.
    assert gone == [("backup-papio", "expire-1"), ("backup-papio", "expire-2"), ("purge", "expire-3")]
    alone = planner.draft(here, [purge], known, KINDS, {})
    assert [one.id for one in alone.steps if "/expire-" in one.id] == ["purge/expire-1", "purge/expire-2"]
    assert (*review.check(plan), *review.floors(plan, here, known)) == ()
