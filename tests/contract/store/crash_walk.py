"""What can follow what in a store, up to three verbs in a row, and a store that lives through it. The walk is pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from tests.contract.store.power_life import DiskLife, good
from tests.contract.storehouse import frame

LEAST, MOST = 3, 5


class Verb(StrEnum):
    """What is done to a store; `RECYCLE` is the `clone` for which the oldest expires."""

    BEGIN = "begin"
    CLONE = "clone"
    RECYCLE = "recycle"
    COMPOSE = "compose"
    SEAL = "seal"
    EXPIRE = "expire"
    REAP = "reap"


class Stage(NamedTuple):
    """How far the partial is, by the verb that was done to it last ("" where there is none); how many are sealed."""

    partial: str
    sealed: int

    def then(self, verb: Verb) -> Stage | None:
        """What comes of it; None where the verb is refused, or the disk might be too small for more."""
        match verb:
            case Verb.BEGIN:
                return Stage(verb, self.sealed)
            case Verb.CLONE if self.partial:
                return Stage(Verb.CLONE, self.sealed)
            case Verb.RECYCLE if self.partial and self.sealed > 2:
                return Stage(Verb.CLONE, self.sealed - 1)
            case Verb.COMPOSE if self.partial == Verb.CLONE:
                return Stage(verb, self.sealed)
            case Verb.SEAL if self.partial == Verb.COMPOSE and self.sealed < MOST:
                return Stage("", self.sealed + 1)
            case Verb.EXPIRE if self.sealed > 1:
                return Stage(self.partial, self.sealed - 1)
            case Verb.REAP:
                return self
            case _:
                return None


START = Stage("", LEAST)
Words = tuple[Verb, ...]


@cache
def walks(length: int, row: int = 3) -> tuple[Words, ...]:
    """Walks from the start, of `length` verbs or a few more, in which every row of so many that is possible comes."""
    done: set[Words] = set()
    found = list[Words]()
    while True:
        walk, stage = Words(), START
        while len(walk) < length and (more := _to_something_new(stage, walk[1 - row :], row, done)):
            for verb in more:
                stage, walk = stage.then(verb) or stage, (*walk, verb)
                done.add(walk[-row:])
        if not walk:
            return tuple(found)
        found.append(walk)


def _to_something_new(stage: Stage, last: Words, row: int, done: set[Words]) -> Words:
    """The shortest way from there to a row that is not done yet; () where there is none."""
    waiting, seen = deque([(stage, last, Words())]), {(stage, last)}
    while waiting:
        here, last, way = waiting.popleft()
        for verb in Verb:
            after = here.then(verb)
            if after is None:
                continue
            if len(last) == row - 1 and (*last, verb) not in done:
                return (*way, verb)
            step = (after, (*last, verb)[1 - row :])
            if step not in seen:
                seen.add(step)
                waiting.append((*step, (*way, verb)))
    return ()


def _names() -> Iterator[str]:
    return (f"2026-11-20T{hour:02}{minute:02}00Z" for hour in range(24) for minute in range(60))


@dataclass(kw_only=True)
class WalkedLife(DiskLife):
    """A store with some snapshots that goes through a walk."""

    names: Iterator[str] = field(default_factory=_names)
    name: str = ""
    sealed: list[str] = field(default_factory=list)
    sent: bytes = b""

    def settle_in(self) -> None:
        """What is there before the walk begins; a moment too."""
        with self.moment("settle in"):
            for _ in range(LEAST):
                self._day()
                name = next(self.names)
                good(self.house.snapshot(name, self.sealed[-1] if self.sealed else ""))
                self.sealed.append(name)

    def go(self, walk: Words) -> None:
        """Do it."""
        for verb in walk:
            with self.house.held():
                {Verb.BEGIN: self._begin, Verb.COMPOSE: self._compose, Verb.SEAL: self._seal}.get(verb, self._other)(
                    verb
                )

    def _day(self) -> None:
        (self.house.source / "day").write_text(f"{len(self.moments)} {self.sealed}")
        (self.house.source / f"folder/{len(self.moments) % 5}").write_text(f"{self.sealed}" * 100)

    def _begin(self, verb: Verb) -> None:
        self._day()
        resumed, self.name = ((self.name,) if self.name else ()), next(self.names)
        with self.moment(verb):
            good(self.house.begin(self.name, self.sealed[-1], resumed))

    def _compose(self, verb: Verb) -> None:
        house, basis, heard, sent = self.house, self.sealed[-1], b"", b""
        for number in range(len(house.points)):
            names = house.listed(self.name, basis, number)
            first = house.send_listed(self.name, basis, names, number)
            again = house.send_again(self.name, names, number)
            settled = house.settle(self.name, names, number)
            for each in (names, first, again, settled):
                good(each)
            mark = number or ""
            sent += frame(f"send{mark}", again) + frame(f"settle{mark}", settled) + frame(f"first{mark}", first)
            heard += frame(f"settle{mark}", settled) + frame(f"list{mark}", names)
        self.sent = sent
        with self.moment(verb):
            good(house.compose(self.name, heard))

    def _seal(self, verb: Verb) -> None:
        with self.moment(verb):
            good(self.house.seal(self.name, self.sent))
        self.sealed.append(self.name)
        self.name = ""

    def _other(self, verb: Verb) -> None:
        gone = self.sealed.pop(0) if verb in (Verb.RECYCLE, Verb.EXPIRE) else ""
        with self.moment(verb):
            if verb is Verb.EXPIRE:
                good(self.house.call("expire", str(self.house.root), gone, "--min=1", "--plan", self.house.plan))
            elif verb is Verb.REAP:
                good(self.house.call("reap", str(self.house.root), "--plan", self.house.plan))
            else:
                recycled = (f"--recycle={gone}", "--min=1") if gone else ()
                good(self.house.clone(self.name, self.sealed[-1], *recycled))
