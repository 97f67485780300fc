"""plan.toml: a plan as a person reads it, and back, exactly."""

from __future__ import annotations

import errno
import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from runner.engine import seal
from runner.model.errors import PlanRefused, UsageError
from runner.model.plan import Effect, Plan
from runner.tools import trust

FORMAT = 3

# No plan is ever as long.
_LONGEST = 64 << 20
_ANOTHER = "name another file, such as {}.toml"
_HEADING = (
    "# A plan of runner. What is written here is what `runner apply` runs: nothing else, and once.\n"
    "# It is refused when anything in it, or jobs.toml, a store or a host, has changed since.\n\n"
)
AGAIN = "make it again: runner plan --out plan.toml"
# What a number may be, where its type allows more; schema/plan.schema.json says the same.
BOUNDS = {"timeout": (1, 10**9), "within": (1, 10**9), "every": (1, 10**9), "mode": (0, 0o7777)}
_NUMBER = 2**63 - 1
# What Python's unicode_escape writes.
_ESCAPED = re.compile(r"([ -\[\]-~]|\\([\\nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U00(0[0-9a-f]|10)[0-9a-f]{4}))*")


class PlanFile(NamedTuple):
    """A plan that was read from its file: its code, and the very bytes that it was made of."""

    plan: Plan
    code: str
    content: bytes


def data(plan: Plan, time: Callable[[datetime], str] = datetime.isoformat) -> dict[str, Any]:
    """The plan as plain JSON and TOML values, its times as `time` writes them; empty and default ones are left out.

    Text that is not UTF-8 (a name with bytes of its own) becomes `{"escaped": "..."}`, as Python
    writes it, since TOML has no form for it.
    """
    return {"format": FORMAT, **_plain(plan, time)}


def write(plan: Plan, path: Path, key: bytes) -> str:
    """Write `plan` to `path` in one piece, sealed, and give its code; a plan that is being read is never half there."""
    import tomli_w

    require_replaceable(path)
    values = data(plan)
    sealed = seal.of(values, key)
    content = (_HEADING + tomli_w.dumps({**values, "seal": sealed})).encode("utf-8")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        # In a folder of all there may be a link of that name again: it is not followed.
        with temporary.open("xb") as stream:
            stream.write(content)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UsageError(f"{path}: {error.strerror}", do="name a file that can be written") from error
    return seal.code(sealed, key)


def require_replaceable(path: Path, heading: str = _HEADING, what: str = "plan") -> None:
    """UsageError where a plan may not be written at `path`: what is there is neither an earlier plan nor empty.

    Nor anything else that begins with a `heading`, by which it is known.
    """
    try:
        _require_writable(path.parent)
        mode = path.lstat().st_mode
        head = _head(path, len(heading)) if stat.S_ISREG(mode) else b""
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", do="name a file that can be written") from error
    if not stat.S_ISREG(mode):
        it_is = "a link" if stat.S_ISLNK(mode) else "no plain file"
        raise UsageError(f"{path} is there and is {it_is}, so it is not replaced", do=_ANOTHER.format(what))
    if head not in (b"", heading.encode()):
        raise UsageError(f"{path} is there and is no {what}, so it is not replaced", do=_ANOTHER.format(what))


def _require_writable(folder: Path) -> None:
    """UsageError where there is no such folder, or no new file can be made in it."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", do="make it, or name a file in another one")
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise UsageError(f"no file can be written in {folder.absolute()}", do="name a file in another folder")


def _head(path: Path, most: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(most)


def read(path: Path, key: bytes) -> Plan:
    """The plan in `path`; see `take`."""
    return take(path, key).plan


def _content(path: Path) -> bytes:
    """All that is in the file. OSError where it is none: whoever reads a pipe waits for ever."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        content = stream.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise OSError(errno.EFBIG, "it is too long for a plan")
    return content


def take(path: Path, key: bytes) -> PlanFile:
    """The plan in `path`. UsageError if it is none, PlanRefused if it is not one that `write` made with this key.

    Nor is it read where others may change it, although they could not seal it. It is read once.
    """
    if exposed := trust.exposures((str(path),)):
        closing = trust.refusal(exposed)
        raise PlanRefused(closing.text, do=closing.do)
    try:
        content = _content(path)
        values = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", do="make one: runner plan --out plan.toml") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a plan: {error}", do=AGAIN) from error
    if "format" not in values:
        raise UsageError(f"{path}: is not a plan", do="make one: runner plan --out plan.toml")
    if values["format"] != FORMAT:
        raise PlanRefused(
            f"{path}: another version of the runner wrote it: its format is {_shown(values['format'])}, not {FORMAT}",
            do=AGAIN,
        )
    own = values.pop("seal", None)
    if not seal.holds(values, own, key):
        raise PlanRefused(
            f"{path}: it was changed after it was made, or made by another site, user or machine",
            do=f"{AGAIN}; what should run is said in jobs.toml",
        )
    try:
        return PlanFile(plan=plan(values), code=seal.code(own, key), content=content)
    except ValueError as error:
        raise PlanRefused(f"{path}: not a whole plan: {error}", do=AGAIN) from error


def _shown(value: object) -> str:
    """A value as a person may see it; a number may be longer than Python writes."""
    try:
        return ascii(value)[:60]
    except ValueError:
        return "a number without end"


def plan(values: Mapping[str, Any]) -> Plan:
    """The plan of which `data` made these values; ValueError if of none."""
    whole: Plan = _whole(Plan, {key: value for key, value in values.items() if key != "format"})
    return whole


def _plain(value: Any, time: Callable[[datetime], str]) -> Any:  # noqa: ANN401  (any value of a plan)
    if isinstance(value, Effect):
        return value.name.lower()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, datetime):
        return time(value)
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name), field.default) for field in fields(value))
        return {name: _plain(item, time) for name, item, default in pairs if item != default and item is not None}
    if isinstance(value, tuple):
        return [_plain(item, time) for item in value]
    if isinstance(value, str) and not _is_utf8(value):
        return {"escaped": value.encode("unicode_escape").decode("ascii")}
    return value


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


@cache
def _hints(hint: Any) -> dict[str, Any]:  # noqa: ANN401
    return get_type_hints(hint)


@cache
def _needed(hint: Any) -> frozenset[str]:  # noqa: ANN401
    return frozenset(
        field.name for field in fields(hint) if (field.default, field.default_factory) == (MISSING, MISSING)
    )


def _whole(hint: Any, value: Any) -> Any:  # noqa: ANN401  (a value of the plan, as in the others)
    if not _fits(hint, value):
        raise ValueError(f"a {hint.__name__} has not these keys")
    hints = _hints(hint)
    return hint(**{name: _part(name, hints[name], each) for name, each in value.items()})


def _fits(hint: Any, value: object) -> bool:  # noqa: ANN401
    """Whether it has every key that it must have, and no other than those that it may have."""
    return isinstance(value, dict) and _needed(hint) <= value.keys() <= _hints(hint).keys()


def _part(name: str, hint: Any, value: Any) -> Any:  # noqa: ANN401
    if get_origin(hint) in (Union, UnionType):
        hint = _meant(name, get_args(hint), value)
    if is_dataclass(hint) and isinstance(hint, type):
        return _whole(hint, value)
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_part(name, get_args(hint)[0], each) for each in value)
    single = _single(name, hint, value)
    if single is None:
        raise ValueError(f"{name} cannot be {_shown(value)}")
    return single


def _meant(name: str, hints: tuple[Any, ...], value: object) -> Any:  # noqa: ANN401
    """Of the types that may stand here, the one that the value is of; None is left out, so it never stands anywhere."""
    for hint in hints:
        if _fits(hint, value) if is_dataclass(hint) else _single(name, hint, value) is not None:
            return hint
    return None


def _single(name: str, hint: Any, value: Any) -> Any:  # noqa: ANN401
    """A value without parts, or None if it is not of this type."""
    if hint is str:
        return _text(value)
    if type(value) is int and hint in (int, float):
        least, most = BOUNDS.get(name, (-_NUMBER, _NUMBER))
        return value if least <= value <= most else None
    if hint in (bool, float):
        return value if type(value) is hint and isfinite(value) else None
    if not isinstance(value, str):
        return None
    if get_origin(hint) is Literal:
        return value if value in get_args(hint) else None
    if hint is Effect:
        return next((effect for effect in Effect if effect.name.lower() == value), None)
    if hint is datetime:
        moment = datetime.fromisoformat(value)
        return moment if moment.utcoffset() == timedelta(0) else None
    return hint(value) if isinstance(hint, type) and issubclass(hint, StrEnum) else None


def _text(value: Any) -> str | None:  # noqa: ANN401
    if not isinstance(value, dict) or value.keys() != {"escaped"}:
        return value if isinstance(value, str) else None
    escaped = value["escaped"]
    if not isinstance(escaped, str) or not _ESCAPED.fullmatch(escaped):
        return None
    return escaped.encode("ascii").decode("unicode_escape")
