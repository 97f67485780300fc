"""What a host answers is read as its contract says, or not at all; nothing that it says can raise."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.answer import table
from runner.agent.arguments import Count
from runner.tools import answers


class Part(NamedTuple):
    name: str
    size: Count = 0


class Whole(NamedTuple):
    held: bool
    seconds: float = 0.0
    exit: Optional[int] = None  # noqa: UP045
    from_: str = ""
    at: Optional[datetime] = None  # noqa: UP045
    parts: tuple[Part, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    mounts: dict[str, Part] = {}
    first: Optional[Part] = None  # noqa: UP045


class Tree(NamedTuple):
    name: str
    below: tuple[Tree, ...] = ()


FULL = Whole(
    held=True, seconds=1.5, exit=3, from_="there", at=datetime(2026, 11, 23, 8, 15, tzinfo=UTC),
    parts=(Part("a", 1), Part("b")), pairs=(("a", "b"),), mounts={"x": Part("c")}, first=Part("d"),
)  # fmt: skip


def test_what_the_agent_writes_is_read_back() -> None:
    assert answers.read("a motd\n" + json.dumps(table(FULL)) + "\n", Whole) == FULL
    assert answers.read(table(FULL), Whole) == FULL
    assert table(FULL)["from"] == "there"


def test_what_was_read_is_written_as_it_was_said() -> None:
    said = answers.plain(FULL._replace(at=None))
    assert said == table(FULL._replace(at=None))
    assert said["parts"] == [{"name": "a", "size": 1}, {"name": "b", "size": 0}]
    assert (said["from"], said["pairs"], answers.plain("text")) == ("there", [["a", "b"]], "text")


def test_what_is_missing_has_its_default_and_what_is_new_is_ignored() -> None:
    assert answers.read('{"held": false, "of tomorrow": [1]}', Whole) == Whole(held=False)


def test_a_time_is_utc() -> None:
    read = answers.read('{"held": true, "at": "2026-11-23T10:15:00+02:00"}', Whole)
    assert read
    assert read.at == datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
    assert read.at.tzinfo is UTC


@pytest.mark.parametrize(
    "values",
    [
        {"held": 1}, {"held": "true"}, {"held": None}, {"seconds": float("inf")}, {"exit": 2**63}, {"exit": -(2**63)},
        {"exit": True},
        {"exit": "3"}, {"from": "x" * (answers.TEXT + 1)}, {"from": 7}, {"at": "2026-11-23T08:15:00"},
        {"at": "0001-01-01T00:00:00+23:00"}, {"at": 7}, {"parts": [{"name": "a", "size": -1}]}, {"parts": [{}]},
        {"parts": ["a"]}, {"parts": {}}, {"pairs": [["a"]]}, {"pairs": [["a", "b", "c"]]}, {"mounts": []},
        {"pairs": [["a", "b"]] * (answers.MANY + 1)},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_no_answer(values: dict[str, Any]) -> None:
    assert answers.read({"held": True, **values}, Whole) is None


@pytest.mark.parametrize(
    "text", ["", "no", "7", "[]", "{" * 5, '{"held": true}\nbye', '{"held": true, "seconds": NaN}']
)
def test_only_an_object_on_the_last_line_is_an_answer(text: str) -> None:
    assert answers.read(text, Whole) is None


def test_an_answer_may_be_as_long_and_as_deep_as_no_answer_of_ours_is_and_no_more() -> None:
    assert answers.parsed("[" * 40 + "]" * 40)
    assert len(answers.parsed('"' + "x" * (2**26 - 2) + '"')) == 2**26 - 2
    for text, why in (("[" * 41 + "]" * 41, "in more than 40 levels"), (" " * (2**26 + 1), "longer than 64 MiB")):
        with pytest.raises(ValueError, match=why):
            answers.parsed(text)


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ({"exit": 2**63 - 1}, True),
        ({"exit": 1 - 2**63}, True),
        ({"from": "x" * 65536}, True),
        ({"from": "x" * 65537}, False),
        ({"at": "1970-01-01T00:00:00Z"}, True),
        ({"at": "1969-12-31T23:59:59Z"}, False),
        ({"at": "2099-12-31T23:59:59Z"}, True),
        ({"at": "2100-01-01T00:00:00Z"}, False),
    ],
)
def test_a_text_and_a_time_have_their_bounds(values: dict[str, Any], fits: bool) -> None:
    assert (answers.read({"held": True, **values}, Whole) is not None) == fits


class Named(NamedTuple):
    name: Annotated[str, re.compile("[a-z]+")]


def test_what_fits_no_pattern_is_shown_as_far_as_a_person_reads() -> None:
    assert answers.understood({"name": "x" * 100}, Named) == Named("x" * 100)
    with pytest.raises(ValueError) as refused:
        answers.understood({"name": "X" * 100}, Named)
    assert str(refused.value) == f"`name` cannot be '{'X' * 60}'"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """As plans and facts are read: by keywords, so what must be said may come last."""

    sorts: tuple[str, ...] = field(default_factory=tuple)
    pair: tuple[str, int] = ("", 0)
    first: None | Part = None
    name: str


def test_a_dataclass_is_read_as_well_and_what_it_must_have_must_be_said() -> None:
    assert answers.read({"name": "a"}, Kept) == Kept(name="a")
    assert answers.read({"name": "a", "sorts": ["x", "y", "z"], "pair": ["b", 1]}, Kept) == Kept(
        name="a", sorts=("x", "y", "z"), pair=("b", 1)
    )
    assert answers.read({"name": "a", "first": {"name": "b"}}, Kept) == Kept(name="a", first=Part("b"))
    for odd in ({}, {"name": "a", "pair": ["b", "c"]}, {"name": "a", "pair": [1, 1]}, {"name": "a", "sorts": [1]}):
        assert answers.read(odd, Kept) is None


def test_a_contract_may_be_within_itself() -> None:
    full = Tree("a", (Tree("b", (Tree("c"),)), Tree("d")))
    assert answers.read(table(full), Tree) == full
    assert answers.read({"name": "a", "below": [{"name": "b", "below": [{"name": 3}]}]}, Tree) is None
    deep = '{"name": "a", "below": [' * 20_000 + "]}" * 20_000
    assert answers.read(deep, Tree) is None


def test_no_depth_is_too_deep() -> None:
    assert answers.read('{"held": true, "x": ' + "[" * 100_000 + "]" * 100_000 + "}", Whole) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("name", "size", "x")) | st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from((*(key.rstrip("_") for key in Whole._fields), "x")), VALUES))
def test_whatever_is_answered_nothing_raises(values: dict[str, Any]) -> None:
    for answer in (values, json.dumps(values)):
        read = answers.read(answer, Whole)
        assert read is None or isinstance(read, Whole)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert answers.read(text, Whole) is None


@pytest.mark.parametrize("line", [b"[" * 60_000, b'{"held": NaN}', b'{"held": true', b"\xff\xfe\x00{", b"[1]", b""])
def test_a_last_line_that_is_no_object_is_no_answer(line: bytes) -> None:
    assert answers.last_object(b"a motd\n" + line) == {}
