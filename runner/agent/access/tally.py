"""Counting attempts: an attempt that sshd logs several times is counted once."""

from __future__ import annotations

import bisect
import heapq
import math
from collections import Counter, OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from . import messages
from .contract import AccessRow, AccessTable
from .logs import LogLine
from .messages import Event

MARKS = 10_000
MARKED = 600
SOURCES = 2_000
USERS = 5
_TYPED = (b"password", b"keyboard-interactive", b"keyboard-interactive/pam", b"challenge-response")
_SU_BY_PAM = b"pam"
# Tables of what PAM logged of su, and which tables they become where su itself logs nothing.
_PAM = {"su_by_pam": "su", "su_by_pam_refused": "su_refused"}
# What is logged of an attempt before it is known how it was made, and how it is counted until then.
_NAMES = {"unknown": "unknown user", "pam": "keyboard-interactive", "none": "none"}
_METHODS = (b"password", b"publickey", b"keyboard-interactive", b"none", b"console", b"hostbased", b"gssapi-with-mic")
COUNTED = ("refused", "accepted", "sudo_refused", "su_refused")
# What the parts of a name in a table are: fields of AccessRow.
FROM = ("user", "source")
LOGIN = (*FROM, "what")
BECAME = ("user", "to", "what")

BITS = 1 << 20


class LoginSource(NamedTuple):
    """A source that somebody was let in from: first and last time, how often, as whom (five at most)."""

    first: float
    last: float
    times: int
    users: tuple[bytes, ...]


class AccessTally:
    """Everything that is counted; `tables` has a table for each of AccessTables but `new` and `guessed`.

    `by_day` has the numbers that COUNTED names for each of `days` (when it begins), of what happened from `fresh` on.
    """

    def __init__(self, fresh: float, days: Sequence[float]) -> None:
        self.tables = {
            "accepted": NameCounts(LOGIN, 500),
            "refused": NameCounts(("source",)),
            "users": NameCounts(("user",)),
            **{name: NameCounts(BECAME, 500) for name in ("sudo", "sudo_refused", "su", "su_refused", *_PAM)},
            **{name: NameCounts(FROM, 100) for name in ("root_typed", "root_right", "no_password")},
        }
        self.methods: Counter[str] = Counter()
        self.unknown = 0
        self.sources: dict[bytes, LoginSource] = {}
        self.pairs = NameCounts(FROM)
        self.ownership = 0
        self.by_day: list[Counter[str]] = [Counter() for _ in days]
        self._marks: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._fresh, self._days = fresh, list(days)

    def add(self, line: LogLine) -> None:
        """Count the attempt that a message is about; most messages are about none."""
        if line.program == b"sudo":
            self._ran(line, messages.sudo(line.message), "sudo")
        elif line.program == b"su":
            self._ran(line, messages.su(line.message), "su")
        elif line.program == b"login":
            self._tried(line, messages.login(line.message))
        else:
            self._tried(line, messages.read(line.message))

    def end(self) -> None:
        """Call it last: where su itself logs nothing (old systems), what PAM logged of it counts."""
        silent = not self.tables["su"].total and not self.tables["su_refused"].total
        for by_pam, name in _PAM.items():
            table = self.tables.pop(by_pam)
            if silent:
                self.tables[name] = table
                for day in self.by_day:
                    day[name] += day[by_pam]

    def _count(self, table: str, name: Hashable, line: LogLine) -> None:
        self.tables[table].add(name, line.times)
        if line.at >= self._fresh:
            self.by_day[max(bisect.bisect_right(self._days, line.at) - 1, 0)][table] += line.times

    def _ran(self, line: LogLine, event: Event | None, program: str) -> None:
        if event is None:
            return
        # Of sudo the method is the program that it ran, which may have any name.
        by_pam = program == "su" and event.method == _SU_BY_PAM
        table = f"{program}{'_by_pam' if by_pam else ''}{'_refused' if event.what == 'refused' else ''}"
        self._count(table, (event.user, event.to, b"" if by_pam else event.method), line)

    def _tried(self, line: LogLine, event: Event | None) -> None:
        if event is None:
            return
        if event.what == "accepted":
            self._accept(line, event)
        elif event.what == "ownership":
            self.ownership += line.times
        elif event.what == "root":
            self.tables["root_right"].add((b"root", plain(event.source)), line.times)
        else:
            self._refuse(line, event)

    def _accept(self, line: LogLine, event: Event) -> None:
        source = plain(event.source)
        self._mark(line, "in")
        self._count("accepted", (event.user, source, event.method), line)
        if event.user == b"root" and event.method in _TYPED:
            self.tables["root_typed"].add((event.user, source), line.times)
        if event.method == b"none":
            self.tables["no_password"].add((event.user, source), line.times)
        if source in self.sources or len(self.sources) < SOURCES:
            old = self.sources.get(source, LoginSource(line.at, line.at, 0, ()))
            users = old.users if event.user in old.users else (*old.users, event.user)[:USERS]
            first, last = min(old.first, line.at), max(old.last, line.at)
            self.sources[source] = LoginSource(first, last, old.times + line.times, users)

    def _refuse(self, line: LogLine, event: Event) -> None:
        """Count it, unless it is another message on an attempt of the same process that is counted already."""
        mark, method, times = self._marked(line), _method(event), line.times
        if event.what == "kex":
            self._mark(line, "kex")
            return
        if event.what == "none" and mark not in ("", "kex"):
            return
        if event.what == "dropped":
            pass
        elif event.what in ("left", "tries", "closed"):
            if mark not in ("", "kex") or (event.what == "closed" and not mark):
                return
            self._mark(line, "counted")
        elif _same(mark, event):
            # The same attempt, and now it is known how it was made.
            self.methods[_NAMES[mark]] -= 1
            self.methods[method] += 1
            self._mark(line, "pam" if event.what == "pam" else "counted")
            times -= 1
        else:
            self._mark(line, event.what if event.what in _NAMES else "counted")
        if times:
            self._count_refused(line._replace(times=times), event, method)

    def _count_refused(self, line: LogLine, event: Event, method: str) -> None:
        source = plain(event.source)
        self.methods[method] += line.times
        self.unknown += line.times if event.what == "unknown" else 0
        self._count("refused", source, line)
        if event.user or event.what in ("failed", *_NAMES):
            self.tables["users"].add(event.user, line.times)
            self.pairs.add((event.user, source), line.times)

    def _marked(self, line: LogLine) -> str:
        mark, at = self._marks.get(line.pid, ("", 0.0))
        return mark if abs(line.at - at) < MARKED else ""

    def _mark(self, line: LogLine, mark: str) -> None:
        if not line.pid:
            return
        self._marks[line.pid] = (mark, line.at)
        self._marks.move_to_end(line.pid)
        if len(self._marks) > MARKS:
            self._marks.popitem(last=False)


def _same(mark: str, event: Event) -> bool:
    if event.what == "failed":
        return mark in ("unknown", "none") or (mark == "pam" and event.method.startswith(b"keyboard"))
    return event.what == "pam" and mark in ("unknown", "none")


def _method(event: Event) -> str:
    if event.what in _NAMES:
        return _NAMES[event.what]
    if event.what == "tries":
        return "too many tries"
    if event.what in ("left", "closed", "dropped"):
        return "left before login"
    known = event.method.partition(b"/")[0]
    return known.decode("ascii") if known in _METHODS else "other"


def plain(source: bytes) -> bytes:
    """An address as people write it: IPv4 within IPv6 as IPv4."""
    return source[7:] if source[:7].lower() == b"::ffff:" and b"." in source else source


class NameCounts:
    """Counts names; those that come often are never lost, whoever chooses the names (Misra and Gries 1982).

    A name is bytes, or a tuple of them with a part for each of the `columns`.
    While there are at most `2 * most` names all counts are exact. Beyond that each may be too small by up to
    `short`, which is never more than `total / most`.
    """

    def __init__(self, columns: tuple[str, ...], most: int = 1000) -> None:
        self.total = 0
        self.short = 0
        self.columns = columns
        self._most = most
        self._counts: dict[Hashable, int] = {}
        self._seen = bytearray()

    def add(self, name: Hashable, times: int = 1) -> None:
        """Count `name`."""
        self.total += times
        counts = self._counts
        counts[name] = counts.get(name, 0) + times
        if self._seen:
            self._mark(name)
        if len(counts) > 2 * self._most:
            self._trim()

    def of(self, name: Hashable) -> int:
        """How often `name` came, at least."""
        return self._counts.get(name, 0)

    def names(self) -> tuple[Any, ...]:
        """The names that are counted."""
        return tuple(self._counts)

    def distinct(self) -> int:
        """How many names there were; within a few percent where it is not exact."""
        if not self._seen:
            return len(self._counts)
        empty = BITS - sum(bin(byte).count("1") for byte in self._seen)
        return max(round(-BITS * math.log(max(empty, 1) / BITS)), len(self._counts))

    def table(self, most: int) -> AccessTable:
        """The names that came most often, `most` of them, and how many are left out."""
        first = heapq.nsmallest(most, self._counts.items(), key=lambda counted: (-counted[1], repr(counted[0])))
        rows = tuple(AccessRow(times, **self._cells(name)) for name, times in first)
        return AccessTable(self.total, rows, others=self.distinct() - len(rows), exact=not self._seen)

    def _cells(self, name: Any) -> dict[str, str]:  # noqa: ANN401
        parts = name if isinstance(name, tuple) else (name,)
        return {column: text(part) for column, part in zip(self.columns, parts)}  # noqa: B905

    def _trim(self) -> None:
        if not self._seen:
            self._seen = bytearray(BITS // 8)
            for name in self._counts:
                self._mark(name)
        least = heapq.nlargest(self._most + 1, self._counts.values())[-1]
        self._counts = {name: count - least for name, count in self._counts.items() if count > least}
        self.short += least

    def _mark(self, name: Hashable) -> None:
        # Python's hash of bytes has a secret of the process in it: nobody can choose names that collide.
        place = hash(name) & (BITS - 1)
        self._seen[place >> 3] |= 1 << (place & 7)


def text(name: bytes, most: int = 64) -> str:
    """A name from a log as text, cut off after `most` characters; bytes that are not UTF-8 become `\\xff`."""
    known = name.decode("utf-8", "backslashreplace")
    return known if len(known) <= most else known[: most - 3] + "..."
