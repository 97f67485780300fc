"""What was restored is in no snapshot, is told, and goes when it is old; only where a run of nobody may remove."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.jobs.snapshots import restored
from runner.jobs.snapshots.snapshot import SnapshotKind
from runner.model.facts import Reading
from runner.model.kind import Draft
from runner.model.names import plan_id
from runner.model.options import DrillOptions
from runner.model.plan import Command, Effect
from runner.model.run import Outcome, State
from runner.model.site import Job
from tests.unit import parts

YOUNG, OLD = (plan_id(parts.NOW - timedelta(days=days)) for days in (3, 40))
MADE = [{"name": name, "at": (parts.NOW - timedelta(days=days)).isoformat()} for name, days in ((OLD, 40), (YOUNG, 3))]


def draft(answer: dict[str, Any] | str | None, **changes: Any) -> Draft:
    facts, site = parts.facts(), parts.site(**changes)
    out = answer if isinstance(answer, str) else json.dumps(answer)
    readings = {} if answer is None else {"restored.backup-papio": Reading(exit=0, out=out)}
    papio = replace(facts.hosts["papio"], readings=readings)
    facts = replace(facts, hosts={**facts.hosts, "papio": papio})
    return SnapshotKind().draft(site, site.job("backup-papio"), facts, parts.NOW)


def words(made: Draft, name: str) -> tuple[str, ...]:
    (step,) = [step for step in made.steps if step.id == f"backup-papio/{name}"]
    assert isinstance(step.action, Command)
    return step.action.argv


def clears(made: Draft) -> list[str]:
    return [step.id for step in made.steps if "/clear-" in step.id]


def test_it_is_left_out_of_the_snapshot_and_the_old_goes_when_all_else_is_done() -> None:
    made = draft({"made": MADE})
    for name in (OLD, YOUNG):
        assert f"--left-out=/var/restored/{name}" in words(made, "look-1")
        assert any(f"/var/restored/{name}" in word for word in words(made, "differ-1"))
    last = made.steps[-1]
    assert clears(made) == [last.id] == [f"backup-papio/clear-{OLD}"]
    assert words(made, f"clear-{OLD}")[1:] == ("clear-restored", "/var/restored", OLD, "--quiet=2592000")
    assert (last.host, last.effect, last.ok_codes) == ("papio", Effect.EXPIRE, (0, 1))
    texts = [finding.text for finding in made.findings]
    assert "left out: 2 folders restored into /var/restored of papio, which are scratch" in texts


@pytest.mark.parametrize(("answer", "known"), [({"made": []}, True), (None, False), ("", False), ("{}", False)])
def test_where_nothing_was_restored_or_it_is_not_known_nothing_is_left_out_and_nothing_goes(
    answer: Any, known: bool
) -> None:
    made = draft(answer)
    assert not any("restored" in word for word in words(made, "look-1"))
    told = [finding.severity for finding in made.findings if "what was restored to papio is not known" in finding.text]
    assert (clears(made), told) == ([], [] if known else ["attention"]), "that a look failed is told"


def test_why_it_is_not_known_is_told_as_the_host_said_it() -> None:
    (found,) = [each for each in draft({"error": "Permission denied"}).findings if "is not known" in each.text]
    assert found.text.endswith(", so it is in this snapshot: Permission denied")
    assert found.do == "see why /var/restored cannot be read there"
    (found,) = [each for each in draft(None).findings if "is not known" in each.text]
    assert found.text.endswith("its answer cannot be read")


def test_a_sandbox_is_asked_nothing_so_nothing_is_unknown() -> None:
    site, facts = parts.site(live=False), parts.facts(live=False)
    made = SnapshotKind().draft(site, site.job("backup-papio"), facts, parts.NOW)
    assert made.planned and not any("restored" in finding.text for finding in made.findings)


def test_where_a_run_of_nobody_may_remove_nothing_a_person_is_told() -> None:
    made = draft({"made": MADE}, unattended=Effect.WRITE)
    assert clears(made) == []
    assert any(f"the oldest /var/restored/{OLD}" in finding.text for finding in made.findings)


def test_it_is_kept_for_as_long_as_jobs_toml_says() -> None:
    assert clears(draft({"made": MADE}, restored_keep=timedelta(days=50))) == []
    assert len(clears(draft({"made": MADE}, restored_keep=timedelta(days=2)))) == 2


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"removed": True}, "removed /var/restored/x, which was restored long ago"),
        (
            {"removed": False, "changed": "2026-11-20T00:00:00Z"},
            "/var/restored/x stays: something in it changed on 2026-11-20",
        ),
        ({"removed": False}, "/var/restored/x stays"),
        ({"error": "busy"}, "/var/restored/x is still there: busy"),
        ({"error": "\x1b[2Jgone\n- all is well"}, "/var/restored/x is still there: \\x1b[2Jgone\\n- all is well"),
        ({"error": ["a"] * 4000}, "/var/restored/x is still there: " + str(["a"] * 4000)[:300] + "..."),
        ({}, "/var/restored/x is still there: its answer cannot be read"),
    ],
)
def test_what_became_of_it_is_told(result: dict[str, Any], text: str) -> None:
    step = draft({"made": MADE}).steps[-1]
    outcome = Outcome(step=step.id, job=step.job, state=State.DONE, result=result, role=step.role, subject="x")
    assert restored.cleared([outcome]) == (text,)


def test_what_a_drill_of_the_same_plan_makes_meanwhile_is_left_out_and_nothing_else_of_its_place() -> None:
    site = parts.site()
    drills = (Job(name=f"drill-{number}", host="server", kind="drill", options=options) for number, options in enumerate(
        (DrillOptions(store="papio"), DrillOptions(store="papio", scratch="/home/scratch/"))
    ))  # fmt: skip
    made = draft({"made": []}, jobs=(*site.jobs, *drills))
    left = [word for word in words(made, "look-1") if word.startswith("--left-out=")]
    plan = plan_id(parts.NOW)
    assert left == [f"--left-out=/var/restored/drill/{plan}", f"--left-out=/home/scratch/{plan}"]
