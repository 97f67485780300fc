"""What interrupted transfers brought is counted once and where it is, however many there were."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from runner.agent import tree
from runner.agent.inodes import Inodes
from runner.agent.snapshots.resumed import ResumedFiles, TakenOver
from runner.agent.snapshots.seal import PartialSnapshot
from runner.agent.store.layout import StoreFolder
from tests.contract.storehouse import Storehouse

SEALED, NEW = "2026-11-20T010000Z", "2026-11-29T010000Z"
PARTIALS = tuple(f"2026-11-2{day}T010000Z" for day in range(1, 5))


class Received:
    """A store with what was received into interrupted snapshots, and into the new one."""

    def __init__(self, root: Path) -> None:
        self.store = StoreFolder(root)
        for name in (*PARTIALS, NEW):
            self.place(name).mkdir(parents=True)
            self.store.begun(name).write_text(json.dumps({"format": 2, "filesystems": ["/"], "name": name}))
        (root / SEALED).mkdir()

    def place(self, name: str) -> Path:
        return self.store.root / SEALED if name == SEALED else self.store.partial / name / "0"

    def file(self, path: str, *names: str, text: str = "text") -> None:
        """One inode at this path in each of these."""
        first, *others = (self.place(name) / path for name in names)
        first.parent.mkdir(parents=True, exist_ok=True)
        first.write_text(text)
        self.link(first, *others)

    def link(self, first: Path, *others: Path) -> None:
        for other in others:
            other.parent.mkdir(parents=True, exist_ok=True)
            other.hardlink_to(first)

    def taken(self, resumed: Sequence[str] = PARTIALS, shared: Sequence[str] = (SEALED,)) -> TakenOver:
        return ResumedFiles(self.store, NEW, {"/": shared}, tuple(resumed)).taken_over()

    def files(self, resumed: Sequence[str] = PARTIALS) -> tuple[int, int]:
        """How many names are new, and how many bytes of files."""
        taken = self.taken(resumed)
        return taken.names, taken.bytes


@pytest.fixture
def there(tmp_path: Path) -> Received:
    return Received(tmp_path / "store")


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_what_several_transfers_found_there_is_counted_once_and_nothing_is_remembered_of_it(
    there: Received, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks: list[Inodes] = []
    real = Inodes.names

    def names(inodes: Inodes) -> Iterator[tuple[bytes, os.stat_result]]:
        walks.append(inodes)
        return real(inodes)

    monkeypatch.setattr(Inodes, "names", names)
    for number in range(count):
        # Each brought a file, and found those that the ones before it had brought.
        there.file(f"folder/{number}", *PARTIALS[number:count], NEW)
    there.file("known", SEALED, *PARTIALS[:count], NEW)
    there.file("lost", PARTIALS[0])
    assert there.files(PARTIALS[:count]) == (count + 1, count * 4)
    # A second look is for inodes with names elsewhere.
    assert len(walks) == count


def pair_in_both(there: Received) -> None:
    there.file("a", PARTIALS[0], NEW)
    there.link(there.place(NEW) / "a", there.place(PARTIALS[0]) / "b", there.place(NEW) / "b")


def pair_of_which_one_was_brought(there: Received) -> None:
    there.file("a", PARTIALS[0], NEW)
    there.link(there.place(NEW) / "a", there.place(NEW) / "b")


def pair_of_which_one_is_known(there: Received) -> None:
    pair_in_both(there)
    there.link(there.place(NEW) / "b", there.place(SEALED) / "b")


def pair_of_which_the_known_one_is_gone(there: Received) -> None:
    there.file("a", PARTIALS[0], NEW)
    there.link(there.place(NEW) / "a", there.place(PARTIALS[0]) / "b", there.place(SEALED) / "b")


def pair_met_in_two(there: Received) -> None:
    there.file("a", *PARTIALS[:2], NEW)
    there.link(there.place(NEW) / "a", *(there.place(name) / "b" for name in (*PARTIALS[:2], NEW)))


def known_elsewhere(there: Received) -> None:
    there.file("a", PARTIALS[0], NEW)
    there.link(there.place(NEW) / "a", there.store.root / "2026-11-19T010000Z/a")


def other_file_of_that_name(there: Received) -> None:
    there.file("a", PARTIALS[0])
    there.file("a", NEW)


def links_and_folders(there: Received) -> None:
    for name in (PARTIALS[0], NEW, SEALED):
        (there.place(name) / "old").mkdir()
        (there.place(name) / "link").symlink_to("old")
    for name in (PARTIALS[0], NEW):
        (there.place(name) / "new").mkdir()
    (there.place(PARTIALS[0]) / "young").symlink_to("new")
    (there.place(NEW) / "young").hardlink_to(there.place(PARTIALS[0]) / "young")


@pytest.mark.parametrize(
    ("lay", "names", "size"),
    [
        (pair_in_both, 1, 4),
        (pair_of_which_one_was_brought, 1, 4),
        (pair_of_which_one_is_known, 0, 0),
        (pair_of_which_the_known_one_is_gone, 0, 0),
        (pair_met_in_two, 1, 4),
        (known_elsewhere, 1, 4),
        (other_file_of_that_name, 0, 0),
        (links_and_folders, 2, 0),
    ],
)
def test_an_inode_counts_once_and_only_where_no_snapshot_has_it(
    there: Received, lay: Callable[[Received], None], names: int, size: int
) -> None:
    lay(there)
    assert there.files() == (names, size)


@pytest.mark.parametrize("name", [PARTIALS[0], NEW, SEALED])
def test_what_a_link_of_the_host_shows_is_in_no_snapshot(there: Received, tmp_path: Path, name: str) -> None:
    there.file("current/inner/file", PARTIALS[0], NEW)
    outside = tmp_path / "outside/inner"
    there.link(there.place(NEW) / "current/inner/file", outside / "file")
    there.file("bystander", PARTIALS[0], NEW)
    if name != SEALED:
        (there.place(name) / "current").rename(tmp_path / "was")
    (there.place(name) / "current").symlink_to(outside.parent)
    whole = name == SEALED
    assert there.files() == ((4, 8) if whole else (1, 4))


def deepest(place: Path, names: Sequence[str]) -> int:
    """A descriptor of the last of these folders in each other, which are made."""
    here = os.open(place, os.O_RDONLY)
    for each in names:
        os.mkdir(each, dir_fd=here)
        deeper = os.open(each, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    return here


def test_a_path_as_long_as_rsync_can_make_it_is_looked_up(there: Received) -> None:
    names = ["d" * 240] * 16 + ["e" * 228]
    assert len("/".join((*names, "f"))) == 4086
    brought, new = (deepest(there.place(name), names) for name in (PARTIALS[0], NEW))
    try:
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=brought))
        os.link("f", "f", src_dir_fd=brought, dst_dir_fd=new)
    finally:
        os.close(brought)
        os.close(new)
    assert there.files() == (len(names) + 1, 0)
    # Python's own rmtree, which tidies up after tests, does not get to the end of it.
    subprocess.run(("rm", "-rf", "--", there.store.root), check=True)


@pytest.mark.parametrize("where", [PARTIALS[0], NEW, SEALED])
def test_a_look_that_failed_is_not_a_name_that_is_not_there(
    there: Received, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.file("folder/file", SEALED, PARTIALS[0], NEW)
    shut = (there.place(where) / "folder").stat().st_ino
    real = tree.status

    def failing(parent: int, name: bytes) -> os.stat_result:
        if os.fstat(parent).st_ino == shut:
            raise OSError(problem, os.strerror(problem), name)
        return real(parent, name)

    monkeypatch.setattr(tree, "status", failing)
    problem = errno.EIO
    with pytest.raises(OSError, match="Input/output error"):
        there.taken()
    # As it stays for who is not root: the snapshot must be sealed some day.
    problem = errno.EACCES
    assert there.files() == ((1, 4) if where == SEALED else (0, 0))


def test_an_interrupted_snapshot_of_which_nothing_is_left_brought_nothing(there: Received) -> None:
    there.file("file", *PARTIALS[:2], NEW)
    (there.place(PARTIALS[0]) / "file").unlink()
    there.place(PARTIALS[0]).rmdir()
    there.store.begun(PARTIALS[2]).write_text("{torn")
    there.store.begun(PARTIALS[3]).write_text(json.dumps({"format": 1, "filesystems": ["/../x"]}))
    assert there.files() == (1, 4)


BEGUN = {"filesystems": ["/", "/srv", "/new"], "basis": "2026-11-20T010000Z", "older": ["2026-11-19T010000Z"]}


def test_each_mount_is_compared_with_the_snapshots_that_have_it(tmp_path: Path) -> None:
    share = ["2026-11-20T010000Z", ".partial/2026-11-21T010000Z/0", "2026-11-19T010000Z/srv", "2026-11-20T010000Z/srv"]
    snapshot = PartialSnapshot(StoreFolder(tmp_path), NEW, {**BEGUN, "share": share})
    assert snapshot.shared == {
        "/": ["2026-11-20T010000Z"],
        "/srv": ["2026-11-19T010000Z", "2026-11-20T010000Z"],
        "/new": [],
    }
    # As an older runner-agent began it.
    known = ("2026-11-20T010000Z", "2026-11-19T010000Z")
    assert PartialSnapshot(StoreFolder(tmp_path), NEW, BEGUN).shared == dict.fromkeys(("/", "/srv", "/new"), known)


def test_names_are_looked_up_in_the_tree_and_nowhere_else(tmp_path: Path) -> None:
    for folder in ("top/folder/inner", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text("text")
    (tmp_path / "top/link").symlink_to("folder")
    (tmp_path / "way").symlink_to("top")
    with Inodes(tmp_path, "/top") as inodes:
        assert inodes.size(b"folder/inner/file") == inodes.size(b"folder//inner/file") == 4
        for path in (b"link/inner/file", b"folder/../folder/inner/file", b"../outside/file", b"..", b"", b"no/file"):
            assert inodes.status(path) is None, path
        assert inodes.size(b"folder/inner") is None and inodes.of(b"folder/inner/file") is None
        assert [name for name, _ in inodes.names()] == [b"folder", b"link", b"folder/inner", b"folder/inner/file"]
    with pytest.raises(OSError, match="Not a directory"):
        Inodes(tmp_path, "/way")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_what_is_mounted_in_a_tree_is_not_in_it(tmp_path: Path) -> None:
    (tmp_path / "top/mount").mkdir(parents=True)
    if subprocess.run(("mount", "-t", "tmpfs", "tmpfs", tmp_path / "top/mount"), check=False).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        (tmp_path / "top/mount/inner").mkdir()
        (tmp_path / "top/mount/inner/file").touch()
        with Inodes(tmp_path / "top") as inodes:
            for path in (b"mount", b"mount/inner", b"mount/inner/file"):
                assert inodes.status(path) is None
            assert list(inodes.names()) == []
    finally:
        subprocess.run(("umount", tmp_path / "top/mount"), check=True)


def test_a_snapshot_that_was_interrupted_three_times_says_what_it_brought(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    house = Storehouse(root=tmp_path / "store", source=tmp_path / "source")
    (house.source / "known").write_text("known")
    assert house.snapshot(SEALED).code == 0
    for number, name in enumerate(PARTIALS[:3]):
        (house.source / f"file{number}").write_text("text")
        with house.held():
            assert house.begin(name, SEALED, PARTIALS[:number]).code == 0
            bases = [SEALED, *(f".partial/{each}" for each in PARTIALS[:number])]
            assert house.send(name, bases).code == 0
    said = house.snapshot(NEW, SEALED, PARTIALS[:3])
    assert (said.code, said.answer["added_files"], said.answer["added_bytes"]) == (0, 3, 12)
    assert said.answer["unsummed"] == 3
