"""A list or a table in braces of jobs.toml that does not go on as it should, in words for whoever wrote it."""

from __future__ import annotations

import re

from runner.config.mistake import (
    ASSIGNMENT,
    COMMENTS,
    MUCH,
    Answer,
    Mistake,
    blank_in_key,
    once,
    shown,
    unclosed,
    value,
)
from runner.config.remedy import is_plain
from runner.config.toml_lines import begun_item, closes, open_brackets, twice_in_braces

_NO_KEY = "a key and = stand before each value in braces"
_HEADER = re.compile(r"\s*\[+\s*[A-Za-z0-9_-][^,=\[\]]*\]*\s*(#.*)?")
_MORE_KEYS = re.compile(r"\s(?=[A-Za-z0-9_-]+\s*=)")
_KEY = re.compile(r"[A-Za-z0-9_-]+\s*=")


def explain(mistake: Mistake) -> Answer:
    """What is wrong in the innermost bracket that is open there; None where none is, or nobody can say."""
    brackets = open_brackets(mistake.before)
    if not brackets:
        return None
    word, begun = brackets[-1]
    if mistake.here == ";" and word == "{" and "=" in mistake.rest:
        return mistake.line, f"a comma stands between keys in braces, not ;: {shown(mistake.rest.lstrip('; '))}"
    if sign := next(filter(mistake.rest.startswith, (f"{sign} " for sign in COMMENTS)), ""):
        return mistake.line, f"a comment begins with #, not with {sign.strip()}"
    # A [table] that a list runs into looks like one more list.
    outer = [line for _, line in brackets if line < mistake.line]
    if outer and word == "[" and _HEADER.fullmatch(mistake.row):
        return _endless(mistake, outer[-1])
    if word == "[":
        return _in_list(mistake, begun, [other for other, _ in brackets])
    if twice := twice_in_braces(mistake.before):
        return mistake.line, f"key {shown(twice.name)} is there twice in these braces: {once(twice)}"
    if mistake.here in "\n#" or mistake.rest.startswith("#"):
        return _unended(mistake, brackets)
    return mistake.line, _in_braces(mistake)


def _in_braces(mistake: Mistake) -> str:
    item = begun_item(mistake.row[: mistake.at])
    inner = ASSIGNMENT.fullmatch(item)
    if mistake.here == "]":
        return "a table in braces ends with }, not with ]"
    if mistake.here == "}" and mistake.last == ",":
        return "a table in braces has no comma before its }: take it out"
    if inner is None:
        return _no_key(mistake, item.strip())
    if inner[2] and _KEY.match(mistake.rest):
        return f"a comma is missing between braces, before {shown(mistake.rest)}"
    text = inner[2] + _item(mistake, r"[},]")
    if '"' not in text and (more := _MORE_KEYS.search(text)):
        return f"a comma is missing between braces, before {shown(text[more.end() :])}"
    return value(inner[1], text)


def _no_key(mistake: Mistake, item: str) -> str:
    """What stands in braces where a key and = belong."""
    if item and mistake.here == ":":
        return f"has : where = belongs: {shown(item)} = ..."
    if item and mistake.here in ",}":
        return f"has no key before {shown(item)}: {_NO_KEY}"
    if mistake.here == ",":
        return "a table in braces has a comma with nothing before it: take the comma out"
    if not item:
        return f"has no key before {shown(mistake.rest)}: {_NO_KEY}"
    return blank_in_key(f"{item} {mistake.rest}") or f"has no = between the key and its value: {shown(item)} = ..."


def _unended(mistake: Mistake, brackets: list[tuple[str, int]]) -> Answer:
    """A table in braces whose line ends before it does: its } comes later, or not at all."""
    row, begun = mistake.row[: mistake.at].strip(), brackets[-1][1]
    if mistake.last == "{" or closes(mistake.after):
        text = "a table in braces stands in one line: join the lines, or give its keys a [table.of.its.own]"
        return begun, text
    if mistake.last == "=":
        return mistake.line, _in_braces(mistake)
    text = "a table in braces has no } at its end"
    alone = all(word == "{" and line == mistake.line for word, line in brackets)
    ended = row.rstrip(" ,") + " }" * len(brackets)
    return begun, f"{text}: {ended}" if alone and len(row) <= 2 * MUCH and is_plain(row) else text


def _in_list(mistake: Mistake, begun: int, brackets: list[str]) -> Answer:
    if mistake.last == "\n" and (not mistake.rest or ASSIGNMENT.fullmatch(mistake.row) or mistake.here == "["):
        return _endless(mistake, begun)
    if not mistake.after.strip():
        return _endless(mistake, begun)
    if mistake.here == ")":
        return mistake.line, "a list ends with ], not with )"
    if mistake.here == "}":
        return mistake.line, f"a list has no ] {'before' if '{' in brackets else 'at its end, but'} }}"
    if mistake.last in ("[", ",") and _KEY.match(mistake.rest):
        return mistake.line, f"a key and = stand in braces, not in a list: {shown(mistake.rest)}"
    if mistake.here == "," and mistake.before.rstrip()[-1:] in (",", "["):
        return mistake.line, "a list has a comma with nothing before it: take the comma out"
    begin = re.split(r"[\[,]", mistake.row[: mistake.at])[-1].strip()
    if mistake.before.rstrip()[-1:] not in (",", "[") and (
        not begin or begin[-1] in "\"'" or mistake.row[mistake.at - 1] == " "
    ):
        # What stands right behind a quote is the text that was to begin with it.
        touches = mistake.row[: mistake.at].endswith(('"', "'")) and mistake.here not in "\"'"
        inside = touches or unclosed(mistake.row)[0]
        return mistake.line, f"a {'quote' if inside else 'comma'} is missing in a list, before {shown(mistake.rest)}"
    return mistake.line, value("", begin + _item(mistake, r"[],]"))


def _endless(mistake: Mistake, begun: int) -> Answer:
    """A list that goes on into what is none of it, or to the end of the file."""
    other = f" (line {mistake.line} is something else)" if mistake.after.strip() else ""
    return begun, f"a list begins here and has no ] at its end{other}"


def _item(mistake: Mistake, ends: str) -> str:
    """What is left of one value among others, up to one of the signs that may end it."""
    item = re.split(ends, mistake.rest)[0].strip()
    return f" {item}" if mistake.row[mistake.at - 1 : mistake.at] == " " and mistake.last not in "=[{," else item
