"""`clone`: what a new snapshot begins as, and when nothing is cloned."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.compare import differences, fingerprint
from tests.contract.compose.clone_parts import inodes
from tests.contract.disks.test_disks import OTHER, UUID, disk
from tests.contract.storehouse import NOBODY, Said, Storehouse, copied
from tests.mounts import need_mounts

ONE, TWO, THREE = (f"2026-11-2{day}T010000Z" for day in (1, 2, 3))
POINTS = ("/", "/home", "/home/data")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def prepared(place: Path) -> Storehouse:
    """A store with one snapshot of several filesystems, and the second begun."""
    source = place / "source"
    for folder in ("links/a", "special/empty", "home/data/deep", "home/other"):
        (source / folder).mkdir(parents=True)
    for name in ("links/a/first", "special/file", "home/data/deep/file", "home/file"):
        (source / name).write_text(name)
    os.link(source / "links/a/first", source / "links/second")
    os.link(source / "home/file", source / "home/other/file")
    (source / "special/symlink").symlink_to("/etc")
    os.mkfifo(source / "special/fifo")
    (source / "special").chmod(0o2750)
    os.setxattr(source / "home/other", "user.on a folder", b"x")
    house = Storehouse(root=place / "store", source=source, points=POINTS)
    assert house.snapshot(ONE).code == 0
    with house.held():
        assert house.begin(TWO, ONE).code == 0
    return house


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    return prepared(tmp_path_factory.mktemp("ready"))


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


def clone(house: Storehouse, *options: str, name: str = TWO, plan: str = "", around: tuple[str, ...] = ()) -> Said:
    given = options or tuple(f"--basis={ONE}={point}" for point in house.points)
    return house.call("clone", str(house.root), name, "--plan", plan or house.plan, *given, *house.disk, around=around)


def begun(house: Storehouse, name: str = TWO) -> dict[str, Any]:
    return dict(json.loads((house.root / f".partial/{name}.json").read_bytes()))


def require_cloned(house: Storehouse, said: Said, name: str = TWO, basis: str = ONE) -> None:
    """Each filesystem is as the snapshot has it, and the answer and the partial's description say so."""
    assert said.code == 0, said.answer
    require_clones(house, name, basis)
    known = begun(house, name)["cloned"]
    for number, point in enumerate(house.points):
        answer = next(each for each in said.answer["filesystems"] if each["mount"] == point)
        assert {**known[point], "basis": basis, "names": answer["names"]} == known[point]
        assert answer["names"] == len(list((house.root / f".partial/{name}/{number}").rglob("*"))) + 1
        assert answer["names"] == sum(answer[key] for key in ("folders", "kept", "linked", "copied"))


def require_clones(house: Storehouse, name: str, basis: str) -> None:
    """Each filesystem is as the snapshot has it, and without those that are mounted in it; nothing else is there."""
    for number, point in enumerate(house.points):
        original, copy = house.root / basis / point.strip("/"), house.root / f".partial/{name}/{number}"
        inner = [
            each[len(point.rstrip("/")) + 1 :] for each in house.points if each != point and each.startswith(point)
        ]
        assert differences(original, copy, below=tuple(inner)) == []
        for each in inner:
            assert not (copy / each).is_dir() or not list((copy / each).iterdir())
        ours, theirs = inodes(original), inodes(copy)
        assert theirs == {path: ours[path] for path in theirs}
    folder = {path.name for path in (house.root / f".partial/{name}").iterdir()}
    assert folder == {str(number) for number in range(len(house.points))}


def test_each_filesystem_becomes_a_clone_of_its_own_part_of_the_snapshot(house: Storehouse) -> None:
    before = fingerprint(house.root / ONE)
    with house.held():
        require_cloned(house, clone(house))
        again = clone(house)
        require_cloned(house, again)
    assert all(each["linked"] == each["removed"] == 0 for each in again.answer["filesystems"])
    assert fingerprint(house.root / ONE) == before
    assert begun(house)["plan"] == house.plan


@contextlib.contextmanager
def everywhere(ready: Storehouse) -> Iterator[Storehouse]:
    """A copy of the store where everybody gets, owned and used by somebody who is not root."""
    with tempfile.TemporaryDirectory(prefix="storehouse-") as folder:
        subprocess.run(("cp", "-a", f"{ready.root.parent}/.", folder), check=True)
        subprocess.run(("chown", "-hR", "65534:65534", folder), check=True)
        yield replace(ready, root=Path(folder) / "store", source=Path(folder) / "source", before=NOBODY)


@needs_root
def test_whoever_is_not_root_clones_what_is_his_also_where_folders_are_closed(ready: Storehouse) -> None:
    with everywhere(ready) as house:
        for name, mode in (("unreadable", 0), ("unsearchable", 0o600), ("unwritable", 0o500)):
            place = house.root / ONE / "home" / name
            place.mkdir(mode)
            shutil.chown(place, 65534, 65534)
        before = fingerprint(house.root / ONE)
        with house.held():
            for _ in range(2):
                require_cloned(house, clone(house))
                for number in range(2):
                    (house.root / f".partial/{TWO}/{number}").chmod(0)
        assert fingerprint(house.root / ONE) == before


def test_whatever_is_in_its_place_goes(house: Storehouse) -> None:
    partial = house.root / f".partial/{TWO}"
    for number in range(3):
        (partial / f"{number}").rmdir()
    (partial / "0").symlink_to("/etc")
    (partial / "1").write_text("a file")
    subprocess.run(("cp", "-a", house.source, partial / "2"), check=True)
    (partial / "scratch").mkdir()
    (partial / "scratch/1").write_text("of one that was cut off")
    with house.held():
        require_cloned(house, clone(house))
    assert Path("/etc/passwd").exists()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to let a call fail")
@pytest.mark.parametrize("wrong", ["EIO", "ENOSPC"])
def test_what_was_cloned_before_counts_for_nothing_until_it_is_cloned_again(house: Storehouse, wrong: str) -> None:
    with house.held():
        require_cloned(house, clone(house))
        path = house.root / f".partial/{TWO}.json"
        path.write_text(json.dumps({**begun(house), "composed": {"/": 1}}))
        assert clone(house, f"--basis={ONE}=/", f"--basis={ONE}=/none").code == 1
        assert "composed" in begun(house)
        (house.root / f".partial/{TWO}/0/links/a/first").unlink()
        around = ("strace", "-qq", "-f", "-o", "/dev/null", "--trace=linkat", f"--inject=linkat:error={wrong}")
        answer = clone(house, f"--basis={ONE}=/", around=around).answer
        assert (answer.get("cause"), answer.get("again")) == (("full", True) if wrong == "ENOSPC" else (None, None))
        assert set(begun(house)["cloned"]) == {"/home", "/home/data"}
        assert "composed" not in begun(house)
        assert clone(house, f"--basis={ONE}=/").code == 0
        assert set(begun(house)["cloned"]) == set(POINTS)


def refused(house: Storehouse, *options: str, **more: Any) -> str:
    """Why it is refused; nothing in the store may be another for it."""
    before = {path: path.lstat().st_ino for path in house.root.rglob("*")}
    said = clone(house, *options, **more)
    assert said.code in (1, 75, 77)
    assert said.answer["do"]
    assert {path: path.lstat().st_ino for path in house.root.rglob("*")} == before
    return str(said.answer["error"])


def test_nothing_is_cloned_that_was_not_begun_or_is_not_sealed(house: Storehouse) -> None:
    assert "nobody holds" in refused(house)
    with house.held():
        for options, why in (
            (("--recycle=",), "nothing is to be cloned"),
            ((f"--basis={TWO}=/",), "no sealed snapshot"),
            ((f"--basis={ONE}=/usr",), "no filesystem that was begun"),
            ((f"--basis={ONE}",), "no filesystem that was begun"),
            ((f"--basis={ONE}=/", f"--basis={ONE}=/"), "each mount point once"),
            (("--basis=../x=/",), "SNAPSHOT=/MOUNTPOINT"),
        ):
            assert why in refused(house, *options)
        assert "no partial" in refused(house, name=THREE)
        path, content = house.root / f".partial/{TWO}.json", begun(house)
        for wrong, why in (({"plan": "x"}, "another plan"), ({"format": 1}, "older"), ({"basis": ""}, "newest")):
            path.write_text(json.dumps({**content, **wrong}))
            assert why in refused(house)
        path.write_text(json.dumps(content))
        for record in ("", "{}", '{"filesystems": []}', '{"filesystems": [{}]}', '{"filesystems": ["/"]}'):
            (house.root / f".runner/records/{ONE}.json").write_text(record)
            assert "does not say which filesystems" in refused(house)
    with house.held("plan-2"):
        assert "held by" in refused(house)
        assert "another plan" in refused(house, plan="plan-2")


@pytest.mark.parametrize("kind", ["gone", "link", "file", "link on the way"])
def test_a_mount_point_that_is_no_folder_in_the_snapshot_is_refused(
    house: Storehouse, tmp_path: Path, kind: str
) -> None:
    place = house.root / ONE / ("home" if kind == "link on the way" else "home/data")
    place.rename(tmp_path / "elsewhere")
    if kind == "file":
        place.write_text("a file")
    elif kind != "gone":
        place.symlink_to(tmp_path / "elsewhere")
    with house.held():
        assert "is no folder, or a link leads to it" in refused(house)
        assert clone(house, f"--basis={ONE}=/").code == 0


@needs_root
def test_a_wrong_disk_and_one_that_is_full_are_refused(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / "source" / f"a folder {number}").mkdir(parents=True)
    with disk(tmp_path, "-N", "512") as mount:
        right = ("--mount", str(mount), "--uuid", UUID)
        house = Storehouse(root=mount / "papio", source=tmp_path / "source", disk=right)
        assert house.snapshot(ONE).code == 0
        before = fingerprint(house.root / ONE)
        with house.held():
            assert house.begin(TWO, ONE).code == 0
            wrong = replace(house, disk=(*right[:3], OTHER))
            assert clone(wrong).answer["cause"] == "unusable"
            for number in range(100):
                (mount / f"{number}").mkdir()
            said = clone(house)
            assert (said.answer["cause"], said.answer["again"]) == ("full", True)
            left = {path.name for path in (house.root / f".partial/{TWO}").iterdir()}
            assert left == {"0"}, "no seal takes what is of no filesystem"
            for number in range(100):
                (mount / f"{number}").rmdir()
            require_cloned(house, clone(house))
        assert fingerprint(house.root / ONE) == before


@needs_root
def test_nothing_that_is_mounted_in_the_store_is_entered(house: Storehouse, tmp_path: Path) -> None:
    need_mounts()
    (tmp_path / "elsewhere/0").mkdir(parents=True)
    (tmp_path / "elsewhere/file").write_text("somebody's")
    with house.held():
        for place in (f"{ONE}/home", f"{ONE}/special", f".partial/{TWO}/0", f".partial/{TWO}"):
            point = house.root / place
            subprocess.run(("mount", "--bind", tmp_path / "elsewhere", point), check=True)
            try:
                assert "mount" in str(clone(house).answer["error"])
                assert (tmp_path / "elsewhere/file").read_text() == "somebody's"
            finally:
                subprocess.run(("umount", point), check=True)
        require_cloned(house, clone(house))
