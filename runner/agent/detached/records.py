"""A detached command's folder: what it was, what it printed, how it ended. One for each step of a plan."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import clock
from ..answer import Refused, reply
from ..arguments import parse_as
from ..host import processes
from ..store import lock
from ..store.layout import read_json
from .contract import Detached, DetachedList, ListDetached

STATE = "/var/lib/runner"
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:._/-]{0,199}")
KEPT = 50
AT_WORK = 0
UNSEEN_DAYS = 90
# The folder of versions before 0.2, where `told` is the name of `seen`.
FORMER = "carried"


class DetachedFolder(NamedTuple):
    """The folder of one detached command and the places in it; nothing here looks at the disk.

    `lock` is locked by the worker for as long as it lives; fcntl(2). `began` is what was started, when, in which
    boot: without it nothing ever was. `child` is the command's own process, which outlives a worker that is killed,
    and how it ended; `before` are packages and configuration files as they were; `output` is what the command
    printed, `events` what a package manager wrote for programs to read; `ended` is the answer, once there is one.
    `seen` is there once a person knows of the end. `room` is given back to the disk when the answer is written: the
    command may fill the disk.
    """

    folder: Path
    lock: Path
    began: Path
    child: Path
    before: Path
    output: Path
    events: Path
    ended: Path
    seen: Path
    room: Path


def _at(folder: Path) -> DetachedFolder:
    seen = "told" if folder.parent.name == FORMER else "seen"
    names = ("lock", "began.json", "child.json", "before.json", "output", "events", "ended.json", seen, "room")
    return DetachedFolder(folder, *(folder / name for name in names))


def folders(state: str) -> tuple[Path, Path]:
    """Where all that was begun here is kept, and where an earlier version kept it."""
    top = Path(state or STATE).resolve()
    return top / "detached", top / FORMER


def place_of(state: str, plan: str, step: str) -> DetachedFolder:
    """The place of step `step` of plan `plan`, there or not. Raises Refused for names that are none."""
    for word in (plan, step):
        if not WORD.fullmatch(word) or ".." in word:
            raise Refused(f"--plan and --step want ids of a plan: {word!a}", "see docs/store.md")
    name = f"{plan}.{step}".replace("/", ".")
    place, former = (_at(folder / name) for folder in folders(state))
    return former if former.began.exists() else place


def places(state: str) -> list[DetachedFolder]:
    """Everything that was ever begun here and is still known, newest first. Raises OSError."""
    begun = [place for place in _all(state) if place.began.is_file()]
    return sorted(begun, key=lambda place: str(read_json(place.began).get("started", "")), reverse=True)


def _all(state: str) -> Iterator[DetachedFolder]:
    for folder in folders(state):
        with contextlib.suppress(FileNotFoundError):
            yield from map(_at, folder.iterdir())


def at_work(place: DetachedFolder) -> bool:
    """Whether a worker looks after it now. Raises OSError."""
    try:
        descriptor = os.open(place.lock, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        return lock.held_by(descriptor, AT_WORK) is not None
    finally:
        os.close(descriptor)


def orphaned(place: DetachedFolder) -> bool:
    """Whether the command itself still runs although its worker is gone."""
    child = read_json(place.child)
    pid, since = child.get("pid"), child.get("since")
    if child.get("boot_id") != processes.boot_id() or not isinstance(pid, int):
        return False
    return bool(since) and since == processes.started(pid)


def alive(place: DetachedFolder) -> bool:
    """Whether it still works: the command, or what comes after it."""
    return at_work(place) or orphaned(place)


def working(state: str) -> Mapping[str, Any] | None:
    """What was begun about the host's packages and still works, as the holder of a lock; None if nothing."""
    for place in places(state):
        began = read_json(place.began)
        if began.get("packages") and not place.ended.exists() and alive(place):
            return {
                "plan": str(began.get("plan", "")),
                "who": f"step {began.get('step', '')}, which goes on without its runner",
                "pid": _number(read_json(place.child).get("pid")) or _number(began.get("pid")) or 0,
                "since": began.get("started"),
            }
    return None


def answer(place: DetachedFolder) -> Mapping[str, Any]:
    """The answer as it was written, whichever version did; empty where there is none."""
    ended = read_json(place.ended)
    return {**ended, "detached": True} if ended else {}


def run(argv: Sequence[str]) -> int:
    """Print `{"detached": [{"plan", "step", "argv", "started", "ended", "exit", "alive", "seen"}...]}`.

    Newest first, at most 50. `exit` is null where it still works or nobody saw its end.
    """
    reply(read(argv))
    return 0


def read(argv: Sequence[str]) -> DetachedList:
    """What `run` prints; changes nothing."""
    options = parse_as(ListDetached, argv)
    return DetachedList(tuple(_line(place) for place in places(options.state)[:KEPT]))


def _line(place: DetachedFolder) -> Detached:
    """What is known of one: of a damaged record no more than its folder's name, so that the others are read as well."""
    works = alive(place)
    began, ended = read_json(place.began), read_json(place.ended)
    words = began.get("argv")
    code = ended.get("exit", None if works else read_json(place.child).get("exit"))
    return Detached(
        plan=_text(began.get("plan")),
        step=_text(began.get("step")) or place.folder.name,
        argv=tuple(map(_text, words)) if isinstance(words, list) else (),
        started=clock.moment(began.get("started")),
        ended=clock.moment(ended.get("ended")),
        exit=_number(code),
        alive=works,
        seen=place.seen.exists(),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    return value if type(value) is int else None


def keep_few(state: str) -> None:
    """Remove the oldest finished ones beyond 50, but none whose end nobody has seen within 90 days.

    Folders in which nothing was begun go after a day.
    """
    finished = [place for place in places(state) if not alive(place)]
    long_ago = time.time_ns() - UNSEEN_DAYS * 86400 * 10**9
    for place in finished[KEPT:]:
        if place.seen.exists() or _time(read_json(place.began).get("started")) < long_ago:
            _remove(place)
    for place in list(_all(state)):
        with contextlib.suppress(OSError):
            if not place.began.exists() and place.folder.stat().st_mtime < time.time() - 86400 and not alive(place):
                _remove(place)


def _time(text: object) -> int:
    try:
        return clock.nanoseconds(str(text))
    except Refused:
        return 0


def _remove(place: DetachedFolder) -> None:
    # What says that it ever began goes first: a removal that is cut off leaves no command whose end nobody saw,
    # but a folder in which nothing was begun, and is taken up again.
    with contextlib.suppress(OSError):
        for entry in (place.began, *place.folder.iterdir()):
            entry.unlink(missing_ok=True)
        place.folder.rmdir()
