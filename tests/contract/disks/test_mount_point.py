"""The folder under a mount is made unwritable, unless something is in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.storehouse import PROGRAM, Said, execute

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    """A folder on a filesystem that has such flags."""
    outer, image = tmp_path / "outer", tmp_path / "image"
    outer.mkdir()
    with image.open("wb") as stream:
        stream.truncate(4 << 20)
    subprocess.run(("mke2fs", "-q", "-t", "ext3", image), check=True)
    if subprocess.run(("mount", "-o", "loop", image, outer), check=False).returncode:
        pytest.skip("this machine mounts no loop devices")
    try:
        (outer / "point").mkdir()
        yield outer / "point"
    finally:
        subprocess.run(("umount", "-R", outer), check=True)


def unwritable(point: Path) -> Said:
    return execute((*PROGRAM, "make-unwritable", str(point)))


def is_immutable(point: Path) -> bool:
    return "i" in subprocess.check_output(("lsattr", "-d", point), text=True).split()[0]


def test_the_folder_below_what_is_mounted_is_the_one_that_nobody_can_write(point: Path) -> None:
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", point), check=True)
    (point / "of the disk").touch()
    assert unwritable(point).answer == {"unwritable": True}
    (point / "more").touch()
    subprocess.run(("umount", point), check=True)
    assert is_immutable(point)
    with pytest.raises(PermissionError):
        (point / "file").touch()


def test_a_folder_with_something_in_it_stays_as_it_is(point: Path) -> None:
    (point / "written while the disk was away").touch()
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", point), check=True)
    refused = unwritable(point)
    assert (refused.code, refused.answer["error"]) == (
        1,
        f"'{point}' is not empty where no disk is mounted: 'written while the disk was away' is in it",
    )
    subprocess.run(("umount", point), check=True)
    assert not is_immutable(point)


def test_the_root_is_refused() -> None:
    assert unwritable(Path("/")).answer["error"] == "/ is no mount point of a backup disk"
