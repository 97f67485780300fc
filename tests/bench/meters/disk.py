"""A disk of a contender's own: a filesystem as the guide makes it, in a file, on a loop device."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.mounts import borrowed

SECTOR = 512


class Traffic(NamedTuple):
    """What a device has done since it was made: requests read, bytes read and bytes written."""

    reads: int = 0
    read: int = 0
    written: int = 0

    def since(self, before: Traffic) -> Traffic:
        """What came after `before`."""
        return Traffic(*(now - then for now, then in zip(self, before, strict=True)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """A mounted image; `device` is "" where a plain folder stands in for it."""

    mount: Path
    device: str = ""
    size: int = 0

    def settle(self) -> None:
        """Write everything, the journal too, so that no step's writes are billed to the next one.

        What the journal holds is not dropped from memory either: without this nothing is cold.
        """
        if self.device:
            for way in ("--freeze", "--unfreeze"):
                subprocess.run(("fsfreeze", way, self.mount), check=True)

    def traffic(self) -> Traffic:
        """Of the device; nothing for a plain folder. See `settle`."""
        if not self.device:
            return Traffic()
        # Documentation/admin-guide/iostats: reads, merged, sectors, ms; writes, merged, sectors ...
        numbers = [int(word) for word in Path("/sys/block", Path(self.device).name, "stat").read_text("ascii").split()]
        return Traffic(numbers[0], numbers[2] * SECTOR, numbers[6] * SECTOR)


EXT3 = ("-t", "ext3", "-i", "4096", "-I", "256")
EXT4 = ("-t", "ext4", "-i", "8192")


@contextmanager
def disk(image: Path, mount: Path, *, size: int, made: tuple[str, ...] = EXT3) -> Iterator[Disk]:
    """Make a filesystem of `size` bytes (sparse) and mount it, noatime; needs root.

    The device goes with us, however we end; its mount goes with our namespace.
    """
    with image.open("xb") as file:
        file.truncate(size)
    mount.mkdir(parents=True, exist_ok=True)
    _run("mke2fs", "-q", "-F", *made, str(image))
    device = _run("losetup", "--find", "--show", "--direct-io=on", str(image))
    try:
        with borrowed(device):
            _run("mount", "-t", made[1], "-o", "noatime", device, str(mount))
            try:
                yield Disk(mount=mount, device=device, size=size)
            finally:
                _run("umount", str(mount))
    finally:
        image.unlink()


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
