"""How a value that its schema refuses is written: only what that schema then takes is ever proposed."""

from __future__ import annotations

import json
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runner.config import quantity

BOOLEANS = {"yes": "true", "on": "true", "y": "true", "true": "true"}
BOOLEANS |= {"no": "false", "off": "false", "n": "false", "false": "false"}

# A number alone says too little; what is meant is not known, so each is named.
_UNITS: Mapping[str, tuple[tuple[str, ...], Callable[[str], object]]] = {
    "duration": (("s", "min", "h", "d"), quantity.duration),
    "week": (("s", "min", "h", "d"), quantity.week),
    "amount": (("%", " GiB"), quantity.amount),
    "size": ((" MiB", " GiB"), quantity.size),
    "percent": (("%",), quantity.percent),
    "share": (("%",), quantity.share),
}


def of_nothing(key: str, schema: Mapping[str, Any]) -> str:
    """What to write for a key that is missing: one of what it may be, or the schema's example; "" where it has none."""
    if words := schema.get("enum"):
        return f": one of {', '.join(map(quoted, words))}"
    example = next(iter(schema.get("examples", ())), None)
    return f": say {key} = {json.dumps(example)}, for instance" if isinstance(example, str | int) else ""


def of_another_type(wanted: object, value: object, schema: Mapping[str, Any]) -> str:
    """What to write for `value`, which is of another type than `wanted`; "" where that is not known."""
    written = ""
    match wanted, value:
        case "boolean", str(text) if text.lower() in BOOLEANS:
            written = f"{BOOLEANS[text.lower()]}, without quotes"
        case "boolean", int(number) if number in (0, 1):
            written = "true" if number else "false"
        case "integer", str(text) if text.isascii() and text.isdigit() and len(text) < 12:
            written = f"{int(text)}, without quotes"
        case "array", str(text):
            written = f"[{quoted(text)}]"
        case "string", int() | float() if not isinstance(value, bool):
            written = _with_unit(value, schema)
        case "object", list():
            written = "its [name] in single brackets"
        case "object", str(text) if len(schema.get("required", ())) == 1:
            written = f"{{ {schema['required'][0]} = {quoted(text)} }}"
    return f": write {written}" if written else ""


def _with_unit(number: float, schema: Mapping[str, Any]) -> str:
    units, read = _UNITS.get(str(schema.get("format", "")), (("",), str))
    texts = (f"{number}{unit}" for unit in units)
    return " or ".join(quoted(text) for text in texts if _fits(text, schema) and _reads(read, text))


def _reads(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def in_another_way(value: object, schema: Mapping[str, Any]) -> str:
    """What to write for a text that does not match the schema's pattern, where a small change makes it match."""
    if not isinstance(value, str):
        return ""
    others = _others(value, is_name=schema.get("format") == "name")
    return next((f": write {quoted(text)}" for text in others if text != value and _fits(text, schema)), "")


def both(first: str = "", second: str = "") -> str:
    """One value as TOML that says what two values of `thin` say; "" where they are none, or contradict each other."""
    text = f"{first}, {second}"
    return quoted(text) if first and second and _reads(quantity.thinning, text) else ""


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


def _fits(text: str, schema: Mapping[str, Any]) -> bool:
    return len(text) <= schema.get("maxLength", 128) and re.search(schema.get("pattern", ""), text) is not None
