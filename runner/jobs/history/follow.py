"""Whether the history of a store follows from what is known of it: reckoned here, of its lines. Pure.

The store's host says only which lines there are. A line that it left out, put in, changed or moved gives another
digest, and what it says itself about all that is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from runner.agent.history.contract.standing import PAGE, ChainStanding
from runner.agent.history.line import (
    ASIDE,
    BACK,
    DROPPED,
    EXPIRED,
    LOST,
    SEALED,
    Broken,
    ChainLine,
    Head,
    Story,
    digest_of,
    head_of,
)
from runner.model.facts import StoreFacts
from runner.model.stored import DeclaredPlace, HeadTaken, HistoryDoubt, KnownHistory, SeenHead

Standing: TypeAlias = ChainStanding
# Lines that say that a snapshot goes, and that one comes.
WENT = frozenset((EXPIRED, ASIDE, DROPPED, LOST))
_COMING = frozenset((SEALED, BACK))


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryBefore:
    """What was known of a store before it was asked: its history, and the heads that steps were answered since.

    `place` is the last of those steps.
    """

    store: str
    declared: DeclaredPlace
    known: KnownHistory | None = None
    answered: tuple[SeenHead, ...] = ()
    place: int = 0

    @property
    def head(self) -> str:
        """The head to ask from, "" for all there is."""
        return self.known.head if self.known else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryLook:
    """What a look at a store's history shows; `now` is what may be known from it on, with the doubt that stands.

    `problem` is why it cannot be followed at all. Of the snapshots that count by it `gone` are not there, and
    `strange` are there and do not count. `changes` are the lines since the known one.
    """

    before: HistoryBefore
    head: str = ""
    problem: str = ""
    now: KnownHistory | None = None
    gone: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()
    changes: tuple[ChainLine, ...] = ()
    odd: tuple[str, ...] = ()

    @property
    def doubt(self) -> HistoryDoubt | None:
        """Why it is not taken as known, until a person says that he knows; None where it is."""
        return self.now.doubt if self.now else None

    @property
    def firm(self) -> bool:
        """Whether nothing speaks against relying on it."""
        return not (self.problem or self.doubt or self.gone or self.strange)


def look(
    before: HistoryBefore, standing: ChainStanding, stored: StoreFacts, at: datetime, way: ChainStanding | None = None
) -> HistoryLook:
    """Follow the lines that a store answers from what is known of it; `way` are those since `earlier`, if it is any."""
    known, shown = before.known, HistoryLook(before=before, head=standing.head, problem=standing.broken)
    if standing.broken:
        return replace(shown, now=known)
    if not known and not before.answered and not standing.head:
        # Known as empty: what is sealed here is not of another place that jobs.toml may have next.
        return shown if stored.sealed else replace(shown, now=_nothing(before, stored, at))
    if not standing.head and not stored.sealed and (not known or _elsewhere(known, stored)):
        # The wrong disk, it seems: when the right one is back, it is to go on from what is known.
        return replace(shown, now=known, problem="there is none, and nothing is sealed there")
    reached = _followed(before, standing, way)
    if reached is None:
        return replace(shown, now=_doubted(before, stored, HistoryDoubt.ANOTHER, at))
    story, lines = reached
    since = _since(before)
    changes = tuple(line for line in lines if since is not None and line.number > since)
    odd = tuple(line.name for _, line in story.odd if since is not None and line.number > since)
    counted = {snapshot.name for snapshot in stored.sealed if snapshot.recorded}
    shown = replace(
        shown,
        gone=tuple(sorted(story.alive.keys() - counted - set(stored.lost) - _meanwhile(lines, stored))),
        strange=tuple(sorted(counted - story.alive.keys() - _named(lines, WENT))),
        changes=changes,
        odd=odd,
    )
    if known and _elsewhere(known, stored):
        return replace(shown, now=_doubted(before, stored, HistoryDoubt.ELSEWHERE, at))
    if odd:
        return replace(shown, now=_doubted(before, stored, HistoryDoubt.ODD, at))
    if known and known.doubt:
        return replace(shown, now=known)
    now = KnownHistory(
        store=before.store,
        declared=before.declared,
        head=standing.head,
        at=at,
        place=before.place,
        path=stored.path,
        uuid=stored.uuid or (known.uuid if known else ""),
        alive=tuple(sorted(story.alive)),
        aside=tuple(sorted(story.aside)),
        taken=HeadTaken.FOLLOWED if known or before.answered else HeadTaken.FIRST,
    )
    if known and (known.head, known.alive) == (now.head, now.alive):
        # It has not moved on: what is known of it is as old as it was.
        now = replace(known, place=before.place, uuid=now.uuid)
    return replace(shown, now=now)


def earlier(before: HistoryBefore) -> str:
    """The first head below the known one that a step was answered since; it has to lead there. "" for none.

    Another run may have looked meanwhile, and seen the store go on, before the step was in the journal.
    """
    return min(_lower(before), default=Head()).text


def _lower(before: HistoryBefore) -> frozenset[Head]:
    start = head_of(before.head)
    return frozenset(head for each in before.answered if 0 < (head := head_of(each.head)).number < start.number)


def _leads(lower: frozenset[Head], way: ChainStanding | None, start: Head) -> bool:
    """Whether the lines lead from the first of these by way of the others to what is known."""
    story = Story(min(lower))
    passed = {story.head}
    try:
        for each in way.lines if way else ():
            story.tell(_raw(each))
            passed.add(story.head)
    except Broken:
        return False
    return passed >= {*lower, start}


def _followed(
    before: HistoryBefore, standing: ChainStanding, way: ChainStanding | None = None
) -> tuple[Story, list[ChainLine]] | None:
    """The lines told from what is known on; None where they do not lead to the head by way of all that was answered."""
    known = before.known
    start = head_of(before.head)
    story = Story(start, known.alive, known.aside) if known else Story()
    lines, passed = list[ChainLine](), {start}
    try:
        for each in standing.lines:
            lines.append(story.tell(_raw(each)))
            passed.add(story.head)
    except Broken:
        return None
    if (lower := _lower(before)) and not _leads(lower, way, start):
        return None
    awaited = {head_of(each.head) for each in before.answered}
    on_the_way = all(head in passed for head in awaited - lower if head.number)
    return (story, lines) if on_the_way and story.head == head_of(standing.head) else None


class Pages:
    """The lines since a head, which are followed as they come."""

    def __init__(self, start: str) -> None:
        """None yet."""
        self._story = Story(head_of(start))

    def follow(self, lines: Sequence[str]) -> bool:
        """Go on by these; False at the first that does not follow."""
        try:
            for each in lines:
                self._story.tell(_raw(each))
        except Broken:
            return False
        return True


def accepted(before: HistoryBefore, standing: ChainStanding, stored: StoreFacts, at: datetime) -> KnownHistory | None:
    """What a person takes as known: the history as it is, and the snapshots that are there; None where it is none.

    The lines are all that there are, from the first one on.
    """
    whole = replace(before, known=None, answered=())
    reached = None if standing.broken or not standing.head else _followed(whole, standing)
    if reached is None:
        return None
    return KnownHistory(
        store=before.store,
        declared=before.declared,
        head=standing.head,
        at=at,
        taken=HeadTaken.ACCEPTED,
        place=before.place,
        path=stored.path,
        uuid=stored.uuid,
        aside=tuple(sorted(reached[0].aside)),
        alive=tuple(snapshot.name for snapshot in stored.sealed if snapshot.recorded),
    )


def _elsewhere(known: KnownHistory, stored: StoreFacts) -> bool:
    """Whether the store says of itself that it is in another folder or on another disk. A uuid may not be readable."""
    return known.path != stored.path or bool(known.uuid and stored.uuid and known.uuid != stored.uuid)


def _doubted(before: HistoryBefore, stored: StoreFacts, doubt: HistoryDoubt, at: datetime) -> KnownHistory:
    """What is known stays so, with a doubt; the first one stays as well."""
    last = max((each.at for each in before.answered), default=at)
    known = before.known or KnownHistory(
        store=before.store, declared=before.declared, head="", at=last, path=stored.path, uuid=stored.uuid
    )
    return known if known.doubt else replace(known, doubt=doubt, doubted=at)


def _nothing(before: HistoryBefore, stored: StoreFacts, at: datetime) -> KnownHistory:
    """A store that is seen before anything is in it."""
    return KnownHistory(
        store=before.store,
        declared=before.declared,
        head="",
        at=at,
        place=before.place,
        path=stored.path,
        uuid=stored.uuid,
        taken=HeadTaken.FIRST,
    )


def _meanwhile(lines: Sequence[ChainLine], stored: StoreFacts) -> frozenset[str]:
    """Those that may have come after the store was read, and before its history was: the next look compares them."""
    return _named(lines, _COMING) if stored.holder else frozenset()


def _named(lines: Sequence[ChainLine], events: frozenset[str]) -> frozenset[str]:
    return frozenset(line.name for line in lines if line.event in events)


def _raw(answered: str) -> bytes:
    """A line as it is in the file; what is not of one is no line of ours in this form either."""
    return answered.encode("utf-8", "backslashreplace") + b"\n"


def _since(before: HistoryBefore) -> int | None:
    """The number of the last line that this runner has seen; None where it has seen none of this store."""
    if before.head:
        return _number(before.head)
    return max((_number(each.head) for each in before.answered), default=None)


def _number(head: str) -> int:
    return head_of(head).number


def between(start: str, end: str) -> int:
    """How many lines lead from one head to another."""
    return max(0, _number(end) - _number(start))


def missing(standing: ChainStanding, start: str) -> Head | None:
    """The head to ask for the rest from, where not all lines came; None where they did, or lead nowhere."""
    if len(standing.lines) != PAGE:
        return None
    last = Head(head_of(start).number + PAGE, digest_of(_raw(standing.lines[-1])))
    return last if last.number < head_of(standing.head).number else None
