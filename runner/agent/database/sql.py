"""SQL that pg_restore and pg_dumpall wrote, taken apart into statements: enough to choose among them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..answer import Refused
from .session import Session

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


RESTORED, BEFORE = "restored", "before"
_COMMENT = """
select json_build_object('comment', shobj_description(oid, 'pg_database')) from pg_database where datname = {name};
"""


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
        raise Refused(f"the text is in an encoding that cannot be read here: {name}", "do it by hand") from None


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


def created(content: bytes) -> set[str]:
    """The names of the roles that it makes."""
    found = (words(one) for one in statements(decoded(content)))
    return {one[2].called for one in found if opens(one, "CREATE", "ROLE", "")}


def bringing(content: bytes, roles: Collection[str], there: Collection[str]) -> list[str]:
    """The statements that make exactly `roles`, with their passwords, settings and memberships.

    None of them changes a role of `there`: a new role may become a member of an old one, never the other
    way round. Who granted a membership is left out where that role is not there.
    """
    known = {*roles, *there}
    return [text for one in statements(decoded(content)) for text in _chosen(one, frozenset(roles), known)]


def _chosen(statement: Statement, roles: frozenset[str], known: Collection[str]) -> Iterator[str]:
    found = words(statement)
    own = opens(found, "CREATE", "ROLE", "") or (
        opens(found, "ALTER", "ROLE", "") and (opens(found[3:], "WITH") or opens(found[3:], "SET"))
    )
    told = opens(found, "COMMENT", "ON", "ROLE", "")
    if (own and found[2].called in roles) or (told and found[3].called in roles):
        yield text_of(statement)
    elif opens(found, "GRANT", "", "TO", "") and found[3].called in roles and found[1].called in known:
        yield text_of(_granted(statement, known))


def _granted(statement: Statement, known: Collection[str]) -> Statement:
    """The grant, without GRANTED BY somebody who is not known."""
    at = next((n for n, token in enumerate(statement) if token == Token("word", "GRANTED")), len(statement))
    by = words(statement[at:])
    return statement if opens(by, "GRANTED", "BY", "") and by[2].called in known else statement[:at]


def comment_of(one: Session, name: str) -> str | None:
    """The comment on a database; None where there is none."""
    found = one.ask(_COMMENT.format(name=literal(name)))
    return found[0]["comment"] if found else None


def read(comment: str | None) -> Mapping[str, Any] | None:
    """The mark that a comment is; None where it is somebody's own words.

    `runner` is `restored` or `before`; `comment` is what stood there of its own.
    """
    try:
        found = json.loads(comment or "")
    except ValueError:
        return None
    known = isinstance(found, dict) and found.get("runner") in (RESTORED, BEFORE)
    return found if known else None


def own(comment: str | None) -> str | None:
    """The words that people wrote on it, whether under a mark or not."""
    mark = read(comment)
    told = mark.get("comment") if mark else comment
    return told if isinstance(told, str) else None


def writing(name: str, kind: str, comment: str | None, **more: object) -> str:
    """The statement that marks a database; `comment` is kept in it."""
    text = json.dumps({"runner": kind, **more, "comment": comment}, ensure_ascii=True)
    return f"comment on database {identifier(name)} is {literal(text)};"


def removing(name: str, comment: str | None) -> str:
    """The statement that leaves a database with nothing but people's own words."""
    return f"comment on database {identifier(name)} is {literal(comment) if comment is not None else 'null'};"
