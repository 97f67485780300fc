"""What is usual here: a line a day, and the sources that people were let in from. Kept at the host."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .. import clock, durable
from ..answer import BUSY, Refused
from .contract import UsualNumber
from .tally import COUNTED, AccessTally

DAYS = 90
COMPARED = 42
KNOWN = 2_000
# A day counts as whole with an hour missing: one day in the year has 23.
WHOLE = 82_000


class History(NamedTuple):
    """`until` is the end of the last report, `began` that of the first; both None where there was none.

    `days` has COUNTED and `seconds` (how much of the day was looked at) by date; `known` the first and last
    time of each source.
    """

    until: float | None = None
    began: float | None = None
    days: Mapping[str, Mapping[str, int]] = {}
    known: Mapping[str, tuple[float, float]] = {}


def believable(history: History, until: float, longest: float) -> History:
    """The history without an end, or a beginning, that lies so far after `until` that a clock was wrong."""
    last, began = (at if at is not None and at <= until + longest else None for at in (history.until, history.began))
    return history._replace(until=last, began=began)


def read(folder: Path) -> tuple[History, bool]:
    """The history, and whether there was one that could not be understood: it is put aside by `write`."""
    try:
        record = json.loads((folder / "history.json").read_bytes())
        days = {str(day["day"]): {name: int(day[name]) for name in ("seconds", *COUNTED)} for day in record["days"]}
        known = {str(name): (_seconds(first), _seconds(last)) for name, (first, last) in record["known"].items()}
        return History(_seconds(record["until"]), _seconds(record["began"]), days, known), False
    except FileNotFoundError:
        return History(), False
    except (ValueError, KeyError, TypeError, AttributeError, Refused):
        return History(), True


def write(folder: Path, history: History, damaged: bool) -> None:
    """Put the history in place in one move; the old one stays beside it where it was `damaged`."""
    path = folder / "history.json"
    if damaged:
        path.rename(path.with_name("history.damaged"))
    durable.write_json(
        path,
        {
            "until": _text(history.until or 0.0),
            "began": _text(history.began or 0.0),
            "days": [{"day": day, **counts} for day, counts in sorted(history.days.items())],
            "known": {name: [_text(first), _text(last)] for name, (first, last) in history.known.items()},
        },
        0o600,
    )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other reports from the history; makes its folder. Refused (75) where another is at work."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    durable.make_folder(folder, 0o700)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise Refused("another report is being made", "wait until it has ended", code=BUSY) from None
        yield
    finally:
        os.close(descriptor)


def midnights(since: float, until: float) -> list[float]:
    """The beginnings of this machine's days from the one that holds `since` to the one that holds `until`."""
    year, month, day = time.localtime(since)[:3]
    starts: list[float] = []
    while not starts or starts[-1] <= until:
        starts.append(time.mktime((year, month, day + len(starts), 0, 0, 0, 0, 0, -1)))
    return starts[:-1]


def grown(history: History, fresh: float, until: float, tally: AccessTally) -> History:
    """The history with the time from `fresh` to `until` added, of which none was in it before."""
    days = {day: dict(counts) for day, counts in history.days.items()}
    starts = midnights(fresh, until) if fresh < until else []
    for start, end, counts in zip(starts, (*starts[1:], until), tally.by_day):  # noqa: B905
        row = days.setdefault(date(start), dict.fromkeys(("seconds", *COUNTED), 0))
        row["seconds"] += int(end - max(start, fresh))
        for name in COUNTED:
            row[name] += counts[name]
    known = dict(history.known)
    for source, seen in tally.sources.items():
        name = network(source)
        first, last = known.get(name, (seen.first, seen.last))
        known[name] = (min(first, seen.first), max(last, seen.last))
    return History(
        max(until, history.until or 0.0),
        until if history.began is None else history.began,
        dict(sorted(days.items())[-DAYS:]),
        dict(sorted(known.items(), key=lambda item: item[1][1])[-KNOWN:]),
    )


def usual(history: History, since: float) -> dict[str, UsualNumber]:
    """What is known of each of COUNTED from the whole days before the day of `since`; empty where there are none."""
    before = [
        counts for day, counts in sorted(history.days.items()) if day < date(since) and counts["seconds"] >= WHOLE
    ][-COMPARED:]
    return {name: _usual(sorted(counts[name] for counts in before)) for name in COUNTED if before}


def _usual(numbers: Sequence[int]) -> UsualNumber:
    middle, outside = _middle(numbers), len(numbers) // 10
    return UsualNumber(
        days=len(numbers),
        median=middle,
        low=numbers[outside],
        high=numbers[-1 - outside],
        spread=_middle(sorted(abs(number - middle) for number in numbers)),
    )


def network(source: bytes) -> str:
    """What a source is remembered as: its address; of IPv6 the first half, as the rest changes daily."""
    text = source.decode("utf-8", "backslashreplace")
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def date(at: float) -> str:
    """The date of a time on this machine."""
    return time.strftime("%Y-%m-%d", time.localtime(at))


def _middle(numbers: Sequence[float]) -> float:
    half = len(numbers) // 2
    return numbers[half] if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2


def _text(at: float) -> str:
    return clock.text(round(at * 10**6) * 1000)


def _seconds(text: str) -> float:
    return clock.nanoseconds(text) / 10**9
