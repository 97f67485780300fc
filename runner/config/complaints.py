"""What a JSON Schema validator found wrong, said in the words of a person who reads jobs.toml."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Protocol

from runner.config import meant, remedy

_TYPES = {
    "string": "a text in quotes",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}

KeyPath = tuple[str | int, ...]


class Violation(Protocol):
    """The part of a jsonschema ValidationError that is needed here.

    `validator` is the keyword that does not hold, `validator_value` what the schema has under it,
    `context` what is wrong with each branch of an anyOf, `cause` the exception of a format's check.
    """

    validator: str
    validator_value: Any
    instance: Any
    schema: Any
    schema_path: Sequence[str | int]
    path: Collection[str | int]
    absolute_path: Collection[str | int]
    context: Sequence[Violation]
    cause: Exception | None


def problems(violations: Iterable[Violation], rulebook: remedy.Rulebook, prefix: KeyPath = ()) -> tuple[Problem, ...]:
    """Turn violations into problems, at most one for each key; `prefix` leads to the checked part.

    `rulebook` is what must hold of every value that a problem says to write.
    """
    first: dict[KeyPath, Problem] = {}
    for violation in violations:
        for problem in _explain(violation, rulebook):
            path = prefix + problem.path
            first.setdefault(path, Problem(path=path, text=problem.text))
    return tuple(first.values())


def show(value: object) -> str:
    """Print a value as TOML would name it: short, in one line, printable."""
    match value:
        case bool():
            return "true" if value else "false"
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            return "a table"
        case list():
            return "a list"
        case _:
            text = repr(value) if isinstance(value, str) and remedy.is_plain(value) else ascii(value)
            return text if len(text) <= 64 else f"{text[:60]}...{text[-1]}"


def _explain(violation: Violation, rulebook: remedy.Rulebook) -> Iterator[Problem]:
    path = tuple(violation.absolute_path)
    match violation.validator:
        case "required" | "dependentRequired":
            yield from _missing(violation, path, rulebook)
        case "additionalProperties":
            yield from _unknown(violation, path)
        case "anyOf":
            yield from _any_of(violation, path, rulebook)
        case "pattern" if "propertyNames" in violation.schema_path:
            yield Problem(path=(*path, violation.instance), text=_sentence(violation, rulebook))
        case _:
            yield Problem(path=path, text=_sentence(violation, rulebook))


def _missing(violation: Violation, path: KeyPath, rulebook: remedy.Rulebook) -> Iterator[Problem]:
    """Name the keys that are missing, but not those that an unknown key beside them stands for."""
    needed = violation.validator_value
    if isinstance(needed, Mapping):
        needed = [key for given, keys in needed.items() if given in violation.instance for key in keys]
    closed = violation.schema.get("additionalProperties") is False
    strangers = _strangers(violation) if closed else []
    stood_for = {near or (meant.section(key) if path == () else "") for key, near in strangers}
    for key in needed:
        if key not in violation.instance and key not in stood_for:
            rules = violation.schema.get("properties", {}).get(key, {})
            yield Problem(path=(*path, key), text=f"is missing{remedy.of_nothing(key, rules, rulebook)}")


def _unknown(violation: Violation, path: KeyPath) -> Iterator[Problem]:
    known = violation.schema.get("properties", {})
    periods, thin = meant.thinned(violation.instance, known)
    if periods:
        no = "is no key" if len(periods) == 1 else "are no keys"
        text = f"there {no} {' and '.join(map(show, periods))} here; {thin}"
        yield Problem(path=(*path, periods[0]), text=text)
    for key, near in _strangers(violation):
        if key in periods:
            continue
        hint = f"did you mean {near!r}?" if near else meant.key(key, known)
        if not near and path == () and (section := meant.section(key)) in known:
            hint = f"it is called {section!r} here"
        hint = hint or f"allowed here: {', '.join(known) or 'none'}"
        yield Problem(path=(*path, key), text=f"there is no key {show(key)} here; {hint}")


def _strangers(violation: Violation) -> list[tuple[str, str]]:
    """Pair each key that the schema does not know with the missing one it is likely to stand for."""
    known = violation.schema.get("properties", {})
    free = [key for key in known if key not in violation.instance]
    return [(key, nearest(key, free) or nearest(key, known)) for key in violation.instance if key not in known]


def _any_of(violation: Violation, path: KeyPath, rulebook: remedy.Rulebook) -> Iterator[Problem]:
    """Complain about the branch that was meant: the one whose type is right."""
    branches: dict[str | int, list[Violation]] = {}
    for inner in violation.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    for inners in branches.values():
        for inner in inners:
            if inner.validator == "const" and violation.instance == [inner.validator_value]:
                text = f"{remedy.quoted(str(inner.validator_value))} stands without brackets"
                yield Problem(path=path, text=text)
                return
        if all(inner.path or inner.validator not in ("type", "const") for inner in inners):
            for inner in inners:
                yield from _explain(inner, rulebook)
            return
    yield Problem(path=path, text=_sentence(violation, rulebook))


def _sentence(violation: Violation, rulebook: remedy.Rulebook) -> str:
    value, limit = show(violation.instance), violation.validator_value
    words: Mapping[str, Callable[[], str]] = {
        "type": lambda: f"is not {_TYPES.get(str(limit), str(limit))}",
        "enum": lambda: f"is not one of {', '.join(map(show, limit))}{_hint(violation)}",
        "const": lambda: f"is not {show(limit)}",
        "format": lambda: str(violation.cause),
        "minimum": lambda: f"is less than {limit}: write {limit} or more",
        "maximum": lambda: f"is more than {limit}: write {limit} or less",
        "minItems": lambda: "is empty",
        "minLength": lambda: "is empty",
        "maxLength": lambda: f"is longer than {limit} characters",
        "uniqueItems": lambda: "has an item twice",
    }
    otherwise: str = violation.schema.get("errorMessage", "is not as its schema says")
    if violation.validator == "type":
        after = remedy.of_another_type(limit, violation.instance, violation.schema, rulebook)
    elif violation.validator == "pattern":
        after = remedy.in_another_way(violation.instance, violation.schema, rulebook)
    else:
        after = ""
    words_for = words.get(violation.validator)
    return f"{value} {words_for() if words_for else otherwise}{after}"


def _hint(violation: Violation) -> str:
    value = violation.instance
    near = nearest(value, violation.validator_value) if isinstance(value, str) else ""
    return f"; did you mean {near!r}?" if near else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """`path` leads to the key (tables, key, number of a list's item); `text` says what is wrong."""

    path: KeyPath
    text: str


def nearest(name: str, known: Iterable[str]) -> str:
    """Give the known word that `name` most likely stands for, a slip or two of the hand away, or ""."""
    from difflib import get_close_matches  # late: most that is written is right

    slips = max(1, (len(name) + 2) // 4)
    near = get_close_matches(name, tuple(known), n=3, cutoff=0.6)
    return next((word for word in near if _slips(name, word) <= slips), "")


def _slips(first: str, second: str) -> int:
    """How many letters must be put in, left out, changed, or swapped with the next, to make one of the other."""
    rows = [list(range(len(second) + 1))]
    for i, letter in enumerate(first, start=1):
        row = [i]
        for j, other in enumerate(second, start=1):
            least = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != other))
            if i > 1 and j > 1 and (letter, first[i - 2]) == (second[j - 2], other):
                least = min(least, rows[-2][j - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows[-1][-1]


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such thing, with the likely one, or with all where none is near."""
    names = tuple(known)
    text = f"there is no {what} {name!r}"
    if near := nearest(name, names):
        return f"{text}; did you mean {near!r}?"
    return f"{text}; known: {', '.join(names)}" if names else text
