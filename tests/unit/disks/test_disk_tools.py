"""What lsblk, wipefs, mke2fs, lsattr and fstab say, read from text; and the words that go to them."""

from __future__ import annotations

import os

import pytest

from runner.jobs.disks import fstab, lsblk, mke2fs, mount, tune2fs, wipefs
from runner.model.site import Disk

DISK = Disk(name="papio-snapshots", host="backup-server1", device="/dev/disk/by-id/usb-1", mount="/srv/backups/papio")
UUID = "0a4f3c1e-5b1e-4c52-9d0c-0d8f5c1f7a55"
# util-linux 2.38.1: a USB disk with a partition table, its partition mounted.
DIVIDED = """{
   "blockdevices": [
      {
         "name": "/dev/sdb", "type": "disk", "size": 1000204886016, "maj:min": "8:16",
         "model": "Portable SSD T5 ", "serial": "S49WNV0N", "ro": false, "mountpoint": null,
         "children": [
            {
               "name": "/dev/sdb1", "type": "part", "size": 1000203837440, "maj:min": "8:17",
               "model": null, "serial": null, "ro": false, "mountpoint": "/media/usb"
            }
         ]
      }
   ]
}
"""
# util-linux before 2.33 writes every value as text.
OLD = """{"blockdevices": [{"name": "/dev/sdb", "type": "disk", "size": "512", "maj:min": "  8:16 ",
"model": null, "serial": null, "ro": "1", "mountpoint": "[SWAP]"}]}"""


def test_a_disk_is_read_with_all_that_is_built_on_it() -> None:
    device = lsblk.parse(DIVIDED)
    assert device is not None
    assert device.description == "Portable SSD T5, serial S49WNV0N"
    assert (device.size, device.number, device.read_only) == (1000204886016, os.makedev(8, 16), False)
    (part,) = device.children
    assert (part.name, part.mount, part.description) == (
        "/dev/sdb1",
        "/media/usb",
        "a part without a model name, without a serial number",
    )


def test_an_old_lsblk_is_read_too() -> None:
    device = lsblk.parse(OLD)
    assert device is not None
    assert (device.size, device.number, device.read_only, device.mount) == (512, os.makedev(8, 16), True, "[SWAP]")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"blockdevices": []}', '{"blockdevices": [{}]}', '{"blockdevices": [1, 2]}']
)
def test_what_is_no_answer_is_no_device(text: str) -> None:
    assert lsblk.parse(text) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"signatures": [{}]}', '{"signatures": null}', "null"])
def test_no_answer_is_not_no_signature(text: str) -> None:
    assert wipefs.parse(text) is None
    assert wipefs.parse_stamp(text) == ""


def test_signatures_are_read_and_none_is_none() -> None:
    text = '{"signatures": [{"device": "sdb", "offset": "0x1fe", "type": "dos", "uuid": null, "label": null}]}'
    assert wipefs.parse(text) == (wipefs.Signature(type="dos"),)
    assert wipefs.parse('{"signatures": [\n\n]}') == ()


def test_no_command_but_the_one_that_a_person_types_can_wipe() -> None:
    assert wipefs.look("/dev/x") == ("wipefs", "--no-act", "--json", "--", "/dev/x")
    stamp = wipefs.stamp("/dev/x; reboot")
    assert stamp[-1] == "/dev/x; reboot"
    assert "wipefs --no-act" in stamp[2]
    assert "reboot" not in stamp[2]
    assert wipefs.wipe("/dev/x") == ("wipefs", "--all", "--", "/dev/x")


def test_a_filesystem_is_made_with_every_choice_spelt_out() -> None:
    shape = ("-t", "ext3", "-b", "4096", "-i", "4096", "-I", "256", "-m", "1", "-e", "remount-ro")
    assert mke2fs.make(DISK, UUID) == (
        "mke2fs", "-q", *shape, "-L", "papio-snapshots", "-U", UUID, "--", DISK.device,
    )  # fmt: skip
    assert mke2fs.would_make(DISK) == ("mke2fs", "-n", *shape, "--", DISK.device)


def test_what_would_be_made_is_the_last_that_is_said() -> None:
    output = (
        "/dev/sdb contains a ext3 file system labelled 'Creating filesystem with 1 4k blocks and 1 inodes'\n"
        "Creating filesystem with 244190646 4k blocks and 244195328 inodes\nFilesystem UUID: 0331d70c\n"
    )
    assert mke2fs.parse(output) == mke2fs.Made(bytes=244190646 * 4096, inodes=244195328)
    assert mke2fs.parse("/dev/sdb is mounted; will not make a filesystem here!\n") is None


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("missing\n", mount.Point(exists=False)),
        ("empty --------------e-------\n", mount.Point(exists=True, unwritable=False)),
        ("x ----i---------e-------\n", mount.Point(exists=True, empty=False, unwritable=True)),
        ("empty -----------I--e-------\n", mount.Point(exists=True, unwritable=False)),
        ("empty unknown\n", mount.Point(exists=True)),
        ("", None),
        ("a b c\n", None),
    ],
)
def test_the_mount_point_is_read(text: str, point: mount.Point | None) -> None:
    assert mount.parse(text) == point


def test_fstab_is_read_line_by_line_whatever_is_in_it() -> None:
    text = "# UUID=1 /srv ext3 ro 0 2\n\nUUID=A\t /srv/a\\040b/  ext3\tnoatime,ro 0 2 # why\n"
    text += "/dev/x /srv ext3\n/dev/y / ext4 rw"
    first, second = fstab.parse(text)
    assert (first.source, first.mount, first.options, first.check) == ("UUID=A", "/srv/a b", ("noatime", "ro"), "2")
    assert first.line == "UUID=A\t /srv/a\\040b/  ext3\tnoatime,ro 0 2 # why"
    assert (second.mount, second.check) == ("/", "0")
    assert (fstab.uuid_of(first), fstab.uuid_of(second)) == ("a", "")


@pytest.mark.parametrize("mounted", ["/srv/backups/papio", "/srv/a b", "/srv/a\\b", "/srv/é"])
def test_a_line_of_ours_is_right_as_it_is_read_back(mounted: str) -> None:
    (entry,) = fstab.parse(fstab.line(UUID, mounted, "ext3"))
    assert entry.mount == mounted
    assert fstab.right(entry, UUID, "ext3")
    assert not fstab.right(entry, UUID, "ext4")


@pytest.mark.parametrize(
    ("options", "becomes"),
    [
        ("defaults", "noatime,nodev,nosuid,nofail"),
        ("noatime,nofail", "noatime,nodev,nosuid,nofail"),
        ("ro,noauto,relatime", "noatime,nodev,nosuid,nofail"),
        ("nofail,data=journal,x-a.b=5", "noatime,nodev,nosuid,nofail,data=journal,x-a.b=5"),
    ],
)  # fmt: skip
def test_options_that_contradict_go_and_others_stay(options: str, becomes: str) -> None:
    (entry,) = fstab.parse(f"UUID={UUID} /srv ext3 {options} 0 2")
    assert not fstab.right(entry, UUID, "ext3")
    line = fstab.line(UUID, "/srv", "ext3", entry)
    assert line == f"UUID={UUID} /srv ext3 {becomes} 0 2"
    assert fstab.right(fstab.parse(line)[0], UUID, "ext3")


@pytest.mark.parametrize("more", [",ro", ",noauto", ",relatime"])
def test_a_line_with_a_contradiction_is_not_right(more: str) -> None:
    (entry,) = fstab.parse(f"UUID={UUID} /srv ext3 noatime,nodev,nosuid,nofail{more} 0 2")
    assert not fstab.right(entry, UUID, "ext3")


def test_what_comes_from_jobs_toml_is_never_part_of_a_script() -> None:
    hostile = "/srv/$(reboot)'\"`"
    for argv in (
        mount.look(hostile), wipefs.stamp(hostile),
    ):  # fmt: skip
        script = argv[argv.index("-c") + 1]
        assert "reboot" not in script
        assert hostile in argv


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"uuid": ""}'])
def test_no_identity_is_none(text: str) -> None:
    assert mke2fs.parse_identity(text) == ""


def test_the_shape_is_read_below_whatever_the_label_says() -> None:
    text = "Filesystem volume name:   x\nInode count: 1\nFilesystem magic number:  0xEF53\n"
    text += "Inode count: 16384\nBlock count: 16384\nBlock size: 4096\nInode size:\t 256\n"
    assert tune2fs.parse_shape(text) == tune2fs.Shape(bytes=16384 * 4096, inodes=16384, inode_size=256, block=4096)
    assert tune2fs.parse_shape("") == tune2fs.Shape()
