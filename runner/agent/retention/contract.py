"""What the verbs of retention are told, and what they answer."""

from __future__ import annotations

from typing import NamedTuple

from ..arguments import Count, Positive, PositiveWord, Word


class Floor(NamedTuple):
    """Options of `floor`."""

    store: Word
    floor: PositiveWord
    plan: str
    lower: bool = False
    mount: str = ""
    uuid: str = ""


class FloorKept(NamedTuple):
    """Answer of `floor`."""

    floor: int
    before: int


class Expire(NamedTuple):
    """Options of `expire`."""

    store: Word
    name: Word
    plan: str
    min: Positive
    mount: str = ""
    uuid: str = ""


class Links(NamedTuple):
    """Options of `links`: without `max` as many snapshots as there are."""

    store: Word
    max: Count = -1


class LinkGroups(NamedTuple):
    """Answer of `links`."""

    largest_group: int
    most: int
    path: str
    limit: int
    fits: bool


class Audit(NamedTuple):
    """Options of `audit`."""

    store: Word
    plan: str
    bytes: Positive
    seconds: Positive
    every: Positive
    mount: str = ""
    uuid: str = ""
