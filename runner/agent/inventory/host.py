"""`about`: what this host is, besides its files: what is needed to make it again on an empty machine."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..answer import Refused, reply
from ..arguments import NoOptions, parse_as
from ..command import ENVIRONMENT, ask
from ..host.mounts import EXT, mounts, uuid_of
from ..packages.families import family as family_of
from ..packages.installed import listed
from ..tree import is_absence
from .contract.about import About, BlockDevice, MachineFacts, MountedFilesystem

LONGEST = 1 << 20
FAMILIES = {"debian": "debian", "ubuntu": "debian", "rhel": "redhat", "fedora": "redhat", "centos": "redhat"}
BOOT = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/loader/entries", "/boot/efi/EFI", "/boot/extlinux")

PATIENCE = 20
COLUMNS = "NAME,TYPE,SIZE,FSTYPE,LABEL,UUID,MOUNTPOINT,MODEL,SERIAL"
# A new machine need not have memory disks, floppies, loops, CDs, and disks on the network.
_NO_DISKS = "1,2,7,11,43"
_LSBLK = ("lsblk", "--bytes", "--paths", f"--exclude={_NO_DISKS}", f"--output={COLUMNS}")
_BETWEEN = {
    "raid": (("mdadm", "--detail", "--scan"),),
    "lvm": (
        ("pvs", "--options=pv_name,pv_uuid,vg_name,pv_size", "--units=b"),
        ("vgs", "--options=vg_name,vg_uuid,vg_extent_size,vg_size", "--units=b"),
        ("lvs", "--options=lv_name,vg_name,lv_size,segtype,stripes", "--units=b"),
    ),
    "crypt": (("lsblk", f"--exclude={_NO_DISKS}", "--output=NAME,TYPE,FSTYPE,UUID"),),
}


def run(argv: Sequence[str]) -> int:
    """Print `{"facts": {...}, "files": {NAME: TEXT}}`; reads only, and names in `facts.missing` what it could not read.

    Two answers are the same as long as the host is: nothing in them counts, measures use or tells the time.
    """
    parse_as(NoOptions, argv)
    reply(_Survey().about())
    return 0


class _Survey:
    """Texts by the name of their file, and what could not be read; never raises for a host that lacks a program."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.missing: list[str] = []

    def about(self) -> About:
        """All that is known of this host; sizes in bytes."""
        devices = self._devices()
        real = [device for device in devices if device.type == "disk" and device.size and "/zram" not in device.name]
        disks = tuple(map(self._disk, real))
        every = [part for device in devices for part in device.all]
        for kind in sorted({_between(device) for device in every} - {""}):
            self.output(f"{kind}.txt", *_BETWEEN[kind])
        self._packages()
        for name, path in (("fstab.txt", "/etc/fstab"), ("command-line.txt", "/proc/cmdline")):
            self._file(name, path)
        self.output("mounts.txt", ("findmnt", "--real", "--list"))
        # In brief: the long form tells how many seconds an address is still good for.
        self.output("network.txt", ("ip", "-brief", "link"), ("ip", "-brief", "address"), ("ip", "route"))
        for name in [name for name, text in self.files.items() if len(text) > LONGEST]:
            self.missing.append(f"{name}: cut off, it is too long")
            self.files[name] = self.files[name][:LONGEST]
        system = _system(Path("/etc/os-release"), Path("/usr/lib/os-release"))
        families = (FAMILIES.get(word, "") for word in (system["ID"], *system["ID_LIKE"].split()))
        facts = MachineFacts(
            format=1,
            hostname=os.uname().nodename,
            system=system["PRETTY_NAME"],
            family=next(filter(None, families), ""),
            machine=os.uname().machine,
            kernel=os.uname().release,
            firmware="efi" if Path("/sys/firmware/efi").is_dir() else "bios",
            boot=tuple(path for path in BOOT if os.path.lexists(path)),
            disks=disks,
            filesystems=self._filesystems(every),
            swaps=tuple(device for device in every if device.fstype == "swap"),
            missing=tuple(self.missing),
        )
        return About(facts, self.files)

    def output(self, file: str, *commands: Sequence[str]) -> None:
        """Make a file of what these commands print, one after the other; none where nothing is printed."""
        for argv in commands:
            if shutil.which(argv[0], path=ENVIRONMENT["PATH"]) is None:
                self.missing.append(f"{file}: there is no {argv[0]}")
                continue
            answer = ask(argv, timeout=PATIENCE)
            if answer.exit != 0:
                self.missing.append(f"{file}: {argv[0]}: {answer.err.strip()[:200] or answer.exit}")
            elif answer.out:
                self.files[file] = f"{self.files.get(file, '')}# {' '.join(argv)}\n{answer.out}\n"

    def _devices(self) -> list[BlockDevice]:
        answer = ask((*_LSBLK, "--json"), timeout=PATIENCE)
        self.output("devices.txt", _LSBLK)
        try:
            return [_device(row) for row in json.loads(answer.out)["blockdevices"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            self.missing.append(f"disks: lsblk gave no list ({answer.err.strip()[:200] or answer.exit})")
            return []

    def _disk(self, disk: BlockDevice) -> BlockDevice:
        """The disk, with its partition table in a file where it has partitions."""
        if not any(part.type == "part" for part in disk.parts):
            return disk
        file = f"partitions-{re.sub('[^A-Za-z0-9_-]', '-', Path(disk.name).name)}.sfdisk"
        answer = ask(("sfdisk", "--dump", "--", disk.name), timeout=PATIENCE)
        if answer.exit != 0:
            why = answer.err.strip()[:200] or answer.exit
            self.missing.append(f"partition table of {disk.name}: sfdisk: {why}")
        if answer.exit != 0 or not answer.out:
            return disk
        self.files[file] = answer.out
        return disk._replace(table=file)

    def _filesystems(self, devices: Sequence[BlockDevice]) -> tuple[MountedFilesystem, ...]:
        """The mounted filesystems that are on block devices, each once, by mount point."""
        known = {device.name: device for device in devices}
        filesystems: dict[int, MountedFilesystem] = {}
        for mount in sorted(mounts(), key=lambda mount: (len(mount.point), mount.point)):
            if not mount.source.startswith("/dev/") or not mount.local or mount.root != "/" or mount.dev in filesystems:
                continue
            try:
                space = os.statvfs(mount.point)
            except OSError as problem:
                # Another mount may hide it.
                if not is_absence(problem):
                    self.missing.append(f"filesystem {mount.point}: {problem.strerror}")
                continue
            device = known.get(mount.source, BlockDevice(mount.source))
            filesystems[mount.dev] = MountedFilesystem(
                mount=mount.point,
                source=mount.source,
                type=mount.type,
                uuid=uuid_of(mount) or device.uuid,
                label=device.label,
                size=device.size or space.f_blocks * space.f_frsize,
                # Elsewhere inodes are made as they are needed.
                inodes=space.f_files if mount.type in EXT else 0,
            )
        return tuple(sorted(filesystems.values()))

    def _packages(self) -> None:
        # If asked on a host that has no packages of its own, a package manager may make a database for the answer.
        family = family_of(Path("/"))
        if not family:
            self.missing.append("packages.txt: no package manager has packages here")
            return
        try:
            self.files["packages.txt"] = "".join(f"{line}\n" for line in sorted(listed(family, {})))
        except Refused as refused:
            self.missing.append(f"packages.txt: {refused.error}")

    def _file(self, name: str, path: str) -> None:
        try:
            self.files[name] = Path(path).read_text("utf-8", "backslashreplace")
        except OSError as problem:
            self.missing.append(f"{name}: {path}: {problem.strerror}")


def _system(*paths: Path) -> Mapping[str, str]:
    """What os-release(5) says, from the first of the files that is there."""
    text = ""
    for path in paths:
        try:
            text = text or path.read_text("utf-8", "backslashreplace")
        except OSError:
            continue
    words = dict(re.findall(r"""^(ID|ID_LIKE|PRETTY_NAME)=["']?([^"'\n]*)""", text, re.MULTILINE))
    return {"ID": "", "ID_LIKE": "", "PRETTY_NAME": "", **words}


def _device(row: Mapping[str, Any]) -> BlockDevice:
    texts: dict[str, Any] = {word: str(row.get(word) or "").strip() for word in COLUMNS.lower().split(",")}
    parts = tuple(_device(part) for part in row.get("children", ()))
    return BlockDevice(**texts, parts=parts)._replace(size=int(row["size"]))


def _between(device: BlockDevice) -> str:
    return "raid" if device.type.startswith("raid") else device.type if device.type in _BETWEEN else ""
