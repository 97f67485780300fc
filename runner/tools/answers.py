"""The one place where an answer of runner-agent is read: as its verb's contract says, within bounds, or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from math import isfinite
from types import UnionType
from typing import Annotated, Any, ForwardRef, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from runner.agent.arguments import Pattern

# A host may say what it likes; no answer of ours comes near any of these.
ANSWER = 64 * 1024 * 1024
TEXT = 64 * 1024
MANY = 100_000
DEEP = 40
NUMBER = 2**63 - 1
# Whatever the clock of a host shows: no time before Unix, and none that no sum of times could go beyond.
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

_INEXACT = 1e300
_SHOWN = 60

_TOO_DEEP = f"it is nested in more than {DEEP} levels"
_NESTED = (dict, list)

# Types that are made here are nothing that mypy could follow.
_TUPLE: Any = tuple
_DICT: Any = dict
_UNION: Any = Union

Contract = TypeVar("Contract")


def parsed(text: str | bytes) -> Any:  # noqa: ANN401
    """The JSON in `text`, whoever wrote it; ValueError says what is wrong with it."""
    if len(text) > ANSWER:
        raise ValueError(f"it is longer than {ANSWER >> 20} MiB")
    try:
        value = json.loads(text, parse_constant=_refused, parse_float=_finite)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [value]
    for _ in range(DEEP):
        level = [part for each in level if isinstance(each, _NESTED) for part in _parts(each)]
        if not level:
            return value
    raise ValueError(_TOO_DEEP)


def json_object(text: str | bytes) -> Mapping[str, Any]:
    """The JSON object that `text` is; ValueError where it is none."""
    value = parsed(text)
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    return value


def last_object(text: str | bytes) -> Mapping[str, Any]:
    """The JSON object on the last line; empty where there is none."""
    line = text.strip().rpartition("\n")[2] if isinstance(text, str) else text.strip().rpartition(b"\n")[2]
    try:
        return json_object(line)
    except ValueError:
        return {}


def read(answer: str | Mapping[str, Any], contract: type[Contract]) -> Contract | None:
    """The answer as `contract`, whether it is a program's output or read already; None where it does not fit.

    A key that is missing has the default of its field, a key that the contract does not know is ignored.
    Times are UTC. Never raises, whatever is answered.
    """
    try:
        return understood(last_object(answer) if isinstance(answer, str) else answer, contract)
    except ValueError:
        return None


def understood(answer: object, contract: type[Contract]) -> Contract:
    """As `read`, of a NamedTuple or a dataclass; ValueError says what does not fit."""
    hint: Any = contract
    try:
        made: Contract = _made(hint, msgspec.convert(answer, _shape(hint)), "it")
    except (msgspec.MsgspecError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return made


def plain(value: object) -> Any:  # noqa: ANN401
    """What was read, as JSON has it: the other way round."""
    if isinstance(value, tuple):
        each = [plain(part) for part in value]
        names = getattr(value, "_fields", ())
        return dict(zip((name.rstrip("_") for name in names), each, strict=True)) if names else each
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value


def _parts(value: Any) -> Any:  # noqa: ANN401
    return value.values() if isinstance(value, dict) else value


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _finite(digits: str) -> float:
    """The number; what is too large for one would be written as no JSON has it, and hide all that is beside it."""
    number = float(digits)
    return number if isfinite(number) else _refused(digits[:_SHOWN])


@cache
def _hints(contract: Hashable) -> dict[str, Any]:
    return get_type_hints(contract, include_extras=True)


@cache
def _shape(contract: type[Any]) -> type[msgspec.Struct]:
    """What msgspec checks: the fields of the contract, each with its bounds."""
    defaults = _optional(contract)
    shape_fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for key, hint in get_type_hints(contract, include_extras=True).items():
        kind = _bounded(hint, contract)
        # Not the default itself: it may be a NamedTuple, which msgspec takes for a list.
        shape_fields.append((key, _UNION[kind, msgspec.UnsetType], msgspec.UNSET) if key in defaults else (key, kind))
    names = {field[0]: field[0].rstrip("_") for field in shape_fields}
    shape = msgspec.defstruct(contract.__name__, shape_fields, rename=names, kw_only=True)
    # Where msgspec looks for the name of what is within itself.
    setattr(shape, contract.__name__, shape)
    return shape


def _optional(contract: Any) -> frozenset[str]:  # noqa: ANN401
    """The fields that have a default."""
    if not is_dataclass(contract):
        return frozenset(getattr(contract, "_field_defaults", ()))
    return frozenset(
        field.name for field in fields(contract) if (field.default, field.default_factory) != (MISSING, MISSING)
    )


def _bounded(hint: Any, within: type[Any]) -> Any:  # noqa: ANN401
    """The type that msgspec checks for a field of contract `within`, which may have fields of its own type."""
    if hint is within:
        return ForwardRef(within.__name__)
    if _is_contract(hint):
        return _shape(hint)
    mark = None
    if get_origin(hint) is Annotated:
        mark = next((each for each in hint.__metadata__ if isinstance(each, int)), None)
        hint = hint.__origin__
    if hint is str:
        return Annotated[str, msgspec.Meta(max_length=TEXT if mark is None else mark)]
    if hint is int:
        return Annotated[int, msgspec.Meta(ge=-NUMBER if mark is None else mark, le=NUMBER)]
    if hint is float:
        return Annotated[float, msgspec.Meta(ge=-_INEXACT, le=_INEXACT)]
    if hint is datetime:
        return Annotated[datetime, msgspec.Meta(tz=True)]
    origin, inner = get_origin(hint), get_args(hint)
    if inner[1:] == (Ellipsis,):
        return Annotated[_TUPLE[_bounded(inner[0], within), ...], msgspec.Meta(max_length=MANY)]
    if origin is tuple:
        return _TUPLE[tuple(_bounded(each, within) for each in inner)]
    if origin in (dict, Mapping):
        return Annotated[_DICT[_bounded(inner[0], within), _bounded(inner[1], within)], msgspec.Meta(max_length=MANY)]
    if origin in (Union, UnionType):
        return _UNION[tuple(_bounded(each, within) for each in inner)]
    return hint


def _is_contract(hint: object) -> bool:
    return isinstance(hint, type) and (is_dataclass(hint) or hasattr(hint, "_fields"))


def _made(hint: Any, value: Any, name: str) -> Any:  # noqa: ANN401
    """What was checked, as the types of the contract; ValueError where it fits no pattern, or is no time of ours.

    `name` is that of the field which has it.
    """
    if value is None:
        return None
    if get_origin(hint) is Annotated:
        patterns = [mark for mark in hint.__metadata__ if isinstance(mark, (re.Pattern, Pattern))]
        if not all(pattern.fullmatch(value) for pattern in patterns):
            raise ValueError(f"`{name}` cannot be {value[:_SHOWN]!a}")
        return _made(hint.__origin__, value, name)
    inner = get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return _made(next(each for each in inner if each is not type(None)), value, name)
    if _is_contract(hint):
        given = {key: (each, getattr(value, key)) for key, each in _hints(hint).items()}
        return hint(**{key: _made(*each, key) for key, each in given.items() if each[1] is not msgspec.UNSET})
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        if not FIRST <= moment < LAST:
            raise ValueError(f"`{name}` cannot be {moment.isoformat()}")
        return moment
    if isinstance(value, tuple):
        kinds = inner[:1] * len(value) if inner[1:] == (Ellipsis,) else inner
        return tuple(_made(kind, each, name) for kind, each in zip(kinds, value, strict=True))
    if isinstance(value, dict):
        return {_made(inner[0], key, name): _made(inner[1], each, name) for key, each in value.items()}
    return value
