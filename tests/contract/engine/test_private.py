"""A file of the state: whole or not at all, for its owner alone, and no draft of it stays."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from runner.tools import private


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended, and was waited for."""
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_it_is_there_whole_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state/file"
    for content in ("first", "zweite \u00fc"):
        private.put(path, content)
        assert path.read_text("utf-8") == content
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path)] == [0o700, 0o600]
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "report.json/is a folder").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        private.put(tmp_path / "report.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_full_disk_leaves_no_draft_and_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    private.put(path, "first")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        private.put(path, "second")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_drafted_is_swept_and_what_others_do_is_left(tmp_path: Path, gone: int) -> None:
    ours, others = tmp_path / f".file.{os.getpid()}.tmp", tmp_path / f".file.{os.getppid()}.tmp"
    strangers = [tmp_path / name for name in ("file.1.tmp", ".file.tmp", ".file.x.tmp", ".1.tmp", "other")]
    for path in (ours, others, *strangers, tmp_path / f".other.{gone}.tmp", tmp_path / f".file.{2**70}.tmp"):
        path.touch()
    (tmp_path / f".folder.{gone}.tmp").mkdir()
    private.put(tmp_path / "file", "content")
    left = {others, *strangers, tmp_path / "file", tmp_path / f".folder.{gone}.tmp"}
    assert set(tmp_path.iterdir()) == left


def test_a_link_in_the_place_of_the_draft_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / f".file.{os.getpid()}.tmp").symlink_to("elsewhere")
    private.put(tmp_path / "file", "content")
    assert (tmp_path / "elsewhere").read_text() == "kept" and not (tmp_path / "file").is_symlink()
