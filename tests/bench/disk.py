"""A backup disk of a contender's own: ext3 as the guide makes it, in a file, on a loop device."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """A mounted image; `device` is "" where a plain folder stands in for it."""

    mount: Path
    device: str = ""

    def settle(self) -> None:
        """Write everything, the journal too, so that no step's writes are billed to the next one."""
        if self.device:
            for way in ("--freeze", "--unfreeze"):
                subprocess.run(("fsfreeze", way, self.mount), check=True)

    def written(self) -> int:
        """Bytes written to the device since it was made, 0 for a plain folder; see `settle`."""
        if not self.device:
            return 0
        numbers = Path("/sys/block", Path(self.device).name, "stat").read_text("ascii").split()
        return int(numbers[6]) * SECTOR


@contextmanager
def disk(image: Path, mount: Path, *, size: int) -> Iterator[Disk]:
    """Make an ext3 disk of `size` bytes (sparse) and mount it, noatime; needs root."""
    with image.open("xb") as file:
        file.truncate(size)
    mount.mkdir(parents=True, exist_ok=True)
    _run("mke2fs", "-q", "-F", "-t", "ext3", "-i", "4096", "-I", "256", str(image))
    device = _run("losetup", "--find", "--show", "--direct-io=on", str(image))
    try:
        _run("mount", "-t", "ext3", "-o", "noatime", device, str(mount))
        try:
            yield Disk(mount=mount, device=device)
        finally:
            _run("umount", str(mount))
    finally:
        _run("losetup", "--detach", device)
        image.unlink()


def size_for(files: int, days: int) -> int:
    """Bytes that hold `days` snapshots and the first one, with room to spare."""
    return (256 << 20) + files * (32 << 10) + (days + 2) * files * 2048


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
