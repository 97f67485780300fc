"""Room for the next snapshot: what it needs, what goes for it and when, what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from runner.jobs.catalogue import KINDS
from runner.jobs.retention.room import state
from runner.jobs.snapshots import room as making_room
from runner.jobs.snapshots.room import Fit, Need
from runner.jobs.snapshots.snapshot import SnapshotKind
from runner.model.facts import Filesystem, Partial, Snapshot, Space, StoreFacts
from runner.model.kind import Draft
from runner.model.options import PruneOptions
from runner.model.plan import Check, Command, Effect, Plan, PlannedJob
from runner.model.role import Phase, Role
from runner.model.run import JobReport, Outcome, Pass, State
from runner.model.site import Amount, Job, Retention
from runner.planning import floors, planner, review
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
        values["filesystems"] = ("/", "/home")
        if freed is not None:
            values |= {"freed_bytes": freed * (number + 1), "freed_inodes": 100 * (number + 1)}
        name = f"2026-11-{23 - count + number:02}T081500Z"
        stored.append(Snapshot(name=name, host="papio", **{**values, **changes}))
    return tuple(stored)


def filesystem(used: int, inodes: int, kind: str = "ext4", mount: str = "/") -> Filesystem:
    return Filesystem(mount=mount, source="s", type=kind, dev=1, used=used, inodes_used=inodes)


@pytest.mark.parametrize(
    ("about", "stored", "need"),
    [
        ("half as much again as usual", sealed(9), Need(bytes=15 * MIB, inodes=6)),
        ("the first is whole and says nothing", sealed(1), Need(bytes=0, inodes=0)),
        (
            "each folder is made anew", sealed(9, folders=1000),
            Need(bytes=15 * MIB + 1000 * 4096, inodes=6 + 1000, least_inodes=900),
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
    assert making_room.need(stored) == need, about


WHOLE = Need(bytes=1200, inodes=340, least_bytes=1080, least_inodes=306)


@pytest.mark.parametrize(
    ("about", "fresh", "partly", "need"),
    [
        ("before the first all that is used", [filesystem(500, 300), filesystem(700, 40, "xfs", "/home")], (), WHOLE),
        ("of one something is left out", [filesystem(500, 300), filesystem(700, 40, "xfs", "/home")], ("/home",),
         replace(WHOLE, least_bytes=450, least_inodes=270)),
        ("nothing is left out of what is not copied", [filesystem(1200, 340)], ("/srv",), WHOLE),
        ("what stands in for one is not known", [filesystem(5, 30, "stand-in")], (), Need()),
        ("subvolumes say of each other what they hold",
         [filesystem(1200, 340, "btrfs"), filesystem(1200, 340, "btrfs", "/home")], (), Need(bytes=1200, inodes=340)),
        ("a part of one that is mounted says it of the whole", [replace(filesystem(1200, 340), root="/a")], (),
         Need(bytes=1200, inodes=340)),
    ],
)  # fmt: skip
def test_what_no_snapshot_has_yet_is_copied_whole(
    about: str, fresh: list[Filesystem], partly: tuple[str, ...], need: Need
) -> None:
    assert making_room.need((), fresh, partly) == need, about
    usual = making_room.need(sealed(9), fresh, partly)
    assert (usual.bytes, usual.inodes) == (15 * MIB + need.bytes, 6 + need.inodes), about
    assert usual.least_bytes == need.least_bytes, "a quiet day may bring no file at all"


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


def cut(full: bool | None, *, free: int | None = None, sent: int | None = None) -> tuple[Partial, ...]:
    """An interrupted snapshot that was ended for room, or not; and what was free then."""
    inodes = None if free is None else BIG.inodes_free
    return tuple(
        replace(each, full=full, free=free, inodes_free=inodes, sent=sent, inodes_sent=sent) for each in PARTIAL
    )


@pytest.mark.parametrize(
    ("about", "stored", "free", "least", "partials", "fit"),
    [
        ("min forbids and it was tried", sealed(3), 0, 0, PARTIAL, Fit.FULL),
        ("min forbids and it was not tried", sealed(3), 0, 0, (), Fit.TIGHT),
        ("it was cut off for another reason", sealed(3), 0, 0, cut(False, free=0), Fit.TIGHT),
        ("it was ended for room", sealed(3), GIB, 0, cut(True, free=GIB), Fit.FULL),
        ("it was ended for room, and since then some came", sealed(3), 3 * GIB, 0, cut(True, free=GIB), Fit.TIGHT),
        ("hardly any came", sealed(3), GIB + MIB, 0, cut(True, free=GIB), Fit.FULL),
        ("one may go", sealed(9), 4 * GIB, 0, PARTIAL, Fit.GOOD),
        ("what they free is measured first", sealed(9, freed=None), 4 * GIB, 0, PARTIAL, Fit.GOOD),
        ("enough for the snapshot, not for the floor", sealed(3), 5 * GIB, 100, PARTIAL, Fit.GOOD),
    ],
)
def test_a_store_is_full_only_when_it_was_tried_and_nothing_may_go(
    about: str, stored: tuple[Snapshot, ...], free: int, least: int, partials: Any, fit: Fit
) -> None:
    policy = replace(POLICY, free_space=Amount(bytes=least * GIB))
    assert room(stored, free, 5 * GIB, policy, partials=partials).fit == fit, about


@pytest.mark.parametrize(
    ("about", "space", "missing"),
    [
        ("bytes", {"free": 3 * GIB, "last": 2 * GIB, "inodes_free": 9000, "inodes_last": 100}, "3.0 GiB free cannot be had"),
        ("inodes", {"free": 90 * GIB, "last": 2 * GIB, "inodes_free": 130, "inodes_last": 100}, "131 free inodes cannot be had"),
        ("it counts no inodes", {"free": 3 * GIB, "last": 2 * GIB, "inodes": 0, "inodes_free": 0}, "free cannot be had"),
    ],
)  # fmt: skip
def test_where_the_last_copy_was_ended_for_room_more_is_wanted_of_what_was_scarce(
    about: str, space: dict[str, int], missing: str
) -> None:
    there = replace(BIG, **{"inodes": 100_000, **space})
    ended_then = replace(cut(True, free=there.free)[0], inodes_free=there.inodes_free)
    facts = StoreFacts(path="/s", exists=True, space=there, sealed=sealed(2), partials=(ended_then,))
    made = making_room.room(facts, POLICY, Need(bytes=MIB, inodes=9), parts.NOW)
    assert made.decision and missing in made.decision.frozen, about


SURE = Need(bytes=10 * GIB, inodes=1000, least_bytes=9 * GIB, least_inodes=900)
LOOSE = Need(bytes=10 * GIB, inodes=1000)


@pytest.mark.parametrize(
    ("about", "need", "space", "partials", "fit"),
    [
        ("it fits", SURE, {"free": 10 * GIB}, (), Fit.GOOD),
        ("it may fit: nobody knows to the byte", SURE, {"free": 9 * GIB}, (), Fit.TIGHT),
        ("it is known that it does not", SURE, {"free": 9 * GIB - 1}, (), Fit.FULL),
        ("something is left out, and it may fit", LOOSE, {"free": 1}, (), Fit.TIGHT),
        ("the last is nobody's", SURE, {"free": 13 * GIB, "last": 4 * GIB + 1}, (), Fit.FULL),
        ("not even the last is free", LOOSE, {"free": 1, "last": 2}, (), Fit.FULL),
        ("inodes", SURE, {"inodes": 9999, "inodes_free": 899}, (), Fit.FULL),
        ("the last inodes", SURE, {"inodes": 9999, "inodes_free": 1000, "inodes_last": 200}, (), Fit.FULL),
        ("a filesystem that counts none", SURE, {"inodes": 0, "inodes_free": 0}, (), Fit.GOOD),
        ("most of it was sent", SURE, {"free": 2 * GIB}, cut(False, free=2 * GIB, sent=8 * GIB), Fit.TIGHT),
        ("some of it was sent", SURE, {"free": 2 * GIB}, cut(False, free=2 * GIB, sent=5 * GIB), Fit.FULL),
        ("nobody knows how much was sent", SURE, {"free": 2 * GIB}, cut(False), Fit.TIGHT),
        ("as much as goes was sent", LOOSE, {"free": 2 * GIB}, cut(True, free=2 * GIB, sent=8 * GIB), Fit.FULL),
    ],
)
@pytest.mark.parametrize("policy", [None, POLICY])
def test_a_first_snapshot_is_given_up_only_where_it_is_known_not_to_fit(
    about: str, need: Need, space: dict[str, int], partials: Any, fit: Fit, policy: Retention | None
) -> None:
    facts = StoreFacts(path="/s", exists=True, space=replace(BIG, **space), partials=partials)
    assert making_room.room(facts, policy, need, parts.NOW).fit == fit, about


@pytest.mark.parametrize(
    ("about", "space", "partials", "words"),
    [
        ("all is well", {}, (), ()),
        ("it waits", {}, cut(False, free=500 * GIB, sent=3 * GIB), ("1 interrupted snapshot of about 3.0 GiB waits",)),
        ("how much it holds is not known", {}, cut(None), ("1 interrupted snapshot waits",)),
        ("below its reserve", {"free": 40 * GIB}, (), ("below its reserve of 5 % free",)),
        ("less than the last", {"free": 1, "last": 2}, (), ("full",)),
        ("fewer inodes than the last", {"inodes_free": 1, "inodes_last": 2}, (), ("full",)),
        ("ended for room", {"free": GIB}, cut(True, free=GIB), ("full", "1 interrupted snapshot waits")),
        ("there is room again", {"free": 90 * GIB}, cut(True, free=GIB), ("1 interrupted snapshot waits",)),
        ("two", {}, (*cut(None), *cut(None)), ("2 interrupted snapshots wait",)),
    ],
)
def test_what_is_amiss_with_a_store(about: str, space: dict[str, int], partials: Any, words: tuple[str, ...]) -> None:
    facts = StoreFacts(path="/s", exists=True, space=replace(BIG, **space), partials=partials)
    assert state(facts, replace(POLICY, free_space=Amount(percent=5))) == words, about


def test_a_store_that_lost_something_is_not_good_and_that_is_said_first() -> None:
    damaged, without = (
        Snapshot(name="2026-11-22T081500Z", exceptions=None),
        Snapshot(name="2026-11-22T081500Z", recorded=False),
    )
    facts = StoreFacts(path="/s", exists=True, space=replace(BIG, free=1, last=2), sealed=(damaged, damaged, without))
    assert state(facts, POLICY, "3 snapshots are gone") == (
        "3 snapshots are gone",
        "1 snapshot without a record counts for nothing",
        "the records of 2 snapshots cannot be read",
        "full",
    )
    one = replace(facts, sealed=(damaged, without, without), space=BIG)
    assert state(one, None) == (
        "2 snapshots without a record count for nothing",
        "the record of 1 snapshot cannot be read",
    )
    assert state(replace(facts, sealed=(Snapshot(name="2026-11-22T081500Z"),), space=BIG), None) == ()


def test_in_the_place_of_how_many_snapshots_something_else_lies_is_told_and_other_odd_things_are_none() -> None:
    name = "2026-11-22T081500Z"
    odd = (f"/s/{name}", f"/s/.runner/records/{name}", "/s/.runner/records/stray")
    assert state(StoreFacts(path="/s", exists=True, odd=odd), None) == (
        "something else lies in the place of 1 snapshot",
    )


def test_of_a_store_whose_room_was_not_measured_only_copies_are_told() -> None:
    assert state(StoreFacts(path="/s", exists=True, partials=cut(None)), POLICY) == ("1 interrupted snapshot waits",)


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
    ("inodes", "free", "need", "fit"), [(1000, 10, 11, Fit.FULL), (1000, 10, 10, Fit.GOOD), (0, 0, 11, Fit.GOOD)]
)
def test_a_store_is_full_too_when_it_has_no_inodes_left(inodes: int, free: int, need: int, fit: Fit) -> None:
    space = replace(BIG, inodes=inodes, inodes_free=free)
    facts = StoreFacts(path="/s", exists=True, sealed=sealed(3), space=space, partials=PARTIAL)
    policy = replace(POLICY, free_inodes=Amount(bytes=500))
    assert making_room.room(facts, policy, Need(inodes=need), parts.NOW).fit == fit


def test_of_a_store_whose_room_is_not_known_nothing_goes() -> None:
    facts = StoreFacts(path="/s", exists=True, sealed=sealed(9), space=None)
    assert making_room.room(facts, POLICY, Need(bytes=GIB), parts.NOW) == making_room.RoomToMake(need=Need(bytes=GIB))


def draft(
    stored: tuple[Snapshot, ...], free: int, instant: datetime | None = None, policy: Retention = POLICY, **store: Any
) -> Draft:
    """Drafted at a site where a job prunes the store, and nobody need be asked."""
    here = parts.site(unattended=Effect.EXPIRE)
    purge = Job(name="purge", kind="prune", host="server", options=PruneOptions(store="papio"))
    stores = (replace(here.stores[0], retention=policy), here.stores[1])
    here = replace(here, stores=stores, jobs=(*here.jobs, purge))
    facts = parts.facts()
    server = facts.hosts["server"]
    kept = replace(server.stores["papio"], sealed=stored, **{"space": replace(BIG, free=free), **store})
    known = replace(facts, hosts={**facts.hosts, "server": replace(server, stores={"papio": kept})})
    made = SnapshotKind().draft(here, replace(here.job("backup-papio"), instant=instant), known, parts.NOW)
    if made.planned:
        plan = Plan(id="x", made_at=parts.NOW, site="s", live=True, jobs=(made.planned,), steps=made.steps)
        assert (*review.check(plan), *floors.refusals(plan, here, known)) == ()
    return made


def ids(made: Draft) -> list[str]:
    return [one.id.removeprefix("backup-papio/") for one in made.steps]


def test_what_goes_goes_before_the_snapshot_is_begun_and_only_unless_there_is_room() -> None:
    made = draft(sealed(9, freed=8 * MIB), 4 * MIB)
    assert ids(made)[:5] == ["expire-1", "empty-1", "expire-2", "empty-2", "begin"]
    for step in made.steps[0:4]:
        assert isinstance(step.unless, Check)
        assert (step.unless.field, step.unless.value) == ("free_bytes", 15 * MIB)
    # Nothing goes for a snapshot that another run has made.
    assert ids(draft(sealed(9, freed=8 * MIB), 4 * MIB, parts.NOW))[:2] == ["instant", "expire-1"]


def test_where_it_is_not_known_what_goes_would_free_that_is_measured_and_the_snapshot_tried() -> None:
    made = draft(sealed(9, freed=None), 4 * MIB)
    assert ids(made)[:2] == ["measure-first", "begin"]
    measure = made.steps[0]
    assert isinstance(measure.action, Command)
    assert measure.action.argv[-8:] == tuple(f"2026-11-{day}T081500Z" for day in range(14, 22))
    assert not measure.replans, "it was tried all the same"
    assert measure.ok_codes == (0, 1), "that it cannot be noted must not keep the snapshot from being tried"


def test_a_full_store_is_skipped_in_words_and_keeps_what_was_sent() -> None:
    made = draft(sealed(2), 4 * MIB, partials=PARTIAL)
    assert made.skip
    (finding,) = made.findings
    assert finding.severity == "attention"
    needs, had = "it needs about 15.0 MiB and 6 inodes", "4.0 MiB and 100,000,000 inodes are to be had"
    assert finding.text.startswith(
        f"the next snapshot does not fit into store papio: {needs}, and {had} on its disk at "
    )
    assert "min = 2" in finding.do
    assert "1 interrupted snapshot is kept there" in finding.do
    assert finding.command == "runner snapshots papio --drop-partials"


def test_where_the_last_copy_filled_the_disk_that_is_said_in_plain_words() -> None:
    made = draft((), 4 * MIB, partials=cut(True, free=4 * MIB))
    (finding,) = made.findings
    assert finding.text == (
        "no space left for store papio: the last copy was ended for that, and no more is free since then on its disk at "
        "server; there is no snapshot in it that could expire"
    )
    assert finding.cause == "store/papio/full" and finding.command == "runner snapshots papio --drop-partials"


def test_whose_filesystem_it_is_and_what_stays_free_for_the_system_is_told() -> None:
    space = replace(BIG, free=5 * MIB, last=4 * MIB, system="/var")
    made = draft(sealed(2), 5 * MIB, partials=PARTIAL, space=space)
    (finding,) = made.findings
    assert (
        "1.0 MiB and 100,000,000 inodes are to be had on server, where it shares the filesystem of /var and the "
        in (finding.text)
    )
    assert "the last 4.0 MiB stay free for the system; " in finding.text


def test_a_first_snapshot_that_does_not_fit_is_skipped_where_nothing_ever_expires_too() -> None:
    here, facts = parts.site(), parts.facts({"server": {"store": {"sealed": []}}})
    papio, server = facts.hosts["papio"], facts.hosts["server"]
    kept = replace(server.stores["papio"], space=replace(BIG, free=4 * MIB))
    full = [replace(each, used=GIB) if each.mount == "/home" else each for each in papio.filesystems]
    hosts = {"papio": replace(papio, filesystems=tuple(full)), "server": replace(server, stores={"papio": kept})}
    here = replace(here, stores=(replace(here.stores[0], retention=None), here.stores[1]))
    made = SnapshotKind().draft(here, here.job("backup-papio"), replace(facts, hosts=hosts), parts.NOW)
    assert made.skip and made.skip.reason.startswith("the next snapshot does not fit into store papio: ")
    (finding,) = made.findings
    assert finding.text.endswith("; there is no snapshot in it that could expire")
    assert finding.command == "", "nothing was sent yet"
    without = replace(here, jobs=(parts.job("backup-papio", exclude=("/home/big",)), *here.jobs[1:]))
    made = SnapshotKind().draft(without, without.job("backup-papio"), replace(facts, hosts=hosts), parts.NOW)
    assert made.skip is None
    told = [(each.text.partition(":")[0], each.phase) for each in made.findings if each.severity == "attention"]
    assert told == [("the next snapshot may not fit into store papio", Phase.FORECAST)]


def test_little_room_of_which_nothing_may_be_made_is_told_and_the_snapshot_tried() -> None:
    made = draft(sealed(2), 4 * MIB)
    assert made.planned
    (finding,) = made.findings
    assert finding.text.startswith("there is little room, and nothing expires to make more: ")


def test_that_nothing_expires_is_not_said_where_one_does_for_max() -> None:
    made = draft(sealed(3, freed=1), 4 * MIB, policy=Retention(min=2, max=3))
    (clone,) = (step for step in made.steps if step.effect == Effect.EXPIRE and step.role == Role.CLONE)
    assert clone.subject == "2026-11-20T081500Z"
    (finding,) = made.findings
    assert finding.text.startswith("there is little room, and nothing expires to make more: ")
    assert "cannot be had: " in finding.text


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
    assert (*review.check(plan), *floors.refusals(plan, here, known)) == ()
