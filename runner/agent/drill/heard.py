"""The lines of `sample` and `newest-dumps`, which another host says: read as their contract has them, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, Union, get_type_hints

from ..answer import Refused
from ..arguments import SHOWN, Pattern

# As papio's reader of answers has it: nothing of ours is ever as long.
TEXT, NUMBER = 64 << 10, 2**63 - 1

Contract = TypeVar("Contract", bound="tuple[Any, ...]")


def line_as(contract: type[Contract], line: Mapping[str, Any]) -> Contract:
    """The line as `contract`; a key that it does not know is ignored. Refused where a value fits not its type."""
    known: Any = contract
    values = {}
    for key, hint in _hints(contract).items():
        if key in line:
            values[key] = _value(hint, line[key], key)
        elif key not in known._field_defaults:
            raise _odd(key, None)
    return contract(**values)


@lru_cache(maxsize=None)  # noqa: UP033
def _hints(contract: type[Any]) -> dict[str, Any]:
    return get_type_hints(contract, include_extras=True)


def _value(hint: Any, value: Any, key: str) -> Any:  # noqa: ANN401
    marks: Sequence[Any] = getattr(hint, "__metadata__", ())
    kind = hint.__origin__ if marks else hint
    origin, inner = getattr(kind, "__origin__", kind), list[Any](getattr(kind, "__args__", ()))
    if origin is Union:
        return None if value is None else _value(inner[0], value, key)
    if hasattr(kind, "_fields"):
        if isinstance(value, dict):
            return line_as(kind, value)
    elif origin is tuple:
        if isinstance(value, list):
            return tuple(_value(inner[0], each, key) for each in value)
    elif origin is dict:
        if isinstance(value, dict):
            return {_value(inner[0], word, key): _value(inner[1], each, key) for word, each in value.items()}
    elif type(value) is kind and all(_fits(mark, value) for mark in marks) and _bounded(value):
        return value
    raise _odd(key, value)


def _fits(mark: object, value: Any) -> bool:  # noqa: ANN401
    if isinstance(mark, Pattern):
        return mark.fullmatch(value) is not None
    return not isinstance(mark, int) or bool(value >= mark)


def _bounded(value: object) -> bool:
    return len(value) <= TEXT if isinstance(value, str) else not isinstance(value, int) or abs(value) <= NUMBER


def _odd(key: str, value: object) -> Refused:
    do = "the other host says what none of ours would: look at it, and run the drill again"
    return Refused(f"a line of the store's host cannot be: `{key}` is {str(value)[:SHOWN]!a}", do)
