"""What is missing above a store is made, but never below a mount point whose disk is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.agent.answer import Refused
from runner.agent.arguments import DeclaredDisk
from runner.agent.host.fstab import unmounted
from runner.agent.store import disk
from runner.agent.store.layout import StoreFolder
from tests.contract.storehouse import PROGRAM, Storehouse, execute


def test_a_store_whose_parents_are_missing_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "source").mkdir()
    house = Storehouse(root=tmp_path / "srv/backups/papio", source=tmp_path / "source")
    assert house.snapshot("2026-11-23T080000Z").code == 0
    folders = (tmp_path / "srv", tmp_path / "srv/backups", house.root)
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700] * 3


TABLE = r"""# /dev/sdz1 /commented ext4 defaults 0 2
UUID=0b0b / ext4 defaults 0 1
/dev/sdb1 /mnt/usb\040disk ext3 noauto 0 2
proc /proc proc defaults 0 0
server:/x /net/x nfs defaults 0 0
/dev/sdc1 none swap sw 0 0
"""


@pytest.mark.parametrize(
    ("path", "point"),
    [
        ("/mnt/usb disk/backups/papio", "/mnt/usb disk"),
        ("/mnt/usb disk", "/mnt/usb disk"),
        ("/net/x/y", "/net/x"),
        ("/mnt/usb", ""),
        ("/srv/backups", ""),
        ("/proc/1", ""),
        ("/commented/x", ""),
    ],
)
def test_what_lies_below_a_mount_point_without_its_disk_is_named_by_it(tmp_path: Path, path: str, point: str) -> None:
    table = tmp_path / "fstab"
    table.write_text(TABLE)
    assert unmounted(Path(path), table) == point
    assert unmounted(Path(path), tmp_path / "none") == ""


def test_a_mount_point_that_is_declared_by_way_of_a_link_is_the_folder_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "disks/usb").mkdir(parents=True)
    (tmp_path / "usb").symlink_to(tmp_path / "disks/usb")
    (tmp_path / "fstab").write_text(f"  # {tmp_path}/x\n/dev/sdz1\t{tmp_path}/usb/ ext3 noauto 0 2\n")
    place = tmp_path / "disks/usb/papio"
    assert unmounted(place, tmp_path / "fstab") == str(tmp_path / "disks/usb")
    assert disk.look(StoreFolder(place), DeclaredDisk()).problem == ""


def test_a_table_that_cannot_be_read_does_not_name_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match="so nobody knows what is to be mounted above"):
        unmounted(tmp_path, tmp_path)
    monkeypatch.setattr(disk, "unmounted", lambda path: unmounted(path, tmp_path))
    assert disk.look(StoreFolder(tmp_path / "papio"), DeclaredDisk()).problem.endswith(f"above '{tmp_path}/papio'")


# What follows it: the file that is /etc/fstab, and what to run then.
OTHER_FSTAB = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/fstab && exec "$@"')


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a mount namespace")
def test_a_store_below_a_mount_point_of_fstab_is_not_made_while_nothing_is_mounted_there(tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()
    (tmp_path / "table").write_text(f"/dev/sdz1 {tmp_path}/usb ext3 noauto 0 2\n")
    house = Storehouse(root=tmp_path / "usb/backups/papio", source=tmp_path)
    result = house.call("hold", str(house.root), "--plan=p", "--who=w", around=(*OTHER_FSTAB, str(tmp_path / "table")))
    assert result.answer["error"] == f"nothing is mounted at {tmp_path}/usb, and {house.root} is not there"
    assert list((tmp_path / "usb").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a mount namespace")
def test_neither_is_a_folder_of_dumps(tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()
    (tmp_path / "table").write_text(f"/dev/sdz1 {tmp_path}/usb ext3 noauto 0 2\n")
    dumps = str(tmp_path / "usb/dumps/postgres")
    result = execute((*OTHER_FSTAB, str(tmp_path / "table"), *PROGRAM, "dump-globals", dumps, "2026-11-23T070000Z"))
    assert result.answer["error"] == f"nothing is mounted at '{tmp_path}/usb', and {dumps!r} is not there"
    assert list((tmp_path / "usb").iterdir()) == []
