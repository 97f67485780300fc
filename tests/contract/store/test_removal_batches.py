"""A folder with more names than are known at once is removed in batches, and what cannot go is counted once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.agent import removal


@pytest.mark.parametrize("batch", [1, 3, 7, 1000])
def test_a_folder_of_many_names_is_removed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr(removal, "BATCH", batch)
    most = 0
    unlinked = removal._unlinked

    def counted(folder: int, names: list[str]) -> int:
        nonlocal most
        most = max(most, len(names))
        return unlinked(folder, names)

    monkeypatch.setattr(removal, "_unlinked", counted)
    for inner in ("", "a/", "a/b/", "c/"):
        (tmp_path / f"tree/{inner}").mkdir(parents=True)
        for number in range(20):
            (tmp_path / f"tree/{inner}{number}").touch()
    parent = os.open(tmp_path, os.O_RDONLY)
    try:
        assert removal.remove_folder(parent, b"tree") == (84, 0)
    finally:
        os.close(parent)
    assert not (tmp_path / "tree").exists() and most <= batch
