"""A host about to be rebooted or switched off, as its probes told it, for the tests of both kinds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from runner.model.facts import Facts, Reading
from runner.model.site import Job, Site
from tests.unit import parts

UUID = "11111111-2222-3333-4444-555555555555"
FSTAB = f"UUID=aa / ext4 defaults 0 1\nUUID={UUID} /srv/backups/papio ext3 noatime,nofail 0 2\n"
UP: dict[str, Any] = {
    "boot_id": "boot", "kernel": "6.1.0-50-amd64", "system": "running", "failed": ["old.service"],
    "users": [], "systemd": True, "inhibitors": [], "mounts": {}, "checking": [],
}  # fmt: skip
OUTDATED: dict[str, Any] = {
    "kernel": {"running": "6.1.0-50-amd64", "newest": "6.1.0-56-amd64"}, "services": [], "pid1": False,
    "changed": [], "flag": False, "needrestart": None, "boot_free": 1 << 28, "boot_size": 1 << 29, "initrd": True,
    "entry": True,
}  # fmt: skip
SUPERBLOCK = """tune2fs 1.47.0 (5-Feb-2023)
Filesystem volume name:   disk
Filesystem magic number:  0xEF53
Filesystem state:         clean
Inode count:              1048576
Block count:              1048576
Block size:               4096
Inode size:	          256
Mount count:              3
Maximum mount count:      -1
Last checked:             Tue Sep  1 03:45:39 2026
Check interval:           10368000 (4 months)
"""
EXT = {
    "device": "/dev/sdb1", "mount": "/srv/backups/papio", "superblock": SUPERBLOCK, "exit": 0, "error": "",
    "used": 10**9, "inodes_used": 100_000, "table": 256 << 20, "directories": 1000, "extents": False,
    "rotates": True, "speed": None, "pass": 2, "at": "/srv/backups/papio", "noauto": False, "nofail": True,
    "devices": ["/dev/sdb1"], "checks": [],
}  # fmt: skip


def boot_checks(**changes: Any) -> dict[str, Any]:
    """What the host says of its disk: no check is due, unless changed."""
    moment = parts.NOW.isoformat()
    return {
        "clock": moment, "kernel": [], "files": [], "memory": 1 << 30, "filesystems": [{**EXT, **changes}],
    }  # fmt: skip


def host_readings(**answers: Any) -> dict[str, Reading]:
    """The readings of the host to be rebooted; an answer replaces its own, None: it did not answer."""
    usual: dict[str, Any] = {
        "power.up": UP, "power.outdated": OUTDATED, "power.idle": {"idle": True},
        "power.systemd": "systemd 252 (252.39-1~deb12u1)\n+PAM +AUDIT\n", "power.fstab": FSTAB,
        "power.half": "", "fsck": boot_checks(),
    }  # fmt: skip
    for name, answer in answers.items():
        key = name if name == "fsck" else f"power.{name}"
        usual[key] = {**usual[key], **answer} if isinstance(answer, dict) and key in usual else answer
    return {key: _reading(answer) for key, answer in usual.items()}


def _reading(answer: Any) -> Reading:
    if answer is None:
        return Reading(exit=None, err="no answer within 60 s")
    return Reading(exit=0, out=answer if isinstance(answer, str) else json.dumps(answer) + "\n")


def facts(
    readings: Mapping[str, Reading] | None = None, *, host: str = parts.SERVER, changes: Any = None, **own: Any
) -> Facts:
    """Both hosts as parts.facts has them, and what the probes read on the one to be rebooted."""
    known = parts.facts({**{parts.SERVER: {}}, **(changes or {})})
    here = replace(known.hosts[host], readings=host_readings() if readings is None else readings)
    return replace(known, hosts={**known.hosts, host: here}, **own)


def site(job: Job, **changes: Any) -> Site:
    """The site of parts with this job beside those that make snapshots; server is a Debian."""
    usual = parts.site(**changes)
    hosts = tuple(replace(each, packages="apt") if each.name == parts.SERVER else each for each in usual.hosts)
    disks = tuple(replace(disk, fsck_every=timedelta(days=120)) for disk in usual.disks)
    return replace(usual, hosts=hosts, disks=disks, jobs=(*usual.jobs, job))
