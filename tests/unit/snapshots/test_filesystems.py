"""Which filesystems are copied: every local one once, no store, and what is missed is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.jobs.snapshots.filesystems import FilesystemChoice, InnerMounts, choose, inner_mounts, left_inside, scaffold
from runner.model.facts import Filesystem


def fs(mount: str, dev: int = 1, **changes: Any) -> Filesystem:
    values: dict[str, Any] = {"source": "/dev/sda1", "type": "ext4", "root": "/", **changes}
    return Filesystem(mount=mount, dev=dev, **values)


def chosen(*mounts: Filesystem, **wishes: tuple[str, ...]) -> FilesystemChoice:
    return choose(mounts, **{"declared": (), "stores": (), "expected": (), **wishes})


def names(choice: FilesystemChoice) -> list[str]:
    return [one.mount for one in choice.chosen]


def test_every_local_filesystem_is_chosen_in_the_order_of_paths() -> None:
    made = chosen(fs("/home", 2, type="xfs"), fs("/", 1), fs("/boot/efi", 3, type="vfat"), fs("/b", 4, type="btrfs"))
    assert names(made) == ["/", "/b", "/boot/efi", "/home"]
    assert (made.left, made.absent) == ((), ())


@pytest.mark.parametrize(
    ("mount", "reason"),
    [
        (fs("/n", 2, type="nfs4", source="server:/n"), "it belongs to another machine (nfs4)"),
        (fs("/n", 2, type="cifs", source="//server/n"), "it belongs to another machine (cifs)"),
        (fs("/n", 2, type="weird", source="//server/n"), "it belongs to another machine (weird)"),
        (fs("/n", 2, type="fuse.sshfs", source="me@server:"), "it belongs to another machine (fuse.sshfs)"),
        (fs("/n", 2, type="fuse.s3fs", source="s3fs"), "what a program shows, not a disk (fuse.s3fs)"),
        (fs("/n", 2, type="squashfs", source="/dev/loop1"), "a read-only image (squashfs)"),
        (fs("/n", 2, type="overlay", source="overlay"), "a container's view of files that are copied where they really are"),
        (fs("/n", 1, root="/srv"), "the same filesystem as /"),
        (fs("/n", 1), "the same filesystem as /"),
        (fs("/srv/backups/papio", 2), "it holds snapshots: every store is left out of every source"),
        (fs("/srv/backups/papio/x", 2), "it holds snapshots: every store is left out of every source"),
        (fs("/cache/x", 2), "the job excludes it"),
        (fs("/cache/same", 1), "the job excludes it"),
        (fs("/cache/n", 2, type="nfs4", source="server:/n"), "it belongs to another machine (nfs4)"),
        (fs("/n", 2, type="fuse", source="one"), "what a program shows, not a disk (fuse)"),
    ],
)  # fmt: skip
def test_what_is_left_out_is_told_with_its_reason(mount: Filesystem, reason: str) -> None:
    made = chosen(fs("/"), mount, stores=("/srv/backups/papio",), excluded=("/cache",))
    assert names(made) == ["/"]
    assert made.left == ((mount.mount, reason),)


@pytest.mark.parametrize("kind", ["proc", "sysfs", "tmpfs", "cgroup2", "devtmpfs", "fuse.lxcfs"])
def test_what_the_kernel_shows_is_left_out_without_a_word(kind: str) -> None:
    assert chosen(fs("/"), fs("/x", 2, type=kind, source=kind)).left == ()


def test_ntfs_through_fuse_is_a_disk() -> None:
    assert names(chosen(fs("/"), fs("/win", 2, type="fuseblk"))) == ["/", "/win"]


def test_the_root_of_a_container_is_copied() -> None:
    assert names(chosen(fs("/", type="overlay", source="overlay"))) == ["/"]


def test_parts_of_a_disk_that_is_not_mounted_whole_are_all_copied() -> None:
    assert names(chosen(fs("/"), fs("/a", 2, root="/x"), fs("/b", 2, root="/y"))) == ["/", "/a", "/b"]
    assert names(chosen(fs("/"), fs("/a", 2, root="/x"), fs("/b", 2, root="/x/y"))) == ["/", "/a"]
    assert names(chosen(fs("/"), fs("/a", 2, root="/x"), fs("/b", 2, root="/xy"))) == ["/", "/a", "/b"]


def test_a_disk_mounted_twice_is_copied_from_its_whole_and_shortest_place() -> None:
    assert names(chosen(fs("/part", 2, root="/p"), fs("/very/long", 2), fs("/long", 2))) == ["/long"]


def test_subvolumes_of_btrfs_are_all_copied_although_they_share_a_number() -> None:
    def sub(mount: str, root: str) -> Filesystem:
        return fs(mount, 31, type="btrfs", root=root)

    assert names(chosen(sub("/", "/@"), sub("/home", "/@home"))) == ["/", "/home"]
    assert names(chosen(sub("/top", "/"), sub("/home", "/@home"))) == ["/home", "/top"]
    assert names(chosen(sub("/", "/@"), sub("/again", "/@"))) == ["/"]
    # This may be a folder that is mounted where it is anyway: two transfers would write one place.
    assert names(chosen(sub("/", "/@"), sub("/var/x", "/@/var/x"))) == ["/"]


def test_of_several_mounts_at_one_place_the_last_is_seen() -> None:
    assert [one.dev for one in chosen(fs("/"), fs("/x", 2), fs("/x", 3)).chosen] == [1, 3]
    assert names(chosen(fs("/"), fs("/x", 2), fs("/x", 3, type="tmpfs"))) == ["/"]


def test_declared_filesystems_are_the_only_ones_and_each_must_be_there() -> None:
    made = chosen(fs("/"), fs("/home", 2), fs("/n", 3, type="nfs"), declared=("/home", "/n", "/data"))
    assert names(made) == ["/home", "/n"]
    assert made.left == (("/", "not among the declared filesystems"),)
    assert made.absent == ("/data",)


def test_a_declared_place_that_another_one_shows_is_mounted_and_not_missed() -> None:
    made = chosen(fs("/"), fs("/again"), declared=("/", "/again"))
    assert (names(made), made.absent) == (["/"], ())
    assert made.left == (("/again", "the same filesystem as /"),)


def test_a_declared_filesystem_that_is_excluded_is_not_missed() -> None:
    made = chosen(fs("/"), declared=("/", "/home"), excluded=("/home",))
    assert (names(made), made.absent) == (["/"], ())


@pytest.mark.parametrize(
    ("expected", "absent"),
    [
        (("/", "/home"), ("/home",)),
        (("/", "/home", "/home"), ("/home",)),
        (("/", "/n"), ()),
        (("/", "/srv/backups/papio/x"), ()),
        (("/", "/cache"), ()),
        ((), ()),
    ],
)
def test_what_earlier_snapshots_had_is_missed_once(expected: tuple[str, ...], absent: tuple[str, ...]) -> None:
    mounted = (fs("/"), fs("/n", 2, type="nfs"))
    made = chosen(*mounted, expected=expected, stores=("/srv/backups/papio",), excluded=("/cache",))
    assert made.absent == absent


def test_stand_ins_of_one_disk_are_all_wanted() -> None:
    assert names(chosen(fs("/etc", type="stand-in"), fs("/usr/share", type="stand-in"))) == ["/etc", "/usr/share"]


@given(data=st.data())
def test_the_choice_does_not_depend_on_the_order_of_mounting(data: st.DataObject) -> None:
    places = ("/", "/a", "/a/b", "/c", "/srv/s")
    mounts = tuple(
        fs(place, data.draw(st.integers(1, 3)), root=data.draw(st.sampled_from(("/", "/r", "/r/s"))))
        for place in places
    )
    mixed = tuple(data.draw(st.permutations(mounts)))
    wishes = {"stores": ("/srv/s",), "expected": ("/gone", "/a")}
    one = chosen(*mounts, **wishes)
    assert one == chosen(*mixed, **wishes)
    assert "/srv/s" not in names(one)
    assert {one.mount for one in mounts} == {*names(one), *(mount for mount, _ in one.left)}


def inner(*mounts: Filesystem) -> InnerMounts:
    return inner_mounts(mounts, chosen(*mounts).chosen)


def test_every_mount_inside_a_copied_filesystem_is_left_out_on_purpose_and_the_outermost_is_enough() -> None:
    assert inner(
        fs("/"),
        fs("/home", 2),
        fs("/proc", 3, type="proc", source="proc"),
        fs("/proc/sys/fs/binfmt_misc", 4, type="binfmt_misc", source="x"),
        fs("/var/www/data", 1, root="/home2"),
        fs("/home/anna/mnt", 5, type="fuse.sshfs", source="me@server:"),
        fs("/home/anna/mnt/inside", 6, type="nfs", source="server:/n"),
        fs("/home*", 7, type="nfs", source="server:/n"),
    ) == InnerMounts(emptied=("/home*", "/proc", "/var/www/data"), left_out=("/home/anna/mnt",))


def test_what_is_mounted_in_a_copied_filesystem_below_a_mount_that_is_not_copied_is_left_out_too() -> None:
    mounts = (
        fs("/"),
        fs("/srv", 2, type="nfs", source="server:/n"),
        fs("/srv/data", 3),
        fs("/srv/data/again", 3, root="/photos"),
    )
    assert inner(*mounts) == InnerMounts(emptied=("/srv", "/srv/data/again"))


def test_what_is_mounted_outside_of_what_is_copied_is_not_inside_it() -> None:
    mounts = (fs("/"), fs("/home", 2), fs("/home/anna", 3), fs("/proc", 4, type="proc", source="proc"))
    assert inner_mounts(mounts, chosen(*mounts, declared=("/home",)).chosen) == InnerMounts(emptied=("/home/anna",))


def test_a_file_that_is_mounted_over_another_is_left_out_by_its_own_name_and_is_no_filesystem() -> None:
    mounts = (fs("/"), fs("/etc/hosts", 2, file=True), fs("/etc/name", 1, root="/x", file=True))
    assert names(chosen(*mounts)) == names(chosen(*mounts, declared=("/", "/etc/hosts"))) == ["/"]
    assert inner(*mounts) == InnerMounts(left_out=("/etc/hosts", "/etc/name"))


@pytest.mark.parametrize("declared", [(), ("/", "/home")])
def test_whatever_is_mounted_inside_is_told_with_its_reason_by_path_but_not_what_every_system_shows(
    declared: tuple[str, ...],
) -> None:
    mounts = (
        fs("/"),
        fs("/home", 2),
        fs("/proc", 3, type="proc", source="proc"),
        fs("/sys/fs/cgroup", 4, type="cgroup2", source="cgroup2"),
        fs("/run", 5, type="tmpfs", source="tmpfs"),
        fs("/run/media/nas", 6, type="nfs", source="server:/n"),
        fs("/tmp", 7, type="tmpfs", source="tmpfs"),
        fs("/tmp/build", 8, type="tmpfs", source="tmpfs"),
        fs("/srv/jail/proc", 3, type="proc", source="proc"),
        fs("/srv/www", 1, root="/photos"),
        fs("/srv/www/inner", 9, type="tmpfs", source="tmpfs"),
        fs("/mnt/key", 1, root="/key", file=True),
        fs("/home/anna/mnt", 10, type="fuse.encfs", source="encfs"),
        fs("/home/again", 1),
    )
    choice = chosen(*mounts, declared=declared)
    assert left_inside(mounts, choice.chosen, choice.left) == {
        "/": (
            ("/mnt/key", "one file, mounted by itself"),
            ("/run/media/nas", "it belongs to another machine (nfs)"),
            ("/srv/jail/proc", "not a disk (proc)"),
            ("/srv/www", "the same filesystem as /"),
            ("/tmp/build", "in memory (tmpfs)"),
        ),
        "/home": (
            ("/home/again", "the same filesystem as /"),
            ("/home/anna/mnt", "what a program shows, not a disk (fuse.encfs)"),
        ),
    }


def test_a_disk_inside_a_declared_filesystem_is_told_as_not_declared_and_a_whole_one_is_known_by_its_part() -> None:
    mounts = (fs("/"), fs("/data", 2), fs("/d", 3), fs("/a/longer/name", 3))
    choice = chosen(*mounts, declared=("/", "/a/longer/name"))
    assert left_inside(mounts, choice.chosen, choice.left) == {
        "/": (("/d", "the same filesystem as /a/longer/name"), ("/data", "not among the declared filesystems"))
    }


@pytest.mark.parametrize(
    ("mounts", "count"),
    [
        ((), 0),
        (("/",), 0),
        (("/", "/boot", "/boot/efi"), -2),
        (("/etc",), 1),
        (("/etc", "/usr/share/doc"), 3),
        (("/usr", "/usr/share/doc"), 0),
    ],
)
def test_folders_around_the_mount_points_are_counted_once(mounts: tuple[str, ...], count: int) -> None:
    assert scaffold(mounts) == count


def test_a_host_where_only_copied_filesystems_are_mounted_has_no_other() -> None:
    assert inner(fs("/"), fs("/home", 2)) == InnerMounts()
    assert inner_mounts((), ()) == InnerMounts()
