"""`runner plan --exact` counts what the snapshot then takes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.contract.site import Place, tree_without_holes
from tests.soak import few
from tests.trees import change_tree


def inodes(root: Path) -> dict[int, int]:
    """Every inode below `root`, itself too, with the bytes it holds."""
    found = {root.lstat().st_ino: 0}
    for folder, folders, files in os.walk(os.fsencode(root)):
        for name in (*folders, *files):
            status = os.lstat(os.path.join(folder, name))  # noqa: PTH118 (names that are no text)
            found[status.st_ino] = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return found


@pytest.mark.parametrize("seed", few([1, 2], 2))
def test_the_inodes_foretold_are_those_that_are_new_and_the_bytes_too(tmp_path: Path, seed: int) -> None:
    trees = (tmp_path / "a", tmp_path / "deep" / "b")
    for tree in trees:
        tree.parent.mkdir(exist_ok=True)
        tree_without_holes(tree)
    place = Place(folder=tmp_path / "site", trees=trees)
    place.declare()
    assert place.runner("run", "backup-papio").code == 0
    for tree in trees:
        change_tree(tree, seed=seed)
    foretold = place.runner("plan", "backup-papio", "--exact", "--json").json["jobs"][-1]["forecast"]
    assert place.runner("run", "backup-papio").code == 0
    before, after = (inodes(snapshot) for snapshot in place.sealed)
    new = {inode: size for inode, size in after.items() if inode not in before}
    assert foretold["exact"] is True
    assert foretold["files"] == len(new)
    folders = sum(path.is_dir() and not path.is_symlink() for path in (place.sealed[-1], *place.sealed[-1].rglob("*")))
    assert foretold["bytes"] == sum(new.values()) + 4096 * folders
    assert place.runner("run", "backup-papio").code == 0
    answer = place.runner("snapshots", "--unique", "--json").json["stores"]["papio"]["unique"]
    abouts = place.store / ".runner/about"
    first, second, third = ({*inodes(one), *inodes(abouts / one.name)} for one in place.sealed)
    names = [snapshot.name for snapshot in place.sealed]
    # The record and the checksums of a snapshot go with it.
    assert answer[names[1]]["inodes"] - len(second - first - third) in (2, 3)
    assert answer[names[0]]["inodes"] - len(first - second - third) in (2, 3)
    assert names[2] not in answer


def test_validate_warns_of_more_snapshots_than_links_allow(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "name").write_text("many names")
    for number in range(169):
        os.link(tree / "name", tree / f"name{number}")
    place = Place(folder=tmp_path / "site", trees=(tree,))
    place.declare('[jobs.check-papio]\nkind = "check"\nstore = "papio"\n')
    assert "170" not in place.runner("validate").out
    assert place.runner("run", "backup-papio").code == 0
    checked = place.runner("run", "check-papio")
    answer = place.runner("validate")
    if os.pathconf(place.store, "PC_LINK_MAX") // 400 < 170:
        assert "has 170 names in each snapshot" in checked.out
        assert "stores.papio.retention.max: 400 snapshots of a file with 170 names" in answer.out
    assert answer.code == 0
