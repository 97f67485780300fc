"""Trees that hold everything hard to back up, and a day of use on them.

The same seed makes the same names, contents, modes, owners and (in `make_tree`) times.
"""

# Names are bytes here, as the kernel has them; pathlib knows only text.
# ruff: noqa: PTH101, PTH102, PTH103, PTH104, PTH105, PTH108, PTH114, PTH116, PTH118, PTH119, PTH120, PTH123, PTH208, PTH211

from __future__ import annotations

import os
import random
import shutil
import socket
import stat
import struct
from pathlib import Path

EPOCH = 1_600_000_000
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
NET_BIND = bytes.fromhex("0100000200040000000000000000000000000000")

HOSTILE: tuple[bytes, ...] = (
    b"spaces in name", b" leading", b"trailing ", b"-rf", b"--delete", b"-e sh", b"--rsh=sh", b"new\nline",
    b"\n", b"ends in newline\n", b"two\nlines; touch pwned", b"quote'\"`", b"$(touch pwned)",
    b"`touch pwned`", b";id;", b"a && b", b"back\\slash", b"ends in backslash\\", b"star*?[a]", b"[!x]",
    b"**", b"#hash", b";semi", b"\xff\xfe not utf8", "déjà 日本.txt".encode(), "de\u0301ja\u0300".encode(),
    b"tab\there", b"\r\n", b"\x01\x7f\x1b[31m", b"~root", b"%n%s%i", b"...", b"host:path", b"rsync:",
    b"|pipe&", b"\xe2\x80\xaertl", b"No space left on device (28)",
    b"rsync error: some files vanished (code 24)", b"*deleting   all", b"a -> b", b"a => b", b" -> ",
    b" => ", b"\\#012", b"\\#134#012", b">f+++++++++|0|1|name", b"|0|", b"- pattern", b"+ pattern", b"!",
    b"name=value", b".~tmp~", b".f1.XXXXXX", b"a" * 255, "é".encode() * 127,
)  # fmt: skip

Acl = tuple[tuple[int, int, int], ...]
NOBODY = 0xFFFFFFFF
USER_1001: Acl = ((1, 6, NOBODY), (2, 4, 1001), (4, 4, NOBODY), (16, 6, NOBODY), (32, 0, NOBODY))
USER_1002: Acl = ((1, 7, NOBODY), (2, 7, 1002), (4, 5, NOBODY), (16, 7, NOBODY), (32, 5, NOBODY))


def make_tree(root: Path, *, seed: int = 1, files: int = 300, root_only: bool = True) -> None:
    """Fill `root` (made if it is missing) with about `files` plain files and all that is hard.

    What only root can make (foreign owners, devices, capabilities, trusted attributes) is left
    out when `root_only` is false or the caller is not root.
    """
    dice = random.Random(seed)
    top = os.fsencode(root)
    root_only = root_only and os.geteuid() == 0
    os.makedirs(top, exist_ok=True)
    _plain(top, dice, files, root_only=root_only)
    _hostile(top, dice)
    _deep(top)
    _links(top)
    _special(top, root_only=root_only)
    _attributes(top, root_only=root_only)
    _date_everything(top, dice)
    os.chmod(top + b"/special/unwritable", 0o555)


def deep(folder: Path, depth: int, name: str = "d", file: str = "") -> None:
    """So many folders in each other, and in each a file where it has a name; paths may be longer than programs take."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        deeper = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
        if file:
            os.close(os.open(file, os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def set_acl(path: bytes, kind: str, entries: Acl) -> None:
    """Give `path` an ACL of (tag, permissions, number) entries: acl(5), in the kernel's own format."""
    packed = b"".join(struct.pack("<HHI", tag, bits, number) for tag, bits, number in entries)
    os.setxattr(path, kind, struct.pack("<I", 2) + packed)


def write(path: bytes, data: bytes, mode: int = 0o644) -> None:
    """Put `data` into a new or existing file and give it `mode`."""
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)


def _plain(top: bytes, dice: random.Random, files: int, *, root_only: bool) -> None:
    folders = [top]
    for number in range(max(4, files // 12)):
        folder = os.path.join(dice.choice(folders[-12:]), b"d%d" % number)
        os.mkdir(folder, dice.choice((0o755, 0o750, 0o2775, 0o1777)))
        folders.append(folder)
    for number in range(files):
        path = os.path.join(dice.choice(folders), b"f%d" % number)
        write(path, dice.randbytes(int(dice.expovariate(1 / 3000))))
        if root_only:
            os.chown(path, dice.choice((0, 0, 1000, 1001, 54321)), dice.choice((0, 0, 1000, 60000)))
        os.chmod(path, dice.choice((0o644, 0o644, 0o600, 0o640, 0o755, 0o4755, 0o2755, 0o444, 0o6711)))
    write(os.path.join(top, b"d0", b"large"), dice.randbytes(400_000))


def _hostile(top: bytes, dice: random.Random) -> None:
    odd = os.path.join(top, b"odd")
    os.mkdir(odd)
    for number, name in enumerate(HOSTILE):
        write(os.path.join(odd, name), b"odd %d\n" % number)
        os.symlink(name, os.path.join(odd, b"link%d" % number))
        folder = os.path.join(odd, b"in%d" % number)
        os.mkdir(folder)
        os.mkdir(os.path.join(folder, name))
        write(os.path.join(folder, name, name), dice.randbytes(20))
        write(os.path.join(top, name), b"at the top %d\n" % number)


def _deep(top: bytes) -> None:
    folder = top
    for level in range(60):
        folder = os.path.join(folder, b"level%02d" % level)
        os.mkdir(folder)
    write(os.path.join(folder, b"bottom"), b"bottom\n")


def _links(top: bytes) -> None:
    for folder in (b"links", b"links/a", b"links/z", b"links/\n"):
        os.mkdir(os.path.join(top, folder))
    write(os.path.join(top, b"links/z/first"), b"shared by three folders\n")
    write(os.path.join(top, b"links/a/pair1"), b"a pair\n")
    os.symlink(b"one link, two names", os.path.join(top, b"links/a/symlink1"))
    for old, new in (
        (b"links/z/first", b"links/a/second"),
        (b"links/z/first", b"links/\n/=> third"),
        (b"links/z/first", b"odd/fourth\n"),
        (b"links/a/pair1", b"links/a/pair2"),
        (b"links/a/symlink1", b"links/z/symlink2"),
    ):
        os.link(os.path.join(top, old), os.path.join(top, new), follow_symlinks=False)


def _special(top: bytes, *, root_only: bool) -> None:
    special = os.path.join(top, b"special")
    os.mkdir(special)
    os.mkdir(special + b"/empty folder")
    os.mkdir(special + b"/unwritable")
    write(special + b"/unwritable/inside", b"still here\n", 0o400)
    write(special + b"/empty", b"")
    os.mkfifo(special + b"/fifo", 0o640)
    _socket(special + b"/socket")
    for name, target in (
        (b"dangling", b"/nonexistent/target"), (b"absolute", b"/etc/passwd"), (b"up", b"../../../.."),
        (b"loop", b"loop"), (b"newline", b"a\nb -> c//d"), (b"long", b"x/" * 2000),
    ):  # fmt: skip
        os.symlink(target, os.path.join(special, name))
    with open(special + b"/sparse", "wb") as file:
        file.truncate(50 << 20)
        file.seek(20 << 20)
        file.write(b"island")
    with open(special + b"/all hole", "wb") as file:
        file.truncate(8 << 20)
    if root_only:
        os.mknod(special + b"/null", 0o20666, os.makedev(1, 3))
        os.mknod(special + b"/block", 0o60660, os.makedev(7, 200))
        os.link(special + b"/null", special + b"/null again")


def _socket(path: bytes) -> None:
    # A socket's address is at most 107 bytes and test folders are deep: bind through a short link.
    folder = os.open(os.path.dirname(path), os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{folder}/{os.fsdecode(os.path.basename(path))}")
    os.close(folder)


def _attributes(top: bytes, *, root_only: bool) -> None:
    folder = os.path.join(top, b"attributes")
    os.mkdir(folder)
    for name in (b"acl", b"capability", b"comment", b"trusted"):
        write(os.path.join(folder, name), name + b"\n")
    os.mkdir(folder + b"/default acl")
    set_acl(folder + b"/acl", ACCESS, USER_1001)
    set_acl(folder + b"/default acl", DEFAULT, USER_1002)
    os.mkdir(folder + b"/default acl/inherited")
    os.setxattr(folder + b"/comment", "user.comment", b"kept \x00 bytes\n")
    os.setxattr(folder + b"/comment", "user.empty", b"")
    os.setxattr(folder + b"/comment", "user.large", b"x" * 900)
    os.setxattr(folder + b"/default acl", "user.on a folder", b"\xff")
    if root_only:
        os.setxattr(folder + b"/capability", "security.capability", NET_BIND)
        os.setxattr(folder + b"/trusted", "trusted.origin", b"papio")
        os.symlink(b"trusted", folder + b"/link")
        os.setxattr(folder + b"/link", "trusted.link", b"its own", follow_symlinks=False)
        os.lchown(folder + b"/link", 1000, 60000)


def _date_everything(top: bytes, dice: random.Random) -> None:
    for folder, folders, files in os.walk(top, topdown=False):
        for name in sorted(files) + sorted(folders):
            moment = EPOCH * 10**9 + dice.randrange(10**16)
            os.utime(os.path.join(folder, name), ns=(moment, moment), follow_symlinks=False)
    os.utime(top, ns=(EPOCH * 10**9 + 1, EPOCH * 10**9 + 1))


def change_tree(root: Path, *, seed: int) -> None:
    """Do to a tree of `make_tree` what people do in a day; can be repeated with other seeds.

    Some of it is what backups miss: a same-size rewrite within the second, an attribute and
    nothing else, a link group that grows or splits, a name that changes its type.
    """
    dice = random.Random(seed)
    top = os.fsencode(root)
    mark = b".day%d" % seed
    plain = [path for path in _regular(top) if b"/odd/" not in path and b"/links/" not in path]
    chosen = dice.sample(plain, 14)
    _rewrite(chosen[:5], dice)
    os.unlink(chosen[5])
    os.rename(chosen[6], chosen[6][:-1] + mark)
    os.chmod(chosen[7], dice.choice((0o600, 0o4755, 0o777, 0o400)))
    os.utime(chosen[8], ns=(EPOCH * 10**9, EPOCH * 10**9 + dice.randrange(10**15)))
    os.setxattr(chosen[9], "user.day", mark)
    set_acl(chosen[10], ACCESS, USER_1001 if seed % 2 else USER_1002)
    if os.geteuid() == 0:
        os.chown(chosen[11], dice.randrange(1, 60000), dice.randrange(1, 60000))
        os.setxattr(chosen[12], "security.capability", NET_BIND)
    _change_types(top, chosen[13], mark)
    _change_links(top, mark)
    _change_folders(top, mark, dice)


def _regular(top: bytes) -> list[bytes]:
    found = (os.path.join(folder, name) for folder, _, names in os.walk(top) for name in names)
    writable = sorted(path for path in found if os.access(path, os.W_OK, follow_symlinks=False))
    whole = [path for path in writable if stat.S_ISREG(os.lstat(path).st_mode)]
    return [path for path in whole if len(os.path.basename(path)) < 200 and os.lstat(path).st_size < 1 << 20]


def _rewrite(paths: list[bytes], dice: random.Random) -> None:
    grown, renewed, same_second, *others = paths
    for path in (grown, *others):
        with open(path, "ab") as file:
            file.write(dice.randbytes(100))
    write(renewed + b"~", dice.randbytes(700))
    os.replace(renewed + b"~", renewed)
    before = os.lstat(same_second)
    with open(same_second, "r+b") as file:
        flipped = bytes(byte ^ 1 for byte in file.read())
        file.seek(0)
        file.write(flipped)
    second, rest = divmod(before.st_mtime_ns, 10**9)
    moment = second * 10**9 + (rest + 123_456_789) % 10**9
    os.utime(same_second, ns=(moment, moment))


def _change_types(top: bytes, file: bytes, mark: bytes) -> None:
    os.unlink(file)
    os.mkdir(file)
    write(file + b"/was a file", mark)
    folder = top + b"/special/empty folder"
    if os.path.islink(folder):
        os.unlink(folder)
        os.mkdir(folder)
    else:
        shutil.rmtree(folder)
        os.symlink(b"was a folder" + mark, folder)
    os.unlink(top + b"/special/dangling")
    os.symlink(b"/somewhere/else" + mark, top + b"/special/dangling")


def _change_links(top: bytes, mark: bytes) -> None:
    links = top + b"/links"
    os.link(links + b"/z/first", links + b"/a/!sorts first" + mark)
    os.link(links + b"/a/pair1", top + b"/odd/pair" + mark)
    joined = [name for name in os.listdir(links + b"/a") if name.startswith(b"!") and not name.endswith(mark)]
    leaver = os.path.join(links, b"a", max(joined)) if joined else links + b"/\n/=> third"
    write(leaver + b"~", b"left the group" + mark)
    os.replace(leaver + b"~", leaver)


def _change_folders(top: bytes, mark: bytes, dice: random.Random) -> None:
    fresh = top + b"/new" + mark
    os.mkdir(fresh, 0o710)
    for number in range(5):
        write(os.path.join(fresh, b"file%d" % number), dice.randbytes(2000))
    os.symlink(b"file0", fresh + b"/link")
    old = next(name for name in sorted(os.listdir(top + b"/odd")) if name.startswith(b"in"))
    os.rename(os.path.join(top, b"odd", old), os.path.join(top, b"odd", b"z moved" + mark))
    unwritable = top + b"/special/unwritable"
    os.chmod(unwritable, os.stat(unwritable).st_mode ^ 0o200)
