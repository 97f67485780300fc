"""SQL that pg_restore and pg_dumpall wrote, taken apart into statements: enough to choose among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..answer import Refused

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
    |(?P<string>[Ee]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*")
    |(?P<word>[^\W0-9][\w$]*)
    |(?P<number>[0-9.]+)
    |(?P<end>;)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ENCODING = re.compile(rb"^SET client_encoding = '([A-Za-z0-9_]+)';", re.MULTILINE)
_CODECS = {"SQL_ASCII": "utf-8", "UTF8": "utf-8", "MULE_INTERNAL": ""}


class Token(NamedTuple):
    """A piece of a statement: its kind (a group of the pattern above) and its very text."""

    kind: str
    text: str

    @property
    def called(self) -> str:
        """What a name or a bare word calls; "" for anything else."""
        if self.kind == "name":
            return self.text[1:-1].replace('""', '"')
        return self.text if self.kind == "word" else ""


Statement = tuple[Token, ...]


def decoded(content: bytes) -> str:
    """The text of such a file, by the encoding that it names at its head. Raises Refused for one unknown."""
    found = _ENCODING.search(content)
    name = found[1].decode() if found else "UTF8"
    codec = _CODECS.get(name, re.sub("^WIN", "cp", name))
    try:
        return content.decode(codec)
    except (LookupError, UnicodeDecodeError):
        raise Refused(
            f"the text is in an encoding that cannot be read here: {name}", "do it by hand"
        ) from None


def statements(text: str) -> Iterator[Statement]:
    """Each statement without its semicolon and what stands before it; commands to psql are passed over.

    Comments count as space. What is no whole statement at the end is not given.
    """
    at, found = 0, list[Token]()
    while at < len(text):
        if not found and text[at] == "\\":
            at = (text.find("\n", at) + 1) or len(text)
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            return
        at, kind = match.end(), str(match.lastgroup)
        if kind == "end":
            yield tuple(found)
            found = []
        elif found or kind != "space":
            found.append(Token(kind, match[0]))


def words(statement: Statement) -> tuple[Token, ...]:
    """The statement without its spaces."""
    return tuple(token for token in statement if token.kind != "space")


def opens(found: Sequence[Token], *keywords: str) -> bool:
    """Whether it begins with these keywords; "" stands for any one name."""
    return len(found) >= len(keywords) and all(
        found[n].kind in ("word", "name") if not word else found[n] == Token("word", word)
        for n, word in enumerate(keywords)
    )


def text_of(statement: Sequence[Token]) -> str:
    """The statement as it was written. Raises Refused where psql could take a part of it as a command."""
    if any(token.kind == "other" and token.text in "\\:$" for token in statement):
        raise Refused("a statement has more in it than is understood", "do it by hand")
    return "".join(" " if token.kind == "space" else token.text for token in statement)


def literal(text: str) -> str:
    """A string as SQL writes it, whatever `standard_conforming_strings` is."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def identifier(name: str) -> str:
    """A name as SQL writes it."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
