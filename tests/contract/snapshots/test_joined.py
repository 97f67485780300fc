"""Each filesystem is received by itself and joined by the seal: what a host sent is never a way to somewhere else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from runner.agent.store import received
from tests.compare import differences, fingerprint
from tests.contract.storehouse import Storehouse

ONE, TWO, THREE = "2026-11-21T010000Z", "2026-11-22T010000Z", "2026-11-23T010000Z"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """What nobody may read or write: a folder of the store's own machine."""
    folder = tmp_path / "root/.ssh"
    folder.mkdir(parents=True)
    (folder / "authorized_keys").write_text("the keeper's own")
    return folder


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    source = tmp_path / "source"
    (source / "srv/exchange").mkdir(parents=True)
    (source / "srv/exchange/authorized_keys").write_text("the attacker's")
    return Storehouse(root=tmp_path / "store", source=source, points=("/", "/srv/exchange"))


def tree(path: Path) -> dict[bytes, object]:
    return dict(fingerprint(path))


def partials(house: Storehouse) -> list[dict[str, object]]:
    return list(asked(house)["partials"])


def asked(house: Storehouse) -> dict[str, list[dict[str, object]]]:
    request = {"host": "h", "stores": [{"name": "s", "path": str(house.root), "mount": "", "uuid": ""}]}
    return dict(house.call("probe", given=json.dumps(request).encode()).answer["stores"]["s"])


def replaced(house: Storehouse, name: str, path: str, elsewhere: Path) -> None:
    """Put what a hostile host would have sent in the place of its mount point."""
    place = house.root / ".incoming" / name / "0" / path
    shutil.rmtree(place)
    place.symlink_to(elsewhere)


@pytest.mark.parametrize("path", ["srv/exchange", "srv"])
def test_a_link_where_a_filesystem_belongs_is_refused_and_nothing_outside_is_touched(
    house: Storehouse, elsewhere: Path, path: str
) -> None:
    (elsewhere / "exchange").mkdir()
    before = tree(elsewhere)
    with house.held():
        house.begin(ONE)
        given = house.send_all(ONE)
        replaced(house, ONE, path, elsewhere)
        refused = house.seal(ONE, given, "--host", "backup-server1")
        assert refused.code == 1
        assert "backup-server1 says that '/srv/exchange' is mounted there" in refused.answer["error"]
    assert tree(elsewhere) == before
    assert not (house.root / ONE).exists()
    assert asked(house)["sealed"] == []


def test_what_is_not_empty_where_a_filesystem_belongs_is_refused_and_the_next_run_takes_it_up(
    house: Storehouse,
) -> None:
    with house.held():
        house.begin(ONE)
        given = house.send_all(ONE)
        (house.root / ".incoming" / ONE / "0/srv/exchange/beneath").write_text("was not excluded")
        assert "no empty folder" in house.seal(ONE, given).answer["error"]
    assert house.snapshot(TWO, "", (ONE,)).code == 0
    assert not differences(house.source, house.root / TWO)


def test_a_receiving_folder_is_never_on_the_way_of_another_transfer(house: Storehouse, elsewhere: Path) -> None:
    before = tree(elsewhere)
    with house.held():
        house.begin(ONE)
        house.send(ONE)
        replaced(house, ONE, "srv/exchange", elsewhere)
        assert house.send(ONE, number=1).code == 0
    assert tree(elsewhere) == before


def test_where_no_root_is_copied_folders_are_made_on_the_way_and_the_rest_keeps_its_times(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for path in ("srv/data", "srv/data/inner/deeper", "home"):
        (source / path).mkdir(parents=True)
        (source / path / "file").write_text(path)
    house = Storehouse(root=tmp_path / "store", source=source, points=("/srv/data/inner/deeper", "/home", "/srv/data"))
    assert house.snapshot(ONE).code == 0
    for point in house.points:
        assert not differences(source / point[1:], house.root / ONE / point[1:]), point
    assert (house.root / ONE / "srv").stat().st_mode & 0o7777 == 0o755
    assert house.snapshot(TWO, ONE).code == 0
    assert (house.root / ONE / "home/file").samefile(house.root / TWO / "home/file")


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to cut at a call")
def test_what_a_seal_that_was_cut_off_had_joined_is_side_by_side_again_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "source/srv/data/exchange").mkdir(parents=True)
    (tmp_path / "source/srv/data/exchange/file").write_text("text")
    points = ("/", "/srv/data/exchange")
    house = Storehouse(root=tmp_path / "store", source=tmp_path / "source", points=points)
    with house.held():
        house.begin(ONE)
        given = house.send_all(ONE)
        # The store's chain has begun; after the filesystems were joined, the first file to be written is the README.
        cut = ("strace", "-qq", "-o", "/dev/null", "--trace=rename", "--inject=rename:signal=KILL:when=4")
        assert house.seal(ONE, given, around=cut).code != 0
    folder = house.root / ".partial" / ONE
    assert (folder / "0/srv/data/exchange/file").exists()
    inode = (folder / "0/srv/data/exchange/file").stat().st_ino
    with house.held():
        assert house.begin(TWO, "", (ONE,)).code == 0
        assert (house.root / ".incoming" / TWO / "1/file").stat().st_ino == inode
        assert not (house.root / ".incoming" / TWO / "0/srv/data/exchange").exists()
        assert house.seal(TWO, house.send_all(TWO)).code == 0
    assert (house.root / TWO / "srv/data/exchange/file").stat().st_ino == inode
    assert not differences(house.source, house.root / TWO)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace for a disk that fails")
def test_a_disk_that_fails_is_not_a_host_that_lies(house: Storehouse) -> None:
    with house.held():
        house.begin(ONE)
        failing = ("strace", "-qq", "-o", "/dev/null", "--trace=renameat", "--inject=renameat:error=EIO")
        refused = house.seal(ONE, house.send_all(ONE), around=failing)
    assert (refused.code, "Input/output error" in refused.answer["error"]) == (1, True)
    assert "is mounted there" not in refused.answer["error"]


def test_no_folder_stays_open(tmp_path: Path) -> None:
    before = list(Path("/proc/self/fd").iterdir())
    with received.unchanged(tmp_path):
        (tmp_path / "new").touch()
    assert list(Path("/proc/self/fd").iterdir()) == before


def test_a_basis_that_a_link_leads_to_is_not_shared_with_and_not_shown(house: Storehouse, elsewhere: Path) -> None:
    assert house.snapshot(ONE).code == 0
    shutil.rmtree(house.root / ONE / "srv/exchange")
    (house.root / ONE / "srv/exchange").symlink_to(elsewhere)
    (about,) = asked(house)["sealed"]
    assert about["filesystems"] == ["/"]
    share = (f"--share={ONE}/srv/exchange",)
    with house.held():
        said = house.call("begin", str(house.root), TWO, f"--plan={house.plan}", f"--basis={ONE}", *share, "--", "/")
        assert said.code == 1
        assert "no folder, or a link leads to it" in said.answer["error"]
        assert not (house.root / ".partial" / TWO).exists()


def old_partial(house: Storehouse, name: str) -> Path:
    """An interrupted snapshot as the runner before left it: the filesystems in each other, in one tree."""
    with house.held():
        house.begin(name)
        house.send_all(name)
    folder, sent = house.root / ".partial" / name, house.root / ".incoming" / name
    (sent / "0/srv/exchange").rmdir()
    (sent / "1").rename(sent / "0/srv/exchange")
    shutil.rmtree(folder)
    (sent / "0").rename(folder)
    (sent / "parts").rmdir()
    sent.rmdir()
    begun = folder.with_suffix(".json")
    begun.write_text(json.dumps({**json.loads(begun.read_text()), "format": 1}))
    return folder


@pytest.mark.parametrize("hostile", [False, True])
def test_a_partial_in_one_tree_is_superseded_and_never_sent_into(
    house: Storehouse, elsewhere: Path, *, hostile: bool
) -> None:
    folder = old_partial(house, ONE)
    if hostile:
        shutil.rmtree(folder / "srv/exchange")
        (folder / "srv/exchange").symlink_to(elsewhere)
    (about,) = partials(house)
    assert about["filesystems"] == ([] if hostile else ["/", "/srv/exchange"])
    before = tree(elsewhere)
    with house.held():
        assert house.seal(ONE, b"").answer["error"].endswith("was begun by an older runner-agent")
    assert house.snapshot(TWO, "", (ONE,)).code == 0
    assert not differences(house.source, house.root / TWO)
    assert partials(house) == []
    assert tree(elsewhere) == before
