"""What a `disk` job asks of a host, and what the answers say about the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.jobs.disks import fstab, identity, lsblk, mke2fs, mount, tune2fs, wipefs
from runner.model.facts import Facts, Filesystem, Probe, Reading
from runner.model.site import Disk, Site, Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
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
    """Why nothing is planned for a disk, and what a person can do about it."""

    text: str
    do: str


def stores_on(site: Site, disk: Disk) -> tuple[Store, ...]:
    """The stores that are kept on `disk`."""
    return tuple(one for one in site.stores if one.disk == disk.name)


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
        **{f"identity.{one.name}": identity.show(one.path) for one in stores_on(site, disk)},
    }
    return tuple(
        Probe(id=f"disk.{disk.name}.{what}", host=disk.host, argv=argv, needs=("device",))
        for what, argv in asked.items()
    )


def read(site: Site, disk: Disk, facts: Facts) -> Found | Wrong:
    """What the probes found. Without a clear answer about device, signatures or fstab there is none."""
    told = _Told(disk, facts)
    device, marks = lsblk.parse(told.said("device")), wipefs.parse(told.said("marks"))
    stamp = wipefs.parse_stamp(told.said("stamp"))
    if device is None or marks is None or not stamp:
        return Wrong(
            text=f"{disk.device} of {disk.host} cannot be read: {told.error('device', 'marks', 'stamp')}",
            do="see that the disk is plugged in and that `device` in jobs.toml is right",
        )
    if told.of("fstab").exit != 0:
        text = f"fstab of {disk.host} cannot be read: {told.error('fstab')}"
        return Wrong(text=text, do="put that right and plan again")
    seen = facts.hosts[disk.host].filesystems
    there = [one for one in seen if one.mount == disk.mount]
    return Found(
        device=device,
        marks=marks,
        stamp=stamp,
        made=mke2fs.parse(told.said("would")),
        superblock=tune2fs.parse_superblock(told.said("superblock")),
        shape=tune2fs.parse_shape(told.said("superblock")),
        lines=tuple(one for one in fstab.parse(told.said("fstab")) if one.mount == disk.mount),
        point=mount.parse(told.said("point")),
        systemd=told.of("systemd").exit == 0,
        mounts=tuple(one.mount for one in seen if one.dev == device.number),
        # Of several at one place the last is the one that is seen.
        there=there[-1] if there else None,
        identities={
            one.name: identity.parse(told.said(f"identity.{one.name}")) for one in stores_on(site, disk)
        },
    )  # fmt: skip


class _Told:
    """The answers to the probes of one disk."""

    def __init__(self, disk: Disk, facts: Facts) -> None:
        self._disk, self._facts = disk, facts

    def of(self, what: str) -> Reading:
        found = self._facts.reading(self._disk.host, f"disk.{self._disk.name}.{what}")
        return found or Reading(exit=None, err="it was not asked")

    def said(self, what: str) -> str:
        """The output of a command that ended well; of any other, nothing."""
        one = self.of(what)
        return one.out if one.exit == 0 else ""

    def error(self, *names: str) -> str:
        """Why the first of these that failed did so."""
        for one in map(self.of, names):
            if one.exit != 0:
                lines = [line for line in one.err.splitlines() if line.strip()]
                return lines[0] if lines else f"it ended with {one.exit}"
        return "its answer makes no sense"
