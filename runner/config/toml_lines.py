"""In which line of a TOML text each key stands; tomllib tells only the values."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
Word = tuple[str, int]

_WORD = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}'
    r"|'''.*?''''{0,2}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|\#[^\n]*"
    r"|[ \t\r]+"
    r"|[A-Za-z0-9_-]+"
    r"|.",
    re.DOTALL,
)


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """Map the path of each table and key to the line, from 1, where it is first written.

    `text` must be TOML that tomllib accepts. Keys inside an inline table and items of a list have
    no entry: the line of the key that holds them is theirs. Tables of a list are numbered from 0.
    """
    lines: dict[KeyPath, int] = {(): 1}
    for path, line, _ in _paths(text):
        for end in range(1, len(path) + 1):
            lines.setdefault(path[:end], line)
    return lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeated:
    """A table or key that is written in two lines; `name` as it stands in the file."""

    name: str
    first: int
    second: int
    is_table: bool


def repeated(text: str) -> Repeated | None:
    """The first table or key of a text that is there twice; the text need not be TOML beyond that."""
    seen: dict[KeyPath, int] = {}
    with suppress(ValueError):
        for path, line, is_table in _paths(text):
            if path in seen:
                name = ".".join(str(part) for part in path if isinstance(part, str))
                return Repeated(
                    name=name if is_table else str(path[-1]), first=seen[path], second=line, is_table=is_table
                )
            seen[path] = line
    return None


def open_brackets(text: str) -> list[tuple[str, int]]:
    """The brackets that are open at the end of a text, of lists and of tables in braces, each with its line."""
    *_, last = ([], *_statements(text))
    left: list[tuple[str, int]] = []
    for word, line in () if last[:1] and last[0][0] == "[" else last:
        if word in ("[", "{"):
            left.append((word, line))
        elif word in ("]", "}") and left:
            left.pop()
    return left


def _paths(text: str) -> Iterator[tuple[KeyPath, int, bool]]:
    """Yield the path of each header and each key with its line, and whether it is a header."""
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for statement in _statements(text):
        words = [word for word, _ in statement]
        is_table = words[0] == "["
        if is_table:
            listed = words[1:2] == ["["]
            table = _resolve(_names(words[2:] if listed else words[1:]), counts, listed)
        yield table if is_table else table + tuple(_names(words)), statement[0][1], is_table


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int:
    """Give the line of `path`, or of the nearest table or key around it."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def _statements(text: str) -> Iterator[list[Word]]:
    """Yield each header and each `key = value` as its words, without blanks and comments."""
    statement: list[Word] = []
    line, depth = 1, 0
    for match in _WORD.finditer(text):
        word = match[0]
        if word == "\n" and depth == 0 and statement:
            yield statement
            statement = []
        elif word[0] not in " \t\r\n#":
            depth += (word in "[{") - (word in "]}")
            statement.append((word, line))
        line += word.count("\n")
    if statement:
        yield statement


def _names(words: Sequence[str]) -> list[str]:
    """Read a dotted key up to the `=` or `]` after it."""
    names = []
    for word in words:
        if word in ("=", "]"):
            break
        if word != ".":
            names.append(_plain(word))
    return names


def _plain(word: str) -> str:
    return str(tomllib.loads(f"key = {word}")["key"]) if word[0] in "\"'" else word


def _resolve(names: Sequence[str], counts: dict[KeyPath, int], listed: bool) -> KeyPath:
    """Put the number of the table in use after each name on the way that is a list of tables."""
    path: KeyPath = ()
    for place, name in enumerate(names, start=1):
        path += (name,)
        if listed and place == len(names):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path += (counts[path],)
    return path
