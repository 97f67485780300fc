"""The clock by which a snapshot is named: ahead of all that can be compared with it, behind, or the only one there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runner.jobs.snapshots import clocks
from runner.model.plan import Finding
from tests.unit import parts

HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
NOW = parts.NOW
YESTERDAY = {"name": "2026-11-22T081500Z", "sealed": "2026-11-22T09:00:00Z"}
FALSE = {"name": "2027-11-23T081500Z", "sealed": "2026-11-23T08:15:00Z"}


def look(
    at: datetime, server: datetime | None, sealed: tuple[dict[str, Any], ...] = (), *, job: str = "backup-papio",
    papio: datetime | None = None, boot: str = "another", partials: tuple[str, ...] = (),
) -> clocks.Clocks:  # fmt: skip
    """papio, the controller, says `at`, and its agent `papio` (the same unless said otherwise)."""
    there = {"sealed": list(sealed), "partials": [{"name": name} for name in partials]}
    changes: dict[str, Any] = {"papio": {"now": papio or at}, "server": {"now": server, "boot_id": boot}}
    own = "server" if job == "backup-papio" else "papio"
    changes[own]["store"] = there
    site = parts.site()
    facts = parts.facts(changes, at=at)
    chosen = site.job(job)
    return clocks.Clocks(site=site, job=chosen, store=site.store(chosen.options.store), facts=facts)


@pytest.mark.parametrize("job", ["backup-papio", "backup-server"])
@pytest.mark.parametrize(
    ("about", "at", "server", "sealed", "refused"),
    [
        ("both right", NOW, NOW, (YESTERDAY,), False),
        ("a year ahead", NOW + YEAR, NOW, (YESTERDAY,), True),
        ("a year ahead on the first day", NOW + YEAR, NOW, (), True),
        ("a year ahead, and it sealed so before", NOW + YEAR + DAY, NOW + DAY, (YESTERDAY, FALSE), True),
        ("two hours ahead", NOW + 2 * HOUR, NOW, (YESTERDAY,), False),
        ("the site was off for a year", NOW + YEAR, NOW + YEAR, (YESTERDAY,), False),
        ("the other one is a year behind", NOW, NOW - YEAR, (YESTERDAY,), False),
        ("the other one begins in 1970", NOW, datetime(1970, 1, 1, tzinfo=UTC), (YESTERDAY,), False),
        ("the other one is a year ahead", NOW, NOW + YEAR, (YESTERDAY,), False),
        ("the other one does not say", NOW + YEAR, None, (YESTERDAY,), False),
    ],
)
def test_a_snapshot_is_named_unless_the_clock_is_ahead_of_every_other(
    about: str, at: datetime, server: datetime | None, sealed: tuple[dict[str, Any], ...], refused: bool, job: str
) -> None:
    named = clocks.name_or_why(look(at, server, sealed, job=job))
    assert isinstance(named, Finding) == refused, (about, named)


def test_the_refusal_names_both_clocks_and_writes_nothing() -> None:
    found = clocks.name_or_why(look(NOW + YEAR, NOW, (YESTERDAY,)))
    assert isinstance(found, Finding)
    assert (found.severity, found.source) == ("attention", "backup-papio")
    assert found.text == (
        "the clock of papio says 2027-11-23 08:15 UTC, and that of server 2026-11-23 08:15 UTC: "
        "it seems 365 days ahead, and the snapshot would have a name from the future"
    )
    assert found.do == "nothing was written; set the clock that is wrong (papio or server) and run again"


def test_the_agent_of_the_controller_may_tell_another_time_than_the_runner() -> None:
    """As where only the runner's own process has another clock."""
    assert isinstance(clocks.name_or_why(look(NOW + YEAR, NOW, papio=NOW, boot="boot")), Finding)


def test_one_of_the_two_that_agrees_is_enough() -> None:
    site = parts.site()
    third = replace(site.jobs[0], host="server", name="third")
    known = look(NOW + YEAR, NOW + YEAR, (YESTERDAY,))
    hosts = {**known.facts.hosts, "papio": replace(known.facts.hosts["papio"], now=NOW)}
    known = replace(known, job=third, facts=replace(known.facts, hosts=hosts))
    assert isinstance(clocks.name_or_why(known), str)


@pytest.mark.parametrize(
    ("sealed", "partials", "server", "text", "do"),
    [
        (
            (YESTERDAY, FALSE), (), NOW, "2027-11-23T081500Z of store papio lies 365 days in the future",
            "take it out of the count: runner snapshots papio --set-aside 2027-11-23T081500Z",
        ),
        (
            (FALSE, {"name": "2027-11-24T081500Z"}), ("2027-11-25T081500Z",), NOW,
            "3 snapshots, the last 2027-11-25T081500Z, of store papio lie 367 days in the future",
            "before they are out of the way: take them out of the count: "
            "runner snapshots papio --set-aside 2027-11-23T081500Z 2027-11-24T081500Z",
        ),
        (
            tuple({"name": f"2027-11-{day}T081500Z"} for day in range(10, 25)), (), NOW, "15 snapshots, the last",
            "take the first 10 of 15 (the next run names the others) out of the count: "
            f"runner snapshots papio --set-aside {' '.join(f'2027-11-{day}T081500Z' for day in range(10, 20))}",
        ),
        ((), ("2027-11-25T081500Z",), NOW, "lies 367 days", "drop what is interrupted: runner snapshots papio --drop-partials"),
        (
            (YESTERDAY, {"name": "2026-11-23T091500Z"}), (), NOW + HOUR * 2,
            "the clock of papio says 2026-11-23 08:15 UTC, and that of server 2026-11-23 10:15 UTC",
            "set the clock of papio; snapshots must be in order of time",
        ),
        (
            (YESTERDAY, {"name": "2026-11-23T091500Z"}), (), NOW, "lies 1 h in the future",
            "wait until then, or take it out of the count: runner snapshots papio --set-aside 2026-11-23T091500Z",
        ),
    ],
)  # fmt: skip
def test_with_the_clock_right_again_the_way_out_is_a_command(
    sealed: tuple[dict[str, Any], ...], partials: tuple[str, ...], server: datetime, text: str, do: str
) -> None:
    found = clocks.name_or_why(look(NOW, server, sealed, partials=partials))
    assert isinstance(found, Finding)
    assert text in found.text
    assert found.advice.endswith(do) or do in found.advice


@pytest.mark.parametrize(
    ("at", "server", "boot", "told"),
    [
        (NOW, NOW, "another", ""),
        (NOW, NOW + HOUR / 2, "another", ""),
        (NOW + 3 * HOUR, NOW, "another", "the clock of server is 3 h behind that of papio"),
        (NOW, NOW + YEAR, "another", "the clock of server is 365 days ahead of that of papio"),
        # Off for a year, and another clock says so too.
        (NOW + YEAR, NOW + YEAR, "another", ""),
        # One machine: nothing to compare with.
        (NOW + YEAR, NOW + YEAR, "boot", "nothing ran since 2026-11-22 08:15 UTC, 366 days ago by the clock of papio"),
        (NOW + 30 * DAY, NOW + 30 * DAY, "boot", ""),
    ],
)
def test_what_is_no_reason_to_refuse_is_told(at: datetime, server: datetime, boot: str, told: str) -> None:
    found = [finding.text for finding in clocks.doubts(look(at, server, (YESTERDAY,), boot=boot))]
    assert found == [] if not told else (len(found) == 1 and found[0].startswith(told)), found


def test_the_journal_knows_of_runs_that_no_snapshot_shows() -> None:
    known = look(NOW + YEAR, NOW + YEAR, (YESTERDAY,), boot="boot")
    ran = replace(known.facts, last={"check": NOW + YEAR - DAY, "odd": NOW + 2 * YEAR})
    assert clocks.doubts(replace(known, facts=ran)) == ()
