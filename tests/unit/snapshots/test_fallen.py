"""What a source lost for a day is told that day, and shared with once it is back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.jobs.retention import doubts
from runner.jobs.retention.doubts import shrunk
from runner.jobs.retention.retention import decide
from runner.jobs.snapshots import fallen
from runner.model.facts import Snapshot
from runner.model.plan import PlannedJob
from runner.model.site import Retention
from runner.model.stored import Filled
from tests.unit import parts

GIB = 1 << 30


def days(*filled: int | tuple[int, int] | None, mount: str = "/home", host: str = "papio") -> tuple[Snapshot, ...]:
    """A snapshot a day, with so many files (and bytes) at `mount`; None: it was not counted."""
    made = []
    for day, held in enumerate(filled, start=1):
        files, size = held if isinstance(held, tuple) else (held, 0)
        known = (Filled(mount=mount, files=files, size=size),) if files is not None else ()
        made.append(Snapshot(name=f"2026-11-{day:02}T081500Z", host=host, filesystems=(mount,), filled=known))
    return tuple(made)


def shared(*filled: int | tuple[int, int] | None) -> list[int]:
    """The days whose snapshots the next one shares with, in the order in which they are asked."""
    return [int(name[8:10]) for name in fallen.bases(days(*filled), "/home")]


@pytest.mark.parametrize(
    ("filled", "with_days"),
    [
        ((), []),
        ((100,), [1]),
        ((100, 100, 101), [3]),
        ((100_000, 100_000, 0), [3, 2]),
        ((100_000, 0, 0, 0), [4, 1]),
        ((100_000, 0, 100_000), [3]),
        ((100_000, 0, 99_990), [3]),
        ((100_000, 60_000, 10), [3, 2, 1]),
        ((100_000, 98_000), [2, 1]),
        ((100_000, 99_001), [2]),
        ((1140, 836), [2, 1]),
        ((1140, 1140, 836, 840), [4, 2]),
        ((100_000, 80_000), [2, 1]),
        ((50, 40), [2, 1]),
        ((50, 20), [2, 1]),
        (((3, 300 * GIB), (2, 0)), [2, 1]),
        (((3, 300 * GIB), (3, 290 * GIB)), [2, 1]),
        (((300, 300 * GIB), (300, 299 * GIB)), [2]),
        ((100_000, *(0,) * 6), [7, 1]),
        ((100_000, *(0,) * 7), [8]),
        ((None, 5), [2]),
        ((100_000, None), [2]),
        ((100_000, None, 0), [3, 1]),
    ],
)
def test_what_is_shared_with(filled: tuple[int | None, ...], with_days: list[int]) -> None:
    assert shared(*filled) == with_days


def test_what_goes_for_room_next_is_shared_with_only_where_it_is_the_newest() -> None:
    own = days(100_000, 60_000, 10)
    assert fallen.bases(own, "/home", [own[0].name]) == (own[2].name, own[1].name)
    assert fallen.bases(own[:1], "/home", [own[0].name]) == (own[0].name,)


def test_where_it_was_not_mounted_it_is_shared_with_the_last_that_had_it() -> None:
    with_home, without = days(10, 10), days(5, mount="/srv")[0]
    later = (
        *with_home,
        Snapshot(name="2026-11-09T081500Z", host="papio", filesystems=("/srv",), filled=without.filled),
    )
    assert fallen.bases(later, "/home") == ("2026-11-02T081500Z",)
    assert fallen.bases(later, "/srv") == ("2026-11-09T081500Z",)


@pytest.mark.parametrize(
    ("filled", "told"),
    [
        ((1000, 3), True),
        ((1000, 99), True),
        ((1000, 100), False),
        ((99, 0), False),
        ((1000,), False),
        ((1000, 0, 0), True),
        ((1000, 1000, 1000, 1000, 0, 0, 0, 0), True),
        ((1000, 1000, 1000, 0, 0, 0, 0, 0), False),
    ],
)
def test_a_filesystem_that_is_as_good_as_empty_is_told_until_most_of_a_week_has_it_so_and_nothing_expires(
    filled: tuple[int, ...], told: bool
) -> None:
    own = days(*filled)
    doubt = doubts.hollow(own)
    assert bool(doubt) is told
    decision = decide(own, Retention(min=1, max=1), None, parts.NOW)
    assert (decision.frozen != "") is told and bool(decision.expire) is (not told and len(own) > 1)
    if doubt:
        assert doubt.text.startswith("/home of papio is as good as empty: ") and "1,000 before" in doubt.text


def of_two(papio: tuple[Snapshot, ...], server: tuple[Snapshot, ...]) -> list[Snapshot]:
    """The snapshots of two hosts in one store; each day that of server comes last."""
    later = (replace(each, name=each.name.replace("T08", "T09"), host="server") for each in server)
    return sorted((*papio, *later), key=lambda snapshot: snapshot.name)


FULL, LOST = (1000,) * 4, (1000, 1000, 1000, 0)


@pytest.mark.parametrize(
    ("papio", "server", "told"),
    [
        (FULL, FULL, []),
        # Whoever was copied last has no say about the other.
        (LOST, FULL, ["papio"]),
        (FULL, LOST, ["server"]),
        (LOST, LOST, ["server", "papio"]),
        # Each has its own week: what the other had is no measure.
        ((10, 10, 10, 10), FULL, []),
        ((1000, 1000, 1000, 0, 0), (1000,), ["papio"]),
    ],
)
def test_each_host_of_a_store_is_judged_by_its_own_snapshots_and_any_of_them_freezes_it(
    papio: tuple[int, ...], server: tuple[int, ...], told: list[str]
) -> None:
    sealed = of_two(days(*papio), days(*server))
    policy = Retention(min=1, max=1)
    doubted = doubts.sources(sealed, policy.max_shrink)
    assert [each.text.split()[2] for each in doubted] == told
    decision = decide(sealed, policy, None, parts.NOW)
    assert (decision.frozen != "", bool(decision.expire)) == (bool(told), not told)
    assert tuple(filter(None, (decision.cause, *decision.doubts)))[: len(told)] == doubted
    for doubt, host in zip(doubted, told, strict=True):
        last = [each.name for each in sealed if each.host == host][-1]
        assert doubt.do.endswith(f"; where {host} is copied no more: `runner snapshots --set-aside {last}`")


def test_the_one_that_lost_much_by_its_number_of_files_need_not_be_the_newest() -> None:
    counted = [replace(each, files=many) for each, many in zip(days(1, 1, 1), (1000, 1000, 10), strict=True)]
    sealed = of_two(tuple(counted), tuple(replace(each, files=1000) for each in counted))
    (doubt,) = doubts.sources(sealed, 30)
    assert (
        doubt.text.startswith("papio shrank: 10 files")
        and decide(sealed, Retention(min=1, max=1), None, parts.NOW).frozen
    )


def test_whoever_has_a_store_for_himself_is_told_to_wait_and_a_record_that_cannot_be_read_is_no_other_host() -> None:
    unread = Snapshot(name="2026-11-09T081500Z", exceptions=None)
    (doubt,) = doubts.sources((*days(*LOST), unread), 30)
    assert "set-aside" not in doubt.do


@pytest.mark.parametrize(
    ("before", "files", "told"),
    [
        ((), 0, False),
        ((None,), 0, False),
        ((1000, 1000), 700, False),
        ((1000, 1000), 699, True),
        ((1000, 400), 399, True),
    ],
)
def test_the_backup_itself_says_that_its_source_shrank(before: tuple[int | None, ...], files: int, told: bool) -> None:
    own = [replace(each, files=many) for each, many in zip(days(*before), before, strict=True)]
    about = fallen.usual(own, Retention(min=1, max=9))
    doubt = fallen.shrank(PlannedJob(name="b", kind="snapshot", writes="papio/new", about=about), files)
    assert bool(doubt) is told
    if doubt:
        assert doubt == shrunk([*own, Snapshot(name="new", host="papio", files=files)], 30.0), "as its check"


@pytest.mark.parametrize(
    "about", ["", "papio", "[]", '{"x": 1}', '{"host": 1, "usual": "a", "max_shrink": null}', "{" * 90]
)
def test_a_plan_s_measure_that_cannot_be_understood_is_none(about: str) -> None:
    assert fallen.shrank(PlannedJob(name="b", kind="snapshot", writes="papio/new", about=about), 1) is None
