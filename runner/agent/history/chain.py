"""The chain of a store on its disk: `.runner/chain`, to which lines are only added.

A line is written and synced before what it says is done. Cut off in between, the last line says what did not happen:
whoever writes the next one says so first (`undone`), and no head that is given out counts it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Optional

from .. import clock, durable, regular
from ..store import aside
from ..store.layout import StoreFolder, is_there, sealed
from . import line as lines
from .line import ChainLine, Head

# So much of its end is read before a line is added: what came before was looked at when it was the end.
_END = 1 << 14
# What a write that was cut off can leave behind a line: it is of two lines at most.
_TORN = lines.LONGEST
_READ = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_APPEND = os.O_RDWR | os.O_APPEND | _READ


def place(store: StoreFolder) -> Path:
    """Where it is."""
    return store.runner / "chain"


class Damaged(Exception):
    """What is in its place is no chain to which a line can be added."""


def begin(store: StoreFolder) -> None:
    """See that the store has a chain: where there is none one begins with all that is sealed, as it is now.

    What is in its place and is none stays beside it, and the first line has its digest.
    """
    try:
        with opened(store) as stream:
            end(stream)
            return
    except FileNotFoundError:
        former = {}
    except Damaged:
        former = _put_by(store)
    last, now = Head(), clock.now()
    with durable.replacing(place(store), 0o600) as stream:
        for event, name in ((lines.BEGUN, lines.NOBODY), *((lines.ADOPTED, name) for name in sealed(store))):
            known = former if event == lines.BEGUN else known_of(store, name)
            raw = ChainLine(last.number + 1, last.digest, now, event, name, known).raw
            stream.write(raw)
            last = Head(last.number + 1, lines.digest_of(raw))


def add(store: StoreFolder, event: str, name: str, known: Optional[Mapping[str, str]] = None) -> None:  # noqa: UP045
    """Add a line, and sync it; nothing where there is no chain yet, or none to which one can be added.

    Where it cannot be written OSError is raised, and the chain is as it was.
    """
    try:
        with opened(store, _APPEND) as stream:
            last, now, at = end(stream)
            fresh: list[tuple[str, str, Mapping[str, str]]] = [(event, name, known or {})]
            if not is_so(store, last):
                fresh.insert(0, (lines.UNDONE, last.name, {}))
            _append(stream, at, now, fresh)
    except (FileNotFoundError, Damaged):
        return


def _append(stream: BinaryIO, at: int, last: Head, fresh: Sequence[tuple[str, str, Mapping[str, str]]]) -> None:
    now, content = clock.now(), b""
    for event, name, known in fresh:
        raw = ChainLine(last.number + 1, last.digest, now, event, name, known).raw
        content, last = content + raw, Head(last.number + 1, lines.digest_of(raw))
    if os.fstat(stream.fileno()).st_size > at:
        # A line that was cut off never counted.
        os.ftruncate(stream.fileno(), at)
    try:
        # Opened for appending: wherever it was read, this goes behind the last line.
        left = content
        while left:
            left = left[os.write(stream.fileno(), left) :]
        os.fsync(stream.fileno())
    except OSError:
        os.ftruncate(stream.fileno(), at)
        raise


def head(store: StoreFolder) -> str:
    """The head of all that came about, as text; "" where there is no chain, or none that can be gone on with."""
    try:
        with opened(store) as stream:
            last, now, _ = end(stream)
    except (OSError, Damaged):
        return ""
    if not is_so(store, last):
        now = Head(last.number - 1, last.before)
    return now.text


def count(store: StoreFolder, event: str, since: str, until: str) -> int:
    """How many lines of an event were written from `since` to `until` (as `clock.now` gives it), and not undone.

    By this host's clock, wherever in the chain they are: that may have been set back. What is no line is passed over,
    and where there is no chain there is none.
    """
    known, before, words = 0, False, (event.encode(), lines.UNDONE.encode())
    try:
        with opened(store) as stream:
            for raw in raw_lines(stream):
                # Most lines are of other events.
                line = lines.parsed(raw) if any(word in raw for word in words) else None
                undone = before and line is not None and line.event == lines.UNDONE
                before = line is not None and line.event == event and since <= line.time <= until
                known += before - undone
    except (FileNotFoundError, Damaged):
        return 0
    return known


def is_so(store: StoreFolder, line: ChainLine) -> bool:
    """Whether what the last line says is done, as far as can be seen: it may have been cut off before that."""
    name = line.name
    if line.event == lines.SEALED:
        return name in sealed(store)
    if line.event in (lines.EXPIRED, lines.ASIDE):
        return name not in sealed(store)
    if line.event == lines.BACK:
        return not is_there(store.aside / name)
    if line.event == lines.DROPPED:
        return name not in aside.names(store)
    if line.event == lines.LOST:
        return not store.record(name).exists()
    if line.event == lines.INHERITED:
        return digest(store.sums(name)) == line.digests.get("sums")
    if line.event == lines.MANIFEST:
        return digest(store.names(name)) == line.digests.get("names")
    return True


def digest(path: Path) -> Optional[str]:  # noqa: UP045
    """The SHA-256 of a file; None where there is none that can be read."""
    whole = hashlib.sha256()
    try:
        if path.is_symlink():
            return None
        with regular.opened(path) as stream:
            while chunk := stream.read(regular.CHUNK):
                whole.update(chunk)
    except OSError:
        return None
    return whole.hexdigest()


def known_of(store: StoreFolder, name: str) -> dict[str, str]:
    """The digests of all that is known of a snapshot beside its tree, by what it is; without what is not there."""
    return digests(record=store.record(name), sums=store.sums(name), gone=store.gone(name), names=store.names(name))


def digests(**places: Path) -> dict[str, str]:
    """The digests of files, by what they are; without those that are not there."""
    return {key: known for key, path in places.items() if (known := digest(path))}


def raw_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Each line with its newline; one that is too long to be ours comes in pieces, and is none."""
    while raw := stream.readline(lines.LONGEST + 1):
        yield raw


def opened(store: StoreFolder, flags: int = os.O_RDONLY | _READ) -> BinaryIO:
    """The chain, to be read. FileNotFoundError where there is none, Damaged where that is no file."""
    try:
        status = place(store).lstat()
        if not stat.S_ISREG(status.st_mode):
            raise Damaged
        return os.fdopen(os.open(place(store), flags), "rb")
    except (NotADirectoryError, FileNotFoundError):
        raise FileNotFoundError from None


def end(stream: BinaryIO) -> tuple[ChainLine, Head, int]:
    """The last whole line, its head, and how long the chain is to its end. Damaged where that does not fit together."""
    size = stream.seek(0, os.SEEK_END)
    start = max(0, size - _END)
    stream.seek(start)
    tail = stream.read(_END)
    if start:
        # The line that begins before it ends here; the next is taken as it is.
        tail = tail[tail.find(b"\n") + 1 :]
    at, last, now = size - len(tail), None, Head()
    split = [raw + b"\n" for raw in tail.split(b"\n")]
    for number, raw in enumerate(split):
        line = lines.parsed(raw)
        first = last is None and start > 0
        if line is None or not (first or (line.number, line.before) == (now.number + 1, now.digest)):
            # What was cut off is the end; with a line of ours in it, it is something else.
            if size - at > _TORN or any(map(lines.parsed, split[number:-1])):
                raise Damaged
            break
        last, now, at = line, Head(line.number, lines.digest_of(raw)), at + len(raw)
    if last is None or at > size:
        raise Damaged
    return last, now, at


def _put_by(store: StoreFolder) -> dict[str, str]:
    """Move what is no chain out of the way; its digest, where it has one."""
    number = 1
    while os.path.lexists(store.runner / f"chain.damaged.{number}"):
        number += 1
    beside = store.runner / f"chain.damaged.{number}"
    place(store).rename(beside)
    former = None if beside.is_symlink() else digest(beside)
    return {"former": former} if former else {}
