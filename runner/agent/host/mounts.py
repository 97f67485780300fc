"""What is mounted here: /proc/self/mountinfo, and which filesystem a device holds."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from ..answer import Refused, reply
from ..arguments import parse_as
from .contract.mounts import LookAtMount, MountedThere, ProbedFilesystem

OCTAL = re.compile(rb"\\([0-7]{3})")
EXT = ("ext2", "ext3", "ext4")
DEVICELESS = ("btrfs", "zfs", "bcachefs", "tmpfs", "overlay", "ubifs")
READ_ONLY = ("ro", "emergency_ro")


class Mount(NamedTuple):
    """One line of mountinfo; `options` are those of the mount and of the filesystem."""

    id: int
    dev: int
    root: str
    point: str
    options: tuple[str, ...]
    type: str
    source: str

    @property
    def local(self) -> bool:
        """Whether asking it cannot hang on a network: a block device, or a known type without one."""
        if self.type in DEVICELESS:
            return True
        return self.source.startswith("/dev/") and not self.type.startswith("fuse.")

    @property
    def read_only(self) -> bool:
        """Whether the kernel says so; a disk that failed may still be missing here."""
        return any(option in READ_ONLY for option in self.options)


def mounts() -> tuple[Mount, ...]:
    """Every mount of this process, in the kernel's order; proc_pid_mountinfo(5)."""
    text = Path("/proc/self/mountinfo").read_bytes()
    return tuple(_mount(line) for line in text.splitlines() if b" - " in line)


def mount_of(path: Path, among: tuple[Mount, ...]) -> Mount | None:
    """The mount that `path`, absolute and resolved, is on."""
    best: Mount | None = None
    for mount in among:
        point = Path(mount.point)
        if (point == path or point in path.parents) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def device_of(mount: Mount) -> Path | None:
    """The block device of a mount, or None where it has none that can be found."""
    number = f"{os.major(mount.dev)}:{os.minor(mount.dev)}"
    for place in (mount.source, f"/dev/block/{number}", _kernel_name(number)):
        device = number_of(place)
        if device and (device == mount.dev or mount.type == "btrfs"):
            return Path(place)
    return None


def number_of(path: str | Path) -> int:
    """The device number of the block device at `path`, 0 where there is none."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return 0
    return status.st_rdev if stat.S_ISBLK(status.st_mode) else 0


def uuid_of(mount: Mount) -> str:
    """The uuid of a mounted filesystem, lower case; "" where it cannot be known."""
    device = device_of(mount)
    if device is None:
        return ""
    if mount.type in EXT:
        block = superblock(device)
        if block:
            text = block[0x68:0x78].hex()
            return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    return _linked_uuid(device) or _printed_uuid(device)


def superblock(device: Path, start: int = 1024) -> bytes:
    """The superblock of an ext2, ext3 or ext4 filesystem, or its copy that begins at `start`; empty if it cannot be
    read or is none.
    """
    try:
        with device.open("rb", buffering=0) as stream:
            stream.seek(start)
            block = stream.read(1024)
    except (OSError, OverflowError):
        return b""
    return block if len(block) == 1024 and block[0x38:0x3A] == b"\x53\xef" else b""


def unescaped(field: bytes) -> str:
    """A field of mountinfo as it is: the kernel writes blank, tab, newline, backslash as octal."""
    return os.fsdecode(OCTAL.sub(lambda code: bytes((int(code[1], 8),)), field))


def _mount(line: bytes) -> Mount:
    left, _, right = line.partition(b" - ")
    fields = left.split(b" ")
    kind, source, super_options = (right.split(b" ") + [b"", b""])[:3]
    major, _, minor = fields[2].partition(b":")
    options = (fields[5] + b"," + super_options).decode("ascii", "replace").split(",")
    return Mount(
        id=int(fields[0]),
        dev=os.makedev(int(major), int(minor)),
        root=unescaped(fields[3]),
        point=unescaped(fields[4]),
        options=tuple(options),
        type=unescaped(kind),
        source=unescaped(source),
    )


def _kernel_name(number: str) -> str:
    try:
        lines = Path(f"/sys/dev/block/{number}/uevent").read_text().splitlines()
    except OSError:
        return ""
    names = [line.partition("=")[2] for line in lines if line.startswith("DEVNAME=")]
    return f"/dev/{names[0]}" if names else ""


def _linked_uuid(device: Path) -> str:
    number = number_of(device)
    links = sorted(Path("/dev/disk/by-uuid").glob("*"))
    return next((link.name.lower() for link in links if number and number_of(link) == number), "")


def _printed_uuid(device: Path) -> str:
    from ..command import ask  # noqa: PLC0415  (subprocess is slow to load, and few get here)

    for argv in (
        # Without a cache: blkid would write its own, and a reading writes nothing.
        ("blkid", "-c", "/dev/null", "-o", "value", "-s", "UUID", "--", str(device)),
        ("lsblk", "-dno", "UUID", "--", str(device)),
    ):
        answer = ask(argv, timeout=10)
        words = answer.out.split()
        if answer.exit == 0 and len(words) == 1:
            return words[0].lower()
    return ""


def run(argv: Sequence[str]) -> int:
    """Print the device number mounted at PATH, or refuse where nothing is; reads only."""
    path = parse_as(LookAtMount, argv).mount
    there = [mount for mount in mounts() if mount.point == path]
    if not there:
        raise Refused(f"nothing is mounted at {path!a}", "mount it, and make a new plan")
    # Of several at one place the last is visible.
    reply(MountedThere(mounted=True, dev=there[-1].dev, type=there[-1].type))
    return 0


def filesystems() -> list[ProbedFilesystem]:
    """Every mount. Sizes and uuid only of those that no dead server can make hang."""
    uuids: dict[int, str] = {}
    every = []
    there = mounts()
    files = _files(there)
    for mount in there:
        filesystem = _probed(mount, files)
        if mount.local:
            if mount.dev not in uuids:
                uuids[mount.dev] = uuid_of(mount)
            filesystem = _with_space(filesystem._replace(uuid=uuids[mount.dev]))
        every.append(filesystem)
    return every


def _probed(mount: Mount, files: frozenset[str]) -> ProbedFilesystem:
    filesystem = ProbedFilesystem(mount.point, mount.source, mount.type, mount.dev, mount.root)
    return filesystem._replace(file=mount.point in files)


def _files(there: tuple[Mount, ...]) -> frozenset[str]:
    """The mount points that are files, by what is listed in the folders above them.

    To look at a mount itself may hang; and a file is mounted over a file only, a folder over a folder.
    """
    names: dict[str, set[str]] = {}
    for mount in there:
        folder, _, name = mount.point.rpartition("/")
        names.setdefault(folder or "/", set()).add(name)
    points = {mount.point: mount for mount in there}
    files = set()
    for folder, wanted in names.items():
        top = folder
        while top not in points and top != "/":
            top = top.rpartition("/")[0] or "/"
        if top in points and not points[top].local and top != "/":
            continue
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            listed = (each for each in entries if each.name in wanted)
            files |= {each.path for each in listed if not each.is_dir(follow_symlinks=False)}
    return frozenset(files)


def inside(folders: Sequence[str]) -> list[ProbedFilesystem]:
    """What is mounted inside the folders that play a sandboxed host's filesystems, by its path from that folder."""
    there = mounts()
    files = _files(there)
    every = []
    for folder in folders:
        real = os.path.realpath(folder).rstrip("/")
        for mount in there:
            if mount.point.startswith(f"{real}/") and mount.point != "/":
                point = folder.rstrip("/") + mount.point[len(real) :]
                every.append(_probed(mount, files)._replace(mount=point))
    return every


def stand_ins(folders: Sequence[str], root: str) -> list[ProbedFilesystem]:
    """The folders that play a sandboxed host's filesystems; its own root folder plays `/`."""
    return [_stand_in(folder, "/" if folder == root else folder) for folder in folders]


def _stand_in(folder: str, point: str) -> ProbedFilesystem:
    filesystem = ProbedFilesystem(point, folder, "stand-in", 0)
    try:
        filesystem = filesystem._replace(dev=Path(folder).stat().st_dev)
        return _measured(filesystem, folder)
    except OSError:
        return filesystem


def _with_space(filesystem: ProbedFilesystem) -> ProbedFilesystem:
    # A mount that lies under another one cannot be reached by its path: the numbers would be the other's.
    try:
        if os.major(filesystem.dev) and Path(filesystem.mount).stat().st_dev != filesystem.dev:
            return filesystem
        return _measured(filesystem, filesystem.mount)
    except OSError:
        return filesystem


def _measured(filesystem: ProbedFilesystem, path: str) -> ProbedFilesystem:
    space = os.statvfs(path)
    return filesystem._replace(
        size=space.f_blocks * space.f_frsize,
        used=(space.f_blocks - space.f_bfree) * space.f_frsize,
        inodes_used=space.f_files - space.f_ffree,
    )


def rotates(number: int) -> Optional[bool]:  # noqa: UP045
    """Whether the disk with that device number turns, by what the kernel says of it; None where it says nothing."""
    here = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    for folder in (here, here.resolve().parent):
        try:
            return (folder / "queue/rotational").read_text("ascii").strip() == "1"
        except OSError:
            continue
    return None
