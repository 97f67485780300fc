"""A small site in a sandbox over given trees, and the real `runner` run in it as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests import trees

T = TypeVar("T")
REPOSITORY = Path(__file__).parents[2]
PATIENCE = 60.0
SITE = """
[site]
name = "babase"
controller = "papio"
timezone = "America/New_York"
live = false
{site}
[people]
admin = ["root@localhost"]
[sandbox]
papio = {trees}
[hosts.papio]
address = "papio.test"
[hosts.backup-server1]
address = "192.0.2.2"
[stores.papio]
host = "backup-server1"
path = "/srv/backups/papio"
retention = {{ min = 30, max = 400 }}
[jobs.backup-papio]
kind = "snapshot"
host = "papio"
store = "papio"
schedule = "15 3 * * *"
{more}
"""
SECOND = """
[stores.second]
host = "papio"
path = "/srv/backups/second"
[jobs.second-copy]
kind = "snapshot"
host = "papio"
store = "second"
schedule = "15 5 * * *"
"""


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a call of `runner` ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A site's folder; `trees` stand in for the filesystems of papio."""

    folder: Path
    trees: tuple[Path, ...]

    def declare(self, more: str = "", *, site: str = "", mail: bool = True) -> None:
        """Write jobs.toml: papio with its trees, one store, one job, and whatever `more` adds."""
        trees = json.dumps([str(tree) for tree in self.trees])
        hooks = "[hooks.mail]\n" if mail else ""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "jobs.toml").write_text(SITE.format(site=site, trees=trees, more=more + hooks))

    def start(self, *argv: str | bytes, **environment: str) -> subprocess.Popen[bytes]:
        """Start `runner argv` in the site's folder, as the leader of a process group."""
        paths = f"{REPOSITORY}:{environment.pop('PYTHONPATH', '')}".rstrip(":")
        known = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        return subprocess.Popen(
            (sys.executable, "-m", "runner", *as_papio(self.folder, argv)), cwd=self.folder, env=known,
            start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def runner(self, *argv: str | bytes, **environment: str) -> Said:
        """Run `runner argv` to its end."""
        return ended(self.start(*argv, **environment))

    @property
    def sandbox(self) -> Path:
        return self.folder / "sandbox"

    @property
    def state(self) -> Path:
        return self.sandbox / "state"

    @property
    def key(self) -> bytes:
        """The key that seals its plans."""
        return (self.state / "plan.key").read_bytes()

    @property
    def store(self) -> Path:
        return self.sandbox / "backup-server1/srv/backups/papio"

    @property
    def sealed(self) -> list[Path]:
        """The sealed snapshots, oldest first."""
        return sorted(path for path in self.store.glob("*Z") if (self.record_path(path)).is_file())

    @property
    def partials(self) -> list[Path]:
        return sorted(self.store.glob(".partial/*Z"))

    def record_path(self, snapshot: Path) -> Path:
        return self.store / ".runner/records" / f"{snapshot.name}.json"

    def record(self, snapshot: Path) -> dict[str, Any]:
        """What the store knows about a snapshot."""
        found: dict[str, Any] = json.loads(self.record_path(snapshot).read_text())
        return found

    def copy_of(self, tree: Path, snapshot: Path | None = None) -> Path:
        """Where `tree` is in a snapshot (the newest)."""
        return Path(f"{snapshot or self.sealed[-1]}{tree}")

    def mails(self) -> list[str]:
        """The reports that were delivered, oldest first."""
        found = sorted((self.sandbox / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_text() for path in found]

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """What the journal answers; its own check must be content first."""
        with contextlib.closing(sqlite3.connect(self.state / "journal.sqlite")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(statement, values)]

    def listing(self) -> Mapping[str, tuple[int, int]]:
        """Every name below the site's folder but the state's, with its size and time of change."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            if not path.is_relative_to(self.state):
                status = path.lstat()
                found[str(path)] = (0 if path.is_dir() else status.st_size, status.st_ctime_ns)
        return found


def small(folder: Path, more: str = "") -> Place:
    """A site in `folder` over a tree of one file, `tree/file`; nothing has run."""
    (folder / "tree").mkdir()
    (folder / "tree/file").write_text("content\n")
    made = Place(folder=folder / "site", trees=(folder / "tree",))
    made.declare(more)
    return made


def as_papio(folder: Path, argv: Sequence[T]) -> tuple[T | str, ...]:
    """`argv` of a runner whose site in `folder` may be live: then this machine is papio, whatever its name is."""
    jobs = folder / "jobs.toml"
    live = jobs.is_file() and b"live = true" in jobs.read_bytes()
    return (*argv[:1], "--here=papio", *argv[1:]) if live and argv[0] not in ("validate", "config") else tuple(argv)


@contextlib.contextmanager
def entered(folder: str = "/tmp", prefix: str = "entered-") -> Iterator[Path]:
    """A folder that everybody may enter, which one below pytest's own is not; its path is short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    try:
        made.chmod(0o755)
        yield made
    finally:
        shutil.rmtree(made)


def tree_without_holes(path: Path) -> None:
    """A tree of everything hard but large sparse files, which take long to compare."""
    trees.make_tree(path, files=40)
    for name in ("sparse", "all hole"):
        (path / "special" / name).unlink()


def ended(process: subprocess.Popen[bytes]) -> Said:
    """Wait for a started `runner`; bytes that are not UTF-8 show as such."""
    out, err = (os.fsdecode(told or b"") for told in process.communicate(timeout=PATIENCE))
    return Said(code=process.returncode, out=out, err=err)


def until(found: Callable[[], T | None]) -> T:
    """What `found` gives once it gives anything; fails after a while."""
    deadline = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)
    return value


def children(pid: int) -> list[tuple[int, tuple[str, ...]]]:
    """The descendants of a process with their argv, those of `pid` itself first."""
    found: list[tuple[int, tuple[str, ...]]] = []
    todo = [pid]
    while todo:
        paths: list[Path] = []
        # Each of them may end at any moment, and its folder with it.
        with contextlib.suppress(OSError):
            paths += Path(f"/proc/{todo.pop()}/task").glob("*/children")
        for path in paths:
            with contextlib.suppress(OSError):
                for child in map(int, path.read_text().split()):
                    words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[:-1]
                    found.append((child, tuple(map(os.fsdecode, words))))
                    todo.append(child)
    return found


def senders(pid: int) -> list[int]:
    """The rsync that a runner has started for a transfer, and those that it has forked itself."""
    found = children(pid)
    first = [child for child, words in found if words[:2] == ("rsync", "--archive")]
    return [*first, *(child for one in first for child, _ in children(one))]


@contextlib.contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A started `runner` that is gone, with all its children, whatever the test does."""
    try:
        yield process
    finally:
        for pid, _ in children(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()
