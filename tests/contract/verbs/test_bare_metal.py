"""A run leaves on the disk what it takes to do without the tool, and `bare-metal` prints this site's way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.site import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("text")
    made = Place(folder=tmp_path / "site", trees=(tree,))
    made.declare()
    assert made.runner("run", "backup-papio").code == 0
    return made


def test_a_snapshot_leaves_all_it_takes_beside_itself(place: Place) -> None:
    kept = place.store / ".runner"
    assert (kept / "jobs.toml").read_bytes() == (place.folder / "jobs.toml").read_bytes()
    assert (kept / "about" / place.sealed[-1].name / "about.json").is_file()
    assert "latest" in (kept / "README.txt").read_text()
    assert (kept / "restore.sh").is_file()


def test_the_page_names_the_snapshot_the_disk_and_the_host_and_changes_nothing(place: Place) -> None:
    before = place.listing()
    ran = place.runner("bare-metal", "papio")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("HOW TO MAKE papio AGAIN ON AN EMPTY MACHINE\n")
    assert f'restore.sh" {place.sealed[-1].name} / /mnt/newroot' in ran.out
    assert place.listing() == before


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("nobody",), "there is no host 'nobody'"),
        (("backup-server1",), "no snapshot of backup-server1"),
        (("papio", "--at", "2020-01-01"), "the oldest snapshot is"),
        (("papio", "--store", "nothing"), "there is no store 'nothing'"),
    ],
)
def test_what_cannot_be_had_is_said_with_what_to_do(place: Place, argv: tuple[str, ...], why: str) -> None:
    ran = place.runner("bare-metal", *argv)
    assert ran.code == 2
    assert why in ran.err
    assert "->" in ran.err
