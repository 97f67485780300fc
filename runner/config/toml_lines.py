"""In which line of a TOML text each key stands; tomllib tells only the values."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence

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
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for statement in _statements(text):
        words = [word for word, _ in statement]
        line = statement[0][1]
        if words[0] == "[":
            listed = words[1] == "["
            names = _names(words[2:] if listed else words[1:])
            table = _resolve(names, counts, listed)
            path = table
        else:
            path = table + tuple(_names(words))
        for end in range(1, len(path) + 1):
            lines.setdefault(path[:end], line)
    return lines


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
