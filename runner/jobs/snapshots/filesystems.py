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
# Where the PSEUDO ones of every system are, there and below; and where some have one.
USUAL = ("/dev", "/proc", "/run", "/sys")
USUAL_POINTS = ("/tmp", "/var/lib/lxcfs", "/var/lib/nfs/rpc_pipefs")  # noqa: S108  (nothing is written there)
UNDECLARED = "not among the declared filesystems"
MEMORY = frozenset(("ramfs", "tmpfs"))
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
    refused: list[tuple[Filesystem, str]] = []
    chosen: list[Filesystem] = []
    for mount in sorted(_topmost(mounts), key=lambda mount: (len(mount.root), len(mount.mount), mount.mount)):
        reason = _reason(mount, declared, stores)
        if reason is None and _inside_any(mount.mount, excluded):
            reason = "the job excludes it"
        reason = reason or _shown(mount, chosen)
        if reason is None:
            chosen.append(mount)
        elif mount.type not in PSEUDO:
            refused.append((mount, reason))
    # What is chosen may show it, although its turn came later.
    left = [(mount.mount, (reason == UNDECLARED and _shown(mount, chosen)) or reason) for mount, reason in refused]
    known = {mount.mount for mount in mounts}
    due = [point for point in declared or expected if not _inside_any(point, (*stores, *excluded))]
    absent = {point for point in due if point not in known}
    return FilesystemChoice(
        chosen=tuple(sorted(chosen, key=lambda mount: mount.mount)),
        left=tuple(sorted(left)),
        absent=tuple(sorted(absent)),
    )


def _shown(mount: Filesystem, chosen: Sequence[Filesystem]) -> str | None:
    other = next((other for other in chosen if _shows(other, mount)), None)
    return f"the same filesystem as {other.mount}" if other else None


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
    if mount.mount in declared and not mount.file:
        return None
    return _no_disk(mount) or (UNDECLARED if declared else None)


def _no_disk(mount: Filesystem) -> str | None:
    if mount.file:
        return "one file, mounted by itself"
    if mount.type in MEMORY:
        return f"in memory ({mount.type})"
    if mount.type in PSEUDO:
        return f"not a disk ({mount.type})"
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
    inner = [mount for _, mount in _outermost(_within(mounts, chosen))]
    return InnerMounts(
        emptied=tuple(mount.mount for mount in inner if not _is_left_whole(mount)),
        left_out=tuple(mount.mount for mount in inner if _is_left_whole(mount)),
    )


def left_inside(
    mounts: Sequence[Filesystem], chosen: Sequence[Filesystem], left: Sequence[tuple[str, str]] = ()
) -> dict[str, tuple[tuple[str, str], ...]]:
    """What a person should know is not copied, by the mount point of the chosen one that it lies in: where, and why.

    `left` are the reasons that `choose` gave. Without what every system shows at its usual place; but not without
    what is mounted in that.
    """
    reasons, unusual = dict(left), [pair for pair in _within(mounts, chosen) if not _is_usual(pair[1])]
    by_top: dict[str, tuple[tuple[str, str], ...]] = {}
    for top, mount in _outermost(unusual):
        # A folder that stands in shares its number with what is mounted there once more.
        same = next((other.mount for other in chosen if other.mount == top and other.dev == mount.dev), None)
        own = _no_disk(mount) or (f"the same filesystem as {same}" if same else "another filesystem")
        why = reasons.get(mount.mount, own)
        by_top[top] = (*by_top.get(top, ()), (mount.mount, why))
    return by_top


def _within(mounts: Sequence[Filesystem], chosen: Sequence[Filesystem]) -> list[tuple[str, Filesystem]]:
    """What is mounted inside the chosen ones and is none, by path, each with the innermost of them around it."""
    taken = sorted((mount.mount for mount in chosen), key=len, reverse=True)
    within = []
    for mount in sorted(_topmost(mounts), key=lambda mount: mount.mount):
        around = next((top for top in taken if inside(mount.mount, top)), None)
        if around is not None and mount.mount not in taken:
            within.append((around, mount))
    return within


def _outermost(within: Sequence[tuple[str, Filesystem]]) -> list[tuple[str, Filesystem]]:
    outermost: list[tuple[str, Filesystem]] = []
    for around, mount in within:
        if not any(top == around and inside(mount.mount, outer.mount) for top, outer in outermost):
            outermost.append((around, mount))
    return outermost


def _is_usual(mount: Filesystem) -> bool:
    return mount.type in PSEUDO and (mount.mount in USUAL_POINTS or _inside_any(mount.mount, USUAL))


def _is_left_whole(mount: Filesystem) -> bool:
    """Whether not even the mount point can be kept empty: it may not be looked at, or it is a file."""
    return mount.file or _is_shown_by_a_program(mount)


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
