"""Which disk a key may have unmounted and checked: that of its stores, mounted or not, and no other."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.policy.rights import Rights, StoreRights
from runner.agent.policy.upkeep import disks
from tests.mounts import attached, need_loops

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")


def run(*argv: str | Path) -> str:
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two disks, of which nothing is mounted."""
    need_loops()
    folder = tmp_path_factory.mktemp("disks")
    for name in ("one.img", "two.img"):
        with (folder / name).open("wb") as file:
            file.truncate(4 << 20)
        run("mke2fs", "-q", "-F", "-t", "ext3", folder / name)
    with attached(folder / "one.img") as one, attached(folder / "two.img") as two:
        yield one, two


def test_a_disk_is_own_where_a_store_lies_on_it_by_its_mount_or_by_fstab(
    devices: tuple[str, str], tmp_path: Path
) -> None:
    one, two = devices
    assert disks.is_device(one)
    point, fstab = tmp_path / "mnt with blank", tmp_path / "fstab"
    point.mkdir()
    fstab.write_text("")
    rights = Rights("papio", {f"{point}/papio": StoreRights()})
    run("mount", one, point)
    try:
        assert disks.is_own_device(rights, one, str(fstab))
        assert not disks.is_own_device(rights, two, str(fstab))
    finally:
        run("umount", point)
    assert not disks.is_own_device(rights, one, str(fstab))
    uuid = run("blkid", "-c", "/dev/null", "-o", "value", "-s", "UUID", one).strip()
    place = str(point).replace(" ", "\\040")
    for source in (f"UUID={uuid}", f'UUID="{uuid.upper()}"', one):
        fstab.write_text(
            f"# {two} {place} ext3\n{two} /elsewhere ext3 defaults 0 2\n{source} {place} ext3 nofail 0 2\n"
        )
        assert disks.is_own_device(rights, one, str(fstab)), source
        assert not disks.is_own_device(rights, two, str(fstab)), source
    for device in (str(tmp_path / "one.img"), "/dev/null", "/dev/gone", f"/dev/../{one[1:]}", "one", ""):
        assert not disks.is_own_device(rights, device, str(fstab)), device


def test_a_mount_is_own_where_a_store_lies_below_it_and_it_is_not_the_root() -> None:
    rights = Rights("papio", {"/srv/backups/papio": StoreRights()})
    for point in ("/srv/backups/papio", "/srv/backups", "/srv"):
        assert disks.is_own_mount(rights, point)
    for point in ("/", "/srv/back", "/srv/backups/papio/x", "/srv/../srv", "srv", "/home", "", "/srv/"):
        assert not disks.is_own_mount(rights, point)


def test_what_a_user_may_swap_is_no_disk() -> None:
    name = f"/dev/shm/runner-{os.getpid()}"
    assert not disks.is_device(name), "it may become one"
    Path(name).symlink_to("/dev/null")
    try:
        assert not disks.is_device(name) and not disks.is_device(f"{name}/x")
    finally:
        Path(name).unlink()
    assert not disks.is_device("/dev/null") and not disks.is_device("/dev")
    assert disks.is_device("/dev/gone") and disks.is_device("/dev/disk/by-uuid/gone")
