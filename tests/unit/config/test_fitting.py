"""What surely fits a schema is nothing that jsonschema minds; and what people write is told to fit."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

import schema
from runner.model.fitting import Fitting

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((Path(schema.__file__).parent / "jobs.schema.json").read_bytes())
EXAMPLE = tomllib.loads((ROOT / "jobs.toml").read_text("utf-8"))
OUTER = {**SCHEMA, "properties": {**SCHEMA["properties"], "jobs": {"type": "object"}, "hooks": {"type": "object"}}}
# What a hurried hand, or another one, may have written in the place of a value.
ODD: tuple[object, ...] = (
    True, False, 0, 1, -1, 10**30, 1.0, float("nan"), "", "x\n", "ä", "a" * 300, "/a/../b", "all",
    [], ["a", "a"], ["a", 1], [["a"]], [True, 1], {}, {"a": 1}, {"": {}},
)  # fmt: skip


def places(value: object, way: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield way
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, (*way, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from places(each, (*way, number))


def changed(tables: Any, way: tuple[Any, ...], value: object) -> Any:
    if not way:
        return value
    tables = copy.deepcopy(tables)
    part = tables
    for key in way[:-1]:
        part = part[key]
    part[way[-1]] = value
    return tables


def is_even(text: str) -> bool | None:
    """A format: texts of an even length; None and ValueError are both a no."""
    if len(text) > 20:
        raise ValueError("too long")
    return True if len(text) % 2 == 0 else None


def judges(rules: dict[str, Any]) -> tuple[Fitting, Any]:
    formats = jsonschema.FormatChecker(formats=())
    formats.checks("mail", raises=ValueError)(lambda value: not isinstance(value, str) or is_even(value) is not None)
    # As config/load.py has it: 1.0 is no integer.
    dialect = jsonschema.Draft202012Validator
    strict = dialect.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    validator = jsonschema.validators.extend(dialect, type_checker=strict)
    return Fitting(rules, {"mail": is_even}), validator(rules, format_checker=formats)


def test_the_example_surely_fits() -> None:
    assert Fitting(OUTER, {}).surely({key: value for key, value in EXAMPLE.items() if key not in ("jobs", "hooks")})
    assert Fitting(OUTER, {}).surely(EXAMPLE)


def test_nothing_surely_fits_that_jsonschema_minds() -> None:
    tables = {key: value for key, value in EXAMPLE.items() if key not in ("jobs", "hooks")}
    fitting, judge = judges(OUTER)
    ways = list(places(tables))
    sure = 0
    for number, way in enumerate(ways):
        for step in range(3):
            value = changed(tables, way, ODD[(number * 3 + step) % len(ODD)])
            if fitting.surely(value):
                sure += 1
                assert judge.is_valid(value), (way, value)
    assert 0 < sure < 2 * len(ways)


RULES: list[tuple[Any, Any]] = [
    ({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1, "maximum": 3}}, "required": ["a"]}, "a"),
    ({"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}, "additionalProperties": {"type": "string"}}, "b"),
    ({"type": "object", "additionalProperties": False, "properties": {"a": True, "b": False}}, "c"),
    ({"anyOf": [{"const": "all"}, {"type": "array", "items": {"$ref": "#/$defs/x"}, "minItems": 1,
      "uniqueItems": True}], "$defs": {"x": {"type": "string", "maxLength": 2, "minLength": 1}}}, "d"),
    ({"enum": ["all", "none", 1, True]}, "e"),
    ({"type": "string", "format": "mail"}, "f"),
    ({"type": ["string", "integer"]}, "g"),
    ({"$ref": "#/$defs/nothing"}, "h"),
    ({"type": "string", "contentEncoding": "base64"}, "i"),
    ({"type": "boolean"}, "j"),
]  # fmt: skip
VALUES: tuple[Any, ...] = (
    *ODD, "none", {"a": 2}, {"a": 4}, {"a": True}, {"a": 1.0}, {"b": 1}, {"B": "x"}, {"b": "x"}, ["a"], ["a", "b"],
    ["abc"], [""], "even", "odd", "e" * 22,
)  # fmt: skip


@pytest.mark.parametrize("rules", [rules for rules, _ in RULES], ids=[name for _, name in RULES])
def test_each_word_of_a_schema_is_held_to_as_jsonschema_does(rules: dict[str, Any]) -> None:
    fitting, judge = judges(rules)
    if "nothing" in str(rules):
        assert not any(fitting.surely(value) for value in VALUES)
        return
    for value in VALUES:
        if fitting.surely(value):
            assert judge.is_valid(value), value


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        ({"type": "string", "contentEncoding": "base64"}, "YQ=="),
        ({"type": "object", "patternProperties": {"a": {}}}, {"a": 1}),
        ({"not": {"type": "string"}}, 1),
        ({"type": "number"}, 1),
    ],
)
def test_a_word_that_is_not_known_leaves_it_to_jsonschema(rules: dict[str, Any], value: object) -> None:
    fitting, judge = judges(rules)
    assert judge.is_valid(value) and not fitting.surely(value)
