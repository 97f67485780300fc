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

    `inside` names the key that has a value in the first line, where the second takes it for a table. `texts` are the
    two values of a key, where both are texts.
    """

    name: str
    first: int
    second: int
    is_table: bool
    inside: str = ""
    texts: tuple[str, ...] = ()


def repeated(text: str) -> Repeated | None:
    """The first table or key of a text that is there twice; the text need not be TOML beyond that."""
    seen: dict[KeyPath, tuple[int, bool]] = {}
    texts: dict[KeyPath, tuple[str, ...]] = {}
    implied: dict[KeyPath, int] = {}
    table: KeyPath = ()
    with suppress(ValueError):
        for path, line, is_table, statement in _paths(text):
            # Where other signs stand among its names it is no key, and a mistake of its own.
            if not _is_named([word for word, _ in statement]):
                continue
            name = _dotted(path)
            for end in range(1, len(path)):
                first, headed = seen.get(path[:end], (0, True))
                if not headed:
                    return Repeated(name=name, first=first, second=line, is_table=is_table, inside=str(path[end - 1]))
            if path in seen:
                shown = name if is_table else str(path[-1])
                both = texts.get(path, ()) + _text([word for word, _ in statement])
                return Repeated(name=shown, first=seen[path][0], second=line, is_table=is_table, texts=both)
            for end in range(len(table) + 1, 0 if is_table else len(path)):
                # A table that has its own [header] takes no keys from elsewhere.
                for head in (path[:end], (*path[:end], 0)):
                    if head in seen:
                        return Repeated(name=_dotted(head), first=seen[head][0], second=line, is_table=True)
            if path in implied and not is_table:
                return Repeated(name=str(path[-1]), first=implied[path], second=line, is_table=False)
            seen[path] = (line, is_table)
            texts[path] = _text([word for word, _ in statement])
            table = path if is_table else table
            # What stands before a dot of a key or a header is a table too, which no key may give once more.
            for end in range(1 if is_table else len(table) + 1, len(path)):
                implied.setdefault(path[:end], line)
    return None


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path if isinstance(part, str))


def _is_named(words: Sequence[str]) -> bool:
    """Whether a statement begins with names, with a dot between each two, and has the = of a key or the ] of a header
    behind them.
    """
    is_table = words[0] == "["
    rest = words[2 if words[1:2] == ["["] else 1 :] if is_table else words
    sign = "]" if is_table else "="
    names = rest[: rest.index(sign)] if sign in rest else ()
    return len(names) % 2 == 1 and all((word == ".") == (place % 2 == 1) for place, word in enumerate(names))


def twice_in_braces(text: str) -> Repeated | None:
    """The first key that a table in braces has twice, in the statement that ends with `text` and need not be whole."""
    *_, last = ([], *_statements(text))
    seen: list[dict[KeyPath, tuple[str, ...]]] = []
    words = [word for word, _ in last]
    with suppress(ValueError):
        for place, (word, line) in enumerate(last):
            if word in ("[", "{"):
                seen.append({})
            elif word in ("]", "}"):
                seen[-1:] = []
            elif seen and words[place - 1] in ("{", ",") and _is_key(words[place:]):
                path, text_of = tuple(_names(words[place:])), _text(words[place:])
                for other in seen[-1]:
                    # One of a key and a key below it is there twice as well: a = 1, a.b = 2.
                    if all(part == twin for part, twin in zip(path, other, strict=False)):
                        short = min(path, other, key=len)
                        name, both = ".".join(map(str, short)), seen[-1][other] + text_of
                        return Repeated(name=name, first=line, second=line, is_table=False, texts=both)
                seen[-1][path] = text_of
    return None


def _is_key(words: Sequence[str]) -> bool:
    """Whether words begin with a key, a dotted one perhaps, and =."""
    return "=" in words and not {"[", "]", "{", "}", ","} & set(words[: words.index("=")])


def _text(words: Sequence[str]) -> tuple[str, ...]:
    """The value after the first =, if it is a text, as a tuple of one; () otherwise."""
    value = words.index("=") + 1 if "=" in words else len(words)
    return tuple(_plain(word) for word in words[value : value + 1] if word[0] in "\"'" and len(word) > 1)


def begun_item(row: str) -> str:
    """What a line has of the item of a list or of a table in braces that is begun at its end."""
    begins = [0]
    for match in _WORD.finditer(row):
        if match[0] in ("[", "{"):
            begins.append(match.end())
        elif match[0] in ("]", "}") and len(begins) > 1:
            begins.pop()
        elif match[0] == ",":
            begins[-1] = match.end()
    return row[begins[-1] :]


def closes(text: str) -> bool:
    """Whether a bracket that is open where `text` begins is closed in it, before it gives another [table]."""
    depth, is_first = 1, False
    for match in _WORD.finditer(text):
        word = match[0]
        if is_first and word == "[" and depth == 1:
            return False
        depth += (word in "[{") - (word in "]}")
        if depth == 0:
            return True
        is_first = word == "\n" or is_first and word[0] in " \t\r#"
    return False


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
