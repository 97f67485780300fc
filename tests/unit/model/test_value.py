"""A value is what a dataclass of its form is, to whoever holds one."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from runner.model.value import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Ours:
    """Made here."""

    name: str
    size: int = 3
    more: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Theirs:
    """Made by Python."""

    name: str
    size: int = 3
    more: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Longer(Ours):
    """With what the other has."""

    last: tuple[int, ...] = ()

    @property
    def whole(self) -> int:
        return self.size + len(self.last)


@dataclass(frozen=True, kw_only=True, slots=True)
class Empty:
    """Nothing."""


BOTH = pytest.mark.parametrize("kind", [Ours, Theirs])


@BOTH
def test_it_is_made_by_keyword_with_its_defaults_and_prints_itself(kind: Any) -> None:
    one, other = kind(name="a"), kind(name="b", size=1, more={"x": 2})
    assert (one.name, one.size, one.more) == ("a", 3, {}) and one.more is not kind(name="a").more
    assert repr(other) == f"{kind.__name__}(name='b', size=1, more={{'x': 2}})"
    assert dataclasses.asdict(other) == {"name": "b", "size": 1, "more": {"x": 2}}
    assert dataclasses.replace(other, size=2) == kind(name="b", size=2, more={"x": 2})
    assert dataclasses.is_dataclass(kind) and [field.name for field in dataclasses.fields(kind)] == [
        "name",
        "size",
        "more",
    ]
    assert not hasattr(one, "__dict__") and kind.__match_args__ == ()


@BOTH
@pytest.mark.parametrize("wrong", [{}, {"name": "a", "other": 1}, {"size": 1}])
def test_what_does_not_fit_makes_none(kind: Any, wrong: Mapping[str, Any]) -> None:
    with pytest.raises(TypeError, match="name" if "name" not in wrong else "other"):
        kind(**wrong)
    with pytest.raises(TypeError):
        kind("a")


@BOTH
def test_nothing_of_it_changes(kind: Any) -> None:
    one = kind(name="a")
    for change in (lambda: setattr(one, "name", "b"), lambda: setattr(one, "new", 1), lambda: delattr(one, "name")):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            change()
    assert one == kind(name="a")


@BOTH
def test_it_equals_what_has_the_same_and_is_of_its_class(kind: Any) -> None:
    assert kind(name="a", more=()) == kind(name="a", more=()) != kind(name="b", more=())
    assert hash(kind(name="a", more=())) == hash(kind(name="a", more=())) == hash(("a", 3, ()))
    assert kind(name="a") != ("a", 3, {}) and Ours(name="a") != Theirs(name="a") and Ours(name="a") != Longer(name="a")
    with pytest.raises(TypeError, match="unhashable"):
        hash(kind(name="a"))


@BOTH
def test_it_is_copied_and_taken_from_an_answer(kind: Any) -> None:
    one = kind(name="a", more={"x": 1})
    assert copy.deepcopy(one) == one == pickle.loads(pickle.dumps(one))
    assert msgspec.convert({"name": "a", "more": {"x": 1}}, kind) == one
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"size": 1}, kind)


def test_it_may_be_made_of_another() -> None:
    longer = Longer(name="a", last=(1, 2))
    assert (longer.whole, longer.name) == (5, "a") and repr(longer) == "Longer(name='a', size=3, more={}, last=(1, 2))"
    assert dataclasses.replace(longer, size=1).last == (1, 2) and Empty() == Empty() and repr(Empty()) == "Empty()"


def test_a_class_of_another_form_is_refused() -> None:
    with pytest.raises(TypeError, match="a value is frozen"):
        dataclass(frozen=False, kw_only=True, slots=True)
