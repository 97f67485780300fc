"""A site whose hosts answer what the real agent once answered them, over the real ways: one of them may lie."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from runner import __main__ as door
from runner.engine import execute
from runner.hosts import session
from runner.hosts.session import Carrier, CommandFailure
from runner.hosts.transport import Local, Result, Transport
from runner.model.facts import Facts
from runner.verbs.app import App
from tests.contract.hosts.mutations import Lie
from tests.contract.site import SECOND, Place

PAPIO, BAD = "papio", "backup-server1"
JOBS = (
    SECOND
    + """
[stores.server]
host = "papio"
path = "/srv/backups/server"
retention = { min = 1, max = 1, per_day = 400 }
[jobs.backup-server]
kind = "snapshot"
host = "backup-server1"
store = "server"
schedule = "15 5 * * *"
[jobs.purge-papio]
kind = "prune"
store = "papio"
[jobs.check-papio]
kind = "check"
store = "papio"
[jobs.audit-papio]
kind = "audit"
store = "papio"
[jobs.drill-papio]
kind = "drill"
store = "papio"
"""
)
# What the backup server is asked for goes into these jobs, and `OTHER` needs nothing of it.
OTHER = "second-copy"
RUNS = ("backup-papio", "backup-server", "purge-papio", "check-papio", "audit-papio", "drill-papio", OTHER)
FIRST = ("backup-papio", "backup-server", OTHER)

Key = tuple[str, ...]
Lies = Callable[[str, bytes, int | None], Lie | None]
# A plan that is made again has another id, and the same commands.
PLAN = re.compile(r"\d{8}T\d{6}\.\d{3}Z")


def verb_of(argv: tuple[str, ...]) -> str:
    """What a command is for, in a word: the verb of the agent, or the program."""
    if argv[0] == "python3":
        return argv[7] if len(argv) > 7 else "probe"
    agent = [at for at, word in enumerate(argv) if word.endswith("/runner-agent")]
    return argv[agent[0] + 1] if agent else argv[0].rpartition("/")[2]


def key_of(argv: tuple[str, ...], stdin: object) -> Key:
    """By what an answer is found again: the command, or the question without the program that goes before it."""
    asked = stdin[-1].decode() if argv[0] == "python3" and isinstance(stdin, tuple) else ""
    words = (*argv[7:], asked) if argv[0] == "python3" else argv
    return tuple(PLAN.sub("PLAN", word) for word in words)


@dataclass(kw_only=True)
class Tape:
    """What one host answered: for each command the ends and outputs, in order."""

    answers: dict[Key, list[tuple[int | None, bytes]]] = field(default_factory=lambda: defaultdict(list))
    verbs: Counter[str] = field(default_factory=Counter)


class Recording(Local):
    """This machine, whose answers are kept on a tape."""

    def __init__(self, way: Transport, tape: Tape) -> None:
        super().__init__(way.host, way.agent)
        self._tape = tape

    def run(self, argv: tuple[str, ...], **options: Any) -> Result:
        """As ever, and on the tape."""
        heard, sink = bytearray(), options.pop("sink", None)

        def hear(data: bytes) -> None:
            heard.extend(data)
            if sink:
                sink(data)

        result = super().run(argv, sink=hear, **options)
        self._tape.answers[key_of(argv, options.get("stdin"))].append((result.exit, bytes(heard)))
        self._tape.verbs[verb_of(argv)] += 1
        return result


class Clock:
    """The time of this machine, which a thread may have pass for itself."""

    def __init__(self) -> None:
        self._own = threading.local()

    def monotonic(self) -> float:
        """Seconds, with those that passed for this thread."""
        return real_monotonic() + getattr(self._own, "passed", 0.0)

    def passes(self, seconds: float) -> None:
        """So many more seconds for this thread."""
        self._own.passed = getattr(self._own, "passed", 0.0) + seconds


real_monotonic = session.time.monotonic
CLOCK = Clock()
STEP = 3600.0


class PlayedSession:
    """A command that says what is on the tape, or a lie."""

    linger = 0.0
    shell = b""

    def __init__(self, told: Lie, *, holds: bool, timeout: float) -> None:
        self.exit, self.timeout, self.waited = told.exit, timeout, 0.0
        self._told, self._holds = told, holds
        self._errors = iter([told.err] if told.err else [])
        self._said, self._given, self._over = threading.Event(), threading.Event(), threading.Event()

    def read(self, err: bool) -> bytes | None:
        """The next piece."""
        if self._over.is_set():
            return b""
        piece = next(self._errors if err else self._told.pieces, b"")
        if piece:
            return piece
        if not err:
            self._said.set()
        if self._told.silent and not self._over.wait(0.02):
            return None
        return b""

    def write(self, data: bytes) -> int:
        """All is taken."""
        return len(data)

    def end_input(self) -> None:
        """Whoever holds lets go."""
        self._given.set()

    def wait(self, seconds: float) -> bool:
        """Whether it ended; a silent one has an hour pass for whoever waits."""
        if self._told.silent and not (self._holds and self._given.is_set()):
            if not self._holds:
                CLOCK.passes(STEP)
                self.waited += STEP
            return self._over.wait(0.001 if not self._holds else 0.02)
        until = self._given if self._holds and not self._over.is_set() else self._said
        return until.wait(seconds) or self._over.is_set()

    def signal(self, number: int) -> None:
        """It ends at once."""
        self._over.set()
        self._said.set()

    def moved(self) -> int:
        """Nothing."""
        return 0

    def close(self) -> None:
        """It is over."""
        self._over.set()

    def failure(self, carrier: Carrier) -> CommandFailure:
        """As of a local command."""
        return CommandFailure(carrier.error, brief=carrier.error)


class Played(Transport):
    """A host as it is on its tape; `lies` says what is told instead, given the verb, the output and the end."""

    def __init__(self, host: str, tape: Tape, lies: Lies = lambda verb, out, ended: None) -> None:
        super().__init__(host)
        self.asked: list[tuple[str, ...]] = []
        self.sessions: list[PlayedSession] = []
        self.lacking: list[Key] = []
        self._answers = {key: list(each) for key, each in tape.answers.items()}
        self._lies, self._lock = lies, threading.Lock()
        self._local = threading.local()

    def run(self, argv: tuple[str, ...], **options: Any) -> Result:
        """As any way does, which knows what it is asked."""
        self._local.timeout = options["timeout"]
        self._local.key = key_of(argv, options.get("stdin"))
        return super().run(argv, **options)

    def _open(self, argv: tuple[str, ...]) -> PlayedSession:  # type: ignore[override]
        verb = verb_of(argv)
        key = self._local.key
        with self._lock:
            self.asked.append(argv)
            known = self._answers.get(key)
            if not known:
                self.lacking.append(key)
                ended, out = 1, b'{"error": "this was not asked when it was recorded", "do": "look there"}\n'
            else:
                ended, out = known.pop(0) if len(known) > 1 else known[0]
            told = self._lies(verb, out, ended) or Lie(pieces=iter([out]), exit=ended)
            holds = verb in ("hold", "hold-host", "reading")
            self.sessions.append(PlayedSession(told, holds=holds, timeout=self._local.timeout))
            return self.sessions[-1]


@dataclass(kw_only=True)
class Said:
    """How a verb of the command line ended, and all that it showed and wrote for people."""

    code: int
    text: str
    files: Mapping[str, bytes]


@dataclass(kw_only=True)
class Recorded:
    """A site, what its hosts answered, and its journal as it was before that."""

    place: Place
    tapes: Mapping[str, Tape]
    at: datetime

    def said(self, ways: Mapping[str, Transport], *argv: str) -> Said:
        """What `runner ARGV` does where the hosts are these."""
        shown, plans, reads = io.StringIO(), [0], App.gather_any

        def now(app: App) -> datetime:
            return self.at + timedelta(milliseconds=plans[0])

        def gather(app: App, *given: Any) -> Facts:
            plans[0] += 1
            return reads(app, *given)

        with (
            mock.patch.object(App, "transports", dict(ways)),
            mock.patch.object(App, "now", now), mock.patch.object(App, "gather_any", gather),
            mock.patch.object(session, "time", CLOCK), mock.patch.object(execute, "_LOCK_PATIENCE", 2.0),
            contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown), contextlib.chdir(self.place.folder),
        ):  # fmt: skip
            code = door.run(argv)
        mails = {path.name: path.read_bytes() for path in (self.place.sandbox / "mail").iterdir()}
        return Said(code=code, text=shown.getvalue(), files=mails)

    def again(self) -> None:
        """Back to the journal of before."""
        shutil.rmtree(self.place.state)
        shutil.copytree(self.place.folder.parent / "state", self.place.state)
        for mail in (self.place.sandbox / "mail").iterdir():
            mail.unlink()
        (self.place.folder.parent / "plan.toml").unlink(missing_ok=True)

    def scenarios(self) -> Mapping[str, list[tuple[str, ...]]]:
        """For each verb that the backup server is asked for, the lines of `runner` that ask for it."""
        lines = [("run", job, OTHER) for job in RUNS[:-1]] + [ask(self.place.folder.parent) for ask in ASKED]
        known: dict[str, list[tuple[str, ...]]] = {}
        # The whole day only for what no shorter one asks for.
        for argv in (*lines, ("run", *RUNS)):
            ways = {name: Played(name, tape) for name, tape in self.tapes.items()}
            self.again()
            # A run looks twice with one question, and a tape has the answers of one day: what a step was answered
            # may not be in the history that is played, which is told (3).
            if self.said(ways, *argv).code in (0, 3) and not any(way.lacking for way in ways.values()):
                for verb in dict.fromkeys(map(verb_of, ways[BAD].asked)):
                    if argv[1:] != RUNS or verb not in known:
                        known.setdefault(verb, []).append(argv)
        return known


def recorded(folder: Path) -> Recorded:
    """Two days of a small site, really run; of the second the answers are kept."""
    for tree in ("tree", "there"):
        (folder / tree).mkdir()
        (folder / tree / "file").write_text("the first day")
        (folder / tree / "gone").write_text("gone the next")
    place = Place(folder=folder / "site", trees=(folder / "tree",))
    place.declare(JOBS)
    file = place.folder / "jobs.toml"
    known = file.read_text().replace("[sandbox]", f'[sandbox]\nbackup-server1 = ["{folder}/there"]')
    file.write_text(known.replace("{ min = 30, max = 400 }", "{ min = 1, max = 1, per_day = 400 }"))
    assert place.runner("run", *FIRST).code == 0
    assert place.runner("run", "backup-papio").code == 0
    for tree in ("tree", "there"):
        (folder / tree / "file").write_text("the second day, and longer")
        (folder / tree / "gone").unlink()
        (folder / tree / "new").write_text("new")
    shutil.copytree(place.state, folder / "state")
    tapes = {PAPIO: Tape(), BAD: Tape()}
    made = Recorded(place=place, tapes=tapes, at=datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1))
    ways = _recording(place, tapes)
    for argv in (*(("plan", job, OTHER) for job in RUNS[:-1]), *(ask(folder) for ask in ASKED)):
        told = made.said(ways, *argv)
        assert told.code == 0, told.text
    told = made.said(ways, "run", *RUNS)
    assert told.code == 0, told.text
    return made


def _recording(place: Place, tapes: Mapping[str, Tape]) -> dict[str, Transport]:
    from runner.verbs.load import load

    with App(load(place.folder / "jobs.toml"), lambda event: None, threading.Event()) as app:
        ways = dict(app.transports)
    return {name: Recording(way, tapes[name]) for name, way in ways.items()}


# What a person asks, each with the verbs of the agent that answer it.
ASKED: tuple[Callable[[Path], tuple[str, ...]], ...] = (
    lambda folder: ("snapshots",),
    lambda folder: ("snapshots", "--json"),
    lambda folder: ("snapshots", "--unique", "papio"),
    lambda folder: ("snapshots", "--exceptions", "latest", "papio"),
    lambda folder: ("find", f"{folder}/tree/file"),
    lambda folder: ("find", f"{folder}/tree/file", "--json"),
    lambda folder: ("find", "*file*", "--store=papio"),
    lambda folder: ("diff", "--store=papio"),
    lambda folder: ("diff", "--store=papio", "--json"),
    lambda folder: ("status",),
    lambda folder: ("status", "--json"),
    lambda folder: ("history",),
    lambda folder: ("history", "papio"),
    lambda folder: ("history", "papio", "--json"),
    lambda folder: ("bare-metal", "papio", "--store=papio"),
    lambda folder: ("restore", "papio", f"{folder}/tree/file", "--store=papio", f"--out={folder}/plan.toml"),
)
