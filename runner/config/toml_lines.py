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

    `text` must be TOML that tomllib accepts. Keys inside an inline table have no entry: the line of the key that holds
    them is theirs. Items of a list that is a key's value, and tables of a list, are numbered from 0.
    """
    lines: dict[KeyPath, int] = {(): 1}
    for path, line, is_table, statement in _paths(text):
        for end in range(1, len(path) + 1):
            lines.setdefault(path[:end], line)
        for place, row in enumerate(() if is_table else _items(statement)):
            lines.setdefault((*path, place), row)
    return lines


def _items(statement: Sequence[Word]) -> Iterator[int]:
    """The line of each item, where a key's value is a list."""
    words = [word for word, _ in statement]
    value = words.index("=") + 1 if "=" in words else len(words)
    depth, begins = 0, False
    for word, line in statement[value:] if words[value : value + 1] == ["["] else ():
        if begins and word != "]":
            yield line
        depth += (word in "[{") - (word in "]}")
        begins = depth == 1 and word in "[,"


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeated:
    """A table or key that is written in two lines; `name` as it stands in the file.

    `inside` names the key that has a value in the first line, where the second takes it for a table.
    """

    name: str
    first: int
    second: int
    is_table: bool
    inside: str = ""


def repeated(text: str) -> Repeated | None:
    """The first table or key of a text that is there twice; the text need not be TOML beyond that."""
    seen: dict[KeyPath, tuple[int, bool]] = {}
    dotted: dict[KeyPath, int] = {}
    table: KeyPath = ()
    with suppress(ValueError):
        for path, line, is_table, _ in _paths(text):
            name = ".".join(str(part) for part in path if isinstance(part, str))
            for end in range(1, len(path)):
                first, headed = seen.get(path[:end], (0, True))
                if not headed:
                    return Repeated(name=name, first=first, second=line, is_table=is_table, inside=str(path[end - 1]))
            if path in seen:
                shown = name if is_table else str(path[-1])
                return Repeated(name=shown, first=seen[path][0], second=line, is_table=is_table)
            if path in dotted and not is_table:
                return Repeated(name=str(path[-1]), first=dotted[path], second=line, is_table=False)
            seen[path] = (line, is_table)
            table = path if is_table else table
            # What stands before a dot of a key is a table too, which no key may give once more.
            for end in range(len(table) + 1, len(path)):
                dotted.setdefault(path[:end], line)
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


def _paths(text: str) -> Iterator[tuple[KeyPath, int, bool, Sequence[Word]]]:
    """Yield the path of each header and each key with its line, whether it is a header, and its words."""
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for statement in _statements(text):
        words = [word for word, _ in statement]
        is_table = words[0] == "["
        if is_table:
            listed = words[1:2] == ["["]
            table = _resolve(_names(words[2:] if listed else words[1:]), counts, listed)
        yield table if is_table else table + tuple(_names(words)), statement[0][1], is_table, statement


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
