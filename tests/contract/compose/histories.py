"""Random histories of a small tree: what people and programs do to names, as hypothesis draws it.

Nothing outside the tree is touched: no deed goes through a link, and links lead to names in the tree, or to nothing.
"""

# Names are bytes here, as the kernel has them; pathlib knows only text.
# ruff: noqa: PTH101, PTH102, PTH104, PTH108, PTH112, PTH114, PTH118, PTH119, PTH120, PTH123, PTH211

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence

from hypothesis import strategies as st

from tests.trees import ACCESS, DEFAULT, USER_1001, USER_1002, set_acl

NAMES = (b"a", b"b", b"\n", b"\xff")
PATHS = (*NAMES, *(b"a/" + name for name in NAMES), *(b"b/" + name for name in NAMES), b"a/a/a", b"a/a/b", b"b/b/a")
EPOCH = 1_600_000_000_000_000_001

Deed = tuple[str, bytes, bytes, int]
deeds = st.tuples(
    st.sampled_from(("file", "folder", "symlink", "fifo", "device", "link", "remove", "mode", "time", "owner", "user",
                     "acl", "rename", "again", "link", "link", "file", "folder")),
    st.sampled_from(PATHS),
    st.sampled_from(PATHS),
    st.integers(0, 2),
)  # fmt: skip


def do(top: bytes, history: Sequence[Deed]) -> None:
    """All of it, as far as it can be done; times are those of the history, and of folders the clock's."""
    top = os.path.realpath(top)
    for deed, one, other, number in history:
        paths = os.path.join(top, one), os.path.join(top, other)
        # As root, what a link leads to would be changed wherever it is.
        if all(os.path.realpath(os.path.dirname(path)) == os.path.dirname(path) for path in paths):
            with contextlib.suppress(OSError, shutil.Error):
                _do(deed, *paths, number)


def _do(deed: str, path: bytes, other: bytes, number: int) -> None:
    if deed in ("file", "folder", "symlink", "fifo", "device", "link", "remove"):
        if deed != "link" or os.path.lexists(other):
            _remove(path)
        _make(deed, path, other, number)
    elif deed in ("mode", "acl") and os.path.islink(path):
        return
    elif deed == "mode":
        os.chmod(path, (0o644, 0o4750, 0o701)[number])
    elif deed == "time":
        os.utime(path, ns=(EPOCH, EPOCH + number), follow_symlinks=False)
    elif deed == "owner":
        os.chown(path, number, 7, follow_symlinks=False)
    elif deed == "user":
        os.setxattr(path, "user.note", b"%d" % number, follow_symlinks=False)
    elif deed == "acl":
        set_acl(path, DEFAULT if number == 2 else ACCESS, (USER_1001, USER_1002, USER_1002)[number])
    elif deed == "rename":
        os.rename(path, other)
    elif deed == "again":
        # The same in another inode: a group splits.
        shutil.copy2(path, path + b"~", follow_symlinks=False)
        os.rename(path + b"~", path)


def _remove(path: bytes) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _make(deed: str, path: bytes, other: bytes, number: int) -> None:
    if deed == "file":
        with open(path, "wb") as file:
            file.write(b"%d" % (number // 2))
    elif deed == "folder":
        os.mkdir(path)
    elif deed == "symlink":
        os.symlink(os.path.basename(other) if number else b"/nonexistent", path)
    elif deed == "fifo":
        os.mkfifo(path)
    elif deed == "device":
        # Numbers that no device has: one like /dev/zero could be read without an end.
        os.mknod(path, 0o20666, os.makedev(60, number))
    elif deed == "link":
        os.link(other, path, follow_symlinks=False)
    if deed in ("file", "symlink", "fifo", "device"):
        os.utime(path, ns=(EPOCH, EPOCH), follow_symlinks=False)
