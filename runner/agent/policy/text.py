"""The text of a policy: one table or one setting of it changed, and every other byte as it was. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..answer import Refused
from . import rights, toml

HEAD = (
    "# What each ssh key that is bound to `runner-agent serve NAME` may ask of this host.\n"
    "# A person on this host changes it. What is not written here is not allowed.\n"
    "format = 1\n"
)


def with_table(text: str, key: str, table: str) -> str:
    """The policy with `table` for `key`, and what it says of other keys. Refused where it would not be understood."""
    only = toml.parse(table)
    if set(only) != {"keys"} or set(only["keys"]) != {key}:
        raise Refused(f"the policy that was given is not of the key {key} alone", "see docs/trust.md")
    kept = "".join(line for line, ours in _lines(text, key) if not ours)
    whole = kept.rstrip("\n") + "\n\n" + table.strip("\n") + "\n"
    rights.parse(whole, key)
    return whole


def without_table(text: str, key: str) -> str:
    """The policy without what it says of `key`."""
    return "".join(line for line, ours in _lines(text, key) if not ours)


def table_of(text: str, key: str) -> str:
    """What the policy says of `key`, as it is written there."""
    return "".join(line for line, ours in _lines(text, key) if ours).strip("\n")


def with_number(text: str, name: str, number: int) -> str:
    """The policy with `name = number` above all tables; without `name` where that is 0."""
    lines = _split(text)
    first = next((at for at, line in enumerate(lines) if _is_header(line)), len(lines))
    head = [line for line in lines[:first] if not re.match(rf"[ \t]*{name}[ \t]*=", line)]
    at = next((at + 1 for at, line in enumerate(head) if re.match(r"[ \t]*format[ \t]*=", line)), 0)
    return "".join((*head[:at], *([f"{name} = {number}\n"] if number else ()), *head[at:], *lines[first:]))


def _lines(text: str, key: str) -> Iterator[tuple[str, bool]]:
    """Each line of a policy, and whether it is of the table of `key`."""
    ours, inside = re.compile(rf"\[keys\.{re.escape(key)}[.\]]"), False
    for line in _split(text):
        if _is_header(line):
            inside = ours.match(line.lstrip(" \t")) is not None
        yield line, inside


def _split(text: str) -> list[str]:
    """The lines with their ends, as `toml` knows lines: other characters that end one are in it."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _is_header(line: str) -> bool:
    return line.lstrip(" \t").startswith("[")
