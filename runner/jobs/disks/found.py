"""What a `disk` job asks of a host, and what the answers say about the disk."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from runner.jobs.disks import fstab, lsblk, mke2fs, mount, tune2fs, wipefs
from runner.model.facts import Facts, Filesystem, Probe, Reading
from runner.model.site import Disk, Site, Store
from runner.model.text import size


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskState:
    """A disk as it is now; `made` (by mke2fs) and `point` are None where the host could not say.

    `device` is what the kernel knows, `marks` every signature on it, `stamp` both in one line.
    `mounts` are the places where the device is mounted, `there` is what is mounted at the disk's
    place. `lines` are the lines of fstab for it; `identities` is the UUID that each store keeps.
    """

    device: lsblk.Device
    marks: tuple[wipefs.Signature, ...]
    stamp: str
    made: mke2fs.Made | None
    superblock: tune2fs.Superblock
    shape: tune2fs.Shape
    lines: tuple[fstab.Entry, ...]
    point: mount.Point | None
    systemd: bool
    mounts: tuple[str, ...]
    there: Filesystem | None
    identities: Mapping[str, str]

    @property
    def mounted(self) -> bool:
        """Whether this very device is what one sees at the disk's place."""
        return self.there is not None and self.there.dev == self.device.number


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrong:
    """Why nothing is planned for a disk, and what a person can do: `do` leads to `command`, if there is one."""

    text: str
    do: str
    command: str = ""


def stores_on(site: Site, disk: Disk) -> tuple[Store, ...]:
    """The stores that are kept on `disk`."""
    return tuple(store for store in site.stores if store.disk == disk.name)


def probes(site: Site, disk: Disk) -> tuple[Probe, ...]:
    """Every command that `read` wants the output of; all of them only read."""
    asked = {
        "device": lsblk.look(disk.device),
        "marks": wipefs.look(disk.device),
        "stamp": wipefs.stamp(disk.device),
        "would": mke2fs.would_make(disk),
        "superblock": tune2fs.superblock(disk.device),
        "fstab": fstab.show(),
        "point": mount.look(disk.mount),
        "systemd": mount.has_systemd(),
        **{f"identity.{store.name}": mke2fs.show(store.path) for store in stores_on(site, disk)},
    }
    return tuple(
        Probe(id=f"disk.{disk.name}.{what}", host=disk.host, argv=argv, needs=("device",))
        for what, argv in asked.items()
    )


def read(site: Site, disk: Disk, facts: Facts) -> DiskState | Wrong:
    """The disk as the probes show it; `Wrong` without a clear answer about device, signatures or fstab."""
    answers = _Answers(disk, facts)
    device, marks = lsblk.parse(answers.output("device")), wipefs.parse(answers.output("marks"))
    stamp = wipefs.parse_stamp(answers.output("stamp"))
    if device is None or marks is None or not stamp:
        return Wrong(
            text=f"{disk.device} of {disk.host} cannot be read: {answers.error('device', 'marks', 'stamp')}",
            do="see that the disk is plugged in and that `device` in jobs.toml is right",
        )
    if answers.reading("fstab").exit != 0:
        text = f"fstab of {disk.host} cannot be read: {answers.error('fstab')}"
        return Wrong(text=text, do="put that right and plan again")
    seen = facts.hosts[disk.host].filesystems
    there = [filesystem for filesystem in seen if filesystem.mount == disk.mount]
    return DiskState(
        device=device,
        marks=marks,
        stamp=stamp,
        made=mke2fs.parse(answers.output("would")),
        superblock=tune2fs.parse_superblock(answers.output("superblock")),
        shape=tune2fs.parse_shape(answers.output("superblock")),
        lines=tuple(entry for entry in fstab.parse(answers.output("fstab")) if entry.mount == disk.mount),
        point=mount.parse(answers.output("point")),
        systemd=answers.reading("systemd").exit == 0,
        mounts=tuple(filesystem.mount for filesystem in seen if filesystem.dev == device.number),
        # Of several at one place the last is the one that is seen.
        there=there[-1] if there else None,
        identities={
            store.name: mke2fs.parse_identity(answers.output(f"identity.{store.name}"))
            for store in stores_on(site, disk)
        },
    )


class _Answers:
    """The answers to the probes of one disk."""

    def __init__(self, disk: Disk, facts: Facts) -> None:
        self._disk, self._facts = disk, facts

    def reading(self, what: str) -> Reading:
        answer = self._facts.reading(self._disk.host, f"disk.{self._disk.name}.{what}")
        return answer or Reading(exit=None, err="it was not asked")

    def output(self, what: str) -> str:
        """The output of a command that ended well; of any other, nothing."""
        reading = self.reading(what)
        return reading.out if reading.exit == 0 else ""

    def error(self, *names: str) -> str:
        """Why the first of these that failed did so."""
        for reading in map(self.reading, names):
            if reading.exit != 0:
                lines = [line for line in reading.err.splitlines() if line.strip()]
                return lines[0] if lines else f"it ended with {reading.exit}"
        return "its answer makes no sense"


def judge(disk: Disk, found: DiskState) -> Wrong | None:
    """Say what forbids any step for `disk`; None if it is blank and free, or the declared disk.

    Only a device that nothing here knows is ever named with the command that wipes it.
    """
    return _occupied(disk, found) or (_unfit(disk, found) if found.marks else _unready(disk, found))


def expected(disk: Disk, found: DiskState) -> str:
    """The UUID that the filesystem must have: jobs.toml's, else that of fstab; "" if neither says one."""
    return disk.uuid or next((one for one in map(fstab.uuid_of, found.lines) if one), "")


def _occupied(disk: Disk, found: DiskState) -> Wrong | None:
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
        parts = ", ".join(one.name + (f" (in use at {one.mount})" if one.mount else "") for one in device.children)
        text = f"{disk.device} is divided, or something is built on it: {parts}"
        return _wipe(disk, text, "let `device` be one part of it. If it is the whole: ")
    if device.read_only:
        do = "look for a switch on the disk, or for its errors"
        return Wrong(text=f"{disk.device} is write-protected", do=do)
    if len(found.lines) > 1:
        text = f"fstab of {disk.host} has {len(found.lines)} lines for {disk.mount}"
        return Wrong(text=text, do="leave the one that is right, or none")
    return _hiding(disk, found)


def _hiding(disk: Disk, found: DiskState) -> Wrong | None:
    if found.point and not found.point.empty and not found.mounted:
        text = f"there are files in {disk.mount}, where nothing is mounted: the disk would hide them"
        return Wrong(text=text, do="look at them, and move them away")
    return None


def _unfit(disk: Disk, found: DiskState) -> Wrong | None:
    """Say why what is on the device is not the declared disk."""
    told = ", ".join(_told(one) for one in found.marks)
    uuid = expected(disk, found)
    if not any(_named(disk, found, one) for one in found.marks) and not found.mounted:
        who = f"{found.device.told}, {size(found.device.size)}"
        text = f"{disk.device} ({who}) is not blank and not disk {disk.name}: it holds {told}"
        return _wipe(disk, text)
    if len(found.marks) != 1 or found.marks[0].type != disk.filesystem:
        text = f"{disk.device} is known as disk {disk.name} but holds {told}, not just {disk.filesystem}"
        return Wrong(text=text, do="have a Linux administrator look at it: it may hold snapshots")
    if uuid and found.marks[0].uuid != uuid:
        text = f"{disk.device} holds {told}, but {_source(disk)} says that disk {disk.name} has uuid {uuid}"
        return Wrong(text=text, do=f"attach the right disk, or correct {_source(disk)}")
    foreign = [one for one in found.identities.items() if found.mounted and one[1] not in ("", found.marks[0].uuid)]
    if foreign:
        text = f"store {foreign[0][0]} was made on disk {foreign[0][1]}, but {found.marks[0].uuid} is mounted"
        return Wrong(text=text, do="attach the right disk, or correct jobs.toml")
    return None


def _named(disk: Disk, found: DiskState, mark: wipefs.Signature) -> bool:
    """Whether anything but a look inside says that this filesystem is the disk's."""
    if mark.uuid and mark.uuid == expected(disk, found):
        return True
    sources = {one.source for one in found.lines}
    return mark.label == mke2fs.label(disk) or bool({f"LABEL={mark.label}", disk.device} & sources)


def _unready(disk: Disk, found: DiskState) -> Wrong | None:
    """Say why a device without a signature cannot become the disk now."""
    if not found.stamp.endswith(f": {wipefs.BLANK}"):
        return Wrong(text=f"{disk.device} changed while it was looked at: {found.stamp}", do="plan again")
    if found.made is None:
        text = f"mke2fs would not make an {disk.filesystem} on {disk.device}"
        return Wrong(text=text, do=f"on {disk.host} run:", command=shlex.join(mke2fs.would_make(disk)))
    return None


def _source(disk: Disk) -> str:
    return "jobs.toml" if disk.uuid else "fstab"


def _wipe(disk: Disk, text: str, first: str = "") -> Wrong:
    do = f"{first}if nothing on it is needed any more, wipe it and plan again; on {disk.host} run:"
    return Wrong(text=text, do=do, command=shlex.join(wipefs.wipe(disk.device)))


def _told(mark: wipefs.Signature) -> str:
    label = f" {mark.label!a}" if mark.label else ""
    return f"{mark.type}{label}{f' ({mark.uuid})' if mark.uuid else ''}"
