"""Whether a value surely fits a schema, told in a hundredth of the time that jsonschema takes to be loaded. Pure.

It knows the words that our schemas are made of. What does not fit, and what has another word in it, jsonschema judges:
only it can say what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Rules = Mapping[str, Any]
Formats = Mapping[str, Callable[[str], object]]

# These say nothing of the value.
_ANNOTATIONS = {
    "$schema", "$id", "$comment", "$defs", "title", "description", "examples", "default", "errorMessage", "hostFrom",
}  # fmt: skip
_TYPES: Mapping[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}


class Fitting:
    """Values held to the schema `rules`; `formats` read a text: None or ValueError where it is none of theirs."""

    def __init__(self, rules: Rules, formats: Formats) -> None:
        self._root = rules
        self._formats = formats

    def surely(self, value: object) -> bool:
        """Whether `value` fits, beyond doubt."""
        return self._fits(self._root, value)

    def _fits(self, rules: object, value: object) -> bool:
        if not isinstance(rules, Mapping):
            return rules is True
        return all(word in _ANNOTATIONS or self._holds(rules, word, value) for word in rules)

    def _holds(self, rules: Rules, word: str, value: object) -> bool:
        wanted = rules[word]
        match word:
            case "$ref":
                return self._fits(self._at(wanted), value)
            case "type":
                return isinstance(wanted, str) and type(value) is _TYPES.get(wanted)
            case "const":
                return type(value) is type(wanted) is str and value == wanted
            case "enum":
                return isinstance(value, str) and value in wanted
            case "anyOf":
                return any(self._fits(each, value) for each in wanted)
            case _:
                return self._holds_of_its_type(rules, word, value)

    def _holds_of_its_type(self, rules: Rules, word: str, value: object) -> bool:
        wanted = rules[word]
        if isinstance(value, str):
            return self._text(word, wanted, value)
        if isinstance(value, dict):
            return self._table(rules, word, wanted, value)
        if isinstance(value, list):
            return self._list(word, wanted, value)
        return type(value) is int and (
            (word == "minimum" and value >= wanted) or (word == "maximum" and value <= wanted)
        )

    def _text(self, word: str, wanted: Any, value: str) -> bool:  # noqa: ANN401
        match word:
            case "pattern":
                return re.search(wanted, value) is not None
            case "minLength":
                return len(value) >= int(wanted)
            case "maxLength":
                return len(value) <= int(wanted)
            case "format":
                return wanted not in self._formats or self._reads(wanted, value)
            case _:
                return False

    def _reads(self, name: str, value: str) -> bool:
        try:
            return self._formats[name](value) is not None
        except ValueError:
            return False

    def _table(self, rules: Rules, word: str, wanted: Any, value: Mapping[str, object]) -> bool:  # noqa: ANN401
        match word:
            case "properties":
                return all(self._fits(own, value[key]) for key, own in wanted.items() if key in value)
            case "required":
                return all(key in value for key in wanted)
            case "propertyNames":
                return all(self._fits(wanted, key) for key in value)
            case "additionalProperties":
                named = rules.get("properties", {})
                return all(self._fits(wanted, each) for key, each in value.items() if key not in named)
            case _:
                return False

    def _list(self, word: str, wanted: Any, value: list[object]) -> bool:  # noqa: ANN401
        match word:
            case "items":
                return all(self._fits(wanted, each) for each in value)
            case "minItems":
                return len(value) >= int(wanted)
            case "uniqueItems":
                return all(type(each) is str for each in value) and len({*map(str, value)}) == len(value)
            case "format":
                return wanted not in self._formats
            case _:
                return False

    def _at(self, place: str) -> object:
        """The part of the schema that `#/...` names; nothing fits what is not there."""
        part: Any = self._root
        for name in place.removeprefix("#/").split("/"):
            if not isinstance(part, Mapping) or name not in part:
                return False
            part = part[name]
        return part
