"""A carried command's folder: what it was, what it said, how it ended. One for each step of a plan."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import clock
from ..answer import Refused, emit, table
from ..arguments import parse_as
from ..host import processes
from ..store import lock
from ..store.layout import read_json
from .contract import Carried, ListCarried, Listed

STATE = "/var/lib/runner"
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:._/-]{0,199}")
KEPT = 50
AT_WORK = 0


UNTOLD_DAYS = 90


class Carriage(NamedTuple):
    """The folder of one carried command and the places in it; nothing here looks at the disk."""

    folder: Path

    @property
    def lock(self) -> Path:
        """Locked by the worker for as long as it lives; fcntl(2)."""
        return self.folder / "lock"

    @property
    def began(self) -> Path:
        """What was started, when, in which boot. Without it nothing ever was."""
        return self.folder / "began.json"

    @property
    def child(self) -> Path:
        """The command's own process, which outlives a worker that is killed, and how it ended."""
        return self.folder / "child.json"

    @property
    def before(self) -> Path:
        """Packages and configuration files as they were."""
        return self.folder / "before.json"

    @property
    def output(self) -> Path:
        """What the command printed."""
        return self.folder / "output"

    @property
    def ended(self) -> Path:
        """The answer, once there is one."""
        return self.folder / "ended.json"

    @property
    def told(self) -> Path:
        """Is there once a person has been told of the end."""
        return self.folder / "told"

    @property
    def room(self) -> Path:
        """Room on the disk that is given back when the answer is written: the command may fill the disk."""
        return self.folder / "room"


def carriage(state: str, plan: str, step: str) -> Carriage:
    """The place of step `step` of plan `plan`, there or not. Raises Refused for names that are none."""
    for word in (plan, step):
        if not WORD.fullmatch(word) or ".." in word:
            raise Refused(f"--plan and --step want ids of a plan: {word!a}", "see docs/store.md")
    name = f"{plan}.{step}".replace("/", ".")
    return Carriage(folder_of(state) / name)


def carriages(state: str) -> list[Carriage]:
    """Everything that was ever begun here and is still known, newest first."""
    try:
        found = [Carriage(entry) for entry in folder_of(state).iterdir() if (entry / "began.json").is_file()]
    except OSError:
        return []
    return sorted(found, key=lambda each: str(read_json(each.began).get("started", "")), reverse=True)


def at_work(place: Carriage) -> bool:
    """Whether a worker looks after it now."""
    try:
        descriptor = os.open(place.lock, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return lock.held_by(descriptor, AT_WORK) is not None
    finally:
        os.close(descriptor)


def orphaned(place: Carriage) -> bool:
    """Whether the command itself still runs although its worker is gone."""
    child = read_json(place.child)
    pid, since = child.get("pid"), child.get("since")
    if child.get("boot_id") != processes.boot_id() or not isinstance(pid, int):
        return False
    return bool(since) and since == processes.started(pid)


def alive(place: Carriage) -> bool:
    """Whether it still works: the command, or what comes after it."""
    return at_work(place) or orphaned(place)


def working(state: str) -> Mapping[str, Any] | None:
    """What was begun about the host's packages and still works, as the holder of a lock; None if nothing."""
    for place in carriages(state):
        began = read_json(place.began)
        if began.get("packages") and not place.ended.exists() and alive(place):
            return {
                "plan": str(began.get("plan", "")),
                "who": f"step {began.get('step', '')}, which goes on without its runner",
                "pid": int(read_json(place.child).get("pid", 0) or began.get("pid", 0)),
                "since": began.get("started"),
            }
    return None


def folder_of(state: str) -> Path:
    """Where all that was begun here is kept."""
    return Path(state or STATE).resolve() / "carried"


def run(argv: Sequence[str]) -> int:
    """Print `{"carried": [{"plan", "step", "argv", "started", "ended", "exit", "alive", "told"}...]}`.

    Newest first, at most 50. `exit` is null where it still works or nobody saw its end.
    """
    emit(read(argv))
    return 0


def read(argv: Sequence[str]) -> dict[str, Any]:
    """What `run` prints; changes nothing."""
    options = parse_as(ListCarried, argv)
    answer: dict[str, Any] = table(Listed(tuple(_about(place) for place in carriages(options.state)[:KEPT])))
    return answer


def _about(place: Carriage) -> Carried:
    works = alive(place)
    began, ended = read_json(place.began), read_json(place.ended)
    return Carried(
        plan=began.get("plan", ""),
        step=began.get("step", ""),
        argv=tuple(began.get("argv", ())),
        started=clock.moment(began.get("started")),
        ended=clock.moment(ended.get("ended")),
        exit=ended.get("exit", None if works else read_json(place.child).get("exit")),
        alive=works,
        told=place.told.exists(),
    )


def keep_few(state: str) -> None:
    """Remove the oldest finished ones beyond 50, but none that nobody was told of within 90 days.

    Folders in which nothing was begun go after a day.
    """
    finished = [place for place in carriages(state) if not alive(place)]
    long_ago = time.time_ns() - UNTOLD_DAYS * 86400 * 10**9
    for place in finished[KEPT:]:
        if place.told.exists() or _time(read_json(place.began).get("started")) < long_ago:
            _remove(place)
    for place in _never_begun(state):
        _remove(place)


def _never_begun(state: str) -> list[Carriage]:
    found = []
    with contextlib.suppress(OSError):
        for entry in folder_of(state).iterdir():
            place = Carriage(entry)
            if not place.began.exists() and entry.stat().st_mtime < time.time() - 86400 and not alive(place):
                found.append(place)
    return found


def _time(told: object) -> int:
    try:
        return clock.nanoseconds(str(told))
    except Refused:
        return 0


def _remove(place: Carriage) -> None:
    # What says that it ever began goes last, so that a removal that is cut off is taken up again.
    with contextlib.suppress(OSError):
        for entry in sorted(place.folder.iterdir(), key=lambda each: each == place.began):
            entry.unlink()
        place.folder.rmdir()
