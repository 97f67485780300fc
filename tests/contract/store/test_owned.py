"""Only root, or the user that runs this, decides what is at a store's place, or nothing is written there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from runner.agent import trust
from runner.agent.answer import Refused
from runner.agent.store import owned
from tests.contract.snapshots.test_closed import ONE, TWO, mode, open_to_all, opened
from tests.contract.storehouse import Storehouse

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
__all__ = ["open_to_all"]


def theirs(path: Path) -> None:
    os.chown(path, 1000, 1000, follow_symlinks=False)


def parent_is_open(top: Path) -> Path:
    (top / "shared").mkdir()
    (top / "shared").chmod(0o777)
    return top / "shared"


def link_of_another(top: Path) -> str:
    (parent_is_open(top) / "store").symlink_to(top / "other")
    theirs(top / "shared/store")
    return f"{top}/shared/store leads to the store and is a link of another user"


def link_of_another_in_a_folder_closed_since(top: Path) -> str:
    said = link_of_another(top)
    (top / "shared").chmod(0o755)
    return said


def folder_that_all_may_write(top: Path) -> str:
    return f"others may change what is written to the store: {parent_is_open(top)}: everybody may write it"


def new_store_beside_everybody(top: Path) -> str:
    parent_is_open(top).chmod(0o1777)
    return f"others may change what is written to the store: {top}/shared: everybody may make names there"


def folder_of_another(top: Path) -> str:
    (top / "shared/store").mkdir(parents=True)
    theirs(top / "shared/store")
    return f"others may change what is written to the store: {top}/shared/store: it belongs to user"


def way_of_another(top: Path) -> str:
    (top / "shared").mkdir()
    theirs(top / "shared")
    return f"others may change what is written to the store: {top}/shared: it belongs to user"


def link_inside(name: str, top: Path) -> str:
    inner = top / "shared/store" / name
    inner.parent.mkdir(parents=True)
    inner.symlink_to(top / "other")
    return f"{inner} is not a folder of root's own"


def runner_folder_of_another(top: Path) -> str:
    (top / "shared/store/.runner").mkdir(parents=True)
    theirs(top / "shared/store/.runner")
    return f"{top}/shared/store/.runner is not a folder of root's own"


@pytest.mark.parametrize(
    "lay",
    [
        link_of_another,
        link_of_another_in_a_folder_closed_since,
        folder_that_all_may_write,
        new_store_beside_everybody,
        folder_of_another,
        way_of_another,
        partial(link_inside, ".runner"),
        partial(link_inside, ".runner/records"),
        partial(link_inside, ".partial"),
        runner_folder_of_another,
    ],
)
def test_where_others_may_change_what_is_written_nothing_is_made_and_it_is_named(
    open_to_all: Path, lay: Callable[[Path], str]
) -> None:
    (open_to_all / "other").mkdir(mode=0o755)
    said = lay(open_to_all)
    before = sorted((path, path.lstat().st_mode, path.lstat().st_uid) for path in open_to_all.rglob("*"))
    house = Storehouse(root=open_to_all / "shared/store", source=open_to_all)
    held = house.call("hold", str(house.root), f"--plan={house.plan}")
    assert held.code == 1
    assert held.answer["error"].startswith(said) and held.answer["do"]
    asked = house.call("probe", given=json.dumps({"stores": [{"name": "papio", "path": str(house.root)}]}).encode())
    store = asked.answer["stores"]["papio"]
    assert store["problem"] == f"{held.answer['error']}; {held.answer['do']}"
    assert store["open"] == []
    assert sorted((path, path.lstat().st_mode, path.lstat().st_uid) for path in open_to_all.rglob("*")) == before


def link(top: Path) -> tuple[str, str]:
    (top / "folder").symlink_to(top / "other")
    return "{} is a link", "choose"


def plain_file(top: Path) -> tuple[str, str]:
    (top / "folder").write_text("text")
    return "{} is no folder", "choose"


def place_like_tmp(top: Path) -> tuple[str, str]:
    (top / "folder").mkdir()
    (top / "folder").chmod(0o1777)
    # Closed to everybody it would be none any more.
    return "others may change {}: everybody may make names there", "choose"


def one_of_another(top: Path) -> tuple[str, str]:
    (top / "folder").mkdir()
    theirs(top / "folder")
    owner = trust.exposure(str(top / "folder"), (top / "folder").lstat())
    return f"others may change {{}}: {owner.who}", "chown root {}"


def one_that_all_may_write(top: Path) -> tuple[str, str]:
    (top / "folder").mkdir()
    (top / "folder").chmod(0o777)
    return "others may change {}: everybody may write it", "chmod go-w {}"


def one_on_whose_way_all_may_write(top: Path) -> tuple[str, str]:
    (top / "folder").mkdir()
    top.chmod(0o777)
    return f"others may change {{}}: {top}: everybody may write it", f"chmod go-w {top}"


@pytest.mark.parametrize(
    "lay", [link, plain_file, place_like_tmp, one_of_another, one_that_all_may_write, one_on_whose_way_all_may_write]
)
def test_a_folder_in_which_others_make_names_is_refused_and_what_is_no_folder_is_told_as_what_it_is(
    open_to_all: Path, lay: Callable[[Path], tuple[str, str]]
) -> None:
    (open_to_all / "other").mkdir(mode=0o755)
    said = tuple(text.format(open_to_all / "folder") for text in lay(open_to_all))
    with pytest.raises(Refused) as refused:
        owned.require_folder(open_to_all / "folder", "choose")
    assert (refused.value.error, refused.value.do) == said


def test_a_folder_in_a_place_like_tmp_is_not_its_own_neighbours_to_change(open_to_all: Path) -> None:
    (open_to_all / "folder").mkdir(mode=0o755)
    open_to_all.chmod(0o1777)
    owned.require_folder(open_to_all / "folder", "choose")


def test_a_store_of_ours_that_all_may_write_is_closed_unless_something_else_is_in_it(open_to_all: Path) -> None:
    house = opened(open_to_all)
    house.root.chmod(0o777)
    (house.root / "www").mkdir()
    refused = house.call("hold", str(house.root), f"--plan={house.plan}")
    assert refused.answer["error"].endswith(f"{house.root}: everybody may write it")
    (house.root / "www").rmdir()
    assert house.snapshot(TWO, ONE).code == 0
    assert mode(house.root) == 0o700


def test_a_store_behind_a_link_of_our_own_and_one_in_a_place_like_tmp_go_on(open_to_all: Path) -> None:
    house = opened(open_to_all)
    (open_to_all / "link").symlink_to(house.root)
    behind = Storehouse(root=open_to_all / "link", source=house.source)
    assert behind.snapshot(TWO, ONE).code == 0
    house.root.rename(open_to_all / "moved")
    open_to_all.chmod(0o1777)
    sticky = Storehouse(root=open_to_all / "moved", source=house.source)
    assert sticky.snapshot("2026-11-23T010000Z", TWO).code == 0
