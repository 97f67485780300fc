"""The trees and the comparison that other tests lean on: hard enough, and sharp enough."""

# Names are bytes here, as the kernel has them; pathlib knows only text.
# ruff: noqa: PTH101, PTH104, PTH105, PTH108, PTH116, PTH118, PTH123, PTH211

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compare import differences, fingerprint, rsync_silent, shared, walk
from tests.contract.storehouse import PROGRAM
from tests.trees import ACCESS, HOSTILE, NET_BIND, USER_1001, USER_1002, change_tree, make_tree, set_acl

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and capabilities need root")
TESTS = Path(__file__).parents[2]
A_DAY = (
    "is missing", "should not be there", "mode is", "mtime_ns is", "content is", "kind is",
    "attributes is", "same_inode_as is", "target is", "size is",
)  # fmt: skip


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("one", "two"):
        make_tree(tmp_path / name, files=60)
    return tmp_path / "one", tmp_path / "two"


@needs_root
def test_a_tree_holds_every_kind_of_file_and_every_hostile_name(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")
    entries = walk(tmp_path / "tree")
    kinds = {entry.kind for entry in entries.values()}
    assert kinds == {"folder", "file", "symlink", "fifo", "socket", "character device", "block device"}
    assert {b"odd/" + name for name in HOSTILE} <= set(entries)
    attributes = {name for entry in entries.values() for name, _ in entry.attributes}
    assert {"system.posix_acl_access", "system.posix_acl_default", "security.capability"} <= attributes
    assert {"0o4755", "0o2755", "0o6711"} <= {entry.mode for entry in entries.values()}
    assert 54321 in {entry.owner for entry in entries.values()}
    assert sum(bool(entry.same_inode_as) for entry in entries.values()) >= 5
    assert max(name.count(b"/") for name in entries) == 60
    assert entries[b"special/sparse"].allocated < entries[b"special/sparse"].size // 100


def test_one_seed_makes_one_tree_and_another_seed_another(pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert differences(*pair) == []
    assert rsync_silent(*pair) == ""
    make_tree(tmp_path / "other", files=60, seed=2)
    assert differences(pair[0], tmp_path / "other")


def test_a_day_of_use_changes_a_little_of_everything_each_time(pair: tuple[Path, Path]) -> None:
    for day in range(1, 7):
        before = pair[0].with_name(f"before day {day}")
        subprocess.run(["cp", "--archive", "--", pair[0], before], check=True)
        change_tree(pair[0], seed=day)
        found = "\n".join(differences(before, pair[0]))
        assert [word for word in A_DAY if word not in found] == []


def _fill(path: bytes) -> None:
    with open(path, "r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data)


def _split(path: bytes) -> None:
    shutil.copy2(path, path + b"~")
    os.replace(path + b"~", path)


def _rewrite(path: bytes) -> None:
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.write(b"B")
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))


def _nanosecond(path: bytes) -> None:
    os.utime(path, ns=(0, os.lstat(path).st_mtime_ns + 1), follow_symlinks=False)


def _retarget(path: bytes) -> None:
    os.unlink(path)
    os.symlink(b"x", path)


def _other_device(path: bytes) -> None:
    os.unlink(path)
    os.mknod(path, 0o60660, os.makedev(7, 9))


Touch = tuple[bytes, Callable[[bytes], None], str]
TOUCHES: dict[str, Touch] = {
    "a mode": (b"special/empty", lambda path: os.chmod(path, 0o4711), "mode is"),
    "one nanosecond": (b"attributes/acl", _nanosecond, "mtime_ns is"),
    "a symlink's time": (b"special/loop", _nanosecond, "mtime_ns is"),
    "the top folder's time": (b".", _nanosecond, "mtime_ns is"),
    "a byte under an unchanged time": (b"attributes/trusted", _rewrite, "content is"),
    "an ACL": (b"attributes/acl", lambda path: set_acl(path, ACCESS, USER_1002), "attributes is"),
    "an attribute": (b"attributes/comment", lambda path: os.removexattr(path, "user.empty"), "attributes is"),
    "holes": (b"special/sparse", _fill, "holes were filled"),
    "a link group": (b"links/a/pair2", _split, "same_inode_as is"),
    "a symlink": (b"special/dangling", _retarget, "target is"),
    "a name": (b"odd/new\nline", lambda path: os.rename(path, path + b"2"), "is missing"),
}
ROOT_TOUCHES: dict[str, Touch] = {
    "an owner": (b"special/fifo", lambda path: os.chown(path, 7, -1), "owner is"),
    "a symlink's group": (b"special/loop", lambda path: os.lchown(path, -1, 7), "group is"),
    "a capability": (
        b"attributes/capability",
        lambda path: os.removexattr(path, "security.capability"),
        "attributes is",
    ),
    "a device": (b"special/block", _other_device, "device is"),
}


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("worn")
    for name in ("one", "two"):
        make_tree(folder / name, files=20)
    return folder / "one", folder / "two"


@pytest.mark.parametrize("what", TOUCHES | (ROOT_TOUCHES if os.geteuid() == 0 else {}))
def test_the_comparison_sees(what: str, worn: tuple[Path, Path]) -> None:
    name, touch, text = (TOUCHES | ROOT_TOUCHES)[what]
    lines, before = differences(*worn), fingerprint(worn[1])
    touch(os.path.join(os.fsencode(worn[1]), name))
    fresh = [line for line in differences(*worn) if line not in lines]
    assert any(line.startswith(repr(name)) and text in line for line in fresh), fresh
    assert what == "holes" or fingerprint(worn[1]) != before


def test_a_fingerprint_ignores_links_from_other_trees(tmp_path: Path) -> None:
    make_tree(tmp_path / "old", files=20)
    before = fingerprint(tmp_path / "old")
    subprocess.run(["cp", "--archive", "--link", "--", tmp_path / "old", tmp_path / "new"], check=True)
    assert fingerprint(tmp_path / "old") == before
    assert b"special/empty" in shared(tmp_path / "old", tmp_path / "new")


def test_a_folder_that_is_left_out_is_still_compared_itself(pair: tuple[Path, Path]) -> None:
    shutil.rmtree(pair[1] / "links" / "a")
    assert differences(*pair, below=("links",)) != []
    os.utime(pair[1] / "links", ns=(0, (pair[0] / "links").stat().st_mtime_ns))
    assert differences(*pair, below=("links",)) == []


@needs_root
def test_a_user_who_is_not_root_gets_what_a_user_can_make(tmp_path: Path) -> None:
    for name in ("trees.py", "compare.py", "__init__.py"):
        (tmp_path / "tests").mkdir(mode=0o755, exist_ok=True)
        shutil.copy(TESTS / name, tmp_path / "tests")
        (tmp_path / "tests" / name).chmod(0o644)
    script = (
        "from pathlib import Path; import sys; from tests.trees import *; "
        "from tests.compare import differences;"
        "roots = [Path(name) for name in sys.argv[1:]];"
        "[make_tree(root, files=60) for root in roots]; change_tree(roots[0], seed=1);"
        "print(len(differences(*roots)))"
    )
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:3]:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)
    user = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    argv = (*user, PROGRAM[0], "-c", script, str(tmp_path / "one"), str(tmp_path / "two"))
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


@needs_root
def test_the_capability_of_the_tree_is_one_that_the_kernel_knows(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", files=20)
    program = tmp_path / "tree" / "attributes" / "capability"
    assert os.getxattr(program, "security.capability") == NET_BIND
    result = subprocess.run(["getcap", program], capture_output=True, text=True, check=True).stdout
    assert "cap_net_bind_service" in result
    set_acl(os.fsencode(program), ACCESS, USER_1001)
