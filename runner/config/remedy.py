"""How a value that its schema refuses is written: only what that schema then takes is ever proposed."""

from __future__ import annotations

import json
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.config import quantity

BOOLEANS = {"yes": "true", "on": "true", "y": "true", "true": "true"}
BOOLEANS |= {"no": "false", "off": "false", "n": "false", "false": "false"}

# A number alone says too little; what is meant is not known, so each is named.
_UNITS: Mapping[str, tuple[str, ...]] = {
    "duration": ("s", "min", "h", "d"),
    "week": ("s", "min", "h", "d"),
    "amount": ("%", " GiB"),
    "size": (" MiB", " GiB"),
    "percent": ("%",),
    "share": ("%",),
}
# Keys that name another table: the names of this very file are known, and those of the examples are not in it.
_SECTIONS = {"controller": "hosts", "host": "hosts", "runs_on": "hosts", "store": "stores", "disk": "disks"}
_LONGEST = 128

Schema = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rulebook:
    """What every proposal holds to: `takes` says whether a schema takes a value, `names` has those that each section
    of the file declares.
    """

    takes: Callable[[object, Schema], bool]
    names: Mapping[str, Sequence[str]]


def of_nothing(key: str, schema: Schema, rulebook: Rulebook) -> str:
    """What to write for a key that is missing: one of what it may be, or the schema's example; "" where it has none."""
    section = _SECTIONS.get(key, "")
    if section and (schema.get("format") == "name" or schema.get("$ref") == "#/$defs/name"):
        known = [name for name in rulebook.names.get(section, ()) if rulebook.takes(name, schema)]
        if len(known) == 1:
            return f": say {key} = {quoted(known[0])}"
        return f": one of {', '.join(map(quoted, known))}" if known else f": it is the NAME of a [{section}.NAME]"
    if words := schema.get("enum"):
        return f": one of {', '.join(map(quoted, words))}"
    example = next(iter(schema.get("examples", ())), None)
    return f": say {key} = {json.dumps(example)}, for instance" if isinstance(example, str | int) else ""


def of_another_type(wanted: object, value: object, schema: Schema, rulebook: Rulebook) -> str:
    """What to write for `value`, which is of another type than `wanted`; "" where that is not known."""
    if wanted == "object" and isinstance(value, list):
        return ": write its [name] in single brackets"
    written = [words for meant, words in _of_type(wanted, value, schema) if rulebook.takes(meant, schema)]
    if written:
        return f": write {' or '.join(written)}"
    examples = schema.get("examples", ()) if wanted == "array" and isinstance(value, str) else ()
    return next((f", such as {json.dumps(example)}" for example in examples), "")


def _of_type(wanted: object, value: object, schema: Schema) -> Iterator[tuple[object, str]]:
    """What may be meant, each with the words that say it."""
    match wanted, value:
        case "boolean", str(text) if text.lower() in BOOLEANS:
            word = BOOLEANS[text.lower()]
            yield word == "true", f"{word}, without quotes"
        case "boolean", int(number) if number in (0, 1):
            yield bool(number), "true" if number else "false"
        case "integer", str(text) if text.isascii() and text.isdigit() and len(text) < 12:
            yield int(text), f"{int(text)}, without quotes"
        case "array", str(text) if len(text) <= _LONGEST:
            yield [text], f"[{quoted(text)}]"
        case "string", int() | float() if not isinstance(value, bool):
            for unit in _UNITS.get(str(schema.get("format", "")), ("",)):
                yield f"{value}{unit}", quoted(f"{value}{unit}")
        case "object", str(text) if len(schema.get("required", ())) == 1 and len(text) <= _LONGEST:
            key = schema["required"][0]
            yield {key: text}, f"{{ {key} = {quoted(text)} }}"


def in_another_way(value: object, schema: Schema, rulebook: Rulebook) -> str:
    """What to write for a text that does not match the schema's pattern, where a small change makes it match."""
    if not isinstance(value, str):
        return ""
    others = _others(value, is_name=schema.get("format") == "name") if len(value) <= _LONGEST else ()
    return next((f": write {quoted(text)}" for text in others if text != value and rulebook.takes(text, schema)), "")


def both(first: str = "", second: str = "") -> str:
    """One value as TOML that says what two values of `thin` say; "" where they are none, or contradict each other."""
    try:
        return quoted(quantity.plain_thinning(f"{first}, {second}"))
    except ValueError:
        return ""


def is_plain(text: str) -> bool:
    """Whether a text can be shown as it is: letters of other alphabets look like ours, and some signs like none."""
    return all(sign.isprintable() and (sign.isascii() or _is_latin(sign)) for sign in text)


def _is_latin(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith("LATIN ")


def quoted(text: str) -> str:
    """The text as TOML."""
    return json.dumps(text, ensure_ascii=not is_plain(text))


def _others(text: str, *, is_name: bool) -> Iterator[str]:
    yield text.strip()
    if text.startswith("/") and not {".", ".."} & set(text.split("/")):
        yield posixpath.normpath(f"/{text.strip('/ ')}")
    elif not {"/", "@"} & set(text):
        # A path and an address are what they are.
        yield text.strip().lower()
        # What is called by its blanks on a host, or nothing there, is no other name that happens to pass.
        if is_name:
            yield re.sub(r"\s+", "-", text.strip().lower())
