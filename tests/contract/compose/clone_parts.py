"""Trees that are cloned in this process, and what must be true of a clone."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.agent.compose.tree_clone import TreeClone, TreeWork
from tests.compare import walk
from tests.trees import ACCESS, DEFAULT, USER_1001, USER_1002, set_acl

# What a random tree is made of: an int is a leaf, see `make`; a mapping is a folder.
Tree = Mapping[str, Any]
POOL = ("file", "other", "symlink", "fifo")


@contextlib.contextmanager
def opened(*paths: Path) -> Iterator[list[int]]:
    descriptors = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in paths]
    try:
        yield descriptors
    finally:
        for each in descriptors:
            os.close(each)


def clone(original: Path, copy: Path, emptied: Iterable[Sequence[str]] = ()) -> TreeWork:
    """Clone as the verb does: what one that was cut off left in the scratch folder goes first."""
    scratch = copy.with_name("scratch")
    for path in (copy, scratch):
        path.mkdir(exist_ok=True)
    for path in scratch.iterdir():
        path.unlink()
    with opened(original, copy, scratch) as descriptors:
        work = TreeClone(*descriptors).make(emptied)
    scratch.rmdir()
    return work


def inodes(top: Path) -> dict[bytes, int]:
    """The inode of each name that is no folder."""
    listed = {}
    for folder, folders, files in os.walk(os.fsencode(top)):
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118
            status = os.lstat(path)
            if not stat.S_ISDIR(status.st_mode):
                listed[os.path.relpath(path, os.fsencode(top))] = status.st_ino
    return listed


def require_clone(original: Path, copy: Path, work: TreeWork) -> None:
    """The same names with the same inodes, and folders with the same attributes."""
    ours, theirs = walk(original), walk(copy)
    assert theirs == ours
    assert inodes(copy) == inodes(original)
    assert work.names == len(theirs)
    assert work.folders == sum(1 for each in theirs.values() if each.kind == "folder")
    assert work.copied == 0


def pool(top: Path) -> None:
    """An older snapshot: inodes that random trees have names of."""
    top.mkdir()
    (top / "file").write_text("shared")
    (top / "other").write_text("shared too")
    (top / "symlink").symlink_to("/etc")
    os.mkfifo(top / "fifo")


def make(top: Path, tree: Tree, shared: Path, mark: int) -> None:
    """A random tree: 0 to 3 are names of inodes of the pool, 4 to 6 new inodes, 7 and 8 folders that are closed."""
    top.mkdir(exist_ok=True)
    for name, inner in tree.items():
        path = top / name
        match inner:
            case int() if inner < len(POOL):
                os.link(shared / POOL[inner], path, follow_symlinks=False)
            case 4:
                path.write_text(f"{mark}")
            case 5:
                path.symlink_to(f"{mark}")
            case 6:
                os.mkfifo(path, 0o600)
            case int():
                path.mkdir()
                (path / "inside").mkdir(0o100)
                path.chmod(0 if inner == 7 else 0o500)
            case _:
                make(path, inner, shared, mark)
    _attributes(top, len(tree) + mark)


def _attributes(folder: Path, kind: int) -> None:
    folder.chmod((0o755, 0o500, 0o2775, 0o1777, 0o700)[kind % 5])
    path = os.fsencode(folder)
    if kind % 3 == 0:
        set_acl(path, DEFAULT, USER_1001)
    if kind % 3 == 1:
        set_acl(path, ACCESS, USER_1002)
    if kind % 2:
        os.setxattr(path, "user.kind", b"%d" % kind)
    if os.geteuid() == 0:
        os.chown(path, kind % 4 * 1000, kind % 2)
    os.utime(path, ns=(kind, 10**18 + kind))


def killed(work: Callable[[], object], number: int = 0, calls: Sequence[str] = ()) -> bool:
    """Do it in a process that ends before the call of that number (from 0) of these in `os`; False where it does all."""
    pid = os.fork()
    if not pid:
        left = number

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*given: Any, **named: Any) -> Any:
                nonlocal left
                if real is not os_open or given[1] & os.O_CREAT:
                    if not left:
                        os._exit(9)
                    left -= 1
                return real(*given, **named)

            return call

        os_open = os.open
        for name in calls:
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9)
    return code == 9
