"""`dataclass(frozen=True, kw_only=True, slots=True)` as it is in `dataclasses`, at a tenth of what it costs there.

That one compiles six methods for each class, which was a quarter of the start of a verb; here all classes share theirs.
A class of another form takes the other one; `fields`, `replace` and `asdict` of `dataclasses` take both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError
from typing import TYPE_CHECKING, Any, Literal, Protocol

__all__ = ("dataclass",)
_set = object.__setattr__


class _Value(Protocol):
    """Of each field the name, the default, and what makes one."""

    __value_fields__: tuple[tuple[str, Any, Any], ...]


if TYPE_CHECKING:
    # What it is in `dataclasses` mypy knows.
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: Literal[True], kw_only: Literal[True], slots: Literal[True]) -> Callable[[type], type]:
        """As `dataclasses.dataclass`, for a class of this form alone; TypeError for another."""
        if not (frozen and kw_only and slots):
            raise TypeError(
                "a value is frozen, taken by keyword and slotted: for others there is dataclasses.dataclass"
            )
        return _value


def _value(cls: type) -> type:
    own = vars(cls)
    for method in (__init__, __repr__, __eq__, __hash__, __setattr__, __delattr__, __getstate__, __setstate__):
        if own.get(method.__name__) is None:
            setattr(cls, method.__name__, method)
    made: type = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=True, slots=True)(cls)
    known = tuple((each.name, each.default, each.default_factory) for each in dataclasses.fields(made))
    type.__setattr__(made, "__value_fields__", known)
    return made


def __init__(self: _Value, **given: object) -> None:
    for name, default, factory in self.__value_fields__:
        if name in given:
            value = given.pop(name)
        elif default is not MISSING:
            value = default
        elif factory is not MISSING:
            value = factory()
        else:
            raise TypeError(f"{type(self).__qualname__}() lacks {name!r}")
        _set(self, name, value)
    if given:
        raise TypeError(f"{type(self).__qualname__}() takes no {', '.join(map(repr, given))}")


def _all(value: _Value) -> tuple[object, ...]:
    return tuple([getattr(value, name) for name, _, _ in value.__value_fields__])


def __repr__(self: _Value) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, _, _ in self.__value_fields__)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def __eq__(self: _Value, other: object) -> bool:
    return _all(self) == _all(other) if type(other) is type(self) else NotImplemented


def __hash__(self: _Value) -> int:
    return hash(_all(self))


def __setattr__(self: _Value, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(self: _Value, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def __getstate__(self: _Value) -> tuple[object, ...]:
    return _all(self)


def __setstate__(self: _Value, state: tuple[object, ...]) -> None:
    for (name, _, _), value in zip(self.__value_fields__, state, strict=True):
        _set(self, name, value)
