"""What a verb that only looks works with where the state takes nothing: a whole copy or none, and nothing is left."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from runner.engine.journal import Journal
from runner.model.errors import RunnerError
from runner.verbs import spare
from runner.verbs.spare import Spare
from tests.contract.engine.test_journal import NOW, opened, path
from tests.contract.engine.test_journal_broken import BROKEN, made
from tests.contract.site import PATIENCE, REPOSITORY
from tests.unit.parts import site

__all__ = ["path"]
FIRST = RunnerError("the journal cannot be used: it is read-only", do="remount it")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spare]:
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr(spare, "_MEMORY", str(tmp_path / "memory"))
    used = Spare()
    yield used
    used.close()
    assert list((tmp_path / "memory").iterdir()) == []


def test_what_is_in_the_log_beside_the_journal_is_in_the_copy(path: Path, kept: Spare) -> None:
    with opened(path) as journal:
        journal.run_started("run", NOW)
        with closing(kept.journal(path, FIRST)) as copy:
            assert [run.id for run in copy.runs()] == ["run"]
    assert kept.why == f"{FIRST.text}; what is shown is from a copy of it"


def test_where_there_is_no_journal_yet_nothing_has_run_and_that_is_said(path: Path, kept: Spare) -> None:
    with closing(kept.journal(path, FIRST)) as copy:
        assert copy.runs() == () and kept.why == f"{FIRST.text}; there is none there yet"


@pytest.mark.parametrize("kind", ["torn", "rotten", "empty", "newer", "folder"])
def test_half_a_journal_answers_nothing_and_is_not_put_aside(path: Path, kept: Spare, kind: str) -> None:
    BROKEN[kind](path)
    before = sorted(path.parent.iterdir())
    with pytest.raises(RunnerError) as stopped:
        kept.journal(path, FIRST)
    assert stopped.value is FIRST and kept.why == ""
    assert sorted(path.parent.iterdir()) == before and not list(kept.folder.glob("journal.*-*"))


@pytest.mark.parametrize("end", ["", "-wal"])
def test_a_copy_that_has_no_room_answers_nothing(
    path: Path, kept: Spare, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copyfile(source: str | Path, target: str | Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:8192])
        if str(source) == f"{path}{end}":
            raise OSError(errno.ENOSPC, "No space left on device")

    made(path)
    path.with_name(f"{path.name}-wal").touch()
    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(RunnerError) as stopped:
        kept.journal(path, FIRST)
    assert stopped.value is FIRST and kept.why == ""


def test_where_memory_is_full_as_well_people_hear_of_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    Journal(path).close()
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    without = Spare()
    for ask in (lambda: without.journal(path, FIRST), lambda: without.ssh_config(site(), FIRST)):
        with pytest.raises(RunnerError) as stopped:
            ask()
        assert stopped.value is FIRST
    without.close()


def test_a_configuration_without_room_is_the_first_trouble_again(kept: Spare) -> None:
    (kept.folder / "ssh_config/is a folder").mkdir(parents=True)
    with pytest.raises(RunnerError) as stopped:
        kept.ssh_config(site(), FIRST)
    assert stopped.value is FIRST


PROGRAM = """
import os, signal, sys
from runner.verbs.spare import Spare
number = int(sys.argv[1])
signal.signal(number, signal.SIG_IGN if sys.argv[2:] else signal.SIG_DFL)
folder = Spare().folder
print(folder, flush=True)
os.kill(os.getpid(), number)
print("alive", folder.is_dir(), flush=True)
folder.rmdir()
"""


def ended_by(number: int, *more: str) -> tuple[int, list[str]]:
    """How a process with a folder of its own ends when it gets this signal, and what it said."""
    argv = (sys.executable, "-c", PROGRAM, str(number), *more)
    known = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(argv, env=known, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return ran.returncode, ran.stdout.splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_is_ended_by_a_signal_leaves_no_copy(number: signal.Signals) -> None:
    code, said = ended_by(number)
    assert code == -number and len(said) == 1 and not Path(said[0]).exists()


def test_a_signal_that_is_ignored_stays_so() -> None:
    code, said = ended_by(signal.SIGHUP, "ignored")
    assert code == 0 and said[1:] == ["alive True"]
