"""How long a check was foretold to take against checks that were really made."""

from __future__ import annotations

import os
import re
import resource
import subprocess
from pathlib import Path
from time import monotonic

import pytest

from runner.jobs.power import boot_checks
from runner.model.site import Disk
from tests.contract.fsck_parts import fsck_facts, fsck_site

FILES, FOLDERS = 10_000, 1_000


def made(folder: Path, kind: str) -> Path:
    """A filesystem of 512 MiB with 10,000 files in 1,000 folders, half of the files with a second name."""
    tree = folder / "tree"
    for number in range(FOLDERS):
        own = tree / f"{number:04d}"
        own.mkdir(parents=True)
        for each in range(FILES // FOLDERS):
            (own / f"{each}").write_bytes(b"x" * (each * 300))
        for each in range(0, FILES // FOLDERS, 2):
            (own / f"{each}.again").hardlink_to(own / f"{each}")
    path = folder / f"{kind}.img"
    with path.open("wb") as file:
        file.truncate(512 * 2**20)
    argv = ("mke2fs", "-q", "-F", "-t", kind, "-b", "4096", "-i", "4096", "-d", str(tree), str(path))
    subprocess.run(argv, check=True, timeout=60)
    return path


def outlook(path: Path) -> boot_checks.Outlook:
    """What is foretold of the disk at `path`, as a plan would read it."""
    disk = Disk(name="usb", host="papio", device=str(path), mount="/srv")
    site = fsck_site(disk)
    facts = fsck_facts(disk, speed=True)
    found = [one for one in boot_checks.outlooks(site, facts, disk.host, facts.at) if one.extfs.seen.devices]
    assert len(found) == 1, facts
    return found[0]


@pytest.mark.parametrize("kind", ["ext3", "ext4"])
def test_a_real_check_takes_as_long_and_reads_as_much_as_was_foretold(kind: str, tmp_path: Path) -> None:
    path = made(tmp_path, kind)
    foretold = outlook(path)
    assert foretold.extfs.seen.directories == FOLDERS + 2
    assert foretold.forecast.least is not None
    assert foretold.forecast.most is not None
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    begun = monotonic()
    argv = ("e2fsck", "-f", "-p", "-v", "-tt", "--", str(path))
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    took = monotonic() - begun
    assert done.returncode == 0, done.stdout
    assert foretold.forecast.least <= took <= foretold.forecast.most
    read = int(re.findall(r"I/O read: ([0-9]+)MB", done.stdout)[-1]) * 2**20
    content = boot_checks.content_of(foretold.extfs)
    assert content is not None
    assert abs(content.bytes - read) < 0.15 * read + 4 * 2**20
    memory = (resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before) * 1024
    assert foretold.memory is not None
    assert memory < foretold.memory + 30 * 2**20
