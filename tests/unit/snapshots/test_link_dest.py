"""How a snapshot is written: into a fresh folder, sharing only by --link-dest, sealed from what was said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.jobs.snapshots import link_dest
from runner.model.facts import Filesystem, Partial
from runner.model.plan import Check, Command, Effect, Ended, Step
from runner.tools import agent

ROOT = Filesystem(mount="/", source="/dev/sda1", type="ext4", dev=1)
HOME = Filesystem(mount="/home", source="/dev/sda2", type="ext4", dev=2)
NEW = "2026-11-23T081500Z"
OLD = "2026-11-22T081500Z"
CUT = "2026-11-23T010000Z"
CUT_TOO = "2026-11-23T020000Z"

SOURCE = link_dest.Source(
    host="papio", filesystems=(ROOT, HOME), emptied=(), left_out=(), absent=(), program="/p/runner-agent",
    remote="",
)  # fmt: skip
TARGET = link_dest.Target(
    host="server", at=agent.At(program="/s/runner-agent", path="/store", plan="plan"), store="papio", name=NEW,
    basis=OLD, bases=(("/", OLD), ("/home", OLD)), partials=(), remote="server:",
)  # fmt: skip
MANNER = link_dest.Manner(
    job="job", runs_on="papio", rsh=("ssh",), checksum="xxh128", timeout=60, started="then", since="there",
    guard_mounts=True,
)  # fmt: skip


def made(**changes: Any) -> dict[str, Step]:
    """The steps by their short name; changes go to the target, or to the source where they are its."""
    of_source = {key: value for key, value in changes.items() if key in link_dest.Source.__slots__}
    of_target = {key: value for key, value in changes.items() if key not in of_source}
    steps = link_dest.steps(replace(SOURCE, **of_source), replace(TARGET, **of_target), MANNER)
    return {step.id.removeprefix("job/"): step for step in steps}


def words(step: Step) -> tuple[str, ...]:
    assert isinstance(step.action, Command)
    return step.action.argv


def options(step: Step, name: str) -> list[str]:
    return [word.removeprefix(f"--{name}=") for word in words(step) if word.startswith(f"--{name}=")]


def test_the_steps_stand_in_their_order() -> None:
    copy = ["send-1", "look-1", "explain-1", "walk-1", "send-2", "look-2", "explain-2", "walk-2"]
    assert list(made()) == ["begin", *copy, "room", "seal"]
    cut = Partial(name=CUT, filesystems=("/",))
    assert list(made(partials=(cut,))) == ["begin", *copy, "room", "seal", "reap"]
    assert list(made(has_trash=True))[-1] == "reap"
    assert [step.effect for step in made(has_trash=True).values() if step.effect > Effect.WRITE] == [Effect.EXPIRE]


def test_what_receives_keeps_room_at_the_store_and_only_a_transfer_that_was_cut_off_is_looked_at() -> None:
    far = made()
    keep = f"keep-room /store --partial={NEW} -- rsync"
    assert options(far["send-2"], "rsync-path") == [f"/s/runner-agent {keep}"]
    assert words(far["send-2"])[0] == "rsync"
    near = {step.id.removeprefix("job/"): step for step in link_dest.steps(SOURCE, replace(TARGET, remote=""), MANNER)}
    assert words(near["send-1"])[:6] == ("/s/runner-agent", *keep.split())
    room = far["room"]
    assert (room.host, room.unless) == ("server", Ended(step="job/send-2", codes=(0, 23, 24)))
    assert room.despite == ("job/send-1", "job/send-2")
    assert words(room) == ("/s/runner-agent", "room", "/store", f"--partial={NEW}")


def test_rsync_writes_into_the_new_partial_and_nowhere_else() -> None:
    steps = made(partials=(Partial(name=CUT, filesystems=("/", "/home")),))
    assert words(steps["send-1"])[-2:] == ("/", f"server:/store/.partial/{NEW}/0/")
    assert words(steps["send-2"])[-2:] == ("/home/", f"server:/store/.partial/{NEW}/1/")
    assert words(steps["look-2"])[-2:] == words(steps["send-2"])[-2:]
    assert options(steps["send-2"], "link-dest") == [f"/store/{OLD}/home", f"/store/.partial/{CUT}/home"]


@pytest.mark.parametrize(
    ("changes", "first", "second"),
    [
        ({"basis": "", "bases": ()}, [], []),
        ({"bases": (("/", OLD),)}, [f"/store/{OLD}"], []),
        (
            {
                "partials": (
                    Partial(name=CUT, filesystems=("/home",)),
                    Partial(name=CUT_TOO, filesystems=("/", "/home")),
                )
            },
            [f"/store/{OLD}", f"/store/.partial/{CUT_TOO}"],
            [f"/store/{OLD}/home", f"/store/.partial/{CUT_TOO}/home", f"/store/.partial/{CUT}/home"],
        ),
        (
            {"partials": (Partial(name=CUT, filesystems=("/var", "/home"), apart=True),)},
            [f"/store/{OLD}"],
            [f"/store/{OLD}/home", f"/store/.partial/{CUT}/1"],
        ),
    ],
)
def test_only_what_has_the_filesystem_is_linked_against_newest_first(
    changes: dict[str, Any], first: list[str], second: list[str]
) -> None:
    steps = made(**changes)
    assert [f"/store/{path}" for path in options(steps["begin"], "share")] == [*first, *second]
    assert options(steps["send-1"], "link-dest") == first
    assert options(steps["send-2"], "link-dest") == second


def test_rsync_is_never_given_more_folders_than_it_takes_and_the_newest_come_first() -> None:
    many = tuple(Partial(name=f"2026-11-23T0100{number:02}Z", filesystems=("/",)) for number in range(30))
    given = options(made(partials=many)["send-1"], "link-dest")
    assert len(given) == 20
    assert given[:2] == [f"/store/{OLD}", "/store/.partial/2026-11-23T010029Z"]
    assert len(options(made(partials=many)["begin"], "resume")) == 30


def test_the_plan_is_stale_where_the_newest_snapshot_or_a_mount_is_another() -> None:
    steps = made()
    begin, send = steps["begin"].guard, steps["send-2"].guard
    assert isinstance(begin, Check)
    assert (begin.host, begin.field, begin.relation, begin.value) == ("server", "newest", "==", OLD)
    assert isinstance(send, Check)
    assert (send.host, send.argv, send.value) == ("papio", ("/p/runner-agent", "mounted", "/home"), 2)


def test_a_clean_transfer_is_not_looked_at_again_and_any_other_is_explained_at_the_source() -> None:
    steps = made()
    for name in ("look-1", "explain-1"):
        assert steps[name].unless == Ended(step="job/send-1", codes=(0,))
    assert steps["explain-1"].host == "papio"
    assert steps["explain-1"].inputs == ("job/look-1",)
    assert options(steps["explain-1"], "since") == ["there"]
    assert steps["send-1"].ok_codes == (0, 23, 24)


def test_the_seal_is_told_of_every_transfer_explanation_and_missing_filesystem() -> None:
    partials = (Partial(name=CUT, filesystems=("/", "/home")), Partial(name=CUT_TOO, filesystems=("/",)))
    seal = made(partials=partials, absent=("/data",))["seal"]
    assert options(seal, "transfer") == ["job/send-1=/", "job/send-2=/home"]
    assert options(seal, "explained") == ["job/explain-1=/", "job/explain-2=/home"]
    assert options(seal, "absent") == ["/data"]
    assert options(seal, "started") == ["then"]
    kept = [f"kept:papio/{CUT}/0", f"kept:papio/{CUT}/1", f"kept:papio/{CUT_TOO}/0"]
    assert options(seal, "kept") == kept
    copied = tuple(f"job/{what}-{number}" for what in ("send", "explain", "walk") for number in (1, 2))
    assert seal.inputs == (*copied, *kept)
    assert options(seal, "walked") == ["job/walk-1=/", "job/walk-2=/home"]
    assert seal.ok_codes == (0,)


def test_a_store_is_emptied_only_in_the_filesystem_it_lies_in() -> None:
    steps = made(emptied=("/home/snapshots", "/homely"), left_out=("/home/x", "/home"))
    assert options(steps["send-1"], "exclude") == ["/home/snapshots/*", "/homely/*", "/home/*", "/home/x", "/home"]
    assert options(steps["send-2"], "exclude") == ["/snapshots/*", "/x"]
    assert options(steps["look-2"], "exclude") == ["/snapshots/*", "/x"]
    assert options(steps["walk-2"], "emptied") == ["/home/snapshots"]
    assert options(steps["walk-2"], "left-out") == ["/home/x"]


def test_a_stand_in_is_read_where_it_is_and_kept_under_its_mount_point() -> None:
    stand_in = Filesystem(mount="/", source="/sandbox/papio", type="stand-in", dev=1)
    send = made(filesystems=(stand_in,), remote="")["send-1"]
    assert words(send)[-2] == "/sandbox/papio/"
    assert words(send)[-1].endswith(f"/.partial/{NEW}/0/")
