"""A problem in jobs.toml: which key, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """`path` leads to the key (tables, key, number of a list's item); `text` says what is wrong."""

    path: KeyPath
    text: str


def nearest(name: str, known: Iterable[str]) -> str:
    """Give the known word that `name` most likely stands for, or ""."""
    found = get_close_matches(name, tuple(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no such thing, with the likely one, or with all where none is near."""
    names = tuple(known)
    text = f"there is no {what} {name!r}"
    if near := nearest(name, names):
        return f"{text}; did you mean {near!r}?"
    return f"{text}; known: {', '.join(names)}" if names else text
