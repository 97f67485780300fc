"""No seal without a count that is not rsync's: what nobody copied is refused by name, or is an exception by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.agent.clock import now
from runner.agent.snapshots.walk import LONGEST, Walker
from tests.contract.storehouse import Said, Storehouse, frame

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


def deep(folder: Path, depth: int) -> None:
    """So many folders in each other, and a file in each; paths may be longer than programs take."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


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
            looked = rsync.look(ONE)
            given += frame(
                "explain", house.call("explain", str(house.source), "--since", since, given=frame("l", looked))
            )
            options = ["--explained", "explain=/"]
        given += frame("walk", replace(house, before=counting).walk(0, frame("send", sent), since))
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
    deep(house.source / "folder", 60)
    refused = sealed(house, FEW_FILES)
    assert refused.code == 1
    assert "rsync saw" in refused.answer["error"]
    assert "123 were there before it began" in refused.answer["error"]
    assert "the first folder of which some are missing is /folder/d/d/" in refused.answer["error"]
    assert refused.answer["again"] is True
    assert not (house.root / ONE).exists()


def test_a_tree_too_deep_for_any_rsync_is_an_exception_by_name_and_freezes_nothing_else(house: Storehouse) -> None:
    # As 1,300 levels are under the limits of a login: rsync takes minutes to get to its end there.
    deep(house.source / "folder", 100)
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
        assert "nobody but rsync counted" in house.call("seal", *words, given=given).answer["error"]
        torn = frame("walk", Said(code=0, out=b""))
        refused = house.call("seal", *words, "--walked=walk=/", given=given + torn)
        assert "the count of the names in / is cut off" in refused.answer["error"]


def test_the_count_is_exact_below_what_is_left_out_and_however_deep(house: Storehouse) -> None:
    for path in ("cache/a/b", "store/snapshot", "store*", "left"):
        (house.source / path).mkdir(parents=True)
        (house.source / path / "file").write_text(path)
    (house.source / "link").symlink_to("cache")
    deep(house.source / "left", 500)
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
        sent = house.send(ONE, (), argv)
    (line,) = [line for line in sent.out.splitlines() if line.startswith(b"Number of files")]
    assert walked.answer["young"] == 0
    # Under so low a limit, what lies deeper than rsync could go is not asked for.
    free = house.call("walk", str(house.source), f"--since={now()}", *words)
    assert line.split()[3].replace(b",", b"").decode() == str(free.answer["names"])
    assert walked.answer["names"] < free.answer["names"]


def test_whoever_nests_folders_without_end_costs_no_room_without_end(house: Storehouse) -> None:
    deep(house.source / "folder", 6000)
    walker = Walker(os.fsencode(house.source), time.time_ns())
    assert max(len(path) for path, _ in walker.folders()) < 2 * LONGEST
    assert walker.closed and sum(len(line.path) for line in walker.closed) < 8 << 20


def test_another_filesystem_that_is_no_mount_is_named(tmp_path: Path) -> None:
    (tmp_path / "top/subvolume").mkdir(parents=True)
    if subprocess.run(("mount", "-t", "tmpfs", "tmpfs", tmp_path / "top/subvolume"), check=False).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        (tmp_path / "top/subvolume/file").write_text("text")
        walker = Walker(os.fsencode(tmp_path / "top"), 0)
        assert list(walker.folders()) and walker.closed == []
        # As a subvolume of btrfs is: a device of its own, and in no table of mounts.
        walker._mounted = frozenset()
        assert list(walker.folders())
        assert [(line.path, line.cause) for line in walker.closed] == [("subvolume", "another filesystem")]
        assert walker.names == 2
    finally:
        subprocess.run(("umount", tmp_path / "top/subvolume"), check=True)
