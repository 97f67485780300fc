"""What is said of the snapshot that was to expire for the new one: what is known, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from hooks import mail_text
from runner.jobs.snapshots.report import snapshot_report
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import Around, Outcome, State
from runner.report.report import RunResult, compose, report_lines
from runner.tools.called import Spelling
from tests.unit import parts

OLD = "2026-11-19T081500Z"
JOB = PlannedJob(name="a", kind="snapshot", writes="papio/2026-11-23T081500Z")
FULL = {"error": "the disk has no room for the names of another snapshot", "again": True, "cause": "full"}
MAY = f"{OLD}, the oldest, may have expired for the new snapshot: `runner snapshots papio` tells"
WENT = f"expired {OLD}, the oldest, to make the new snapshot of it"


def clone(state: State, exit_code: int | None = 0, **result: Any) -> Outcome:
    return Outcome(step="a/clone", job="a", role=Role.CLONE, subject=OLD, state=state, exit=exit_code, result=result)


def said(*outcomes: Outcome, earlier: tuple[Outcome, ...] = ()) -> list[str]:
    """What is said of the oldest."""
    report = snapshot_report(JOB, outcomes, Around(earlier=earlier))
    return [text for text in (*report.details, *report.advice) if OLD in text]


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (clone(State.DONE, recycled=OLD), [f"expired {OLD}, the oldest: the new snapshot was made of it"]),
        # It was full before anything went, or only after that.
        (clone(State.FAILED, 1, **FULL, recycled=""), []),
        (clone(State.FAILED, 1, **FULL, recycled=OLD), [WENT]),
        (clone(State.FAILED, 1, **FULL), [MAY]),
        (clone(State.FAILED, 1, error="Input/output error", do="", recycled=OLD), [WENT]),
        (clone(State.FAILED, 1, error="it is pinned", again=True, recycled=""), []),
        (clone(State.FAILED, 1, error="it is pinned", again=True, recycled=5), [MAY]),
        (clone(State.FAILED, 1, recycled=""), [MAY]),
        (clone(State.FAILED, 255), [MAY]),
        (clone(State.INTERRUPTED, None), [MAY]),
        (clone(State.INTERRUPTED, -15), [MAY]),
        (clone(State.STALE, 77, error="it is pinned", stale=True, again=True, recycled=""), []),
        (clone(State.BUSY, 75, error="busy"), []),
        (clone(State.NOT_REACHED, None), []),
    ],
)
def test_what_is_said_of_the_oldest_is_what_the_clone_answers(outcome: Outcome, told: list[str]) -> None:
    assert said(outcome) == told


def test_what_went_in_an_earlier_pass_is_said_too() -> None:
    link = Outcome(step="a/clone", job="a", role=Role.CLONE, state=State.DONE, exit=0)
    made, full = clone(State.DONE, recycled=OLD), clone(State.FAILED, 1, **FULL, recycled=OLD)
    before = f"in a pass before expired {OLD}, the oldest"
    assert said(link, earlier=(made,)) == [f"{before}: the new snapshot was made of it"]
    assert said(link, earlier=(full,)) == [f"{before}, to make the new snapshot of it"]
    assert said(link, earlier=(clone(State.FAILED, 255),)) == [MAY]


def look(mount: str, code: int) -> Outcome:
    return Outcome(step=f"a/look{mount}", job="a", role=Role.LOOK, subject=mount, state=State.DONE, exit=code)


FEWER = "far fewer names than in the snapshot before: see that all of it is mounted and there; if it was meant, raise"
NO_RECORD = (
    "One is made now, for the next snapshot; where it is missing each day, see what removes /var/lib/runner/scans"
)


@pytest.mark.parametrize(
    ("looks", "why"),
    [
        ({"/": 0, "/home": 81}, f"/home has {FEWER} max_shrink, or wait"),
        ({"/": 81, "/home": 81}, f"/, /home have {FEWER} max_shrink, or wait"),
        ({"/": 82, "/home": 80}, f"no record says how many names / had before. {NO_RECORD} of that host"),
        (
            {"/": 82, "/home": 81},
            f"/home has {FEWER} max_shrink, or wait; no record says how many names / had before. {NO_RECORD} of that host",
        ),
    ],
)
def test_why_the_oldest_stays_is_said_of_each_filesystem(looks: dict[str, int], why: str) -> None:
    recheck = Outcome(step="a/recheck-1", job="a", role=Role.LOOK, state=State.DONE, exit=0)
    of_source = (look(mount, code) for mount, code in looks.items())
    assert said(*of_source, clone(State.NOT_NEEDED, None), recheck) == [f"{OLD}, the oldest, stays: {why}"]


def test_what_lists_the_exceptions_is_a_command_for_this_very_snapshot() -> None:
    answer = parts.seal_answer(exceptions=3, exceptions_new=1)
    seal = Outcome(step="a/seal", job="a", role=Role.SEAL, state=State.DONE, exit=0, result=answer)
    report = snapshot_report(JOB, (seal,), Around(live=True))
    command = "runner snapshots papio --exceptions 2026-11-23T081500Z"
    missing = "3 exceptions, 1 of them new: what could not be read is not in it"
    assert report.advice == (f"{missing}; `{command}` lists it",)
    result = RunResult(run="1", started=parts.NOW, ended=parts.NOW, jobs=(report,))
    made, spelling = compose(parts.site(), result), Spelling(program="/x/runner")
    # As it is typed here, on the terminal and in the mail.
    assert [("", "  "), ("advice", report.advice[0])] in [[(b, a) for a, b in each] for each in report_lines(made)]
    assert f"`/x/{command}` lists" in " ".join(mail_text.body(made, spelling).split())
