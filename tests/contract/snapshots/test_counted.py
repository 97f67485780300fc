"""No seal without a count that is not rsync's: what nobody copied is refused by name, or is an exception by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.agent.clock import now
from runner.agent.look.walker import LONGEST
from runner.agent.snapshots.walk import CountingWalker
from tests.contract.storehouse import NOBODY, PROGRAM, Said, Storehouse, execute, frame
from tests.mounts import need_mounts
from tests.trees import deep

ONE = "2026-11-21T010000Z"
FEW_FILES = ("prlimit", "--nofile=40:40")
NO_OPENDIR = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>
DIR *opendir(const char *name) {
    DIR *(*real)(const char *) = dlsym(RTLD_NEXT, "opendir");
    if (strstr(name, "shut")) { errno = EIO; return 0; }
    return real(name);
}
DIR *fdopendir(int fd) {
    char path[4096], link[64];
    DIR *(*real)(int) = dlsym(RTLD_NEXT, "fdopendir");
    __builtin_sprintf(link, "/proc/self/fd/%d", fd);
    long n = readlink(link, path, sizeof path - 1);
    if (n > 0) { path[n] = 0; if (strstr(path, "source") && strstr(path, "shut")) { errno = EIO; return 0; } }
    return real(fd);
}
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Storehouse]:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "folder/file").write_text("text")
    yield Storehouse(root=tmp_path / "store", source=source)
    # Python's own rmtree, which tidies up after tests, does not get to the end of these.
    subprocess.run(("rm", "-rf", "--", source, tmp_path / "store"), check=True)


def sealed(
    house: Storehouse, around: tuple[str, ...] = (), counting: tuple[str, ...] = (), meanwhile: str = ""
) -> Said:
    """The whole way: begin, send, look, explain, count, seal; `around` is for rsync alone, `counting` for the count.

    The file at `meanwhile` changes after it was sent.
    """
    since = now()
    rsync = Storehouse(root=house.root, source=house.source, before=around)
    with house.held():
        assert house.begin(ONE).code == 0
        sent = rsync.send(ONE)
        given, options = frame("send", sent), []
        if meanwhile:
            (house.source / meanwhile).write_text("changed")
        if sent.code:
            looked = rsync.differ(ONE, f".incoming/{ONE}/0")
            given += frame(
                "explain", house.call("explain", str(house.source), "--since", since, given=frame("l", looked))
            )
            options = ["--explained", "explain=/"]
        given += frame("walk", replace(house, before=counting).walk(0, frame("send", sent), since))
        assert house.compose(ONE).code == 0
        words = (str(house.root), ONE, f"--plan={house.plan}", "--transfer=send=/", "--walked=walk=/", *options)
        return house.call("seal", *words, given=given)


@pytest.fixture
def shut(tmp_path: Path) -> tuple[str, ...]:
    """An rsync that cannot open any folder called `shut`, which everybody else can."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc to make opendir fail for rsync alone")
    (tmp_path / "shut.c").write_text("#include <unistd.h>\n" + NO_OPENDIR)
    made = ("gcc", "-shared", "-fPIC", "-o", tmp_path / "shut.so", tmp_path / "shut.c", "-ldl")
    subprocess.run(made, check=True)
    return ("env", f"LD_PRELOAD={tmp_path}/shut.so")


def test_a_tree_too_deep_for_the_descriptors_of_rsync_is_refused_and_the_folder_is_named(house: Storehouse) -> None:
    deep(house.source / "folder", 60, file="f")
    refused = sealed(house, FEW_FILES)
    assert refused.code == 1
    assert "rsync saw" in refused.answer["error"]
    assert "123 were there before it began" in refused.answer["error"]
    assert "the first folder of which some are missing is /folder/d/d/" in refused.answer["error"]
    assert refused.answer["again"] is True
    assert not (house.root / ONE).exists()


def test_a_tree_too_deep_for_any_rsync_is_an_exception_by_name_and_freezes_nothing_else(house: Storehouse) -> None:
    # As 1,300 levels are under the limits of a login: rsync takes minutes to get to its end there.
    deep(house.source / "folder", 100, file="f")
    result = sealed(house, ("prlimit", "--nofile=80"), ("prlimit", "--nofile=80"))
    assert result.code == 0, result.out
    assert result.answer["exceptions"] == 1
    (exception,) = house.call("record", str(house.root), ONE).answer["exceptions_list"]
    assert exception["cause"] == "too deep"
    assert exception["path"].startswith("/folder/d/d/")
    assert (house.root / ONE / "folder/file").read_text() == "text"


def test_a_folder_that_rsync_alone_cannot_open_is_refused_and_named(house: Storehouse, shut: tuple[str, ...]) -> None:
    (house.source / "folder/shut").mkdir()
    for name in ("a", "b"):
        (house.source / "folder/shut" / name).write_text(name)
    refused = sealed(house, shut)
    assert refused.code == 1
    assert "rsync saw 4 names of /, and 6 were there" in refused.answer["error"]
    assert refused.answer["error"].endswith("is /folder/shut")


@pytest.mark.parametrize("meanwhile", ["", "folder/file"])
def test_a_look_that_failed_is_not_a_look_that_found_nothing(
    house: Storehouse, shut: tuple[str, ...], meanwhile: str
) -> None:
    (house.source / "folder/shut").mkdir()
    # On a busy machine something always changes, which is no reason why rsync could not read something else.
    refused = sealed(house, shut, meanwhile=meanwhile)
    assert refused.code == 1
    assert "could not read something of /, twice" in refused.answer["error"]


def test_nothing_is_sealed_without_a_count_of_its_own(house: Storehouse) -> None:
    with house.held():
        house.begin(ONE)
        given = frame("send", house.send(ONE))
        words = (str(house.root), ONE, f"--plan={house.plan}", "--transfer=send=/")
        assert "has not been composed" in house.call("seal", *words, given=given).answer["error"]
        assert house.compose(ONE).code == 0
        assert "nobody but rsync counted" in house.call("seal", *words, given=given).answer["error"]
        torn = frame("walk", Said(code=0, out=b""))
        refused = house.call("seal", *words, "--walked=walk=/", given=given + torn)
        assert "the count of the names in / is cut off" in refused.answer["error"]


def test_the_count_is_exact_below_what_is_left_out_and_however_deep(house: Storehouse) -> None:
    for path in ("cache/a/b", "store/snapshot", "store*", "left"):
        (house.source / path).mkdir(parents=True)
        (house.source / path / "file").write_text(path)
    (house.source / "link").symlink_to("cache")
    deep(house.source / "left", 500, file="f")
    words = (
        "--emptied",
        f"{house.source}/store",
        f"--left-out={house.source}/cache",
        f"--left-out={house.source}/store*",
    )
    walked = house.call(
        "walk", str(house.source), f"--since={now()}", *words, around=("prlimit", "--nofile=64"), given=b""
    )
    argv = ("--exclude=/store/*", "--exclude=/cache", r"--exclude=/store\*")
    with house.held():
        house.begin(ONE)
        sent = house.send(ONE, argv)
    (line,) = [line for line in sent.out.splitlines() if line.startswith(b"Number of files")]
    assert walked.answer["young"] == 0
    # Under so low a limit, what lies deeper than rsync could go is not asked for.
    free = house.call("walk", str(house.source), f"--since={now()}", *words)
    assert line.split()[3].replace(b",", b"").decode() == str(free.answer["names"])
    assert walked.answer["names"] < free.answer["names"]


def test_whoever_nests_folders_without_end_costs_no_room_without_end(house: Storehouse) -> None:
    deep(house.source / "folder", 6000, file="f")
    walker = CountingWalker(os.fsencode(house.source), time.time_ns())
    assert max(len(path) for path, _ in walker.counted()) < 2 * LONGEST
    assert walker.closed and sum(len(line.path) for line in walker.closed) < 8 << 20


def test_another_filesystem_that_is_no_mount_is_named(tmp_path: Path) -> None:
    (tmp_path / "top/subvolume").mkdir(parents=True)
    need_mounts()
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", tmp_path / "top/subvolume"), check=True)
    try:
        (tmp_path / "top/subvolume/file").write_text("text")
        walker = CountingWalker(os.fsencode(tmp_path / "top"), 0)
        assert list(walker.counted()) and walker.closed == []
        # As a subvolume of btrfs is: a device of its own, and in no table of mounts.
        walker._mounted = frozenset()
        assert list(walker.counted())
        assert [(line.path, line.cause) for line in walker.closed] == [("subvolume", "another filesystem")]
        assert walker.names == 2
        assert [folder.bare for folder in walker.folders()] == [[b"subvolume"]]
    finally:
        subprocess.run(("umount", tmp_path / "top/subvolume"), check=True)


def branching(top: Path, depth: int) -> tuple[list[Path], set[str]]:
    """So many folders in each other, each with two more beside it: the way down, and every folder below the top."""
    way = [top]
    for _ in range(depth):
        for name in ("a", "m", "z"):
            (way[-1] / name).mkdir()
        (way[-1] / "file").touch()
        way.append(way[-1] / "m")
    return way, {str(path.relative_to(top)) for path in top.rglob("*") if path.is_dir()}


@pytest.mark.parametrize("gone", [False, True])
def test_a_folder_that_is_moved_meanwhile_keeps_no_other_from_being_counted(tmp_path: Path, gone: bool) -> None:
    top = tmp_path / "top"
    top.mkdir()
    way, known = branching(top, 40)
    walker = CountingWalker(os.fsencode(top), time.time_ns() + 10**9)
    before = list(Path("/proc/self/fd").iterdir())
    seen: list[str] = []
    for path, names in walker.counted():
        seen.append(os.fsdecode(path))
        assert names in (4, 0)
        if len(path.split(b"/")) == 40 and way[8].exists():
            # Only its last 32 folders are open: the way back is by `..`, or from the top again.
            way[8].rename(tmp_path / "moved")
            if gone:
                way[5].rename(tmp_path / "gone")
    assert list(Path("/proc/self/fd").iterdir()) == before
    assert len(seen) == len(set(seen))
    missed = known - set(seen)
    assert missed <= (
        {str((way[level] / name).relative_to(top)) for level in (5, 6, 7) for name in "az"} if gone else set()
    )
    assert walker.closed == []
    if not gone:
        # The top itself, and in each of the folders on the way a file and three folders.
        assert (walker.names, walker.young, walker.beyond) == (1 + 40 * 4, 0, 0)


def test_what_is_mounted_meanwhile_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "top/folder").mkdir(parents=True)
    walker = CountingWalker(os.fsencode(tmp_path / "top"), time.time_ns() + 10**9)
    before = list(Path("/proc/self/fd").iterdir())
    going = walker.counted()
    assert next(going) == (b"", 1)
    need_mounts()
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", tmp_path / "top/folder"), check=True)
    try:
        (tmp_path / "top/folder/file").touch()
        assert list(going) == []
    finally:
        subprocess.run(("umount", "--lazy", tmp_path / "top/folder"), check=True)
    assert (walker.names, walker.closed) == (2, [])
    assert list(Path("/proc/self/fd").iterdir()) == before


def test_a_source_that_is_not_there_is_refused(house: Storehouse) -> None:
    shutil.rmtree(house.source)
    refused = house.walk()
    assert (refused.code, refused.answer["error"]) == (1, f"'{house.source}': No such file or directory")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_what_cannot_be_looked_at_is_named_with_its_error() -> None:
    with tempfile.TemporaryDirectory(prefix="counted-") as folder:
        top = Path(folder)
        top.chmod(0o755)
        for name, mode in (("listed", 0o644), ("shut", 0o700), ("open", 0o755)):
            (top / name).mkdir()
            (top / name / "file").touch()
            (top / name).chmod(mode)
        lines = execute((*NOBODY, *PROGRAM, "walk", folder, "--since=2100-01-01T00:00:00Z")).lines
        assert sorted(lines[:-1], key=lambda line: line["path"]) == [
            {"path": "listed/file", "cause": "unreadable", "errno": 13, "names": 0},
            {"path": "shut", "cause": "unreadable", "errno": 13, "names": 0},
        ]
        assert lines[-1] == {"names": 5, "young": 0}
        left = f"--left-out={folder}/listed/file"
        lines = execute((*NOBODY, *PROGRAM, "walk", folder, "--since=2100-01-01T00:00:00Z", left)).lines
        assert [line["path"] for line in lines[:-1]] == ["shut"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace for a disk that fails")
@pytest.mark.parametrize(("below", "named"), [("", "."), ("folder", "folder")])
def test_a_folder_that_the_disk_does_not_give_is_named_with_its_error(
    house: Storehouse, below: str, named: str
) -> None:
    failing = ("strace", "-qq", "-o", "/dev/null", "-P", str(house.source / below), "--inject=getdents64:error=EUCLEAN")
    lines = house.call("walk", str(house.source), "--since=2100-01-01T00:00:00Z", around=failing).lines
    assert lines[0] == {"path": named, "cause": "unreadable", "errno": 117, "names": 0}
    assert lines[-1] == {"names": 2 if below else 1, "young": 0}
