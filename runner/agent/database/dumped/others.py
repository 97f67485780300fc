"""Whether a superuser's session would run code that somebody else wrote: seen in a dump before it is restored.

What belongs to a superuser is made by one, and the server evaluates its indexes, constraints, statistics and
materialized views as the superuser: in these, and in all that they are made of, nobody else may have written anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from .entries import CLASS, CONSTRAINT, EVENT_TRIGGER, FUNCTION, INDEX_WORD, REFRESH, RULE, STATISTICS, TYPE, Entry

_WORD = re.compile(rb"[\w\x80-\xff]+")
# A constant of a type that is not the server's own: reading it runs the checks of a domain within it.
_CONSTANT = re.compile(rb"""'::(?:"(?:[^"]|"")+"|[\w$\x80-\xff]+)\.""")

# What a text can name, and what runs with a table when rows are put into it: pg_operator, pg_trigger, pg_attrdef.
_CAST = b"2605"
_NAMED = (CLASS, FUNCTION, TYPE, b"2617")
_TOUCHING = (RULE, CONSTRAINT, STATISTICS, b"2620", b"2604")
# How a text makes statements of others: PL/pgSQL, and what others are written in.
_MAKING = frozenset(b"execute prepare spi spi_exec_query spi_query spi_prepare plpy query_to_xml query_to_xmlschema "
                    b"query_to_xml_and_xmlschema table_to_xml schema_to_xml database_to_xml cursor_to_xml dblink "
                    b"ts_stat ts_rewrite".split())  # fmt: skip


class Borrowed(NamedTuple):
    """What a superuser would make, and whose code would run with that."""

    what: Entry
    code: Entry


class Others:
    """The code of others in a dump, with which entries of superusers it is reached from."""

    def __init__(self, entries: Mapping[int, Entry], supers: Collection[str], texts: Mapping[int, bytes]) -> None:
        """`texts` are the statements of what belongs to superusers."""
        self._entries, self._supers, self._texts = entries, {"", *supers}, texts
        self._more: dict[int, list[Entry]] = {}
        self._touching: dict[int, list[Entry]] = {}
        self._known: dict[int, list[Entry]] = {}
        self._names: dict[bytes, list[Entry]] = {}
        for entry in entries.values():
            self._more_of(entry)
            if entry.catalogue in _NAMED:
                self._names.setdefault(_name(entry), []).append(entry)

    def borrowed(self) -> Iterator[Borrowed]:
        """Each thing of a superuser that would run code of somebody else, with the first code that it finds."""
        for entry in self._entries.values():
            if entry.owner in self._supers and (code := next(self._run_by(entry), None)):
                yield Borrowed(entry, code)

    def _run_by(self, entry: Entry) -> Iterator[Entry]:
        needs = self._needs(entry)
        if entry.catalogue == b"0" and entry.is_a(REFRESH):
            views = [part for part in needs if part.catalogue == CLASS]
            yield from self._reached(each for view in views for each in self._needs(view))
        if entry.catalogue in (CONSTRAINT, STATISTICS, EVENT_TRIGGER) or _index(entry):
            yield from self._reached([entry])
        if entry.catalogue == CLASS and entry.is_a(b"TABLE ATTACH "):
            yield from self._reached(each for table in needs for each in self._needs(table))
        text = self._texts.get(entry.number, b"")
        if _stored(entry):
            # Its statistics compare ranges.
            yield from self._reached(self._of_ranges(needs))
            if b"PARTITION BY " in text:
                yield from self._reached(needs)
        if entry.catalogue != b"0" and _CONSTANT.search(text):
            yield from self._reached(part for part in self._types(needs) if part.is_a(b"DOMAIN "))

    def _reached(self, start: Iterable[Entry]) -> Iterator[Entry]:
        """The code of others that runs with these.

        With a table that the text of a function names anything may be done: all that others put there is their code.
        """
        seen: set[tuple[int, bool]] = set()
        ahead = [(entry, False) for entry in start]
        while ahead:
            entry, named = ahead.pop()
            if (entry.number, named) in seen:
                continue
            seen.add((entry.number, named))
            if self._code(entry) or (named and _stored(entry) and entry.owner not in self._supers):
                yield entry
                continue
            ahead += [(each, False) for each in self._next(entry)]
            if entry.catalogue == FUNCTION or (entry.catalogue == CONSTRAINT and self._excludes(entry)):
                ahead += [(each, True) for each in self._named(entry)]
            if named:
                needs = self._needs(entry)
                ahead += [(each, True) for each in (*self._touching.get(entry.number, ()), *self._types(needs))]

    def _next(self, entry: Entry) -> list[Entry]:
        if entry.catalogue == b"0":
            return []
        if _stored(entry):
            return self._read_with(entry)
        return [*self._needs(entry), *self._more.get(entry.number, [])]

    def _read_with(self, table: Entry) -> list[Entry]:
        """What may run when rows of it are read, which runs no check or default.

        To plan that is to look at its indexes, statistics, children and ranges; not at its checks, for which our
        sessions do not ask (cluster.SETTINGS).
        """
        return [*self._more.get(table.number, []), *self._of_ranges(self._needs(table))]

    def _of_ranges(self, start: Iterable[Entry]) -> list[Entry]:
        """The functions by which ranges are compared that are among these types."""
        types = [part for part in self._types(start) if part.catalogue == TYPE and not part.is_a(b"DOMAIN ")]
        return [each for part in types for each in self._needs(part) if each.catalogue == FUNCTION]

    def _types(self, start: Iterable[Entry]) -> list[Entry]:
        """The types among these, and what they are made of."""
        types: dict[int, Entry] = {}
        ahead = [part for part in start if part.catalogue == TYPE or _stored(part)]
        while ahead:
            entry = ahead.pop()
            if entry.number not in types:
                types[entry.number] = entry
                ahead += [part for part in self._needs(entry) if part.catalogue == TYPE or _stored(part)]
        return list(types.values())

    def _more_of(self, entry: Entry) -> None:
        """What runs with others although they do not need it: a view's rule, a domain's check, what plans with a table.

        That is its index, statistics or child. An index of a superuser is looked at by itself.
        """
        needs = self._needs(entry)
        attached = entry.catalogue == CLASS and entry.is_a(b"TABLE ATTACH ")
        for need in needs:
            rule = entry.catalogue in (RULE, CONSTRAINT) and need.is_a(b"VIEW ", b"DOMAIN ")
            index = need.owner not in self._supers and (
                _index(entry)
                or entry.catalogue == STATISTICS
                or (entry.catalogue == CONSTRAINT and self._excludes(entry))
            )
            if rule or (_stored(need) and (index or (_stored(entry) and not attached))):
                self._more.setdefault(need.number, []).append(entry)
            if entry.catalogue == _CAST and need.catalogue == TYPE:
                self._more.setdefault(need.number, []).append(entry)
            # A foreign key is looked after with the rights of the tables' owners.
            touches = entry.catalogue in _TOUCHING and not entry.is_a(b"FK CONSTRAINT ")
            if _stored(need) and (touches or _index(entry) or _stored(entry)):
                self._touching.setdefault(need.number, []).append(entry)
            if attached:
                # Which of them is the parent it does not say.
                self._more.setdefault(need.number, []).extend(needs)

    def _named(self, entry: Entry) -> list[Entry]:
        """What the text of a function, or of what else the list says nothing of, may mean by its words.

        Where it makes statements, that is all there is.
        """
        if entry.number not in self._known:
            words = {word.lower() for word in _WORD.findall(self._texts.get(entry.number, b""))}
            meant = self._names if words & _MAKING else {*words, b""}
            named = [part for word in meant for part in self._names.get(word, ())]
            self._known[entry.number] = [part for part in named if part.number != entry.number]
        return self._known[entry.number]

    def _code(self, entry: Entry) -> bool:
        """Whether somebody else wrote what runs where it is used: a view too, for it can call any function."""
        written = entry.catalogue == CLASS and entry.is_a(b"VIEW ", b"FOREIGN TABLE ")
        domain = entry.catalogue == TYPE and entry.is_a(b"DOMAIN ")
        return entry.owner not in self._supers and (entry.catalogue == FUNCTION or written or domain)

    def _excludes(self, entry: Entry) -> bool:
        return entry.is_a(b"CONSTRAINT ") and b" EXCLUDE " in self._texts.get(entry.number, b"")

    def _needs(self, entry: Entry) -> list[Entry]:
        return [self._entries[number] for number in entry.needs if number in self._entries]


def _index(entry: Entry) -> bool:
    return entry.catalogue == CLASS and entry.is_a(INDEX_WORD) and not entry.is_a(b"INDEX ATTACH ")


def _stored(entry: Entry) -> bool:
    """Whether it holds rows."""
    return entry.catalogue == CLASS and entry.is_a(b"TABLE ", b"MATERIALIZED VIEW ")


def _name(entry: Entry) -> bytes:
    """The last word of its name; "" where that has none."""
    words = _WORD.findall(entry.text.partition(b"(")[0] if entry.catalogue == FUNCTION else entry.text)
    return words[-1].lower() if words else b""
