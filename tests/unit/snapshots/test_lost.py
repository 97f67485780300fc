"""What a store has held: the disk's own records and the journal miss what no run expired; another disk misses nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.jobs.snapshots import lost
from runner.jobs.snapshots.check import CheckKind
from runner.jobs.snapshots.report import snapshot_report
from runner.jobs.snapshots.snapshot import SnapshotKind
from runner.model.facts import Facts, Wrote
from runner.model.names import snapshot_name
from runner.model.options import CheckOptions
from runner.model.role import Role
from runner.model.run import Around, Outcome, State, Verdict
from runner.model.site import Job, Retention, Site
from tests.unit import parts

UUID, OTHER = "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
ONE, TWO, THREE = "2026-11-21T081500Z", "2026-11-22T081500Z", "2026-11-22T201500Z"
MANY = [f"2026-11-1{day}T081500Z" for day in range(6)]
# So old that nobody thinks of it, and the last of the forty.
OLD = "2026-10-20T081500Z"
HERE = Wrote(
    path="/srv/backups/papio",
    uuid=UUID,
    first=parts.NOW - timedelta(days=40),
    last=parts.NOW - timedelta(days=1),
    names=tuple(snapshot_name(parts.NOW - timedelta(days=day)) for day in range(40, 0, -1)),
)


def site() -> Site:
    made = parts.site()
    stores = (replace(made.stores[0], retention=Retention(min=30, max=400)), *made.stores[1:])
    check = Job(name="check", kind="check", host="server", options=CheckOptions(store="papio"))
    return replace(made, disks=(replace(made.disks[0], uuid=UUID),), stores=stores, jobs=(*made.jobs, check))


def facts(wrote: Wrote | None = HERE, *, live: bool = True, **store: Any) -> Facts:
    known = parts.facts({"server": {"store": {"sealed": [], **store}}}, live=live)
    return replace(known, wrote={"backup-papio": (wrote,)} if wrote else {})


@pytest.mark.parametrize(
    ("about", "known", "told"),
    [
        ("a new store", facts(None), ""),
        (
            "all removed with the folder of the program", facts(),
            "store papio has been emptied: 40 snapshots sealed in it since 2026-10-14, the last on 2026-11-22, and none is left",
        ),
        ("all removed, a partial is left", facts(partials=[{"name": TWO}]), "store papio has been emptied"),
        ("only the snapshots removed", facts(None, lost=[ONE, TWO]), f"2 snapshots of store papio are gone, and no run expired them: {ONE}, {TWO}"),
        ("more than a line can name", facts(None, lost=MANY), f"6 snapshots between {MANY[0]} and {MANY[-1]} of store papio are gone, and no run expired them"),
        ("all lost, and written off", facts(written_off=[ONE, TWO]), ""),
        ("one of some", facts(sealed=[{"name": TWO}], lost=[ONE]), f"1 snapshot of store papio is gone, and no run expired it: {ONE}"),
        ("the records removed", facts(sealed=[{"name": TWO, "recorded": False}]), "store papio has lost its records: 40 snapshots"),
        ("one foreign folder in a new store", facts(None, sealed=[{"name": TWO, "recorded": False}]), ""),
        ("all removed, long after others were written off", facts(written_off=[OLD]), "store papio has been emptied"),
        (
            "the records removed, long after others were written off",
            facts(sealed=[{"name": TWO, "recorded": False}], written_off=[OLD]), "store papio has lost its records",
        ),
        ("all removed but what lies aside", facts(aside=[{"name": OLD}]), "store papio has been emptied"),
        ("another disk on purpose", facts(uuid=OTHER), ""),
        ("another folder on purpose", facts(path="/srv/other"), ""),
        ("all set aside by a person", facts(aside=[{"name": TWO}]), ""),
        ("all is there", facts(sealed=[{"name": ONE}, {"name": TWO}]), ""),
    ],
)  # fmt: skip
def test_what_no_run_expired_is_missed(about: str, known: Facts, told: str) -> None:
    made = site()
    found = lost.gone(made, made.stores[0], known)
    assert (found is None) == (not told), about
    if found is None:
        return
    assert found.text.startswith(told), found.text
    assert found.severity == "attention" and found.do
    draft = SnapshotKind().draft(made, made.job("backup-papio"), known, parts.NOW)
    # It is the first thing that is said, and a new snapshot is made all the same.
    assert draft.findings[0] == replace(found, source="backup-papio")
    assert draft.planned and draft.planned.writes == "papio/2026-11-23T081500Z"
    checked = CheckKind().draft(made, made.job("check"), known, parts.NOW)
    assert checked.findings[0] == replace(found, source="check")


def test_the_job_that_finds_it_does_not_end_as_done() -> None:
    made, known = site(), facts()
    planned = SnapshotKind().draft(made, made.job("backup-papio"), known, parts.NOW).planned
    assert planned
    seal = Outcome(
        step="backup-papio/seal", job="backup-papio", state=State.DONE, role=Role.SEAL, result=parts.seal_answer()
    )
    report = snapshot_report(planned, (seal,), Around(live=True))
    assert report.verdict == Verdict.ATTENTION
    assert report.headline.startswith("store papio has been emptied: 40 snapshots")
    assert "; sealed papio/2026-11-23T081500Z: 10 files" in report.headline
    assert report.written and report.cause == "store/papio/lost"
    usual = SnapshotKind().draft(made, made.job("backup-papio"), facts(sealed=[{"name": TWO}]), parts.NOW).planned
    assert usual
    assert snapshot_report(usual, (seal,), Around(live=True)).verdict == Verdict.DONE


YOUNG = [{"name": TWO, "files": 10, "added_files": 10}]


def test_a_store_that_was_emptied_is_not_young_again() -> None:
    made = site()
    for known, severity, word in (
        (facts(None, sealed=YOUNG), "note", "it is still young"),
        (facts(sealed=YOUNG), "attention", f"those before {TWO} are gone"),
        (facts(uuid=OTHER, sealed=YOUNG), "note", "it is still young"),
        (
            facts(replace(HERE, first=parts.NOW - timedelta(hours=20), names=(TWO,)), sealed=YOUNG),
            "note",
            "it is still young",
        ),
        # What is gone is one thing to do, and none once a person has written it off.
        (facts(sealed=YOUNG, lost=[ONE]), "note", "nothing expires until there are enough"),
        (
            facts(sealed=YOUNG, written_off=[ONE]),
            "note",
            f"those before {TWO} were taken out or lost, and it fills again",
        ),
        (facts(sealed=YOUNG, aside=[{"name": ONE}]), "note", f"those before {TWO} were taken out or lost"),
        (facts(None, sealed=YOUNG, aside=[{"name": ONE}]), "note", f"those before {TWO} were taken out or lost"),
        # The journal is newer than what lies aside.
        (
            facts(
                replace(HERE, names=(TWO,)), sealed=[{"name": TWO, "files": 10, "added_files": 1}], written_off=[ONE]
            ),
            "note",
            f"those before {TWO} were taken out or lost",
        ),
        # What was written off or is lost besides says nothing of the others.
        (facts(sealed=YOUNG, written_off=[OLD]), "attention", f"those before {TWO} are gone"),
        (facts(sealed=YOUNG, lost=[THREE]), "attention", f"those before {TWO} are gone"),
        (facts(sealed=YOUNG, written_off=["2026-11-22T091500Z"]), "attention", f"those before {TWO} are gone"),
    ):
        (found,) = [
            finding
            for finding in CheckKind().draft(made, made.job("check"), known, parts.NOW).findings
            if "min is 30" in finding.text
        ]
        assert (found.severity, word in found.text) == (severity, True), found.text


def test_a_sandbox_loses_nothing_silently_either() -> None:
    """Its journal lies in it: one that knows of seals is not that of a sandbox that was made anew."""
    made = parts.site(live=False)
    path = parts.facts(live=False).hosts["server"].stores["papio"].path
    known = facts(replace(HERE, path=path, uuid=""), live=False, uuid="")
    found = lost.gone(made, made.stores[0], known)
    assert found and found.text.startswith("store papio has been emptied: 40 snapshots")
    assert lost.gone(made, made.stores[0], replace(known, wrote={})) is None


def test_what_lies_aside_is_a_note_with_the_room_it_took_and_is_missed_by_nobody() -> None:
    made = site()
    known = facts(
        sealed=[{"name": TWO}], aside=[{"name": "2027-11-22T081500Z", "room": 3 << 30}, {"name": "2027-11-23T081500Z"}]
    )
    (note,) = lost.lies_aside(made.stores[0], known.hosts["server"].stores["papio"])
    assert note.severity == "note"
    assert (note.text, note.command) == (
        "2 snapshots of store papio lie aside and brought 3.0 GiB", "runner snapshots papio"
    )  # fmt: skip
    assert note.text in [
        finding.text for finding in CheckKind().draft(made, made.job("check"), known, parts.NOW).findings
    ]
