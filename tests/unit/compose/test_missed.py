"""Why names are missing, counted by filesystem."""

from __future__ import annotations

import io
import json

import pytest

from runner.agent.answer import Refused
from runner.agent.compose.missed import CAUSES, MissedNames
from runner.agent.frames import Frame
from runner.agent.snapshots.gather import Gathered


def test_what_has_no_cause_is_counted_where_it_is() -> None:
    missed = MissedNames(frozenset(), accept=("/home/eve",))
    for point, path, cause in (
        ("/", "a", "changed"),
        ("/", "b", "unreadable"),
        ("/home", "eve/c", "unreadable"),
        ("/home", "d", "unexplained"),
        ("/home", "e", "some other word"),
        ("/home", "f", "vanished"),
        ("/var", "g", "not mounted"),
    ):
        missed.note(point, path, cause)
    assert missed.without_cause() == {"/home": 2}
    assert missed.unexplained == ["'/home/d'", "'/home/e'"]
    assert (missed.count("/home", "vanished"), missed.count("/home", "accepted")) == (1, 1)
    assert MissedNames(frozenset()).without_cause() == {}


def test_of_what_the_other_end_may_call_it_nothing_is_kept() -> None:
    missed = MissedNames(frozenset())
    for number in range(1000):
        missed.note("/", f"{number}", f"word {number}")
    assert missed.causes == {"/": {"unexplained": 1000}} and missed.without_cause() == {"/": 1000}


def test_an_explanation_with_more_causes_than_there_are_is_none() -> None:
    lines = [json.dumps({"path": f"{number}", "cause": f"word {number}"}) for number in range(CAUSES + 1)]
    counts = json.dumps({"counts": {f"word {number}": 1 for number in range(CAUSES + 1)}, "look_exit": 0})
    text = "\n".join((*lines, counts)).encode()
    with pytest.raises(Refused, match="the explanation for / is cut off"):
        Gathered(MissedNames(frozenset()), {}).explain(Frame(io.BytesIO(text), "a/explain", "done", 0, len(text)), "/")


def test_however_long_the_paths_are_the_record_stays_short() -> None:
    missed = MissedNames(frozenset())
    for number in range(100):
        missed.note("/", f"{number}" + "x" * (1 << 20), "unreadable")
        missed.note("/", f"{number}", "unreadable")
    assert missed.cause("unreadable") == 200
    assert sum(len(each.path) for each in missed.exceptions) < 1 << 20
    assert len(missed.exceptions) == 100
