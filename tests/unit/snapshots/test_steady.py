"""How a snapshot is written: cloned, looked at, sent apart, composed; a new filesystem whole; sealed from what was said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.jobs.snapshots.steady import steps as steady
from runner.jobs.snapshots.steady.between import Manner, Source, Target
from runner.model.facts import Filesystem, Partial
from runner.model.plan import Check, Command, Effect, Ended, Step
from runner.model.stored import DamagedFilesystem
from runner.tools import agent

ROOT = Filesystem(mount="/", source="/dev/sda1", type="ext4", dev=1)
HOME = Filesystem(mount="/home", source="/dev/sda2", type="ext4", dev=2)
NEW = "2026-11-23T081500Z"
OLD = "2026-11-22T081500Z"
OLDER = "2026-11-21T081500Z"
CUT = "2026-11-23T010000Z"
CUT_TOO = "2026-11-23T020000Z"

SOURCE = Source(
    host="papio", filesystems=(ROOT, HOME), emptied=(), left_out=(), absent=(), program="/p/runner-agent",
    remote="", scans="/var/lib/runner/scans/papio",
)  # fmt: skip
TARGET = Target(
    host="server", at=agent.At(program="/s/runner-agent", path="/store", plan="plan"), store="papio", name=NEW,
    basis=OLD, bases=(("/", OLD), ("/home", OLD)), partials=(), remote="server:",
)  # fmt: skip
MANNER = Manner(
    job="job", runs_on="papio", rsh=("ssh",), checksum="xxh128", timeout=60, started="then", since="there",
    guard_mounts=True,
)  # fmt: skip
LISTED = ["look", "differ", "scan", "send", "changed", "resend", "recheck", "settle"]
WHOLE = ["look", "send", "recheck", "explain", "walk"]
PROOF = ["compare", "explain"]


def made(**changes: Any) -> dict[str, Step]:
    """The steps by their short name; changes go to the target, or to the source where they are its."""
    of_source = {key: value for key, value in changes.items() if key in Source.__slots__}
    of_target = {key: value for key, value in changes.items() if key not in of_source}
    steps = steady.steps(replace(SOURCE, **of_source), replace(TARGET, **of_target), MANNER)
    return {step.id.removeprefix("job/"): step for step in steps}


def words(step: Step) -> tuple[str, ...]:
    assert isinstance(step.action, Command)
    return step.action.argv


def options(step: Step, name: str) -> list[str]:
    return [word.removeprefix(f"--{name}=") for word in words(step) if word.startswith(f"--{name}=")]


def numbered(names: list[str], number: int) -> list[str]:
    return [f"{name}-{number}" for name in names]


def test_the_steps_stand_in_their_order() -> None:
    known = [*numbered(LISTED, 1), *numbered(LISTED, 2), "room", "compose", *numbered(PROOF, 1), *numbered(PROOF, 2)]
    assert list(made()) == ["begin", "clone", *known, "seal"]
    fresh = [*numbered(LISTED, 1), *numbered(WHOLE, 2), "room", "compose", *numbered(PROOF, 1)]
    assert list(made(bases=(("/", OLD),))) == ["begin", "clone", *fresh, "seal"]
    whole = [*numbered(WHOLE, 1), *numbered(WHOLE, 2)]
    assert list(made(basis="", bases=())) == ["begin", *whole, "room", "compose", "seal"]
    assert list(made(partials=(Partial(name=CUT, filesystems=("/",)),)))[-1] == "reap"
    assert list(made(has_trash=True))[-1] == list(made(recycle=OLDER))[-1] == "reap"
    assert [step.effect for step in made(has_trash=True).values() if step.effect > Effect.WRITE] == [Effect.EXPIRE]


def test_nothing_expires_before_each_source_was_looked_at_and_none_had_shrunk() -> None:
    steps = made(recycle=OLDER, why="the oldest", least=3, per_day=2, shrink=30)
    looks = ["look-1", "look-2"]
    assert list(steps)[:5] == ["begin", *looks, "clone", "link"]
    for name in looks:
        assert options(steps[name], "shrink") == ["30"] and steps[name].ok_codes == (0, 80, 81, 82)
    assert options(steps["scan-1"], "shrink") == options(made()["look-1"], "shrink") == []
    clone, link = steps["clone"], steps["link"]
    assert clone.unless == Ended(step="job/look-1", codes=(81, 82), others=("job/look-2",))
    assert (clone.effect, options(clone, "recycle"), clone.subject, clone.until) == (Effect.EXPIRE, [OLDER], OLDER, "")
    # Where it is not recycled all is linked anew, and nothing goes.
    assert link.unless == Ended(step="job/clone")
    assert (link.effect, options(link, "recycle"), link.subject, options(link, "min")) == (Effect.WRITE, [], "", [])
    assert options(link, "basis") == options(clone, "basis")


def test_what_is_sent_whole_has_no_measure_and_keeps_nothing_from_expiring() -> None:
    steps = made(recycle=OLDER, shrink=30, bases=(("/home", OLD),))
    assert list(steps)[:5] == ["begin", "look-1", "look-2", "clone", "link"]
    assert steps["clone"].unless == Ended(step="job/look-2", codes=(81, 82))
    assert (steps["look-1"].ok_codes, options(steps["look-1"], "shrink")) == ((80,), [])
    none = made(recycle=OLDER, basis="", bases=())
    assert not {"clone", "link"} & set(none)


def test_what_receives_keeps_room_at_the_store_and_only_a_transfer_that_was_cut_off_is_looked_at() -> None:
    far = made()
    keep = f"keep-room /store --partial={NEW} -- rsync"
    assert options(far["send-2"], "rsync-path") == [f"/s/runner-agent {keep}"]
    assert words(far["send-2"])[0] == "rsync"
    near = {step.id.removeprefix("job/"): step for step in steady.steps(SOURCE, replace(TARGET, remote=""), MANNER)}
    assert words(near["send-1"])[:6] == ("/s/runner-agent", *keep.split())
    room = far["room"]
    # Where nothing is listed no transfer ends at all.
    assert (room.host, room.unless) == ("server", Ended(step="job/settle-2"))
    assert made(bases=(("/", OLD),))["room"].unless == Ended(step="job/walk-2")
    assert room.despite == ("job/send-1", "job/resend-1", "job/send-2", "job/resend-2")
    assert words(room) == ("/s/runner-agent", "room", "/store", f"--partial={NEW}")


@pytest.mark.parametrize("bases", [(("/", OLD), ("/home", OLD)), (("/", OLD),), ()])
def test_rsync_writes_where_nothing_is_shared_and_nowhere_else(bases: tuple[tuple[str, str], ...]) -> None:
    steps = made(bases=bases, partials=(Partial(name=CUT, filesystems=("/", "/home")),))
    assert words(steps["send-1"])[-2:] == ("/", f"server:/store/.incoming/{NEW}/0/")
    assert words(steps["send-2"])[-2:] == ("/home/", f"server:/store/.incoming/{NEW}/1/")
    for step in steps.values():
        if "rsync" in words(step)[0] and ".incoming" not in words(step)[-1]:
            assert "--dry-run" in words(step), step.id


def test_what_differs_is_found_by_the_record_and_only_without_one_by_rsync() -> None:
    steps = made()
    look, differ, scan = (steps[name] for name in ("look-2", "differ-2", "scan-2"))
    place = ("/p/runner-agent", "look", "/home", "--scans=/var/lib/runner/scans/papio", f"--name={NEW}")
    assert (look.host, look.subject, words(look)) == ("papio", "/home", (*place, f"--basis={OLD}"))
    assert look.ok_codes == (0, 80)
    assert differ.unless == scan.unless == Ended(step="job/look-2")
    assert (words(differ)[-2:], words(differ)[0]) == (("/home/", f"server:/store/{OLD}/home/"), "rsync")
    assert {"--dry-run", "--delete", "--itemize-changes"} < set(words(differ))
    assert words(scan) == (*place, f"--basis={OLD}", "--compared=job/differ-2")
    assert scan.inputs == ("job/differ-2",)
    assert steps["send-2"].feed == ("job/look-2", "job/scan-2")


@pytest.mark.parametrize("every", [7, 1])
def test_rsync_compares_too_after_an_interruption_and_where_all_is_compared(every: int) -> None:
    partials = (Partial(name=CUT, filesystems=("/", "/home")),) if every > 1 else ()
    manner, target = replace(MANNER, compare_every=every), replace(TARGET, partials=partials)
    steps = {step.id.removeprefix("job/"): step for step in steady.steps(SOURCE, target, manner)}
    assert "--anew" in words(steps["look-1"]) and "--anew" not in words(steps["scan-1"])
    # What the record shows is listed beside what the comparison finds, and no look removes it.
    assert options(steps["look-1"], "basis") == options(steps["scan-1"], "basis") == [OLD]
    assert "--anew" not in words(made()["look-1"])


@pytest.mark.parametrize(("until", "mount", "told"), [(OLD, "/home", True), (NEW, "/home", True), (OLDER, "/home", False),
                                                      (OLD, "/gone", False)])  # fmt: skip
def test_what_an_audit_found_is_compared_until_a_snapshot_was_sealed_since(until: str, mount: str, told: bool) -> None:
    steps = made(damaged=(DamagedFilesystem(host="papio", mount=mount, until=until, names=3),))
    assert "--anew" not in words(steps["look-1"]) and "damaged-1" not in steps
    assert ("--anew" in words(steps["look-2"]), "damaged-2" in steps) == (told, told)
    scan = steps["scan-2"]
    assert options(scan, "damaged") == (["job/damaged-2"] if told else [])
    assert scan.inputs == (("job/differ-2", "job/damaged-2") if told else ("job/differ-2",))
    if told:
        assert steps["differ-2"].why == f"an audit found 3 names damaged that {OLD} may have: compare /home with it"
        listing = steps["damaged-2"]
        assert (listing.host, listing.unless, listing.effect) == ("server", Ended(step="job/look-2"), Effect.READ)
        named = ("--host=papio", "--mount=/home", f"--basis={OLD}")
        assert words(listing) == ("/s/runner-agent", "damaged", "/store", *named)
        # What no snapshot has is sent whole.
        whole = made(bases=(("/", OLD),), damaged=(DamagedFilesystem(host="papio", mount=mount, until=until, names=3),))
        assert "damaged-2" not in whole


@pytest.mark.parametrize("afresh", [True, False])
def test_where_times_are_cut_all_is_listed_only_if_no_record_can_tell(*, afresh: bool) -> None:
    partials = (Partial(name=CUT, filesystems=("/", "/home")),) if afresh else ()
    steps = made(whole_seconds=True, partials=partials)
    assert options(steps["differ-1"], "modify-window") == ["0" if afresh else "-1"]


def test_of_some_snapshots_one_is_compared() -> None:
    for every, most in ((7, ["6"]), (2, ["1"]), (0, []), (1, [])):
        steps = {one.id: one for one in steady.steps(SOURCE, TARGET, replace(MANNER, compare_every=every))}
        assert options(steps["job/look-1"], "most") == most


def test_what_no_record_showed_is_compared_once_more_when_it_is_composed() -> None:
    steps = made()
    for name in ("compare-1", "explain-1"):
        assert steps[name].unless == Ended(step="job/look-1")
    assert words(steps["compare-1"])[-2:] == ("/", f"server:/store/.partial/{NEW}/0/")
    assert steps["explain-1"].inputs == ("job/compare-1",)


def test_only_what_differs_is_sent_with_the_newest_that_has_it_first_as_its_basis() -> None:
    steps = made(bases=(("/", OLD), ("/home", OLD), ("/home", OLDER)))
    send = steps["send-2"]
    assert options(send, "copy-dest") == [f"/store/{OLD}/home", f"/store/{OLDER}/home"]
    assert {"--files-from=-", "--from0", "--ignore-times", "--ignore-missing-args"} < set(words(send))
    assert not any("link-dest" in word for step in steps.values() for word in words(step))
    assert options(steps["begin"], "share") == [OLD, f"{OLD}/home", f"{OLDER}/home"]
    assert options(steps["clone"], "basis") == [f"{OLD}=/", f"{OLD}=/home"]


def test_what_was_sent_is_made_exact_by_the_same_names_compared_with_what_is_there() -> None:
    first, again = made()["send-2"], made()["resend-2"]
    assert set(words(first)) - set(words(again)) == {"--ignore-times", f"--copy-dest=/store/{OLD}/home"}
    assert set(words(again)) <= set(words(first))
    # Of an interruption only the first is kept, and by its own number.
    assert (first.keep_output_as, again.keep_output_as) == (f"papio/{NEW}/1", f"papio/{NEW}/3")


def test_only_what_changed_is_sent_again_and_all_of_it_where_not_all_arrived() -> None:
    steps, lists = made(), ("job/look-2", "job/scan-2")
    changed, again = steps["changed-2"], steps["resend-2"]
    assert (changed.host, changed.effect, changed.feed) == ("papio", Effect.READ, lists)
    assert words(changed) == (
        "/p/runner-agent",
        "changed",
        "/home",
        "--scans=/var/lib/runner/scans/papio",
        f"--name={NEW}",
    )
    assert changed.unless == Ended(step="job/send-2", codes=(23, 24))
    assert again.unless is None
    assert again.feed == steps["recheck-2"].feed == ("job/changed-2", *lists)
    # Where it begins with what an interrupted one left, that is compared.
    resumed = made(partials=(Partial(name=CUT, filesystems=("/home",)),))
    assert "changed-2" not in resumed and resumed["resend-2"].feed == resumed["recheck-2"].feed == lists


def test_rsync_is_never_given_more_folders_than_it_takes_and_the_newest_come_first() -> None:
    many = tuple(("/", f"2026-10-{day:02}T010000Z") for day in range(30, 0, -1))
    given = options(made(bases=many)["send-1"], "copy-dest")
    assert len(given) == 20
    assert given[0] == "/store/2026-10-30T010000Z"


def test_a_filesystem_that_no_snapshot_has_is_sent_whole_and_counted_at_its_source() -> None:
    steps = made(bases=(("/", OLD),))
    send = steps["send-2"]
    assert {"--delete-excluded", "--ignore-errors"} < set(words(send))
    assert not {"--ignore-times", "--files-from=-"} & set(words(send))
    assert options(steps["begin"], "whole") == ["/home"]
    assert options(steps["clone"], "basis") == [f"{OLD}=/"]
    for name in ("recheck-2", "explain-2"):
        assert steps[name].unless == Ended(step="job/send-2", codes=(0,))
    assert (steps["explain-2"].host, steps["explain-2"].inputs) == ("papio", ("job/recheck-2",))
    assert options(steps["explain-2"], "since") == ["there"]
    assert send.ok_codes == (0, 23, 24)


def test_the_plan_is_stale_where_the_newest_snapshot_or_a_mount_is_another() -> None:
    for changes in ({}, {"bases": (("/", OLD),)}):
        steps = made(**changes)
        sent = steps["look-2"].guard
        # Who begins it refuses by itself: nobody asks twice.
        assert (steps["begin"].guard, options(steps["begin"], "basis")) == (None, [OLD])
        assert isinstance(sent, Check)
        assert (sent.host, sent.argv, sent.value) == ("papio", ("/p/runner-agent", "mounted", "/home"), 2)


def test_what_is_sent_whole_is_looked_at_first_so_that_the_next_goes_by_its_record() -> None:
    steps = made(bases=(("/", OLD),))
    look, walk = steps["look-2"], steps["walk-2"]
    place = ("/home", "--scans=/var/lib/runner/scans/papio", f"--name={NEW}")
    assert words(look) == ("/p/runner-agent", "look", *place)
    assert look.ok_codes == (80,)
    assert options(walk, "scans") + options(walk, "name") == ["/var/lib/runner/scans/papio", NEW]
    assert options(walk, "looked") == ["job/recheck-2"]
    assert walk.inputs == ("job/send-2", "job/recheck-2")


def test_compose_and_settle_hear_what_was_listed_and_the_comparison_only_where_not_all_was_sent() -> None:
    steps = made(bases=(("/", OLD),))
    lists = ("job/look-1", "job/scan-1")
    settle, compose = steps["settle-1"], steps["compose"]
    assert steps["recheck-1"].unless == Ended(step="job/resend-1")
    assert settle.inputs == (*lists, "job/recheck-1")
    assert options(settle, "listed") == list(lists)
    assert options(settle, "looked") == ["job/recheck-1"]
    assert compose.inputs == ("job/settle-1", *lists)
    assert options(compose, "listed") == ["job/look-1=/", "job/scan-1=/"]
    assert options(compose, "settled") == ["job/settle-1=/"]


def test_the_seal_is_told_of_every_transfer_explanation_and_missing_filesystem() -> None:
    partials = (
        Partial(name=CUT, filesystems=("/", "/home")),
        Partial(name=CUT_TOO, filesystems=("/", "/home"), kept=(OLDER,)),
    )
    seal = made(partials=partials, bases=(("/", OLD),), absent=("/data",))["seal"]
    assert options(seal, "transfer") == ["job/resend-1=/", "job/send-2=/home"]
    assert options(seal, "explained") == ["job/explain-1=/", "job/explain-2=/home"]
    assert options(seal, "walked") == ["job/walk-2=/home"]
    assert options(seal, "settled") == ["job/settle-1=/"]
    assert options(seal, "absent") == ["/data"]
    assert options(seal, "started") == ["then"]
    # Of what is listed all that is listed is sent again; of what is sent whole the newest says most.
    kept = [f"kept:papio/{name}/1" for name in (CUT_TOO, OLDER, CUT)]
    assert options(seal, "kept") == ["job/send-1=/", *(f"{name}=/home" for name in kept)]
    assert seal.inputs == (
        "job/resend-1", "job/send-2", "job/explain-1", "job/explain-2", "job/walk-2", "job/settle-1", "job/send-1",
        *kept,
    )  # fmt: skip
    assert seal.ok_codes == (0,)


def test_a_store_is_emptied_only_in_the_filesystem_it_lies_in() -> None:
    steps = made(emptied=("/home/snapshots", "/homely"), left_out=("/home/x", "/home"), bases=(("/", OLD),))
    assert options(steps["differ-1"], "exclude") == ["/home/snapshots/*", "/homely/*", "/home/*", "/home/x", "/home"]
    assert options(steps["look-1"], "emptied") == ["/home/snapshots", "/homely", "/home"]
    assert options(steps["look-1"], "left-out") == ["/home/x", "/home"]
    assert options(steps["send-2"], "exclude") == ["/snapshots/*", "/x"]
    assert options(steps["recheck-2"], "exclude") == ["/snapshots/*", "/x"]
    assert options(steps["walk-2"], "emptied") == ["/home/snapshots"]
    assert options(steps["walk-2"], "left-out") == ["/home/x"]


def test_a_stand_in_is_read_where_it_is_and_kept_under_its_mount_point() -> None:
    stand_in = Filesystem(mount="/", source="/sandbox/papio", type="stand-in", dev=1)
    steps = made(filesystems=(stand_in,), remote="")
    assert words(steps["send-1"])[-2] == "/sandbox/papio/"
    assert words(steps["send-1"])[-1].endswith(f"/.incoming/{NEW}/0/")
    assert words(steps["look-1"])[2] == "/sandbox/papio"
