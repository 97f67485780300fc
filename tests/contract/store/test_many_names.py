"""A stranger decides how many names a folder has, which cost him nothing: what walks it keeps none of them."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent import tree
from runner.agent.snapshots import restored
from runner.agent.store import received
from tests.trees import make_tree

# Linked to one file, as one who sends them would.
MANY = 20_000
MOST = 400_000


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "crowded"
    folder.mkdir()
    (folder / "first").touch()
    for number in range(1, MANY):
        os.link(folder / "first", folder / f"n{number:08}")
    yield folder
    shutil.rmtree(folder)


def test_each_name_is_there_once_and_a_folder_before_what_is_in_it(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", seed=3, files=60)
    root = os.open(tmp_path / "tree", tree.FOLDER)
    try:
        expected = [b"/".join((top.path, each.name)) for top in tree.folders(root) for each in top.entries]
        found = [b"/".join((path, entry.name)) for _, path, entry in tree.names(root)]
    finally:
        os.close(root)
    assert sorted(found) == sorted(expected) and len(set(found)) == len(found) > 60
    places = {path.removeprefix(b"/"): number for number, path in enumerate(found)}
    for path, number in places.items():
        assert places.get(path.rpartition(b"/")[0], -1) < number


@pytest.mark.parametrize("look", [received.is_alone, restored._changed, restored._take])
def test_what_walks_a_crowded_folder_takes_no_more_for_it(crowded: Path, look: object) -> None:
    assert callable(look)
    tracemalloc.start()
    try:
        look(crowded)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()


def test_too_many_files_that_wait_for_another_name_are_not_known_to_be_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        (tmp_path / f"a{number}").touch()
    for folder in ("b", "c"):
        (tmp_path / folder).mkdir()
        for number in range(9):
            os.link(tmp_path / f"a{number}", tmp_path / folder / f"a{number}")
    assert received.is_alone(tmp_path)
    monkeypatch.setattr(received, "_WAITING", 8)
    assert not received.is_alone(tmp_path)
