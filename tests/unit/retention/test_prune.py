"""Kind `prune`: what expires as literal steps, what is measured first, and what a person hears."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.jobs.catalogue import KINDS
from runner.jobs.retention.prune import PruneKind
from runner.jobs.retention.steps import place
from runner.model.facts import Facts, StoreFacts
from runner.model.kind import Draft
from runner.model.options import CheckOptions, PruneOptions
from runner.model.plan import Check, Command, Effect, Plan, Step
from runner.model.role import Role
from runner.model.site import Amount, Job, Retention, Site
from runner.model.text import count
from runner.planning import floors, planner, review
from runner.report.todo import to_do
from tests.unit import parts

KIND = PruneKind()
GIB = 1 << 30
SPACE = {"size": 1000 * GIB, "free": 500 * GIB, "inodes": 10**8, "inodes_free": 5 * 10**7}
POLICY = Retention(min=2, max=4)
ROOM = Retention(min=2, max=400, free_space=Amount(percent=5))


def site(retention: Retention | None = POLICY) -> Site:
    here = parts.site()
    job = Job(name="purge", kind="prune", host="server", options=PruneOptions(store="papio"))
    stores = (replace(here.stores[0], retention=retention), here.stores[1])
    return replace(here, stores=stores, jobs=(*here.jobs, job))


def sealed(count: int, *, freed: int | None = 10 * GIB, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Snapshots of the days until the 22nd; each frees `freed` bytes; `changes` by day (`d20`)."""
    snapshots = []
    for number, day in enumerate(range(23 - count, 23), start=1):
        one: dict[str, Any] = {"name": f"2026-11-{day:02}T081500Z", "host": "papio", "files": 1000}
        if freed is not None:
            one |= {"freed_bytes": freed * number, "freed_inodes": 100 * number}
        snapshots.append({**one, **changes.get(f"d{day}", {})})
    return snapshots


def facts(snapshots: list[dict[str, Any]], **store: Any) -> Facts:
    space = {**SPACE, **store.pop("space", {})}
    return parts.facts({"server": {"store": {"sealed": snapshots, "space": space, **store}}})


def draft(snapshots: list[dict[str, Any]], retention: Retention | None = POLICY, **store: Any) -> Draft:
    here = site(retention)
    return KIND.draft(here, here.job("purge"), facts(snapshots, **store), parts.NOW)


def planned(snapshots: list[dict[str, Any]], retention: Retention | None = POLICY, **store: Any) -> Plan:
    here = site(retention)
    return planner.draft(here, [here.job("purge")], facts(snapshots, **store), KINDS, {})


def ids(steps: tuple[Step, ...]) -> list[str]:
    return [step.id.removeprefix("purge/") for step in steps]


def argv(step: Step) -> tuple[str, ...]:
    assert isinstance(step.action, Command)
    return step.action.argv


def days(steps: tuple[Step, ...]) -> list[int]:
    """The days of the snapshots that the steps expire, in their order."""
    return [int(argv(step)[3][8:10]) for step in steps if "expire" in argv(step)]


def low(free: int, **space: int) -> dict[str, Any]:
    return {"space": {"free": free, **space}}


@pytest.mark.parametrize(
    ("about", "snapshots", "policy", "store", "wanted"),
    [
        ("at max nothing goes", sealed(4), POLICY, {}, ["count"]),
        ("an empty store", [], POLICY, {}, ["count"]),
        ("a store that is not there yet", [], POLICY, {"exists": False}, ["count"]),
        ("without retention nothing goes", sealed(9), None, {}, ["count"]),
        (
            "one over max, and only one of the rest is known", [*sealed(5)[:2], *sealed(5, freed=None)[2:]], POLICY, {},
            ["expire-1", "empty", "measure"],
        ),
        ("one over max", sealed(5), POLICY, {}, ["expire-1", "empty"]),
        (
            "two of the rest are known: enough", [*sealed(5)[:3], *sealed(5, freed=None)[3:]], POLICY, {},
            ["expire-1", "empty"],
        ),
        (
            "of the newest nobody need know it", [*sealed(3)[:2], *sealed(3, freed=None)[2:]], replace(POLICY, max=2),
            {}, ["expire-1", "empty"],
        ),
        ("two over max", sealed(6), POLICY, {}, ["expire-1", "expire-2", "empty"]),
        ("what is in the trash goes", sealed(3), POLICY, {"trash": ["x"]}, ["empty"]),
        ("nothing is known of what they free", sealed(3, freed=None), POLICY, {}, ["measure"]),
        ("at min nothing may be asked", sealed(2, freed=None), POLICY, {}, ["count"]),
        (
            "short of 10 GiB", sealed(9), ROOM, low(40 * GIB), ["expire-1", "empty-1"],
        ),
        (
            "short of 15 GiB", sealed(9), ROOM, low(35 * GIB),
            ["expire-1", "empty-1", "expire-2", "empty-2"],
        ),
        (
            "over max and short", sealed(6), replace(ROOM, max=5), low(35 * GIB),
            ["expire-1", "empty", "expire-2", "empty-2"],
        ),
        ("not reachable above min", sealed(9, freed=GIB), ROOM, low(0), ["count"]),
        ("not measured: nothing goes by trial", sealed(9, freed=None), ROOM, low(40 * GIB), ["measure-first"]),
        (
            "not measured, over max", sealed(5, freed=None), replace(ROOM, max=4), low(40 * GIB),
            ["expire-1", "empty", "measure"],
        ),
        (
            "not measured, no room to note it", sealed(9, freed=None), ROOM, low(4096),
            ["expire-1", "empty-1", "measure"],
        ),
        (
            "not measured, a byte too few to note it", sealed(9, freed=None), ROOM, low((1 << 20) - 1),
            ["expire-1", "empty-1", "measure"],
        ),
        ("just room to note it", sealed(9, freed=None), ROOM, low(1 << 20, inodes_free=16), ["measure-first"]),
        ("no inodes are counted", sealed(9, freed=None), ROOM, low(1 << 20, inodes=0, inodes_free=0), ["measure-first"]),
        (
            "not measured, an inode too few to note it", sealed(9, freed=None), ROOM, low(40 * GIB, inodes_free=15),
            ["expire-1", "empty-1", "measure"],
        ),
        (
            "not measured, no inode to note it", sealed(9, freed=None), ROOM, low(40 * GIB, inodes_free=3),
            ["expire-1", "empty-1", "measure"],
        ),
    ],
)  # fmt: skip
def test_the_steps_are(
    about: str, snapshots: list[dict[str, Any]], policy: Retention | None, store: dict[str, Any], wanted: list[str]
) -> None:
    made = draft(snapshots, policy, **store)
    assert ids(made.steps) == wanted, about
    assert made.planned is not None
    plan = planned(snapshots, policy, **store)
    assert (*review.check(plan), *floors.refusals(plan, site(policy), facts(snapshots, **store))) == ()


def test_each_that_goes_is_named_with_its_reason_the_floor_and_the_disk() -> None:
    one, *_ = draft(sealed(5)).steps
    assert argv(one) == (
        "/usr/local/sbin/runner-agent", "expire", "/srv/backups/papio", "2026-11-18T081500Z",
        "--plan=20261123T081500.000Z", "--min=2", "--mount=/srv/backups/papio",
        "--uuid=11111111-2222-3333-4444-555555555555",
    )  # fmt: skip
    assert (one.effect, one.unless, one.guard) == (Effect.EXPIRE, None, None)
    told = "2026-11-18T081500Z: the oldest: 5 snapshots, max is 4; with all older ones that frees 10.0 GiB"
    assert one.why == told


def test_what_goes_for_room_goes_and_is_emptied_only_until_there_is_room() -> None:
    made = draft(sealed(9), ROOM, **low(35 * GIB))
    for step in made.steps:
        assert isinstance(step.unless, Check)
        assert (step.unless.field, step.unless.relation, step.unless.value) == ("free_percent", ">=", 5)
        assert step.unless.argv == ("/usr/local/sbin/runner-agent", "newest", "/srv/backups/papio")
    assert days(made.steps) == [14, 15]


def test_the_store_is_held_while_anything_goes_and_not_for_a_look() -> None:
    made, nothing = draft(sealed(5)), draft(sealed(4))
    assert made.planned and nothing.planned
    (lock,) = made.planned.locks
    assert (lock.resource, lock.host, lock.argv[1]) == ("store papio", "server", "hold")
    assert nothing.planned.locks == ()
    assert [step.effect for step in nothing.steps] == [Effect.READ]


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({}, [17, 18]),
        ({"d17": {"pinned_until": "2026-12-01T00:00:00Z", "pinned_why": "the audit"}}, [18, 19]),
        ({"d17": {"being_read": True}}, [18, 19]),
        ({"d17": {"exceptions": 3}}, [17, 18]),
        ({"d19": {"exceptions": 3}, "d20": {"exceptions": 1}, "d21": {"exceptions": 1}}, [17, 19]),
        ({"d17": {"recorded": False}}, [18]),
    ],
)
def test_what_may_not_go_stays_and_the_next_goes(changes: dict[str, Any], gone: list[int]) -> None:
    assert days(draft(sealed(6, **changes)).steps) == gone


def test_what_no_run_sealed_is_no_snapshot_to_expire_or_to_count() -> None:
    snapshots = [{"name": "2025-01-01T000000Z", "recorded": False}, *sealed(4)]
    assert ids(draft(snapshots).steps) == ["count"]
    assert draft(snapshots).planned.headline == "nothing to expire: 4 snapshots"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("about", "snapshots", "policy", "store", "text"),
    [
        ("clock", [*sealed(6), {"name": "2026-11-24T081500Z"}], POLICY, {}, "the clock says 2026-11-23 08:15 UTC"),
        ("shrank", sealed(6, d22={"files": 10}), POLICY, {}, "papio shrank: 10 files"),
        ("foreign file", sealed(9, freed=GIB), ROOM, low(0), "5 % free cannot be had: 50.0 GiB missing"),
        ("not measured", sealed(6), ROOM, {"space": {"size": 0}}, "the free room was not measured"),
    ],
)
def test_frozen_is_told_with_what_to_do_and_nothing_expires(
    about: str, snapshots: list[dict[str, Any]], policy: Retention, store: dict[str, Any], text: str
) -> None:
    made = draft(snapshots, policy, **store)
    assert all(step.effect <= Effect.WRITE for step in made.steps), about
    (finding,) = made.findings
    assert finding.severity == "attention"
    assert finding.text.startswith(f"nothing expires from this store: {text}")
    assert finding.do


def test_a_doubt_is_told_although_something_goes() -> None:
    pin = {"pinned_until": "2027-01-01T00:00:00Z", "pinned_why": "x"}
    made = draft(sealed(6, d17=pin, d18=pin, d19=pin, d20=pin))
    assert days(made.steps) == [21]
    (finding,) = made.findings
    assert finding.text == "5 snapshots are left, max is 4; in the way: 4 pinned, the newest"


def test_a_store_that_cannot_be_used_is_left_alone_and_told() -> None:
    made = draft(sealed(9), POLICY, problem="another disk is mounted")
    assert (made.planned, made.steps) == (None, ())
    assert made.skip is not None
    assert [one.text for one in made.findings] == [made.skip.reason]
    assert "another disk is mounted" in made.skip.reason


@pytest.mark.parametrize(
    ("snapshots", "policy", "store", "told"),
    [
        (sealed(4), POLICY, {}, "nothing to expire: 4 snapshots"),
        ([], POLICY, {}, "nothing to expire: no snapshot yet"),
        (sealed(6), POLICY, {}, "2 snapshots may go, which frees 20.0 GiB and 200 inodes; 4 stay"),
        (sealed(6, freed=None), POLICY, {}, "2 snapshots may go; 4 stay"),
        # The pinned one stays and shares with those that go: the sum would be too much.
        (
            sealed(6, d17={"pinned_until": "2027-01-01T00:00:00Z"}), POLICY, {},
            "2 snapshots may go; 4 stay",
        ),
        (
            sealed(9, freed=None), ROOM, low(40 * GIB),
            "room is short, and what expiring the oldest frees is measured first: 9 snapshots",
        ),
        (sealed(9, freed=None), ROOM, low(4096), "1 snapshot may go; 8 stay"),
    ],
)  # fmt: skip
def test_the_plan_says_in_a_line_what_goes_and_what_that_frees(
    snapshots: list[dict[str, Any]], policy: Retention, store: dict[str, Any], told: str
) -> None:
    made = draft(snapshots, policy, **store)
    assert made.planned
    assert made.planned.headline == told


@pytest.mark.parametrize(
    ("most", "gone", "told"),
    [
        (None, 4, "4 snapshots may go, which frees 40.0 GiB and 400 inodes; 4 stay"),
        (4, 4, "4 snapshots may go, which frees 40.0 GiB and 400 inodes; 4 stay"),
        (3, 3, "3 snapshots may go, which frees 30.0 GiB and 300 inodes; 5 stay; 1 more later"),
        (0, 0, "nothing to expire: 8 snapshots; 4 more later"),
    ],
)
def test_no_more_goes_than_the_policy_of_the_host_lets_go_and_the_oldest_first(
    most: int | None, gone: int, told: str
) -> None:
    made = draft(sealed(8), rates=None if most is None else {"seals": 0, "expiries": most})
    assert [step.subject for step in made.steps if step.role == Role.EXPIRE] == [
        f"2026-11-{day}T081500Z" for day in range(15, 15 + gone)
    ]
    assert made.planned and made.planned.headline == told
    notes = [(finding.severity, finding.text) for finding in made.findings]
    more = count(4 - gone, "more snapshot")
    text = f"{more} will go later: the policy of server lets no more go in 24 hours"
    assert notes == ([] if gone == 4 else [("note", text)]), "it is no trouble"


@pytest.mark.parametrize(
    ("known", "files", "asked"),
    [
        (0, 1000, 29), (0, 1_000_000, 10), (0, 100_000_000, 5), (5, 100_000_000, 20),
        # The largest that is known counts; where none is, as if each were very large.
        (0, None, 5), (0, 0, 5),
    ],
)  # fmt: skip
def test_so_many_are_measured_as_can_be_read_in_reason_and_more_each_time(
    known: int, files: int | None, asked: int
) -> None:
    snapshots = []
    for number in range(30):
        one = {"name": f"2026-10-{number + 1:02}T000000Z", "files": files if number % 2 else files and files // 2}
        snapshots.append({**one, "freed_bytes": number, "freed_inodes": 1} if number < known else one)
    (step,) = draft(snapshots, ROOM, **low(40 * GIB)).steps
    words = argv(step)
    names = words[words.index("--") + 1 :]
    assert list(names) == [one["name"] for one in snapshots[:asked]]


def test_what_is_measured_before_anything_may_go_must_succeed_and_is_planned_with_again() -> None:
    (first,) = draft(sealed(9, freed=None), ROOM, **low(40 * GIB)).steps
    assert (first.replans, first.ok_codes) == (True, (0,))
    *_, after = draft(sealed(9, freed=None), ROOM, **low(4096)).steps
    assert (after.replans, after.ok_codes) == (False, (0,))
    names = argv(after)[argv(after).index("--") + 1 :]
    assert names == tuple(f"2026-11-{day}T081500Z" for day in range(15, 22)), "not what goes, nor the newest"


def test_to_empty_a_large_disk_may_take_a_day_and_to_measure_it_six_hours() -> None:
    _, empty, measure = draft(sealed(5, freed=None)).steps
    assert (empty.timeout, measure.timeout) == (24 * 3600, 6 * 3600)
    (first,) = draft(sealed(9, freed=None), ROOM, **low(40 * GIB)).steps
    assert first.timeout == 6 * 3600


@pytest.mark.parametrize(
    ("store", "changes", "mount", "uuid"),
    [
        ("papio", {}, "/srv/backups/papio", "1111"),
        ("papio", {"uuid": "2222"}, "/srv/backups/papio", "2222"),
        ("server", {}, "", ""),
    ],
)
def test_work_on_a_store_names_its_disk_and_the_declared_one_before_the_one_that_is_there(
    store: str, changes: dict[str, str], mount: str, uuid: str
) -> None:
    here = site()
    here = replace(here, disks=(replace(here.disks[0], **changes),))
    where = place(here, "purge", here.store(store), StoreFacts(path="/s", exists=True, uuid="1111"), "plan")
    assert (where.at.mount, where.at.uuid) == (mount, uuid)


def test_work_in_the_sandbox_and_without_a_retention_asks_for_no_disk_and_no_floor() -> None:
    here = parts.site(live=False)
    where = place(here, "purge", here.store("papio"), StoreFacts(path="/s", exists=True, uuid="1111"), "plan")
    assert (where.at.mount, where.at.uuid, where.least, where.per_day) == ("", "", 0, 0)


def test_a_clock_that_was_ahead_is_one_cause_for_all_jobs_of_its_store() -> None:
    here, ahead = site(), ("2027-11-23T081500Z", "2027-11-24T081500Z")
    look = Job(name="check", kind="check", host="server", options=CheckOptions(store="papio"))
    here = replace(here, jobs=(*here.jobs, look))
    jobs = [here.job(name) for name in ("backup-papio", "purge", "check")]
    plan = planner.draft(here, jobs, facts([*sealed(3), *({"name": name} for name in ahead)]), KINDS, {})
    told = [each for each in plan.findings if each.cause == "store/papio/clock"]
    assert [each.source for each in told] == ["backup-papio", "purge", "check"]
    # Only the snapshot asks the other clocks: where it is the clock of now that is wrong, the names are good.
    aside = f"runner snapshots papio --set-aside {' '.join(ahead)}"
    assert [(each.do, each.command) for each in told[1:]] == [("set the clock right", "")] * 2
    assert told[0].command == aside
    (item,) = to_do((), told, {"backup-papio": 0, "purge": 1, "check": 2}).items
    assert item.command == aside, "it is one thing to do, and the one that leads out"
