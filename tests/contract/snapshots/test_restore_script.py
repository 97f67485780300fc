"""restore.sh as it lies on a disk, in every shell that a rescue system may have."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.compare import differences, fingerprint, rsync_silent
from tests.contract.storehouse import Storehouse
from tests.trees import HOSTILE, make_tree

ONE, TWO = "2026-11-21T010000Z", "2026-11-22T010000Z"
SHELLS = [("dash",), ("bash", "--posix"), ("busybox", "sh")]
WITHOUT_PYTHON = ("rsync", "mkdir", "id")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    folder = tmp_path_factory.mktemp("disk")
    make_tree(folder / "source", files=40)
    (folder / "source/out").symlink_to("/etc")
    made = Storehouse(root=folder / "the store", source=folder / "source")
    assert made.snapshot(ONE, "", (), "--host", "papio").code == 0
    assert made.snapshot(TWO, ONE, (), "--host", "papio").code == 0
    return made


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    words: tuple[str, ...] = request.param
    if shutil.which(words[0]) is None:
        pytest.skip(f"there is no {words[0]}")
    return words


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with what the script may use, and no more."""
    folder = tmp_path_factory.mktemp("bin")
    for name in WITHOUT_PYTHON:
        (folder / name).symlink_to(shutil.which(name) or name)
    return str(folder)


class Called:
    """The script of a store, called by a shell."""

    def __init__(self, house: Storehouse, shell: tuple[str, ...], path: str) -> None:
        self.house, self.shell, self.path = house, shell, path

    def __call__(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        words = (shutil.which(self.shell[0]) or "", *self.shell[1:], self.house.root / ".runner/restore.sh")
        return subprocess.run(
            (*words, *argv), check=False, capture_output=True, encoding="utf-8", errors="backslashreplace",
            env={"PATH": self.path}, cwd="/", stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip


@pytest.fixture
def call(house: Storehouse, shell: tuple[str, ...], path: str) -> Called:
    return Called(house, shell, path)


def test_it_lists_the_snapshots_and_what_they_lack(call: Called, house: Storehouse) -> None:
    (house.root / "2026-11-23T010000Z").mkdir(exist_ok=True)
    record = house.root / ".runner/records" / f"{ONE}.json"
    kept = record.read_text()
    record.write_text(kept.replace(' "exceptions": 0', ' "exceptions": 2'))
    result = call("list")
    record.write_text(kept)
    (house.root / "2026-11-23T010000Z").rmdir()
    assert result.stdout.splitlines() == [
        f"{ONE}  of papio; names that could not be copied: 2 (see .runner/records/{ONE}.json)",
        f"{TWO}  of papio",
        "2026-11-23T010000Z  without a record: it may not be whole",
    ]


def test_a_whole_tree_comes_back_as_it_was_and_the_store_is_untouched(
    call: Called, house: Storehouse, tmp_path: Path
) -> None:
    before = fingerprint(house.root / TWO)
    result = call("latest", "/", tmp_path / "new root/x")
    assert result.returncode == 0, result.stderr
    assert f"as in snapshot {TWO}" in result.stdout
    assert differences(house.source, tmp_path / "new root/x") == []
    assert rsync_silent(house.root / TWO, tmp_path / "new root/x") == ""
    assert fingerprint(house.root / TWO) == before


def test_what_changed_within_the_same_second_comes_back(call: Called, house: Storehouse, tmp_path: Path) -> None:
    target = tmp_path / "new root"
    target.mkdir()
    lost = next(path for path in sorted((house.root / TWO).iterdir()) if path.is_file() and path.stat().st_size)
    copy = target / lost.name
    copy.write_bytes(b"x" * lost.stat().st_size)
    for path in (copy, target):
        second, part = divmod(lost.stat().st_mtime_ns if path == copy else (house.root / TWO).stat().st_mtime_ns, 10**9)
        os.utime(path, ns=(0, second * 10**9 + (part + 1) % 10**9))
    assert call("latest", "/", target).returncode == 0
    assert copy.read_bytes() == lost.read_bytes()
    assert target.stat().st_mtime_ns == (house.root / TWO).stat().st_mtime_ns


def test_one_file_and_one_link_go_into_the_folder_named(call: Called, house: Storehouse, tmp_path: Path) -> None:
    assert call(ONE, "/links/z/first", tmp_path / "a").returncode == 0
    assert (tmp_path / "a/first").read_bytes() == (house.source / "links/z/first").read_bytes()
    assert call(ONE, "/out", tmp_path / "a/").returncode == 0
    assert (tmp_path / "a/out").readlink() == Path("/etc")


def test_hostile_names_are_names(call: Called, house: Storehouse, tmp_path: Path) -> None:
    first = [words[0] for words in SHELLS].index(call.shell[0])
    for number, name in list(enumerate(HOSTILE))[first :: len(SHELLS)]:
        target = tmp_path / f"{number}"
        result = call(TWO, os.fsdecode(b"/odd/in%d/" % number + name), target)
        assert result.returncode == 0, (name, result.stderr)
        assert differences(Path(os.fsdecode(os.fsencode(house.source) + b"/odd/in%d/" % number + name)), target) == []
    assert not Path("/pwned").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("latest", "/out/passwd", "{tmp}/x"), "is a link"),
        (("latest", "/nothing", "{tmp}/x"), "there is no /nothing"),
        (("latest", "links", "{tmp}/x"), "from the first /"),
        (("latest", "/links/../out", "{tmp}/x"), "without .."),
        (("latest", "/links", "x"), "from the first /"),
        (("latest", "/links", "{tmp}/../x"), "without .."),
        (("latest", "/links", "{store}"), "in the store itself"),
        (("latest", "/links", f"{{store}}/{ONE}/links"), "in the store itself"),
        (("latest", "/links", "{store}/.runner/new/folder"), "in the store itself"),
        (("latest", "/links", "{tmp}/to-store/new"), "in the store itself"),
        (("latest", "/", "{above}"), "the store itself lies below"),
        (("latest", "/", "/"), "the store itself lies below"),
        (("latest", "/links", "{tmp}/a-file/x"), "is not a folder"),
        (("2026-11-20T010000Z", "/", "{tmp}/x"), "there is no snapshot"),
        ((".runner", "/", "{tmp}/x"), "there is no snapshot"),
        (("--help", "/", "{tmp}/x"), "there is no snapshot"),
        (("latest", "/links"), "usage"),
        ((), "usage"),
    ],
)  # fmt: skip
def test_what_could_do_harm_or_is_not_there_is_refused_before_anything_is_written(
    call: Called, house: Storehouse, tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    (tmp_path / "to-store").symlink_to(house.root)
    (tmp_path / "a-file").write_text("text")
    places = {"tmp": tmp_path, "store": house.root, "above": house.root.parent}
    before = sorted(path.name for path in tmp_path.iterdir()), fingerprint(house.root)
    result = call(*(word.format(**places) for word in words))
    assert result.returncode == 2
    assert why in result.stderr
    assert (sorted(path.name for path in tmp_path.iterdir()), fingerprint(house.root)) == before


def test_a_copy_that_is_not_whole_is_said_to_be_none(call: Called, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first/in the way").write_text("text")
    result = call(TWO, "/links/z/first", tmp_path)
    assert result.returncode == 23
    assert "NOT all of it is there" in result.stderr


def test_it_works_only_where_it_lies(shell: tuple[str, ...], house: Storehouse, tmp_path: Path) -> None:
    copy = tmp_path / "restore.sh"
    shutil.copy(house.root / ".runner/restore.sh", copy)
    result = subprocess.run((*shell, copy, "list"), check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert "run it where it lies" in result.stderr
    here = subprocess.run((*shell, "restore.sh", "list"), check=True, capture_output=True, cwd=house.root / ".runner")
    assert ONE.encode() in here.stdout
