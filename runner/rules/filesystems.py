"""Which filesystems of a host go into its snapshots, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.model.facts import Filesystem
from runner.rules.overlap import inside

# proc(5), mount(8): these hold the kernel's state, not anybody's data.
PSEUDO = frozenset(
    (
        "autofs", "bdev", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cpuset",
        "debugfs", "devpts", "devtmpfs", "dax", "drm", "efivarfs", "fusectl", "functionfs", "hugetlbfs",
        "mqueue", "nsfs", "pipefs", "proc", "pstore", "ramfs", "rootfs", "rpc_pipefs", "securityfs",
        "selinuxfs", "sockfs", "sysfs", "tmpfs", "tracefs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal",
    )
)  # fmt: skip
NETWORK = frozenset(
    (
        "9p", "afs", "ceph", "cifs", "coda", "fuse.glusterfs", "fuse.sshfs", "fuse.rclone", "gfs2",
        "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs", "virtiofs",
    )
)  # fmt: skip
IMAGES = frozenset(["cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
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
) -> Choice:
    """Choose from everything mounted: all local filesystems, or the `declared` mount points.

    A filesystem that is a store, or lies in one, is left out; one mounted in several places is
    taken once, at its whole (root "/") and shortest place. `expected` are those of the last
    snapshot: one that is not mounted any more is absent.
    """
    left: list[tuple[str, str]] = []
    chosen: dict[int | str, Filesystem] = {}
    for mount in sorted(_topmost(mounts), key=lambda one: (one.root != "/", len(one.mount), one.mount)):
        reason = _reason(mount, declared, stores)
        # Stand-ins are folders of one disk, and all of them are wanted.
        key = mount.mount if mount.type == "stand-in" else mount.dev
        if reason is None and key in chosen:
            reason = f"the same filesystem as {chosen[key].mount}"
        if reason is None:
            chosen[key] = mount
        elif mount.type not in PSEUDO:
            left.append((mount.mount, reason))
    taken = {mount.mount for mount in chosen.values()}
    known = {mount.mount for mount in mounts}
    wanted = declared or tuple(one for one in expected if not _inside_any(one, stores))
    absent = tuple(sorted(one for one in wanted if one not in taken and (declared or one not in known)))
    return Choice(
        chosen=tuple(sorted(chosen.values(), key=lambda one: one.mount)),
        left=tuple(sorted(left)),
        absent=absent,
    )


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
    if mount.type in IMAGES:
        return f"a read-only image ({mount.type})"
    if mount.type == "overlay" and mount.mount != "/":
        return "a container's view of files that are copied where they really are"
    return None


def _inside_any(path: str, folders: Sequence[str]) -> bool:
    return any(inside(path, folder) for folder in folders)
