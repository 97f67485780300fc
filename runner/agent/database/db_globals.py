"""The roles in what `pg_dumpall --globals-only` wrote: which it makes, and the statements for some of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from .sql import Statement, Token, decoded, opens, statements, text_of, words


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
