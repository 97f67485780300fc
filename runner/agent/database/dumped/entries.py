"""The entries of a dump: what they are of, whose, in which schema, and what they need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ...answer import Refused, shown

DESPERATE = "or let all code in this database run as the server's account: --as-superuser"
# An entry of pg_restore's list: its number, the catalogue it is of (0: none), and then words in which names may stand.
_ENTRY = re.compile(rb"([0-9]+); ([0-9]+) [0-9]+ ([^\n]*)\n?")
_NEEDS = re.compile(rb";\tdepends on:([ 0-9]+)\n?")
_TEXT = re.compile(rb"^-- TOC entry ([0-9]+) \(class [0-9]+ OID [0-9]+\)$", re.MULTILINE)
CLASS, FUNCTION, TYPE, CONSTRAINT, STATISTICS, RULE = b"1259", b"1255", b"1247", b"2606", b"3381", b"2618"
REFRESH, _DATABASE = b"MATERIALIZED VIEW DATA ", b"1262"
SCHEMA, SUBSCRIPTION, PUBLICATION, EVENT_TRIGGER, INDEX_WORD = b"2615", b"6100", b"6104", b"3466", b"INDEX "
# Whoever makes one of these needs CREATE on its schema: also operators, their classes and families, collations,
# conversions, and text search.
_IN_SCHEMA = {CLASS, FUNCTION, TYPE, CONSTRAINT, STATISTICS, b"2617", b"2616", b"2753", b"3456", b"2607",
              b"3600", b"3601", b"3602", b"3764"}  # fmt: skip
# The words that may stand before the schema; of two that fit, the longer.
_WORDS = sorted(
    b"AGGREGATE|CHECK CONSTRAINT|COLLATION|COMMENT|CONSTRAINT|CONVERSION|DEFAULT|DOMAIN|FK CONSTRAINT|FOREIGN TABLE|"
    b"FUNCTION|INDEX|INDEX ATTACH|MATERIALIZED VIEW|MATERIALIZED VIEW DATA|OPERATOR|OPERATOR CLASS|OPERATOR FAMILY|"
    b"POLICY|PROCEDURE|PUBLICATION TABLE|ROW SECURITY|RULE|SECURITY LABEL|SEQUENCE|SEQUENCE OWNED BY|SEQUENCE SET|"
    b"SHELL TYPE|STATISTICS|TABLE|TABLE ATTACH|TABLE DATA|TEXT SEARCH CONFIGURATION|TEXT SEARCH DICTIONARY|"
    b"TEXT SEARCH PARSER|TEXT SEARCH TEMPLATE|TRIGGER|TYPE|VIEW".split(b"|"),
    key=len,
    reverse=True,
)
# Only of no catalogue are these; so "TABLE DATA x" of pg_class is a table of the schema DATA.
_OF_NONE = (b"COMMENT", b"MATERIALIZED VIEW DATA", b"ROW SECURITY", b"SECURITY LABEL", b"SEQUENCE OWNED BY",
            b"SEQUENCE SET", b"TABLE DATA")  # fmt: skip


class Entry(NamedTuple):
    """One of them: `text` stands between its numbers and its `owner` ("" for nobody); `needs` are numbers of others."""

    number: int
    catalogue: bytes
    text: bytes
    owner: str
    needs: tuple[int, ...]

    def is_a(self, *words: bytes) -> bool:
        """Whether it is of one of these kinds; only together with its catalogue, for a name may follow."""
        return self.text.startswith(words)


class Roles(NamedTuple):
    """The roles of the server, those of them that are superusers, and the encoding of their names in the dump."""

    every: Iterable[str]
    supers: Iterable[str]
    codec: str = "utf-8"

    def owner(self, text: bytes) -> str:
        """Whose an entry is, "" for nobody's: its last word, or words, and names hold blanks too. Raises Refused."""
        owners = {name for name in self.every if text.endswith(b" " + self.written(name))}
        if len(owners) > 1:
            names = " or ".join(shown(name) for name in sorted(owners))
            raise Refused(f"the dump does not say whether something is of {names}", f"rename a role; {DESPERATE}")
        if not owners and not text.endswith(b" "):
            what = text[:200].decode("utf-8", "backslashreplace")
            raise Refused(f"whose this is cannot be told: {shown(what)}", f"make its owner: CREATE ROLE; {DESPERATE}")
        return "".join(owners)

    def written(self, name: str) -> bytes:
        """A name as pg_restore writes it into its list."""
        return name.replace("\n", " ").replace("\r", " ").encode(self.codec, "replace")


def split(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Number, catalogue and text of a line of the list, or None where it is none of an entry."""
    match = _ENTRY.fullmatch(line)
    return (match[1], match[2], match[3]) if match else None


def parsed(lines: Iterable[bytes], roles: Roles) -> dict[int, Entry]:
    """The entries by their numbers, out of a list that was made with `--verbose`. Raises Refused.

    Whose they are is told where they are of a catalogue, and of the rows of materialized views.
    """
    entries: dict[int, Entry] = {}
    last = None
    for line in lines:
        if parts := split(line):
            last, catalogue, text = int(parts[0]), parts[1], parts[2]
            owned = catalogue not in (b"0", _DATABASE) or text.startswith(REFRESH)
            owner = roles.owner(text) if owned else ""
            named = text[: len(text) - len(roles.written(owner)) - 1] if owned else text
            entries[last] = Entry(last, catalogue, named, owner, ())
        elif last is not None and (match := _NEEDS.fullmatch(line)):
            entries[last] = entries[last]._replace(needs=tuple(map(int, match[1].split())))
    return entries


def texts(script: bytes) -> Mapping[int, bytes]:
    """The statements of each entry, out of a script that was made with `--verbose`. Raises Refused."""
    parts = _TEXT.split(script)
    numbers = [int(number) for number in parts[1::2]]
    if len(numbers) > len(set(numbers)):
        raise Refused("a text in the dump looks like the head of one of its entries", f"look for it; {DESPERATE}")
    return {number: parts[2 * index + 2] for index, number in enumerate(numbers)}


def place(catalogue: bytes, text: bytes, owner: bytes) -> tuple[bytes, bool]:
    """Schema and name of an entry as the list has them, one after the other; whether it is made in that schema."""
    for words in _WORDS:
        if (catalogue == b"0" or words not in _OF_NONE) and text.startswith(words + b" "):
            end = len(text) - len(owner) - 1
            return text[len(words) + 1 : end], catalogue in _IN_SCHEMA
    return b"", False
