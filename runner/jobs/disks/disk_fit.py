"""Whether a device may become a disk, or is it: blank, or the declared one, in nobody else's hands."""

from __future__ import annotations

import shlex

from runner.jobs.disks import fstab, mke2fs, wipefs
from runner.jobs.disks.found import Found, Wrong
from runner.model.site import Disk
from runner.model.text import size


def judge(disk: Disk, found: Found) -> Wrong | None:
    """Say what forbids any step for `disk`; None if it is blank and free, or the declared disk.

    Only a device that nothing here knows is ever named with the command that wipes it.
    """
    return _occupied(disk, found) or (_unfit(disk, found) if found.marks else _unready(disk, found))


def expected(disk: Disk, found: Found) -> str:
    """The UUID that the filesystem must have: jobs.toml's, else that of fstab; "" if neither says one."""
    return disk.uuid or next((one for one in map(fstab.uuid_of, found.lines) if one), "")


def _occupied(disk: Disk, found: Found) -> Wrong | None:
    there, device = found.there, found.device
    if there and not found.mounted:
        text = f"{there.source} is mounted at {disk.mount}, and that is not {disk.device}"
        return Wrong(text=text, do="unmount it, or correct jobs.toml")
    if there and there.root != "/":
        text = f"only the folder {there.root} of {disk.device} is mounted at {disk.mount}"
        return Wrong(text=text, do="unmount it there, and mount the disk itself")
    used = [place for place in (*found.mounts, device.mount) if place]
    if used and not found.mounted:
        do = f"is it the right device? If it is, unmount it from {used[0]}"
        return Wrong(text=f"{disk.device} is in use at {used[0]}, not at {disk.mount}", do=do)
    if device.children:
        parts = ", ".join(
            one.name + (f" (in use at {one.mount})" if one.mount else "") for one in device.children
        )
        text = f"{disk.device} is divided, or something is built on it: {parts}"
        return Wrong(text=text, do=f"let `device` be one part of it. If it is the whole: {_wipe(disk)}")
    if device.read_only:
        do = "look for a switch on the disk, or for its errors"
        return Wrong(text=f"{disk.device} is write-protected", do=do)
    if len(found.lines) > 1:
        text = f"fstab of {disk.host} has {len(found.lines)} lines for {disk.mount}"
        return Wrong(text=text, do="leave the one that is right, or none")
    return _hiding(disk, found)


def _hiding(disk: Disk, found: Found) -> Wrong | None:
    if found.point and not found.point.empty and not found.mounted:
        text = f"there are files in {disk.mount}, where nothing is mounted: the disk would hide them"
        return Wrong(text=text, do="look at them, and move them away")
    return None


def _unfit(disk: Disk, found: Found) -> Wrong | None:
    """Say why what is on the device is not the declared disk."""
    told = ", ".join(_told(one) for one in found.marks)
    uuid = expected(disk, found)
    if not any(_named(disk, found, one) for one in found.marks) and not found.mounted:
        who = f"{found.device.told}, {size(found.device.size)}"
        text = f"{disk.device} ({who}) is not blank and not disk {disk.name}: it holds {told}"
        return Wrong(text=text, do=_wipe(disk))
    if len(found.marks) != 1 or found.marks[0].type != disk.filesystem:
        text = f"{disk.device} is known as disk {disk.name} but holds {told}, not just {disk.filesystem}"
        return Wrong(text=text, do="have a Linux administrator look at it: it may hold snapshots")
    if uuid and found.marks[0].uuid != uuid:
        text = f"{disk.device} holds {told}, but {_source(disk)} says that disk {disk.name} has uuid {uuid}"
        return Wrong(text=text, do=f"attach the right disk, or correct {_source(disk)}")
    foreign = [
        one for one in found.identities.items() if found.mounted and one[1] not in ("", found.marks[0].uuid)
    ]
    if foreign:
        text = f"store {foreign[0][0]} was made on disk {foreign[0][1]}, but {found.marks[0].uuid} is mounted"
        return Wrong(text=text, do="attach the right disk, or correct jobs.toml")
    return None


def _named(disk: Disk, found: Found, mark: wipefs.Signature) -> bool:
    """Whether anything but a look inside says that this filesystem is the disk's."""
    if mark.uuid and mark.uuid == expected(disk, found):
        return True
    sources = {one.source for one in found.lines}
    return mark.label == mke2fs.label(disk) or bool({f"LABEL={mark.label}", disk.device} & sources)


def _unready(disk: Disk, found: Found) -> Wrong | None:
    """Say why a device without a signature cannot become the disk now."""
    if not found.stamp.endswith(f": {wipefs.BLANK}"):
        return Wrong(text=f"{disk.device} changed while it was looked at: {found.stamp}", do="plan again")
    if found.made is None:
        text = f"mke2fs would not make an {disk.filesystem} on {disk.device}"
        return Wrong(text=text, do=f"on {disk.host} run: {shlex.join(mke2fs.would_make(disk))}")
    return None


def _source(disk: Disk) -> str:
    return "jobs.toml" if disk.uuid else "fstab"


def _wipe(disk: Disk) -> str:
    command = shlex.join(wipefs.wipe(disk.device))
    return f"if nothing on it is wanted any more, on {disk.host} run: {command}; then plan again"


def _told(mark: wipefs.Signature) -> str:
    label = f" {mark.label!a}" if mark.label else ""
    return f"{mark.type}{label}{f' ({mark.uuid})' if mark.uuid else ''}"
