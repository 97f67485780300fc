"""What `settle` answers, and when what was composed agrees with it."""

from __future__ import annotations

import contextlib
import json
from io import BytesIO

import pytest

from runner.agent.answer import Refused
from runner.agent.compose.contract.compose import ComposedFilesystem
from runner.agent.compose.settled import Fates, SettledFilesystem, require_whole, settled, top_attributes
from runner.agent.frames import Frame
from runner.agent.look.contract import FolderAttributes, Settled

TOP = {"mode": 0o1777, "uid": 1, "gid": 2, "mtime_ns": -5, "extended": {"user.note": "AP8="}}
ANSWER = {
    "names": 10, "folders": 2, "size": 99, "listed": 4, "gone": 1, "top": TOP, "counts": {"changed": 1},
    "look_exit": 23, "missed": 3,
}  # fmt: skip


def frame(text: str, state: str = "done", ended: int | None = 0) -> Frame:
    return Frame(BytesIO(text.encode()), "settle", state, ended, len(text.encode()))


def told(**other: object) -> str:
    return json.dumps({"path": "a", "cause": "changed"}) + "\n" + json.dumps({**ANSWER, **other}) + "\n"


def test_the_last_line_is_the_answer() -> None:
    read = settled(frame(told()), "/").answer
    top = FolderAttributes(0o1777, 1, 2, -5, {"user.note": "AP8="})
    assert read == Settled(10, 2, 99, 4, 1, top, {"changed": 1}, 23, 3)
    assert top_attributes(read.top) == (0o1777, 1, 2, -5, {"user.note": b"\0\xff"})


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "{}", "[]", "null", told()[:-20], told().splitlines()[0], told(names=-1), told(names=True),
        told(names="10"), told(top=None), told(top={}), told(top={**TOP, "extended": {"a": 1}}), told(counts={"a": -1}),
        told(top={**TOP, "mtime_ns": 2**64}), told(gone=None), "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        settled(frame(text), "/")


@pytest.mark.parametrize(("state", "ended"), [("failed", 0), ("done", 1), ("lost", None)])
def test_an_answer_that_did_not_end_well_is_none(state: str, ended: int | None) -> None:
    with pytest.raises(Refused):
        settled(frame(told(), state, ended), "/")


def test_extended_attributes_that_are_no_base64_are_refused() -> None:
    with pytest.raises(Refused):
        top_attributes(FolderAttributes(0o755, 0, 0, 0, {"user.note": "?"}))


@pytest.mark.parametrize(
    ("names", "missing", "gone", "counts", "holds"),
    [
        (10, 0, 0, {}, True),
        (10, 1, 1, {}, True),
        (11, 0, 0, {}, False),
        (9, 0, 0, {}, False),
        # It went after it was looked at, and settle saw that.
        (9, 2, 1, {"vanished": 1}, True),
        # The same, and nobody knows why: a name that is listed twice.
        (9, 2, 1, {}, False),
        # It was gone, and came back before it was sent.
        (11, 0, 1, {}, True),
        (10, 0, 1, {}, False),
    ],
)
def test_all_that_is_missing_has_a_reason(
    names: int, missing: int, gone: int, counts: dict[str, int], holds: bool
) -> None:
    composed, told = _composed(names, missing), _told(gone, counts)
    if holds:
        require_whole(composed, told, b"")
    else:
        with pytest.raises(Refused) as refused:
            require_whole(composed, told, b"")
        assert refused.value.again


def _composed(names: int, missing: int) -> ComposedFilesystem:
    return ComposedFilesystem("/home", names, 0, 0, 0, missing)


def _told(gone: int, counts: dict[str, int], unsteady: str = "") -> SettledFilesystem:
    return SettledFilesystem(
        Settled(10, 1, 0, 5, gone, FolderAttributes(0o755, 0, 0, 0, {}), counts), Fates(), unsteady
    )


@pytest.mark.parametrize(
    ("composed", "told", "error", "do"),
    [
        (
            _composed(12, 0),
            _told(0, {"unreadable": 2}),
            "the copy of '/home' has 12 names, and at the source there were 10",
            "run the job again: it compares anew; no sealed snapshot was changed",
        ),
        # Of a source that changes all the time nobody compares the disk first.
        (
            _composed(12, 0),
            _told(0, {"changed": 3, "vanished": 1}, "eve/w1"),
            "the copy of '/home' has 12 names, and at the source there were 10; 4 changed there meanwhile, "
            "such as /home/eve/w1",
            "run the job again when less changes there; no sealed snapshot was changed",
        ),
        (
            _composed(7, 4),
            _told(1, {"changed": 2}, "eve/w\n1"),
            "3 names of '/home' were at the source and were not sent, such as /home/bob/x; 2 changed there meanwhile, "
            "such as /home/eve/w\\n1",
            "run the job again when less changes there; no sealed snapshot was changed",
        ),
        (
            _composed(7, 4),
            _told(1, {}),
            "3 names of '/home' were at the source and were not sent, such as /home/bob/x",
            "run the job again: it compares anew; no sealed snapshot was changed",
        ),
    ],
)
def test_what_does_not_agree_is_named_and_so_is_what_is_likely_why(
    composed: ComposedFilesystem, told: SettledFilesystem, error: str, do: str
) -> None:
    with pytest.raises(Refused) as refused:
        require_whole(composed, told, b"bob/x")
    assert (refused.value.error, refused.value.do) == (error, do)


def test_what_becomes_of_listed_names_is_told_before_the_answer() -> None:
    lines = (
        {"gone": "a"}, {"stays": "b"}, {"replaced": "c"}, {"gone": "d/\udcff"}, {"closed": "x"},
        {"path": "z", "cause": "unreadable"}, {"path": "e", "cause": "vanished"}, {"path": "f", "cause": "changed"},
    )  # fmt: skip
    read = settled(frame("".join(json.dumps(line) + "\n" for line in lines) + told()), "/")
    assert read.fates == Fates(frozenset({b"a", b"d/\xff"}), frozenset({b"b"}), frozenset({b"c"}))
    assert read.unsteady == "e"


@pytest.mark.parametrize(
    "line", ['{"gone": 1}', '{"stays": null}', '{"replaced": "a"', '{"path": 5, "cause": "changed"}', '{"path": "a"}']
)
def test_a_line_that_says_nothing_clear_is_refused(line: str) -> None:
    with pytest.raises(Refused):
        settled(frame(f"{line}\n{told()}"), "/")


@pytest.mark.parametrize(("most", "fits"), [(3, True), (2, False)])
def test_no_more_names_are_kept_than_a_disk_can_have(most: int, fits: bool) -> None:
    text = "".join(json.dumps({"gone": f"name {number}"}) + "\n" for number in range(3)) + told()
    with contextlib.nullcontext() if fits else pytest.raises(Refused, match="than the disk can have"):
        assert len(settled(frame(text), "/", most).fates.gone) == 3
