"""What `status` shows: what runs now and how far it is, whole headlines, and lines that fit 80 columns."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from runner.cli import status
from runner.engine.journal import RunLine
from runner.engine.progress import JobNow
from runner.model.copies import interrupted, under_way
from runner.model.facts import Holder, Partial, Proven, StoreFacts
from runner.model.run import JobLine, Verdict
from runner.report.line import Line, folded, plain
from runner.verbs.browse import Holding
from tests.unit import parts

SITE = parts.site()
NOW = parts.NOW.astimezone(ZoneInfo(SITE.timezone))
HEADLINE = "sealed papio/2026-11-23T081500Z: 412,331 files, 1.2 GiB new in 934 files, and then some more of it"
RUN = RunLine(id="r", started=parts.NOW - timedelta(minutes=12), ended=None, verdict="", alive=True)


def line_of(name: str, verdict: Verdict) -> JobLine:
    at = parts.NOW - timedelta(hours=3)
    return JobLine(job=name, started=at, ended=at, verdict=verdict, headline=HEADLINE, instant=at)


def held(**changes: object) -> Holding:
    """The store papio, with what differs."""
    facts = parts.facts().hosts[parts.SERVER].stores["papio"]
    return Holding(store=SITE.store("papio"), contents=replace(facts, **changes))  # type: ignore[arg-type]


def seen(**changes: object) -> status._Status:
    values: dict[str, object] = {
        "site": SITE, "now": NOW, "announced": {}, "due": {}, "holdings": [held()], "running": [], "killed": frozenset(), "undelivered": 0,
        "last": {job.name: line_of(job.name, Verdict.DONE) for job in SITE.jobs},
        "upcoming": {"backup-papio": datetime(2026, 11, 24, 3, 15, tzinfo=NOW.tzinfo)},
    }  # fmt: skip
    return status._Status(**{**values, **changes})  # type: ignore[arg-type]


def shown(lines: list[Line], columns: int = 80) -> list[str]:
    return plain(tuple(row for whole in lines for row in folded(whole, columns))).splitlines()


def test_a_headline_is_whole_and_every_line_fits() -> None:
    lines = shown([*status._jobs(seen()), *status._stores(seen())])
    assert all(len(text) <= 80 for text in lines)
    assert HEADLINE in " ".join(text.strip() for text in lines)
    assert "  backup-papio   done              3 h ago         next Tue 24 Nov 03:15" in lines
    assert any("for Mon 23 Nov 00:15:" in text for text in lines)


def test_a_job_that_only_waits_for_its_name_takes_no_line_of_its_own() -> None:
    (*_, last) = shown(status._jobs(seen(last={job.name: None for job in SITE.jobs})))
    assert last == "  never run, and only when named: backup-server"


def test_a_job_whose_time_has_come_is_due_and_not_shown_with_its_next_time() -> None:
    due = {"backup-papio": datetime(2026, 11, 23, 3, 15, tzinfo=NOW.tzinfo)}
    (text,) = (text for text in shown(status._jobs(seen(due=due)), 200) if text.startswith("  backup-papio "))
    assert text.endswith("due since Mon 23 Nov 03:15")
    running = [(RUN, (JobNow(job="backup-papio", started=RUN.started),))]
    (text,) = (
        text for text in shown(status._jobs(seen(due=due, running=running)), 200) if text.startswith("  backup-papio ")
    )
    assert text.endswith("under way")
    waiting = [(RUN, (JobNow(job="backup-papio"),))]
    (text,) = (
        text for text in shown(status._jobs(seen(due=due, running=waiting)), 200) if text.startswith("  backup-papio ")
    )
    assert text.endswith("waits in the run under way")
    assert status._json(seen(due=due))["jobs"]["backup-papio"]["due"] == due["backup-papio"]


def test_how_much_a_store_holds_that_could_not_be_read_is_unknown() -> None:
    unread = Holding(store=SITE.store("papio"), contents=None, error="backup-server1 cannot be read: no route")
    text = "\n".join(shown(status._stores(seen(holdings=[unread]))))
    assert "snapshots unknown" in text and "0 snapshots" not in text and "no route" in text
    assert status._json(seen(holdings=[unread]))["stores"]["papio"]["snapshots"] is None
    assert status._json(seen(holdings=[held(sealed=())]))["stores"]["papio"]["snapshots"] == 0


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (
            JobNow(job="backup-papio", started=RUN.started, step="send-1", number=4, of=9, usual=1800.0),
            "  backup-papio  step 4 of 9 (send-1), for 12 min; about 18 min left",
        ),
        (
            JobNow(job="backup-papio", started=RUN.started, step="send-1", number=4, of=9, usual=60.0),
            "  backup-papio  step 4 of 9 (send-1), for 12 min; it takes 1 min as a rule, and is late",
        ),
        (
            JobNow(job="backup-papio", started=RUN.started, step="send-1", number=4, of=9),
            "  backup-papio  step 4 of 9 (send-1), for 12 min; how long it takes is not known before it was done once",
        ),
        (JobNow(job="purge-papio"), "  then  purge-papio"),
    ],
)
def test_a_run_that_is_under_way_says_how_far_it_is_and_how_long_still(job: JobNow, text: str) -> None:
    lines = shown(status._running(seen(running=[(RUN, (job,))])), 200)
    assert lines == ["", "Under way  since Mon 23 Nov 03:03, for 12 min", text]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "good"),
        ({"partials": (Partial(name="2026-11-23T010000Z"),)}, "1 interrupted snapshot waits"),
        (
            {"partials": (Partial(name="2026-11-23T010000Z", plan="p"),), "holder": Holder(plan="p", who="x")},
            "copy 2026-11-23T010000Z is being made",
        ),
        ({"holder": Holder(plan="p", who="purge of papio", since=RUN.started)}, "in use since Mon 23 Nov 03:03 by purge of papio"),
    ],
)  # fmt: skip
def test_the_state_of_a_store_is_the_true_one(changes: dict[str, object], state: str) -> None:
    assert status._state(seen(), held(**changes))[0] == state


def test_a_copy_that_is_being_made_is_not_an_interrupted_one() -> None:
    done, cut = Partial(name="2026-11-23T020000Z", plan="p"), Partial(name="2026-11-23T010000Z", plan="older")
    facts = StoreFacts(path="/s", exists=True, partials=(cut, done), holder=Holder(plan="p"))
    assert (under_way(facts), interrupted(facts)) == (done, (cut,))
    assert interrupted(replace(facts, holder=None)) == (cut, done)
    assert under_way(replace(facts, holder=Holder(plan="q"))) is None


def test_a_proof_of_a_snapshot_that_is_gone_is_none_in_either_form() -> None:
    at = parts.NOW - timedelta(days=2)
    there, gone = (
        Proven(at=at, snapshot=name)
        for name in (parts.facts().hosts[parts.SERVER].stores["papio"].sealed[0].name, "2026-11-01T081500Z")
    )
    known = seen(holdings=[held(proven={"files": there, "database": gone})])
    assert status._json(known)["stores"]["papio"]["proven"] == {"files": at}
    assert "      last proven restore: 2 days ago (files)" in shown(status._stores(known))
