"""SQL that pg_restore and pg_dumpall wrote, taken apart into statements: enough to choose among them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from ..answer import Refused

STRING = r"(?:[Ee]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')"
NAME = r'(?:"(?:[^"]|"")*"|[^\W0-9][\w$]*)'
_PIECE = re.compile(
    rf"(?P<space>\s+|--[^\n]*)|(?P<string>{STRING})|(?P<name>{NAME})|(?P<end>;)|(?P<other>.)", re.DOTALL
)
_OF_ROLE = re.compile(
    rf"(?P<make>CREATE ROLE|ALTER ROLE|COMMENT ON ROLE) (?P<role>{NAME})(?= (?:WITH|SET|IS) |$)", re.DOTALL
)
_TABLESPACE = re.compile(rf"CREATE TABLESPACE ({NAME}) (?:OWNER {NAME} )?LOCATION ({STRING})", re.DOTALL)
_MEMBER = re.compile(
    rf"(?P<grant>GRANT (?P<group>{NAME}) TO (?P<member>{NAME})(?: .*?)?)(?P<by>GRANTED BY (?P<who>{NAME}))?", re.DOTALL
)
_OF_DATABASE = re.compile(
    rf"((?:ALTER|ALTER ROLE {NAME} IN|COMMENT ON|(?:GRANT|REVOKE) [A-Z, ]+ ON|SECURITY LABEL FOR {NAME} ON) DATABASE )"
    rf"{NAME}( .*)",
    re.DOTALL,
)
_ENCODING = re.compile(rb"^SET client_encoding = '([A-Za-z0-9_]+)';", re.MULTILINE)
_CODECS = {"SQL_ASCII": "utf-8", "UTF8": "utf-8", "MULE_INTERNAL": ""}


def decoded(content: bytes) -> str:
    """The text of such a file, by the encoding that it names at its head. Raises Refused for one unknown."""
    match = _ENCODING.search(content)
    name = match[1].decode() if match else "UTF8"
    try:
        return content.decode(codec(name))
    except (LookupError, UnicodeDecodeError):
        raise Refused(f"the text is in an encoding that cannot be read here: {name}", "do it by hand") from None


def codec(encoding: str) -> str:
    """Python's name of an encoding of PostgreSQL; "" for one that it does not have."""
    return _CODECS.get(encoding, re.sub("^WIN", "cp", encoding))


def statements(text: str) -> Iterator[str]:
    """Each statement without its semicolon and what stands before it; commands to psql are passed over.

    Spaces and comments become one space. An unfinished statement at the end is left out.
    """
    at, pieces = 0, list[str]()
    while at < len(text):
        if not pieces and text[at] == "\\":
            at = (text.find("\n", at) + 1) or len(text)
            continue
        match = _PIECE.match(text, at)
        if match is None:
            return
        at = match.end()
        if match["end"]:
            yield "".join(pieces)
            pieces = []
        elif not match["space"]:
            pieces.append(match[0])
        elif pieces and pieces[-1] != " ":
            pieces.append(" ")


def checked(statement: str) -> str:
    """The statement. Raises Refused where psql could take a part of it as a command.

    Also where psql could see it as other pieces than we do: a comment, a quote without its end, a string that begins
    within a word or a number, or beside a letter that is none to us.
    """
    before = ""
    for piece in _PIECE.finditer(statement):
        other = piece["other"] or ""
        inside = piece["string"] and (before == "_" or before.isalnum() or not before.isascii())
        if inside or other in tuple("\\:$/'\"") or not other.isascii():
            raise Refused("a statement holds more than can be checked", "do it by hand")
        before = piece[0][-1]
    return statement


def called(name: str) -> str:
    """What a name, quoted or not, calls."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def literal(text: str) -> str:
    """A string as SQL writes it, whatever `standard_conforming_strings` is."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def identifier(name: str) -> str:
    """A name as SQL writes it."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def of_database(statement: str, name: str) -> str:
    """A statement about a database, made about the database `name`; "" for any other statement."""
    match = _OF_DATABASE.fullmatch(statement)
    return f"{match[1]}{identifier(name)}{match[2]}" if match else ""


def created(content: bytes) -> set[str]:
    """The names of the roles that it makes."""
    matches = map(_OF_ROLE.match, statements(decoded(content)))
    return {called(match["role"]) for match in matches if match and match["make"] == "CREATE ROLE"}


def tablespaces(content: bytes) -> dict[str, str]:
    """The folder of each tablespace that it makes, by name; "" for one inside the data folder."""
    matches = map(_TABLESPACE.fullmatch, statements(decoded(content)))
    return {called(match[1]): _meant(match[2]) for match in matches if match}


def _meant(string: str) -> str:
    """The text that a string of SQL means, as PostgreSQL's own programs write one."""
    inside = string.partition("'")[2][:-1].replace("''", "'")
    return inside if string.startswith("'") else inside.replace("\\\\", "\\")


def bringing(content: bytes, roles: Collection[str], there: Collection[str]) -> list[str]:
    """The statements that make exactly `roles`, with their passwords, settings and memberships.

    None of them changes a role of `there`: a new role may become a member of an old one, never the other
    way round. Who granted a membership is left out where that role is not there.
    """
    known, chosen = {*roles, *there}, []
    for statement in statements(decoded(content)):
        role, grant = _OF_ROLE.match(statement), _MEMBER.fullmatch(statement)
        if role and called(role["role"]) in roles:
            chosen.append(checked(statement))
        elif grant and called(grant["member"]) in roles and called(grant["group"]) in known:
            granted_by = grant["by"] if grant["by"] and called(grant["who"]) in known else ""
            chosen.append(checked(grant["grant"] + granted_by))
    return chosen
