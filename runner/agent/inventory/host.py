"""`about`: what this host is, beside its files: what somebody needs who makes it again on an empty machine."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..answer import Refused, emit
from ..arguments import parse
from ..command import ENVIRONMENT, ask
from ..host.mounts import EXT, mounts, uuid_of
from ..packages.families import family as family_of
from ..packages.installed import listed

LONGEST = 1 << 20
FAMILIES = {"debian": "debian", "ubuntu": "debian", "rhel": "redhat", "fedora": "redhat", "centos": "redhat"}
BOOT = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/loader/entries", "/boot/efi/EFI", "/boot/extlinux")

PATIENCE = 20
COLUMNS = "NAME,TYPE,SIZE,FSTYPE,LABEL,UUID,MOUNTPOINT,MODEL,SERIAL"
# Memory, floppies, loops, CDs and the network are nothing that a new machine must have.
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
    """Print `{"facts": {...}, "files": {NAME: TEXT}}`; reads only, and tells in `facts.missing` what it could not.

    Two answers are the same as long as the host is: nothing in them counts, measures use or tells the time.
    """
    parse(argv, words=0)
    emit(read())
    return 0


def read() -> dict[str, Any]:
    """See `run`."""
    disks, files, missing = read_disks()
    system = _system(Path("/etc/os-release"), Path("/usr/lib/os-release"))
    families = (FAMILIES.get(word, "") for word in (system["id"], *system["like"].split()))
    facts = {
        "format": 1,
        "hostname": platform.node(),
        "system": system["name"],
        "family": next((one for one in families if one), ""),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "firmware": "efi" if Path("/sys/firmware/efi").is_dir() else "bios",
        "boot": [path for path in BOOT if os.path.lexists(path)],
        **disks,
    }
    files |= _packages(missing)
    for name, path in (("fstab.txt", "/etc/fstab"), ("command-line.txt", "/proc/cmdline")):
        files |= _file(name, path, missing)
    files |= said("mounts.txt", (("findmnt", "--real", "--list"),), missing)
    files |= _network(missing)
    cut = [name for name, text in files.items() if len(text) > LONGEST]
    missing += [f"{name}: cut off, it is too long" for name in cut]
    return {"facts": {**facts, "missing": missing}, "files": {k: text[:LONGEST] for k, text in files.items()}}


def _system(*paths: Path) -> dict[str, str]:
    """What os-release(5) says, from the first of the files that is there."""
    text = ""
    for path in paths:
        try:
            text = text or path.read_text("utf-8", "backslashreplace")
        except OSError:
            continue
    found = dict(re.findall(r"""^(ID|ID_LIKE|PRETTY_NAME)=["']?([^"'\n]*)""", text, re.MULTILINE))
    words = {"id": "ID", "like": "ID_LIKE", "name": "PRETTY_NAME"}
    return {word: found.get(key, "") for word, key in words.items()}


def _packages(missing: list[str]) -> dict[str, str]:
    # Asked of a host that has no packages of its own, rpm would make a database for the answer.
    family = family_of(Path("/"))
    if not family:
        missing.append("packages.txt: neither dpkg nor rpm has packages here")
        return {}
    try:
        lines = listed(family, {})
    except Refused as refused:
        missing.append(f"packages.txt: {refused.error}")
        return {}
    return {"packages.txt": "".join(f"{line}\n" for line in sorted(lines))}


def _file(name: str, path: str, missing: list[str]) -> dict[str, str]:
    try:
        return {name: Path(path).read_text("utf-8", "backslashreplace")}
    except OSError as problem:
        missing.append(f"{name}: {path}: {problem.strerror}")
        return {}


def _network(missing: list[str]) -> dict[str, str]:
    # In brief: the long form tells how many seconds an address is still good for.
    commands = (("ip", "-brief", "link"), ("ip", "-brief", "address"), ("ip", "route"))
    return said("network.txt", commands, missing)


def read_disks() -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Facts, texts by file name, and what could not be read; never raises for a host that lacks a program.

    Nothing in it changes by itself, such as how full a filesystem is. Sizes in bytes.
    """
    missing: list[str] = []
    devices = _devices(missing)
    texts = said("devices.txt", (_LSBLK,), missing)
    disks = []
    for disk in (one for one in devices if one["type"] == "disk" and one["size"] and "/zram" not in one["name"]):
        file = f"partitions-{re.sub('[^A-Za-z0-9_-]', '-', Path(disk['name']).name)}.sfdisk"
        table = _table(disk, missing)
        texts |= {file: table} if table else {}
        disks.append({**disk, "table": file if table else ""})
    for what in sorted({_between(one) for one in _all(devices)} - {""}):
        texts |= said(f"{what}.txt", _BETWEEN[what], missing)
    return {"disks": disks, "filesystems": _filesystems(devices), "swaps": _swaps(devices)}, texts, missing


def _devices(missing: list[str]) -> list[dict[str, Any]]:
    told = ask((*_LSBLK, "--json"), timeout=PATIENCE)
    try:
        return [_device(one) for one in json.loads(told.out)["blockdevices"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        missing.append(f"disks: lsblk gave no list ({told.err.strip()[:200] or told.exit})")
        return []


def _device(one: Mapping[str, Any]) -> dict[str, Any]:
    found = {word.lower(): str(one.get(word.lower()) or "").strip() for word in COLUMNS.split(",")}
    return {**found, "size": int(one["size"]), "parts": [_device(each) for each in one.get("children", ())]}


def _all(devices: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for one in devices:
        yield one
        yield from _all(one["parts"])


def _between(device: Mapping[str, Any]) -> str:
    kind = str(device["type"])
    return "raid" if kind.startswith("raid") else kind if kind in _BETWEEN else ""


def _table(disk: Mapping[str, Any], missing: list[str]) -> str:
    if not any(one["type"] == "part" for one in disk["parts"]):
        return ""
    told = ask(("sfdisk", "--dump", "--", str(disk["name"])), timeout=PATIENCE)
    if told.exit == 0:
        return told.out
    missing.append(f"partition table of {disk['name']}: sfdisk: {told.err.strip()[:200] or told.exit}")
    return ""


def _filesystems(devices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The mounted filesystems that are on block devices, each once, by mount point."""
    known = {str(one["name"]): one for one in _all(devices)}
    found: dict[int, dict[str, Any]] = {}
    for mount in sorted(mounts(), key=lambda one: (len(one.point), one.point)):
        if not mount.source.startswith("/dev/") or not mount.local or mount.root != "/" or mount.dev in found:
            continue
        about: dict[str, Any] = {"mount": mount.point, "source": mount.source, "type": mount.type}
        try:
            space = os.statvfs(mount.point)
        except OSError:
            continue
        device = known.get(mount.source, {})
        about |= {"uuid": uuid_of(mount) or device.get("uuid", ""), "label": device.get("label", "")}
        about |= {"size": device.get("size") or space.f_blocks * space.f_frsize}
        # Elsewhere inodes are made as they are needed.
        found[mount.dev] = {**about, "inodes": space.f_files if mount.type in EXT else 0}
    return sorted(found.values(), key=lambda one: str(one["mount"]))


def _swaps(devices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    words = ("name", "uuid", "label", "size")
    return [{word: one[word] for word in words} for one in _all(devices) if one["fstype"] == "swap"]


def said(file: str, commands: Sequence[Sequence[str]], missing: list[str]) -> dict[str, str]:
    """What these commands print, one after the other, as the text of a file; empty where none says anything."""
    text = ""
    for argv in commands:
        if shutil.which(argv[0], path=ENVIRONMENT["PATH"]) is None:
            missing.append(f"{file}: there is no {argv[0]}")
            continue
        told = ask(argv, timeout=PATIENCE)
        if told.exit != 0:
            missing.append(f"{file}: {argv[0]}: {told.err.strip()[:200] or told.exit}")
        elif told.out:
            text += f"# {' '.join(argv)}\n{told.out}\n"
    return {file: text} if text else {}
