"""The tools of kind `disk` on real loop devices, filesystems, mounts and fstab files."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.agent.answer import Refused
from runner.agent.disks import mount_point
from runner.agent.host.mounts import filesystems
from runner.jobs.disks import fstab, lsblk, mke2fs, mount, tune2fs, wipefs
from runner.jobs.disks.disk import DiskKind, DiskOptions
from runner.model.facts import Facts, Filesystem, HostFacts, Reading
from runner.model.kind import Draft
from runner.model.plan import Argv, Check, Command
from runner.model.site import Disk, Host, Job, Site
from tests.contract.storehouse import ENVIRONMENT, PROGRAM
from tests.mounts import attached

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts: root only")
UUID = "0a4f3c1e-5b1e-4c52-9d0c-0d8f5c1f7a55"
MIB = 2**20
HERE = "runner-agent"


def run(argv: Argv) -> subprocess.CompletedProcess[str]:
    words = (*PROGRAM, *argv[1:]) if argv[0] == HERE else argv
    return subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
        env={**os.environ, **ENVIRONMENT},
    )  # fmt: skip


def do(*argv: str) -> str:
    done = run(argv)
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout


def holds(check: Check) -> bool:
    done = run(check.argv)
    return done.returncode == 0 and json.loads(done.stdout).get(check.field) == check.value


@pytest.fixture
def device(tmp_path: Path) -> Iterator[str]:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    with attached(image) as name:
        yield name


@pytest.fixture
def disk(device: str) -> Disk:
    return Disk(name="papio-snapshots", host="backup-server1", device=device, mount="/srv/backups/papio")


def write(device: str, at: int, what: bytes) -> None:
    with Path(device).open("r+b", buffering=0) as file:
        file.seek(at)
        file.write(what)
        os.fsync(file.fileno())


def partition_table() -> bytes:
    entry = bytes((0, 0, 2, 0, 0x83, 0, 0, 0)) + (2048).to_bytes(4, "little") + (65536).to_bytes(4, "little")
    return b"\x12\x34\x56\x78\0\0" + entry + bytes(48) + b"\x55\xaa"


def guid_table() -> bytes:
    entries = bytes(128 * 128)
    last = 64 * MIB // 512 - 1
    fields = (1, last, 34, last - 33)
    places = b"".join(field.to_bytes(8, "little") for field in fields)
    tail = places + b"\1" * 16 + (2).to_bytes(8, "little") + (128).to_bytes(4, "little") * 2
    head = b"EFI PART" + (0x10000).to_bytes(4, "little") + (92).to_bytes(4, "little")
    tail += zlib.crc32(entries).to_bytes(4, "little")
    check = zlib.crc32(head + bytes(8) + tail).to_bytes(4, "little")
    return (head + check + bytes(4) + tail).ljust(512, b"\0") + entries


def test_a_blank_device_has_no_signature_and_says_who_it_is(device: str) -> None:
    about = lsblk.parse(do(*lsblk.look(device)))
    assert about is not None
    assert (about.name, about.type, about.size, about.children, about.mount) == (device, "loop", 64 * MIB, (), "")
    assert about.number == Path(device).stat().st_rdev
    assert not about.read_only
    assert wipefs.parse(do(*wipefs.look(device))) == ()
    stamped = wipefs.parse_stamp(do(*wipefs.stamp(device)))
    assert stamped.startswith(f"{64 * MIB} bytes, ")
    assert stamped.endswith(f": {wipefs.BLANK}")
    assert holds(wipefs.unchanged("backup-server1", device, stamped))


SIGNED: dict[str, Callable[[str], object]] = {
    "dos": lambda device: write(device, 440, partition_table()),
    "swap": lambda device: do("mkswap", device),
    "crypto_LUKS": lambda device: write(device, 0, b"LUKS\xba\xbe\0\x01" + bytes(200)),
    "gpt": lambda device: write(device, 512, guid_table()),
    "ext4": lambda device: do("mke2fs", "-q", "-t", "ext4", device),
    "ext3": lambda device: do("mke2fs", "-q", "-t", "ext3", "-L", 'a"b\\\n", x', device),
}  # fmt: skip


@pytest.mark.parametrize("kind", SIGNED)
def test_whatever_is_on_a_device_is_seen_and_stops_the_format(kind: str, device: str) -> None:
    stamped = wipefs.parse_stamp(do(*wipefs.stamp(device)))
    SIGNED[kind](device)
    marks = wipefs.parse(do(*wipefs.look(device)))
    assert marks is not None
    assert kind in {mark.type for mark in marks}
    assert not holds(wipefs.unchanged("backup-server1", device, stamped))
    assert ": not blank, unused" in wipefs.parse_stamp(do(*wipefs.stamp(device)))


def test_a_label_that_looks_like_an_answer_stays_a_label(device: str) -> None:
    label = '"}],\n"x": "'
    do("mke2fs", "-q", "-t", "ext3", "-L", label, device)
    (mark,) = wipefs.parse(do(*wipefs.look(device))) or ()
    assert (mark.type, mark.label) == ("ext3", label)


def test_a_device_that_is_mounted_is_not_unused_and_mke2fs_would_not_take_it(
    disk: Disk, device: str, tmp_path: Path
) -> None:
    do(*mke2fs.make(disk, UUID))
    place = tmp_path / "place"
    place.mkdir()
    do("mount", device, str(place))
    try:
        assert wipefs.parse_stamp(do(*wipefs.stamp(device))).endswith("not blank, in use")
        about = lsblk.parse(do(*lsblk.look(device)))
        assert about is not None
        assert about.mount == str(place)
        assert run(mke2fs.make(disk, UUID)).returncode != 0
        assert mke2fs.parse(run(mke2fs.would_make(disk)).stdout) is None
    finally:
        do("umount", str(place))


def test_a_device_that_is_not_there_answers_nothing_at_all(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    for argv in (lsblk.look(gone), wipefs.look(gone), wipefs.stamp(gone)):
        done = run(argv)
        assert done.returncode != 0
        assert lsblk.parse(done.stdout) is None
        assert wipefs.parse_stamp(done.stdout) == ""
    assert not holds(wipefs.unchanged("backup-server1", gone, ""))


@pytest.mark.parametrize("filesystem", ["ext3", "ext4"])
def test_what_is_made_is_what_was_foretold_and_declared(filesystem: str, device: str) -> None:
    disk = Disk(name="papio-snapshots-of-the-year", host="b", device=device, mount="/srv", filesystem=filesystem)
    foretold = mke2fs.parse(do(*mke2fs.would_make(disk)))
    assert wipefs.parse(do(*wipefs.look(device))) == ()
    do(*mke2fs.make(disk, UUID))
    block = tune2fs.parse_shape(do(*tune2fs.superblock(device)))
    assert foretold == mke2fs.Made(bytes=block.bytes, inodes=block.inodes)
    assert (block.bytes, block.inodes, block.inode_size) == (64 * MIB, 16384, 256)
    output = do(*tune2fs.superblock(device))
    assert "Errors behavior:          Remount read-only" in output
    (mark,) = wipefs.parse(do(*wipefs.look(device))) or ()
    assert (mark.type, mark.uuid, mark.label) == (filesystem, UUID, "papio-snapshots-")


def test_label_and_interval_are_mended_in_place(disk: Disk, device: str) -> None:
    do("mke2fs", "-q", "-t", "ext3", "-L", "old", "-U", UUID, device)
    do(*tune2fs.set_label(device, mke2fs.label(disk)))
    (mark,) = wipefs.parse(do(*wipefs.look(device))) or ()
    assert (mark.label, mark.uuid) == ("papio-snapshots", UUID)


def test_mke2fs_alone_would_overwrite_a_filesystem_without_a_question(disk: Disk, device: str) -> None:
    """Why the step has a guard."""
    do("mke2fs", "-q", "-t", "ext4", device)
    assert run(mke2fs.make(disk, UUID)).returncode == 0


FSTAB = "# a comment for /srv/disk\nUUID=1 / ext4 errors=remount-ro 0 1\n\n  \t# more\n\nLABEL=x /srv/a\\040b ext3 ro\n"
LINE = f"UUID={UUID} /srv/disk ext3 noatime,nodev,nosuid,nofail 0 2"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "fstab"
    path.write_bytes(FSTAB.encode() + b"# caf\xe9 \\n %s $(id)\n")
    path.chmod(0o640)
    os.chown(path, 1, 2)
    return path


def test_a_line_is_added_at_the_end_and_all_else_stays_byte_for_byte(table: Path) -> None:
    before = table.read_bytes()
    assert holds(fstab.absent("b", HERE, "/srv/disk", str(table)))
    do(*fstab.put(HERE, "", LINE, str(table)))
    assert table.read_bytes() == before + LINE.encode() + b"\n"
    status = table.stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o640, 1, 2)
    assert list(table.parent.iterdir()) == [table]
    assert not holds(fstab.absent("b", HERE, "/srv/disk", str(table)))
    assert not holds(fstab.absent("b", HERE, "/srv/a b", str(table)))


def test_a_line_is_replaced_where_it_stands(table: Path) -> None:
    old = "LABEL=x /srv/a\\040b ext3 ro"
    before = table.read_bytes()
    do(*fstab.put(HERE, old, "new \\n %s $(id) `id` 'q' \"q\"", str(table)))
    assert table.read_bytes() == before.replace(old.encode(), b"new \\n %s $(id) `id` 'q' \"q\"")


@pytest.mark.parametrize("content", ["", "last line without an end"])
def test_a_table_that_is_empty_or_ends_within_a_line_gets_a_line_of_its_own(content: str, tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    path.write_text(content)
    do(*fstab.put(HERE, "", LINE, str(path)))
    assert path.read_text() == (f"{content}\n" if content else "") + LINE + "\n"


@pytest.mark.parametrize("lines", ["", f"{LINE}\n{LINE}\n", f"{LINE} \n"])
def test_a_line_that_is_not_there_exactly_once_is_not_replaced(lines: str, tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    path.write_text(lines)
    assert run(fstab.put(HERE, LINE, "new", str(path))).returncode == 1
    assert path.read_text() == lines
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_that_is_not_there_is_neither_made_nor_said_to_have_no_line(tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    assert run(fstab.put(HERE, "", LINE, str(path))).returncode != 0
    assert not holds(fstab.absent("b", HERE, "/srv/disk", str(path)))
    assert list(tmp_path.iterdir()) == []


def test_two_jobs_at_once_lose_no_line(table: Path) -> None:
    lines = [f"UUID={number} /srv/{number} ext3 noatime 0 2" for number in range(12)]
    threads = [threading.Thread(target=do, args=fstab.put(HERE, "", line, str(table))) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(table.read_text("latin-1").splitlines()[-12:]) == sorted(lines)


@pytest.mark.skipif(shutil.which("findmnt") is None, reason="findmnt is not here")
def test_findmnt_reads_our_line_as_we_do(tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    line = fstab.line(UUID, "/srv/a b\\c\td", "ext3")
    path.write_text(line + "\n")
    table = json.loads(do("findmnt", "--json", "--tab-file", str(path), "--output", "SOURCE,TARGET,OPTIONS"))
    (entry,) = fstab.parse(path.read_text())
    assert table["filesystems"] == [
        {"source": f"UUID={UUID}", "target": entry.mount, "options": ",".join(entry.options)}
    ]
    assert fstab.right(entry, UUID, "ext3")


def test_the_folder_below_a_mount_is_seen_and_made_unwritable_and_the_disk_is_not(
    disk: Disk, device: str, tmp_path: Path
) -> None:
    place = tmp_path / "a place"
    assert mount.parse(do(*mount.look(str(place)))) == mount.Point(exists=False)
    place.mkdir()
    if mount.parse(do(*mount.look(str(place)))) != mount.Point(exists=True, unwritable=False):
        pytest.skip("the filesystem of the tests has no immutable folders")
    do(*mke2fs.make(disk, UUID))
    do("mount", device, str(place))
    try:
        do(*mount.make_unwritable(HERE, str(place)))
        assert mount.parse(do(*mount.look(str(place)))) == mount.Point(exists=True, unwritable=True)
        assert place.is_mount()
        (place / "on the disk").touch()
        assert "i" not in do("lsattr", "-d", str(place)).split()[0]
        do("umount", str(place))
        with pytest.raises(PermissionError):
            (place / "below").touch()
    finally:
        run(("umount", str(place)))
        run(("chattr", "-i", str(place)))


@pytest.mark.parametrize("name", ["x", "\n", " "])
def test_files_below_a_mount_are_seen(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    point = mount.parse(do(*mount.look(str(tmp_path))))
    assert point is not None
    assert not point.empty


def test_a_store_says_once_which_disk_it_is_on_and_only_on_that_disk(disk: Disk, device: str, tmp_path: Path) -> None:
    now = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
    store, kept = str(tmp_path / "usb/papio"), tmp_path / "usb/papio/.runner"
    (tmp_path / "usb").mkdir()
    do(*mke2fs.make(disk, UUID))
    # Nothing is mounted yet.
    assert run(mke2fs.write(HERE, store, UUID, now)).returncode == 1
    assert list((tmp_path / "usb").iterdir()) == []
    do("mount", device, str(tmp_path / "usb"))
    try:
        assert run(mke2fs.write(HERE, store, UUID.replace("0", "1"), now)).returncode == 1
        assert not kept.exists()
        do(*mke2fs.write(HERE, store, UUID, now))
        assert mke2fs.parse_identity(do(*mke2fs.show(store))) == UUID
        before = (kept / "disk.json").read_bytes()
        do(*mke2fs.write(HERE, store, UUID, datetime(2026, 11, 24, tzinfo=UTC)))
        assert (kept / "disk.json").read_bytes() == before
        assert [path.name for path in kept.iterdir()] == ["disk.json"]
        assert kept.stat().st_mode & 0o777 == 0o700
    finally:
        do("umount", str(tmp_path / "usb"))


@pytest.mark.parametrize(
    ("code", "raised"), [(errno.ENOTTY, Refused), (errno.EOPNOTSUPP, Refused), (errno.EIO, OSError)]
)
def test_only_a_filesystem_without_the_flag_is_said_to_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, raised: type[Exception]
) -> None:
    def fails(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    kernel = SimpleNamespace(unshare=lambda *_: 0, mount=lambda *_: 0)
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: kernel)
    monkeypatch.setattr("fcntl.ioctl", fails)
    with pytest.raises(raised):
        mount_point.run([str(tmp_path)])
    (tmp_path / "all").symlink_to("/")
    with pytest.raises(Refused, match="no mount point of a backup disk"):
        mount_point.run([f"{tmp_path}/all"])


def drafted(disk: Disk) -> Draft:
    """What kind `disk` makes of this machine as it is now."""
    site = Site(
        name="test", controller="papio", folder="/f", state="/s", sandbox="/x", digest="", live=True,
        hosts=(Host(name=disk.host, address=""),), disks=(disk,),
    )  # fmt: skip
    job = Job(name="disk", kind="disk", host=disk.host, options=DiskOptions(disk=disk.name))
    answers = {probe.id: run(probe.argv) for probe in DiskKind().probes(site, job)}
    host = HostFacts(
        name=disk.host,
        filesystems=tuple(Filesystem(**mount._asdict()) for mount in filesystems()),
        readings={
            name: Reading(exit=ended.returncode, out=ended.stdout, err=ended.stderr) for name, ended in answers.items()
        },
    )
    now = datetime.now(UTC)
    return DiskKind().draft(site, job, Facts(at=now, hosts={disk.host: host}), now)


def test_a_device_is_planned_for_while_it_is_blank_and_known_again_once_it_is_made(disk: Disk) -> None:
    first = drafted(disk)
    step = first.steps[0]
    assert step.id == "disk/format"
    assert step.guard is not None
    assert holds(step.guard)
    assert isinstance(step.action, Command)
    do(*step.action.argv)
    assert not holds(step.guard)
    again = [step.id for step in drafted(disk).steps]
    assert "disk/mount" in again
    assert not {"disk/format", "disk/label"} & set(again)


@pytest.mark.parametrize("kind", SIGNED)
def test_a_device_with_anything_on_it_is_refused(kind: str, disk: Disk) -> None:
    SIGNED[kind](disk.device)
    draft = drafted(disk)
    assert draft.steps == ()
    assert [finding.severity for finding in draft.findings] == ["refusal"]
    assert kind in draft.findings[0].text


def test_a_device_whose_partition_is_in_use_is_refused_by_what_the_kernel_says(disk: Disk, tmp_path: Path) -> None:
    write(disk.device, 440, partition_table())
    if run(("partx", "--add", disk.device)).returncode:
        pytest.skip("this kernel makes no partitions of loop devices")
    try:
        # The table itself is gone; the kernel still knows the partition.
        write(disk.device, 0, bytes(512))
        draft = drafted(disk)
        assert draft.steps == ()
        assert f"{disk.device}p1" in draft.findings[0].text
        assert ": blank, in use" in wipefs.parse_stamp(do(*wipefs.stamp(disk.device)))
    finally:
        do("partx", "--delete", disk.device)


def test_a_mounted_device_is_refused_unless_it_is_mounted_at_its_place(disk: Disk, tmp_path: Path) -> None:
    do(*mke2fs.make(disk, UUID))
    do("mount", disk.device, str(tmp_path))
    try:
        draft = drafted(disk)
        assert draft.steps == ()
        assert f"in use at {tmp_path}" in draft.findings[0].text
        here = replace(disk, mount=str(tmp_path))
        assert "disk/mount" not in [step.id for step in drafted(here).steps]
    finally:
        do("umount", str(tmp_path))


def test_a_device_that_cannot_be_read_is_not_blank_although_no_signature_is_seen(disk: Disk, tmp_path: Path) -> None:
    do("mke2fs", "-q", "-t", "ext3", disk.device)
    do("sync")
    with (tmp_path / "image").open("r+b") as file:
        file.truncate(0)
    do("blockdev", "--flushbufs", disk.device)
    assert wipefs.parse(do(*wipefs.look(disk.device))) == (), "wipefs does not tell that it could not read"
    draft = drafted(disk)
    assert draft.steps == ()
    assert "Input/output error" in draft.findings[0].text
