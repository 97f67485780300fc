"""Which filesystems of a host go into its snapshots, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from runner.config.overlap import inside
from runner.model.facts import STAND_IN, Facts, Filesystem
from runner.model.plan import Finding
from runner.model.site import Job, Site

# proc(5), mount(8): these hold the kernel's state, not anybody's data.
PSEUDO = frozenset((
    "autofs", "bdev", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cpuset", "debugfs",
    "devpts", "devtmpfs", "dax", "drm", "efivarfs", "fusectl", "functionfs", "hugetlbfs", "mqueue", "nsfs",
    "pipefs", "proc", "pstore", "ramfs", "rootfs", "rpc_pipefs", "securityfs", "selinuxfs", "sockfs", "sysfs",
    "tmpfs", "tracefs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal",
))  # fmt: skip
NETWORK = frozenset((
    "9p", "afs", "ceph", "cifs", "coda", "fuse.glusterfs", "fuse.sshfs", "fuse.rclone", "gfs2", "lustre", "ncpfs",
    "nfs", "nfs4", "ocfs2", "smb3", "smbfs", "virtiofs",
))  # fmt: skip
IMAGES = frozenset(["cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"])


@dataclass(frozen=True, kw_only=True, slots=True)
class FilesystemChoice:
    """The filesystems to copy, in the order of their paths; `left` and `absent` say why not.

    `left` are (mount point, reason); `absent` are mount points that should be there and are not.
    """

    chosen: tuple[Filesystem, ...]
    left: tuple[tuple[str, str], ...]
    absent: tuple[str, ...]


def choose(
    mounts: Sequence[Filesystem],
    *,
    declared: Sequence[str],
    stores: Sequence[str],
    expected: Sequence[str],
    excluded: Sequence[str] = (),
) -> FilesystemChoice:
    """Choose from everything mounted: all local filesystems, or the `declared` mount points.

    A filesystem that is a store, or lies in one, is left out, and so is one in an `excluded`
    folder; what several mounts show is taken once, at the mount that shows most of it. `expected`
    are those of earlier snapshots: one that is not mounted any more is absent.
    """
    left: list[tuple[str, str]] = []
    chosen: list[Filesystem] = []
    for mount in sorted(_topmost(mounts), key=lambda mount: (len(mount.root), len(mount.mount), mount.mount)):
        reason = _reason(mount, declared, stores)
        if reason is None and _inside_any(mount.mount, excluded):
            reason = "the job excludes it"
        shown = next((other for other in chosen if _shows(other, mount)), None)
        if reason is None and shown:
            reason = f"the same filesystem as {shown.mount}"
        if reason is None:
            chosen.append(mount)
        elif mount.type not in PSEUDO:
            left.append((mount.mount, reason))
    known = {mount.mount for mount in mounts}
    due = [point for point in declared or expected if not _inside_any(point, (*stores, *excluded))]
    absent = {point for point in due if point not in known}
    return FilesystemChoice(
        chosen=tuple(sorted(chosen, key=lambda mount: mount.mount)),
        left=tuple(sorted(left)),
        absent=tuple(sorted(absent)),
    )


def _shows(mount: Filesystem, other: Filesystem) -> bool:
    """Whether a copy of `mount`, kept to one filesystem, has all that is seen at `other`."""
    # Stand-ins are folders of one disk, and all of them are copied.
    if mount.dev != other.dev or STAND_IN in (mount.type, other.type):
        return False
    if not inside(other.root, mount.root):
        return False
    # Subvolumes of btrfs share a device number in mountinfo, but rsync stops at each. One that is seen
    # at its natural place may as well be a folder, and must not be sent there twice.
    natural = mount.mount.rstrip("/") + other.root[len(mount.root.rstrip("/")) :]
    return mount.type != "btrfs" or other.root == mount.root or other.mount == natural


def _topmost(mounts: Sequence[Filesystem]) -> list[Filesystem]:
    # mountinfo lists in order of mounting: of several at one place, the last is the one seen.
    return list({mount.mount: mount for mount in mounts}.values())


def _reason(mount: Filesystem, declared: Sequence[str], stores: Sequence[str]) -> str | None:
    if _inside_any(mount.mount, stores):
        return "it holds snapshots: every store is left out of every source"
    if declared:
        return None if mount.mount in declared else "not among the declared filesystems"
    if mount.type in PSEUDO:
        return "not a disk"
    if mount.type in NETWORK or mount.source.startswith("//"):
        return f"it belongs to another machine ({mount.type})"
    if _is_shown_by_a_program(mount):
        return f"what a program shows, not a disk ({mount.type})"
    if mount.type in IMAGES:
        return f"a read-only image ({mount.type})"
    if mount.type == "overlay" and mount.mount != "/":
        return "a container's view of files that are copied where they really are"
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class InnerMounts:
    """Mount points inside what is copied: `emptied` stay as empty folders, `left_out` are not even looked at."""

    emptied: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def inner_mounts(mounts: Sequence[Filesystem], chosen: Sequence[Filesystem]) -> InnerMounts:
    """Every mount inside a chosen filesystem that is not chosen itself; of those in each other the outermost.

    rsync stops at another device, but enters what is mounted of the same one (a bind mount), and may not even
    look at what a program shows to one user.
    """
    taken = sorted((mount.mount for mount in chosen), key=len, reverse=True)
    inner: list[tuple[str, Filesystem]] = []
    for mount in sorted(_topmost(mounts), key=lambda mount: mount.mount):
        around = next((top for top in taken if inside(mount.mount, top)), None)
        if around is None or mount.mount in taken:
            continue
        if not any(top == around and inside(mount.mount, outer.mount) for top, outer in inner):
            inner.append((around, mount))
    return InnerMounts(
        emptied=tuple(mount.mount for _, mount in inner if not _is_shown_by_a_program(mount)),
        left_out=tuple(mount.mount for _, mount in inner if _is_shown_by_a_program(mount)),
    )


def _is_shown_by_a_program(mount: Filesystem) -> bool:
    return mount.type == "fuse" or mount.type.startswith("fuse.")


def _inside_any(path: str, folders: Sequence[str]) -> bool:
    return any(inside(path, folder) for folder in folders)


def scaffold(mounts: Sequence[str]) -> int:
    """How many folders a snapshot of these mount points has beside those that each transfer counts.

    The folders above them are made for them; a mount point in another of them is counted with both.
    """
    above: set[PurePosixPath] = set()
    twice = 0
    for mount in mounts:
        if any(other != mount and inside(mount, other) for other in mounts):
            twice += 1
        else:
            above.update(PurePosixPath(mount).parents)
    return len(above) - twice


def emptied(site: Site, job: Job, facts: Facts, *, runs: int) -> Finding | None:
    """Why a snapshot `job` that wrote its store in `runs` recorded runs must not write it now, or None.

    Labels are no proof of a disk: one without a declared uuid is known only by what is on it. A person
    who has put a new disk there declares its uuid.
    """
    if not runs:
        return None
    store = site.store(job.options.store)
    stored = facts.hosts[store.host].stores[store.name]
    if not store.disk or site.host(store.host).root or stored.sealed or stored.partials or stored.problem:
        return None
    disk = site.disk(store.disk)
    if disk.uuid:
        return None
    return Finding(
        severity="attention",
        source=job.name,
        text=f"store {store.name} is empty, and {job.name} has written to it before: another disk is mounted "
        f"at {disk.mount}, or somebody emptied it",
        do=f"attach the right disk; or, if this one is to be it, declare in jobs.toml under disks.{disk.name}: "
        f'uuid = "{stored.uuid}"',
    )
