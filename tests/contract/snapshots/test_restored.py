"""The folder of what is restored: only what a restore made and marked is ever removed, and nothing that is in use."""

from __future__ import annotations

import errno
import os
import shutil
import time
from datetime import datetime
from pathlib import Path

import pytest

from runner.agent import tree
from runner.agent.snapshots import restored
from tests.contract.storehouse import PROGRAM, Said, execute
from tests.trees import deep

NAME, OTHER = "20261123T081500.000Z", "20261124T081500.000Z"


@pytest.fixture
def side(tmp_path: Path) -> Path:
    return tmp_path / "var/restored"


def call(verb: str, side: Path, *words: str) -> Said:
    return execute((*PROGRAM, verb, str(side), *words))


def made(side: Path, name: str = NAME) -> Path:
    assert call("make-restored", side, name).answer == {"folder": str(side / name)}
    (side / name / "etc").mkdir()
    (side / name / "etc/hosts").write_text("a")
    return side / name


def listed(side: Path) -> list[str]:
    return [each["name"] for each in call("restored", side).answer["made"]]


def test_a_folder_is_made_for_its_owner_and_known_again(side: Path) -> None:
    assert call("restored", side).answer == {"made": []}
    folder = made(side)
    assert [path.stat().st_mode & 0o777 for path in (side.parent, side, folder)] == [0o711, 0o700, 0o700]
    assert (folder / "tree").stat().st_mode & 0o777 == 0o700
    (side / f"{NAME}-replaced").mkdir()
    answer = call("restored", side).answer
    assert listed(side) == [NAME]
    assert abs(datetime.fromisoformat(answer["made"][0]["at"]).timestamp() - time.time()) < 60
    assert call("make-restored", side, NAME).code == 1


def test_what_an_earlier_version_left_open_is_closed_and_what_is_somebody_elses_is_not(side: Path) -> None:
    folder = made(side)
    (side / OTHER).mkdir()
    for each, mode in ((folder, 0o777), (side / OTHER, 0o755), (side, 0o711)):
        each.chmod(mode)
    made(side, "20261125T081500.000Z")
    assert [each.stat().st_mode & 0o777 for each in (folder, side / OTHER, side)] == [0o700, 0o755, 0o700]
    # A large disk's own folder, which others use too.
    side.chmod(0o755)
    made(side, "20261126T081500.000Z")
    assert side.stat().st_mode & 0o777 == 0o755


def test_it_goes_once_nothing_in_it_has_changed_for_long_enough(side: Path) -> None:
    folder = made(side)
    result = call("clear-restored", side, NAME, "--quiet=3600")
    assert (result.code, result.answer["removed"]) == (0, False)
    assert folder.is_dir() and result.answer["changed"]
    assert call("clear-restored", side, NAME, "--quiet=0").answer == {"removed": True, "changed": None}
    assert listed(side) == [] and sorted(path.name for path in side.rglob("*")) == [".made"]


def test_what_no_restore_has_made_stays(side: Path) -> None:
    folder = made(side)
    # By hand, under such a name; put in its place; a link to it.
    (side / OTHER).mkdir()
    shutil.copytree(folder, side / "copy")
    shutil.rmtree(folder)
    (side / "copy").rename(folder)
    (side / "20261125T081500.000Z").symlink_to(folder)
    before = sorted(side.rglob("*"))
    for name in (NAME, OTHER, "20261125T081500.000Z", "20261126T081500.000Z"):
        result = call("clear-restored", side, name, "--quiet=0")
        assert result.code == 1 and "is not what a restore has made" in result.answer["error"]
    assert call("clear-restored", side, f"{NAME}-replaced", "--quiet=0").code == 1
    assert (sorted(side.rglob("*")), listed(side)) == (before, [])


def test_a_folder_that_is_a_link_is_used_where_it_leads(side: Path, tmp_path: Path) -> None:
    (tmp_path / "large").mkdir(mode=0o755)
    side.parent.mkdir()
    side.symlink_to(tmp_path / "large")
    made(side)
    assert listed(side) == [NAME]
    assert call("clear-restored", side, NAME, "--quiet=0").answer["removed"] is True


@pytest.mark.parametrize("where", [".", ".made"])
def test_nothing_is_made_or_removed_where_others_may_have_put_something(side: Path, tmp_path: Path, where: str) -> None:
    others = tmp_path / "others"
    others.mkdir()
    (others / "settings.json").write_text("{}")
    side.mkdir(parents=True, mode=0o755)
    if where == ".":
        side.chmod(0o777)
        (side / ".made").mkdir(mode=0o700)
        (others / "settings.json").rename(side / ".made/settings.json")
    else:
        (side / ".made").symlink_to(others)
    before = sorted(tmp_path.rglob("*.json"))
    refused = call("make-restored", side, NAME)
    said = {
        ".": (f"others may change {side}: everybody may write it", f"chmod go-w {side}"),
        ".made": (f"{side}/.made is a link", "see who made it, and move it away"),
    }
    assert (refused.code, refused.answer["error"], refused.answer["do"]) == (1, *said[where])
    assert sorted(tmp_path.rglob("*.json")) == before and len(before) == 1


def test_what_is_no_plan_is_not_looked_at_and_what_goes_meanwhile_is_none(
    side: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(side)
    real = Path.lstat

    def gone(path: Path) -> os.stat_result:
        if path.parent == side and path.name != NAME:
            raise FileNotFoundError(path)
        return real(path)

    monkeypatch.setattr(Path, "lstat", gone)
    (side / OTHER).mkdir()
    (side / "drill").mkdir()
    assert [each.name for each in restored.read([str(side)]).made] == [NAME]


def test_what_cannot_be_looked_at_may_have_changed_and_stays(side: Path) -> None:
    folder = made(side)
    # A path so long that no call takes it whole.
    deep(folder, 20, "f" * 250)
    result = call("clear-restored", side, NAME, "--quiet=0")
    assert result.code == 1 and result.answer["error"].startswith("File name too long ('fff")
    shutil.rmtree(folder / ("f" * 250))
    with pytest.raises(OSError, match="Input/output error"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "status", unreadable)
        restored.clear([str(side), NAME, "--quiet=0"])
    assert (folder / "etc/hosts").exists()


def unreadable(parent: int, name: bytes) -> os.stat_result:
    raise OSError(errno.EIO, os.strerror(errno.EIO), name)


def test_the_mark_of_a_folder_that_is_gone_goes_too(side: Path) -> None:
    shutil.rmtree(made(side))
    made(side, OTHER)
    assert [path.name for path in (side / ".made").iterdir()] == [f"{OTHER}.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a mount")
def test_nothing_goes_while_anything_is_mounted_in_it(side: Path) -> None:
    folder = made(side)
    script = 'mount -t tmpfs tmpfs "$0/etc" && exec "$@"'
    words = ("clear-restored", str(side), NAME, "--quiet=0")
    result = execute(("unshare", "--mount", "sh", "-c", script, str(folder), *PROGRAM, *words))
    assert result.code == 1 and "something is mounted in" in result.answer["error"]
    assert (folder / "etc/hosts").exists()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of another user's, and beside it one of ours that nobody else may write."""
    (tmp_path / "ours").mkdir()
    made = tmp_path / "home/karl"
    made.mkdir(parents=True)
    os.chown(made, 1000, 1000)
    return made


def place(to: Path, path: str = "/home/karl/x") -> Said:
    return execute((*PROGRAM, "make-place", str(to), f"--path={path}", f"--aside={to}-replaced"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a folder of another user's")
@pytest.mark.parametrize("to", ["back", "back/deeper", "new", "new/deeper"])
def test_what_lies_in_a_folder_of_others_is_no_place_to_restore_to(home: Path, to: str) -> None:
    ours = home.parents[1] / "ours"
    (home / "back").symlink_to(ours)
    os.chown(home / "back", 1000, 1000, follow_symlinks=False)
    before = ours.stat()
    refused = place(home / to)
    assert refused.code == 1 and f"{home}: it belongs to user" in refused.answer["error"]
    assert f"restore to '{home}'" in refused.answer["do"]
    assert ours.stat() == before and sorted(home.iterdir()) == [home / "back"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a folder of another user's")
def test_a_folder_of_others_is_a_place_unless_a_link_of_theirs_is_on_the_way_in_it(home: Path) -> None:
    aside = home.parents[1] / "aside"
    for path, code in (("/x", 0), ("/link/x", 1), ("/link", 0), ("/roots/x", 0)):
        for name, uid in (("link", 1000), ("roots", 0)):
            (home / name).unlink(missing_ok=True)
            (home / name).symlink_to("/etc")
            os.chown(home / name, uid, uid, follow_symlinks=False)
        said = execute((*PROGRAM, "make-place", str(home), f"--path={path}", f"--aside={aside}"))
        assert said.code == code, (path, said)
