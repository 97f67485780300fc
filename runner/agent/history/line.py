"""A line of a store's chain, and what a store holds after some of them. Pure.

    NUMBER DIGEST-OF-THE-LINE-BEFORE TIME EVENT SNAPSHOT [FILE=DIGEST]...

The digest is the SHA-256 of the whole line, its newline with it: line 42 has what `sed -n 41p chain | sha256sum`
prints. The first line has zeros there. A head is `NUMBER:DIGEST` of a line: whoever has kept one knows all that was
before it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple, Optional

from ..arguments import SNAPSHOT

BEGUN, ADOPTED, SEALED, MANIFEST, INHERITED = "begun", "adopted", "sealed", "manifest", "inherited"
EXPIRED, ASIDE, BACK, DROPPED, LOST, UNDONE = "expired", "aside", "back", "dropped", "lost", "undone"
# What a line can be about, with the digests that it may have.
EVENTS: Mapping[str, frozenset[str]] = {
    BEGUN: frozenset(("former",)),
    ADOPTED: frozenset(("record", "sums", "gone", "names")),
    SEALED: frozenset(("record", "sums", "gone")),
    MANIFEST: frozenset(("names",)),
    INHERITED: frozenset(("sums",)),
    **{event: frozenset() for event in (EXPIRED, ASIDE, BACK, DROPPED, LOST, UNDONE)},
}
NOBODY = "-"
FIRST = "0" * 64
# No line is longer.
LONGEST = 1024
_LINE = re.compile(
    rb"([1-9][0-9]{0,11}) ([0-9a-f]{64}) ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z) "
    rb"([a-z]{1,20}) ([0-9TZ-]{1,20})((?: [a-z]{1,20}=[0-9a-f]{64}){0,4})\n"
)


class ChainLine(NamedTuple):
    """One line: `before` is the digest of the one before, `digests` are those of files, by what they are."""

    number: int
    before: str
    time: str
    event: str
    name: str
    digests: Mapping[str, str] = {}

    @property
    def raw(self) -> bytes:
        """As it is in the file."""
        files = "".join(f" {key}={digest}" for key, digest in self.digests.items())
        return f"{self.number} {self.before} {self.time} {self.event} {self.name}{files}\n".encode("ascii")


class Head(NamedTuple):
    """Which line is the last, and its digest; number 0 where there is none."""

    number: int = 0
    digest: str = FIRST

    @property
    def text(self) -> str:
        """As it is answered and kept; "" where there is none."""
        return f"{self.number}:{self.digest}" if self.number else ""


class Broken(Exception):
    """A chain is none from line `number` on."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} does not follow from the one before it")
        self.number = number


def head_of(text: str) -> Head:
    """The head that a text of that form means; none for ""."""
    number, _, digest = text.partition(":")
    return Head(int(number), digest) if text else Head()


def parsed(raw: bytes) -> Optional[ChainLine]:  # noqa: UP045
    """The line that is written so; None where it is none that we write."""
    match = _LINE.fullmatch(raw) if len(raw) <= LONGEST else None
    if match is None:
        return None
    number, before, time, event, name, files = (part.decode("ascii") for part in match.groups())
    pairs = [file.split("=") for file in files.split()]
    line = ChainLine(int(number), before, time, event, name, {key: digest for key, digest in pairs})
    named = name == NOBODY if event == BEGUN else SNAPSHOT.fullmatch(name) is not None
    known = event in EVENTS and EVENTS[event].issuperset(line.digests) and len(pairs) == len(line.digests)
    return line if named and known else None


def digest_of(raw: bytes) -> str:
    """The SHA-256 of a line."""
    return hashlib.sha256(raw).hexdigest()


class Story:
    """What a store holds, as far as the lines say that were told; raises Broken for one that does not follow.

    `alive` are the snapshots that count, and `aside` those that lie aside, each with its digests by what they are of;
    `odd` are lines that no program of ours would write there, with why: `order`, `replaced`.
    """

    def __init__(self, head: Head = Head(), alive: Collection[str] = (), aside: Collection[str] = ()) -> None:  # noqa: B008
        """From the first line on; or from behind `head`, when these counted and those lay aside."""
        self.head = head
        self.last: Optional[ChainLine] = None  # noqa: UP045
        self.alive: dict[str, dict[str, str]] = {name: {} for name in alive}
        self.aside: dict[str, dict[str, str]] = {name: {} for name in aside}
        self.odd: list[tuple[str, ChainLine]] = []
        self._undo: tuple[Head, Optional[dict[str, str]], Optional[dict[str, str]]] = (Head(), None, None)  # noqa: UP045

    def tell(self, raw: bytes) -> ChainLine:
        """Go on by one line."""
        line = parsed(raw)
        number = self.head.number + 1
        if line is None or (line.number, line.before) != (number, self.head.digest):
            raise Broken(number)
        if (line.event == BEGUN) != (number == 1):
            raise Broken(number)
        if line.event == UNDONE:
            self._take_back(line)
        else:
            self._undo = (self.head, _copy(self.alive.get(line.name)), _copy(self.aside.get(line.name)))
            self._go_on(line)
        self.head, self.last = Head(number, digest_of(raw)), line
        return line

    def _go_on(self, line: ChainLine) -> None:
        name = line.name
        if line.event in (ADOPTED, SEALED):
            if line.event == SEALED and any(other >= name for other in self.alive):
                self.odd.append(("order", line))
            self.alive[name] = dict(line.digests)
        elif line.event in (MANIFEST, INHERITED):
            known = self.alive.get(name, {})
            if line.event == MANIFEST and "names" in known:
                self.odd.append(("replaced", line))
            known.update(line.digests)
        elif line.event == ASIDE:
            self.aside[name] = self.alive.pop(name, {})
        elif line.event == BACK:
            self.alive[name] = self.aside.pop(name, {})
        elif line.event == DROPPED:
            self.aside.pop(name, None)
        elif line.event in (EXPIRED, LOST):
            self.alive.pop(name, None)

    def _take_back(self, line: ChainLine) -> None:
        if self.last is None or self.last.name != line.name or self.last.event in (BEGUN, ADOPTED, UNDONE):
            raise Broken(line.number)
        self.revoke()

    def revoke(self) -> None:
        """Let what the last line says not have happened."""
        name = self.last.name if self.last else ""
        for known, before in zip((self.alive, self.aside), self._undo[1:]):  # noqa: B905
            known.pop(name, None)
            if before is not None:
                known[name] = before
        self.odd = [(why, line) for why, line in self.odd if line is not self.last]
        self.head = self._undo[0]


def _copy(known: Optional[Mapping[str, str]]) -> Optional[dict[str, str]]:  # noqa: UP045
    return None if known is None else dict(known)
