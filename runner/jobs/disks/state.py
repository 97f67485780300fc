"""The state of a disk: what a `disk` job asks of its host, what the answers say, and what that forbids."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from runner.jobs.disks import fstab, lsblk, mke2fs, mount, tune2fs, wipefs
from runner.model.facts import Facts, Filesystem, Probe, Reading
from runner.model.site import Disk, Site, Store
from runner.model.text import size


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskState:
    """A disk as it is now; `made` (by mke2fs) and `point` are None where they are not known.

    `device` is what the kernel knows, `marks` every signature on it, `stamp` both in one line.
    `mounts` are the places where the device is mounted, `there` is what is mounted at the disk's
    place. `lines` are the lines of fstab for it; `identities` is the UUID that each store keeps, "" where
    its record makes no sense; a store that keeps none is not in it. `lacks` are those of nosuid and nodev that it
    is mounted without, as the stores on it show.
    """

    device: lsblk.Device
    marks: tuple[wipefs.Signature, ...]
    stamp: str
    made: mke2fs.Made | None
    superblock: tune2fs.Superblock
    shape: tune2fs.Shape
    lines: tuple[fstab.FstabEntry, ...]
    point: mount.Point | None
    systemd: bool
    mounts: tuple[str, ...]
    there: Filesystem | None
    identities: Mapping[str, str]
    lacks: tuple[str, ...] = ()

    @property
    def mounted(self) -> bool:
        """Whether this very device is what is visible at the disk's mount point."""
        return self.there is not None and self.there.dev == self.device.number


class DiskRefusal(NamedTuple):
    """Why nothing is planned for a disk, and what a person can do: `do` leads to `command`, if there is one."""

    text: str
    do: str
    command: str = ""


def stores_on(site: Site, disk: Disk) -> tuple[Store, ...]:
    """The stores that are kept on `disk`."""
    return tuple(store for store in site.stores if store.disk == disk.name)


def probes(site: Site, disk: Disk) -> tuple[Probe, ...]:
    """Every command that `read` wants the output of; all of them only read."""
    commands = {
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
        for what, argv in commands.items()
    )


def read(site: Site, disk: Disk, facts: Facts) -> DiskState | DiskRefusal:
    """The disk as the probes show it; `DiskRefusal` without a clear answer about device, signatures or fstab."""
    answers = _Answers(disk, facts)
    device, marks = lsblk.parse(answers.output("device")), wipefs.parse(answers.output("marks"))
    stamp = wipefs.parse_stamp(answers.output("stamp"))
    if device is None or marks is None or not stamp:
        return DiskRefusal(
            f"{disk.device} of {disk.host} cannot be read: {answers.error('device', 'marks', 'stamp')}",
            "see that the disk is plugged in and that `device` in jobs.toml is right",
        )
    if answers.reading("fstab").exit != 0:
        return DiskRefusal(
            f"fstab of {disk.host} cannot be read: {answers.error('fstab')}", "put that right and plan again"
        )
    seen = facts.hosts[disk.host].filesystems
    known = facts.hosts[disk.host].stores
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
        # Of several at one place the last is visible.
        there=there[-1] if there else None,
        identities={
            store.name: mke2fs.parse_identity(answers.output(f"identity.{store.name}"))
            for store in stores_on(site, disk)
            if answers.reading(f"identity.{store.name}").exit == 0
        },
        lacks=tuple(
            dict.fromkeys(
                option
                for store in stores_on(site, disk)
                if store.name in known and known[store.name].mounted
                for option in known[store.name].lacks
            )
        ),
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
        failed = next((reading for reading in map(self.reading, names) if reading.exit != 0), None)
        if failed is None:
            return "its answer makes no sense"
        return next(filter(str.strip, failed.err.splitlines()), f"it ended with {failed.exit}")


def judge(disk: Disk, state: DiskState) -> DiskRefusal | None:
    """Say what forbids any step for `disk`; None if it is blank and free, or the declared disk.

    The command that wipes a device is only ever shown for one that nothing here knows.
    """
    return _occupied(disk, state) or (_unfit(disk, state) if state.marks else _unready(disk, state))


def expected(disk: Disk, state: DiskState) -> str:
    """The UUID that the filesystem must have: jobs.toml's, else that of fstab; "" if neither has one."""
    return disk.uuid or next(filter(None, map(fstab.uuid_of, state.lines)), "")


def _occupied(disk: Disk, state: DiskState) -> DiskRefusal | None:
    there, device = state.there, state.device
    if there and not state.mounted:
        text = f"{there.source} is mounted at {disk.mount}, and that is not {disk.device}"
        return DiskRefusal(text, "unmount it, or correct jobs.toml")
    if there and there.root != "/":
        text = f"only the folder {there.root} of {disk.device} is mounted at {disk.mount}"
        return DiskRefusal(text, "unmount it there, and mount the disk itself")
    used = [place for place in (*state.mounts, device.mount) if place]
    if used and not state.mounted:
        do = f"is it the right device? If it is, unmount it from {used[0]}"
        return DiskRefusal(f"{disk.device} is in use at {used[0]}, not at {disk.mount}", do)
    if device.children:
        parts = ", ".join(part.name + (f" (in use at {part.mount})" if part.mount else "") for part in device.children)
        text = f"{disk.device} has partitions, or something is built on it: {parts}"
        return _wipe(disk, text, "set `device` to one of them; or to use all of it, ")
    if device.read_only:
        return DiskRefusal(f"{disk.device} is write-protected", "look for a switch on the disk, or for its errors")
    if len(state.lines) > 1:
        text = f"fstab of {disk.host} has {len(state.lines)} lines for {disk.mount}"
        return DiskRefusal(text, "leave only the right one, or none")
    return _hiding(disk, state)


def _hiding(disk: Disk, state: DiskState) -> DiskRefusal | None:
    if state.point and not state.point.empty and not state.mounted:
        text = f"there are files in {disk.mount}, where nothing is mounted: the disk would hide them"
        return DiskRefusal(text, "look at them, and move them away")
    return None


def _unfit(disk: Disk, state: DiskState) -> DiskRefusal | None:
    """Say why what is on the device is not the declared disk."""
    content = ", ".join(_described(mark) for mark in state.marks)
    uuid = expected(disk, state)
    if not any(_named(disk, state, mark) for mark in state.marks) and not state.mounted:
        who = f"{state.device.description}, {size(state.device.size)}"
        text = f"{disk.device} ({who}) is not blank and not disk {disk.name}: it holds {content}"
        return _wipe(disk, text)
    if len(state.marks) != 1 or state.marks[0].type != disk.filesystem:
        text = f"{disk.device} is known as disk {disk.name} but holds {content}, not just {disk.filesystem}"
        return DiskRefusal(text, "have a Linux administrator look at it: it may hold snapshots")
    if uuid and state.marks[0].uuid != uuid:
        text = f"{disk.device} holds {content}, but {_source(disk)} says that disk {disk.name} has uuid {uuid}"
        return DiskRefusal(text, f"attach the right disk, or correct {_source(disk)}")
    for store, made_on in state.identities.items() if state.mounted else ():
        if not made_on:
            text = f"store {store} does not say on which disk it was made: its .runner/disk.json cannot be understood"
            return DiskRefusal(text, "see whether the disk is damaged; then move that file away, and plan again")
        if made_on != state.marks[0].uuid:
            text = f"store {store} was made on disk {made_on}, but {state.marks[0].uuid} is mounted"
            return DiskRefusal(text, "attach the right disk, or correct jobs.toml")
    return None


def _named(disk: Disk, state: DiskState, mark: wipefs.Signature) -> bool:
    """Whether its uuid, its label or fstab marks this filesystem as the disk's."""
    if mark.uuid and mark.uuid == expected(disk, state):
        return True
    sources = {line.source for line in state.lines}
    return mark.label == mke2fs.label(disk) or bool({f"LABEL={mark.label}", disk.device} & sources)


def _unready(disk: Disk, state: DiskState) -> DiskRefusal | None:
    """Say why a device without a signature cannot become the disk now."""
    if not state.stamp.endswith(f": {wipefs.BLANK}"):
        return DiskRefusal(f"{disk.device} changed while it was looked at: {state.stamp}", "plan again")
    if state.made is None:
        text = f"mke2fs would not make an {disk.filesystem} on {disk.device}"
        return DiskRefusal(text, f"on {disk.host} run:", shlex.join(mke2fs.would_make(disk)))
    return None


def _source(disk: Disk) -> str:
    return "jobs.toml" if disk.uuid else "fstab"


def _wipe(disk: Disk, text: str, first: str = "") -> DiskRefusal:
    do = f"{first}if nothing on it is needed any more, wipe it and plan again; on {disk.host} run:"
    return DiskRefusal(text, do, shlex.join(wipefs.wipe(disk.device)))


def _described(mark: wipefs.Signature) -> str:
    label = f" {mark.label!a}" if mark.label else ""
    return f"{mark.type}{label}{f' ({mark.uuid})' if mark.uuid else ''}"
