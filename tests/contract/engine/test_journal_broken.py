"""A journal that is none is put aside, whole, and a new one begins; a full or read-only disk is another matter."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.engine import spool
from runner.engine.aside import trouble
from runner.engine.journal import Journal
from runner.engine.spool import Spool
from runner.model.errors import RunnerError
from tests.contract.engine.test_journal import NOW, PLAN, STEP, opened, path

__all__ = ["path"]


def made(path: Path) -> None:
    """A journal with something in it."""
    with opened(path) as journal:
        journal.run_started("run", NOW)
        for number in range(60):
            journal.plan_started("run", PLAN, {"text": "x" * 3000})
            journal.step_started(f"{PLAN.id} {number} {'x' * 3000}", STEP, NOW)


def written(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def torn(path: Path) -> None:
    made(path)
    os.truncate(path, path.stat().st_size // 2)


def rotten(path: Path) -> None:
    made(path)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(40960))


def foreign(path: Path, statement: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(statement)


def folder(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "file").touch()


def fifo(path: Path) -> None:
    path.parent.mkdir(parents=True)
    os.mkfifo(path)


BROKEN: dict[str, Callable[[Path], None]] = {
    "garbage": lambda path: written(path, b"something else entirely\n" * 400),
    "empty": lambda path: written(path, b""),
    "torn": torn,
    "rotten": rotten,
    "folder": folder,
    "fifo": fifo,
    "another program's": lambda path: foreign(path, "CREATE TABLE runs (x)"),
    "lacks a column": lambda path: foreign(path, "CREATE TABLE announcements (job TEXT, at TEXT)"),
    "newer": lambda path: foreign(path, "PRAGMA user_version = 4"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_journal_is_put_aside_and_a_new_one_begins(path: Path, kind: str) -> None:
    BROKEN[kind](path)
    beside = path.with_name(path.name + "-wal")
    with opened(path) as journal:
        assert journal.runs() == () and journal.last_success() == {}
        (aside,) = journal.asides.untold()
        journal.run_started("run", NOW)
        assert journal.asides.since() == aside.at
    there = Path(aside.path)
    word = "newer" if kind == "newer" else "broken"
    assert there.parent == path.parent and there.name.startswith(f"journal.{word}-")
    assert aside.newer == (kind == "newer") and aside.why
    assert stat.S_ISREG(path.stat().st_mode) and path.stat().st_mode & 0o777 == 0o600
    assert not beside.exists() or beside.stat().st_mode & 0o077 == 0
    with opened(path) as journal:
        assert [one.id for one in journal.runs()] == ["run"], "the new one is a journal like any other"
        journal.asides.mention(aside)
        assert journal.asides.untold() == () and journal.asides.since() == aside.at


def test_two_in_one_second_do_not_overwrite_each_other(path: Path) -> None:
    for _ in range(3):
        written(path, b"garbage" * 100)
        Journal(path).close()
    assert len(list(path.parent.glob("journal.broken-*"))) == 3


def test_the_log_beside_it_goes_with_it(path: Path) -> None:
    written(path, b"garbage" * 100)
    path.with_name("journal.sqlite-wal").write_bytes(b"of the old one")
    with opened(path) as journal:
        (aside,) = journal.asides.untold()
    assert Path(f"{aside.path}-wal").read_bytes() == b"of the old one"


def test_the_log_of_a_journal_that_was_taken_away_is_not_played_into_the_new_one(path: Path) -> None:
    log = path.with_name(f"{path.name}-wal")
    with opened(path) as journal:
        journal.run_started("old", NOW)
        left = log.read_bytes()
    path.unlink()
    log.write_bytes(left)
    with opened(path) as journal:
        assert left and journal.runs() == ()


def test_a_journal_that_breaks_while_it_is_open_is_told_and_the_next_run_begins_anew(path: Path) -> None:
    made(path)
    with opened(path) as journal:
        rotten_pages = os.urandom(path.stat().st_size - 8192)
        with path.open("r+b") as file:
            file.seek(8192)
            file.write(rotten_pages)
        with pytest.raises(RunnerError, match="the next run puts it aside"):
            journal._rows("PRAGMA shrink_memory")
            journal._rows("SELECT * FROM steps ORDER BY log")
    with opened(path) as journal:
        assert journal.asides.untold()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("size=16k", r"cannot be used: no space is left on its disk \(.*\n.*make room there"),
        ("ro", r"cannot be used: Read-only file system\n.*its filesystem is read-only: .*; nothing runs unrecorded"),
    ],
)
def test_a_disk_that_is_full_or_read_only_is_no_broken_journal(path: Path, options: str, words: str) -> None:
    path.parent.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"{options},nr_inodes=20", "none", str(path.parent))
    subprocess.run(mount, check=True)
    try:
        with pytest.raises(RunnerError, match=words):
            Journal(path)
        assert list(path.parent.iterdir()) == []
    finally:
        subprocess.run(("umount", str(path.parent)), check=True)


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode = code
    return error


FULL = "no space is left on its disk (what SQLite says)"
ELSE = "see that its disk works"


@pytest.mark.parametrize(
    ("error", "me", "changes", "why", "do"),
    [
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 1000, {}, "Disk quota exceeded", "free room there: this user"),
        (OSError(errno.EACCES, "Permission denied"), 0, {"bfree": 0}, "Permission denied", "it is another user's"),
        (sqlite_error(sqlite3.SQLITE_FULL), 0, {}, FULL, "make room there"),
        (sqlite_error(sqlite3.SQLITE_CANTOPEN), 0, {}, "what SQLite says", ELSE),
        (sqlite_error(sqlite3.SQLITE_IOERR_WRITE), 1000, {"bavail": 0}, FULL, "make room there"),
        (sqlite_error(sqlite3.SQLITE_IOERR_WRITE), 0, {"bavail": 0}, "what SQLite says", ELSE),
        (sqlite_error(sqlite3.SQLITE_CANTOPEN), 1000, {"favail": 0}, FULL, "make room there"),
        (sqlite_error(sqlite3.SQLITE_CANTOPEN), 0, {"favail": 0}, "what SQLite says", ELSE),
        (sqlite_error(sqlite3.SQLITE_CANTOPEN), 0, {"bfree": 0, "flag": os.ST_RDONLY}, "what SQLite says", ELSE),
        (sqlite_error(sqlite3.SQLITE_IOERR_SHORT_READ), 0, {"bfree": 0}, FULL, "make room there"),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), 0, {"bfree": 0}, "what SQLite says", "the next run puts it aside"),
    ],
)
def test_the_cause_decides_what_to_do_and_only_root_may_use_what_is_reserved(
    error: Exception, me: int, changes: dict[str, int], why: str, do: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"bfree": 9000, "bavail": 9000, "frsize": 4096, "files": 100, "ffree": 9, "favail": 9, "flag": 0, **changes}
    space = SimpleNamespace(**{f"f_{name}": value for name, value in known.items()})
    monkeypatch.setattr(os, "statvfs", lambda folder: space)
    monkeypatch.setattr(os, "geteuid", lambda: me)
    told = trouble(Path("/state/journal.sqlite"), error)
    assert told.text == f"the journal /state/journal.sqlite cannot be used: {why}"
    assert told.do.startswith(do)


def test_what_a_killed_run_spooled_is_swept_and_what_a_living_one_does_is_not(tmp_path: Path) -> None:
    spool.sweep(tmp_path / "nowhere", lambda plan: False)
    for name in ("left", "known", "kept"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "output").touch()
    living = Spool(tmp_path, "living")
    with living.open(STEP) as keep:
        keep(b"on its way")
        spool.sweep(tmp_path, lambda plan: plan == "known")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["kept", "known", "living"]
    living.close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["kept", "known"]
