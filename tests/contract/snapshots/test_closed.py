"""Nobody but root gets into a store: neither another user of the same number, nor one whom an older store let in."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.agent.store import closed
from runner.agent.store.layout import StoreFolder
from runner.tools import files
from tests.contract import life
from tests.contract.disks.test_disks import disk, on, probed
from tests.contract.site import Place, entered
from tests.contract.storehouse import Storehouse

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
ONE, TWO = "2026-11-21T010000Z", "2026-11-22T010000Z"
SOMEBODY = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups")
WITH_UMASK = ("sh", "-c", 'umask "$0"; exec "$@"')


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that everybody can reach, as /srv is."""
    with entered("/var/tmp") as folder:
        yield folder


def may_read(path: Path) -> bool:
    return subprocess.run((*SOMEBODY, "cat", "--", path), check=False, capture_output=True).returncode == 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def source(folder: Path) -> Path:
    """A host's root: open to all, with a file of user 1000's alone, and one that runs as root."""
    (folder / "source/home").mkdir(parents=True)
    for name, bits in (("private", 0o600), ("public", 0o644), ("become-root", 0o4755)):
        (folder / "source/home" / name).write_text(name)
        os.chown(folder / "source/home" / name, 0 if bits & 0o4000 else 1000, 1000)
        (folder / "source/home" / name).chmod(bits)
    for path in (folder / "source", folder / "source/home"):
        path.chmod(0o755)
    return folder / "source"


@pytest.mark.parametrize("umask", ["0000", "0022", "0077"])
def test_another_user_of_the_same_number_reads_nothing_whatever_the_umask(open_to_all: Path, umask: str) -> None:
    made = open_to_all / "made/on the way"
    house = Storehouse(root=made / "store", source=source(open_to_all), before=(*WITH_UMASK, umask))
    assert may_read(house.source / "home/private")
    assert house.snapshot(ONE).code == 0
    with house.held():
        assert (
            house.call(
                "pin", str(house.root), ONE, "--plan", house.plan, "--until=2099-01-01T00:00:00Z", "--why=x"
            ).code
            == 0
        )
    for name in ("private", "public", "become-root"):
        assert (house.root / ONE / "home" / name).exists()
        assert not may_read(house.root / ONE / "home" / name)
    # The snapshot itself has the modes of its source, whoever called.
    assert (mode(house.root / ONE), mode(house.root / ONE / "home/become-root")) == (0o755, 0o4755)
    ours = [
        path
        for path in (house.root, *house.root.rglob("*"))
        if not path.is_symlink() and ONE not in path.relative_to(house.root).parts
    ]
    assert {(path, mode(path)) for path in (made.parent, made, *ours) if path.is_dir() and mode(path) != 0o700} == set()
    assert {(path, mode(path)) for path in ours if path.is_file() and mode(path) & 0o077} == set()


def opened(folder: Path) -> Storehouse:
    """A store as the version before left it."""
    house = Storehouse(root=folder / "store", source=source(folder))
    assert house.snapshot(ONE).code == 0
    for path in (house.root, house.root / ".runner"):
        path.chmod(0o755)
    assert may_read(house.root / ONE / "home/private")
    return house


def test_an_old_store_is_closed_by_whoever_holds_it(open_to_all: Path) -> None:
    house = opened(open_to_all)
    os.chown(house.root, 1000, 1000)
    assert house.snapshot(TWO, ONE).code == 0
    assert not may_read(house.root / ONE / "home/private")
    assert (house.root.stat().st_uid, mode(house.root), mode(house.root / ".runner")) == (0, 0o700, 0o700)
    assert house.root.stat().st_gid == 0
    assert mode(house.root / ONE) == 0o755


def test_it_is_closed_without_a_lock_too_and_says_what_was_open(open_to_all: Path) -> None:
    house = opened(open_to_all)
    answer = house.call("close", str(house.root)).answer
    assert answer == {"closed": [str(house.root), str(house.root / ".runner")], "open": []}
    assert house.call("close", str(house.root)).answer == {"closed": [], "open": []}
    assert house.call("close", str(open_to_all)).code == 1
    assert mode(open_to_all) == 0o755


def test_a_folder_with_something_else_in_it_is_left_as_it_is_and_a_link_is_not_followed(open_to_all: Path) -> None:
    house = opened(open_to_all)
    # A name with a dot is no reason either.
    for name in (".outgoing", "www"):
        (house.root / name).mkdir()
        assert closed.foreign(StoreFolder(house.root)) == (name,)
        assert house.call("close", str(house.root)).answer == {
            "closed": [],
            "open": [str(house.root), f"{house.root}/.runner"],
        }
        (house.root / name).rmdir()
    (house.root / "www").mkdir()
    assert house.snapshot(TWO, ONE).code == 0
    assert mode(house.root) == 0o755
    (house.root / "www").rmdir()
    (open_to_all / "elsewhere").mkdir(mode=0o755)
    (house.root / ".aside").symlink_to(open_to_all / "elsewhere")
    assert str(house.root) in house.call("close", str(house.root)).answer["closed"]
    assert mode(open_to_all / "elsewhere") == 0o755


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A site whose store an older version left open."""
    made = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    made.folder.mkdir()
    life.policy(made, "min = 2, max = 4")
    life.good(made, "run", "backup-papio")
    made.store.chmod(0o755)
    return made


def test_who_may_not_close_a_store_is_not_told_to(open_to_all: Path) -> None:
    house = replace(opened(open_to_all), before=SOMEBODY)
    assert house.call("close", str(house.root)).answer == {"closed": [], "open": []}
    assert mode(house.root) == 0o755


def test_what_a_link_shows_is_no_store_and_no_folder_stays_open(open_to_all: Path) -> None:
    house = opened(open_to_all)
    before = list(Path("/proc/self/fd").iterdir())
    assert closed.close(StoreFolder(house.root)) == (str(house.root), str(house.root / ".runner"))
    assert list(Path("/proc/self/fd").iterdir()) == before
    (house.root / ".runner").rename(open_to_all / "elsewhere")
    (house.root / ".runner").symlink_to(open_to_all / "elsewhere")
    house.root.chmod(0o755)
    assert house.call("close", str(house.root)).answer["error"] == f"{house.root} is no store"
    assert mode(house.root) == 0o755


@pytest.mark.parametrize("job", ["purge-papio", "check-papio", "backup-papio"])
def test_the_next_run_of_any_job_closes_a_store_and_tells_it_once(place: Place, job: str) -> None:
    said = place.runner("run", job)
    assert said.code == 3
    text = " ".join(said.out.split())
    assert "other users of backup-server1 could enter store papio" in text
    assert "this run closes it" in text
    assert mode(place.store) == 0o700
    assert "could enter" not in place.runner("run", job).out


def test_a_store_that_cannot_be_closed_is_told_every_time_and_written_all_the_same(place: Place) -> None:
    (place.store / "www").mkdir()
    for _ in range(2):
        said = place.runner("run", "backup-papio")
        assert "it stays open, since there is something else in its folder: www" in " ".join(said.out.split())
    assert len(place.sealed) == 3


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_what_the_runner_itself_keeps_is_for_nobody_else_either(tmp_path: Path, umask: int) -> None:
    place = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    place.declare(life.PURGE)
    before = os.umask(umask)
    try:
        life.good(place, "run", "backup-papio")
    finally:
        os.umask(before)
    assert mode(place.sandbox) == mode(place.state) == 0o700
    assert {path.name for path in place.state.glob("journal*") if mode(path) & 0o077} == set()
    assert {
        path
        for path in place.sandbox.rglob("*")
        if not path.is_symlink() and mode(path) & 0o022 and "Z" not in str(path)
    } == set()


@pytest.mark.parametrize("umask", ["0000", "0077"])
def test_folders_on_the_way_may_be_passed_and_no_more(tmp_path: Path, umask: str) -> None:
    subprocess.run((*WITH_UMASK, umask, *files.make_folders((f"{tmp_path}/on/the/way",))), check=True)
    assert (mode(tmp_path / "on"), mode(tmp_path / "on/the"), mode(tmp_path / "on/the/way")) == (0o711, 0o711, 0o700)


def test_a_disk_is_mounted_again_so_that_nothing_in_a_snapshot_runs_as_root(tmp_path: Path) -> None:
    from runner.jobs.disks import mount

    with disk(tmp_path) as point:
        house = on(tmp_path, point)
        assert house.snapshot(ONE).code == 0
        assert probed(house, point)["lacks"] == ["nosuid", "nodev"]
        subprocess.run(mount.remount(str(point), ("nosuid", "nodev")), check=True)
        assert probed(house, point)["lacks"] == []
        own = subprocess.run(("findmnt", "-no", "OPTIONS", point), check=True, capture_output=True, text=True).stdout
        assert {"nosuid", "nodev", "rw"} <= set(own.strip().split(","))


def test_the_root_of_a_new_disk_becomes_a_store_without_a_word(tmp_path: Path) -> None:
    place = Place(folder=tmp_path / "site", trees=(life.small_tree(tmp_path / "tree"),))
    place.folder.mkdir()
    with life.disk(place, 16):
        place.store.chmod(0o755)
        life.policy(place, "min = 2, max = 4")
        assert "could enter" not in life.good(place, "run", "backup-papio").out
        assert mode(place.store) == 0o700
