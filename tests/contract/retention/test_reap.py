"""Removing the trash: all of it, and nothing that is not in it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.contract.storehouse import NOBODY, Said, Storehouse
from tests.trees import deep

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    house = Storehouse(root=tmp_path / "store", source=tmp_path)
    with house.held():
        pass
    (house.root / ".trash/2026-11-20T010000Z/folder").mkdir(parents=True)
    return house


def reap(house: Storehouse) -> Said:
    with house.held():
        return house.call("reap", str(house.root), "--plan", house.plan)


def test_links_are_removed_and_not_followed(house: Storehouse, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    trash = house.root / ".trash"
    (trash / "2026-11-20T010000Z/link").symlink_to(outside)
    (trash / "top").symlink_to(outside)
    os.mkfifo(trash / "2026-11-20T010000Z/folder/fifo")
    (trash / "2026-11-20T010000Z/folder" / "a\nb").write_text("gone")
    assert reap(house).answer == {"removed": 6}
    assert list(trash.iterdir()) == []
    assert (outside / "kept").read_text() == "kept"


def test_a_trash_that_is_a_link_is_not_touched(house: Storehouse, tmp_path: Path) -> None:
    (house.root / ".trash").rename(tmp_path / "elsewhere")
    (house.root / ".trash").symlink_to(tmp_path / "elsewhere")
    assert reap(house).code == 1
    assert (tmp_path / "elsewhere/2026-11-20T010000Z/folder").is_dir()


@root_only
def test_what_is_mounted_in_the_trash_keeps_its_content(house: Storehouse, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "kept").write_text("kept")
    folder = house.root / ".trash/2026-11-20T010000Z/folder"
    (house.root / ".trash/2026-11-20T010000Z/other").write_text("gone")
    subprocess.run(("mount", "--bind", precious, folder), check=True)
    try:
        result = reap(house)
    finally:
        subprocess.run(("umount", folder), check=True)
    assert result.code == 1
    assert (precious / "kept").read_text() == "kept"
    assert not (house.root / ".trash/2026-11-20T010000Z/other").exists()
    assert reap(house).code == 0


@root_only
@pytest.mark.parametrize("place", [".trash", ".partial/parts"])
def test_what_is_mounted_over_the_trash_itself_keeps_its_content(house: Storehouse, tmp_path: Path, place: str) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/kept").write_text("kept")
    folder = house.root / place
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(("mount", "--bind", tmp_path / "precious", folder), check=True)
    try:
        result = reap(house)
    finally:
        subprocess.run(("umount", folder), check=True)
    gone = 0 if place == ".trash" else 2
    assert result.answer["error"] == f"1 names could not be removed, {gone} were"
    assert (tmp_path / "precious/kept").read_text() == "kept"


def test_where_there_is_no_trash_nothing_went(house: Storehouse) -> None:
    assert reap(house).answer == {"removed": 2}
    (house.root / ".trash").rmdir()
    assert reap(house).answer == {"removed": 0}
    (house.root / ".partial").mkdir()
    assert reap(house).answer == {"removed": 0}


@root_only
def test_folders_that_are_closed_to_their_owner_go_though_he_is_not_root() -> None:
    with tempfile.TemporaryDirectory(prefix="storehouse-") as folder:
        top = Path(folder)
        os.chown(top, 65534, 65534)
        theirs = Storehouse(root=top / "store", source=top, before=NOBODY)
        with theirs.held():
            pass
        for mode in (0o000, 0o100, 0o500, 0o700):
            (top / f"store/.trash/{mode:o}/inner").mkdir(parents=True)
            (top / f"store/.trash/{mode:o}/file").write_text("gone")
            (top / f"store/.trash/{mode:o}/inner").chmod(mode)
            (top / f"store/.trash/{mode:o}").chmod(mode)
        subprocess.run(("chown", "-R", "65534:65534", top), check=True)
        (top / "elsewhere").mkdir(mode=0o500)
        (top / "store/.trash/link").symlink_to(top / "elsewhere")
        assert reap(theirs).answer == {"removed": 13}
        assert list((top / "store/.trash").iterdir()) == []
        assert (top / "elsewhere").stat().st_mode & 0o777 == 0o500


@root_only
def test_protected_files_go_and_their_names_in_snapshots_stay_protected(house: Storehouse) -> None:
    sealed = house.root / "2026-11-21T010000Z"
    sealed.mkdir()
    (sealed / "file").write_text("kept")
    trashed = house.root / ".trash/2026-11-20T010000Z"
    (trashed / "file").hardlink_to(sealed / "file")
    (trashed / "own").write_text("gone")
    (trashed / "folder/inside").write_text("gone")
    protect = ("chattr", "+i", sealed / "file", trashed / "own", trashed / "folder")
    if subprocess.run(protect, check=False).returncode:
        pytest.skip("this filesystem has no immutable flag")
    try:
        assert reap(house).code == 0
        assert list((house.root / ".trash").iterdir()) == []
        with pytest.raises(PermissionError):
            (sealed / "file").write_text("changed")
        assert (sealed / "file").read_text() == "kept"
    finally:
        subprocess.run(("chattr", "-R", "-i", house.root), check=True)


def test_a_tree_deeper_than_any_path_is_removed(house: Storehouse) -> None:
    deep(house.root / ".trash", 2500, "d" * 10)
    assert reap(house).answer == {"removed": 2502}


def test_half_files_of_transfers_stay_while_there_is_a_partial(house: Storehouse) -> None:
    (house.root / ".partial/parts").mkdir(parents=True)
    (house.root / ".partial/parts/half").write_text("half")
    partial = house.root / ".partial/2026-11-20T010000Z"
    partial.mkdir()
    reap(house)
    assert (house.root / ".partial/parts/half").exists()
    partial.rmdir()
    reap(house)
    assert not (house.root / ".partial/parts/half").exists()
