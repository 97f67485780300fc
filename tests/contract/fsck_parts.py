"""A site with a disk, and what its host really says of the checks of its next boot."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from runner.agent.answer import table
from runner.agent.power import boot_checks
from runner.jobs.power import agent_checks
from runner.model.facts import Facts, HostFacts, Reading
from runner.model.site import Disk, Hook, Host, Job, Site


def fsck_site(disk: Disk, *, when_due: str = "tell", jobs: tuple[Job, ...] = (), **changes: Any) -> Site:
    """A live site of one host with this disk and the hook."""
    values: dict[str, Any] = {
        "name": "babase", "controller": disk.host, "folder": "/", "state": "/", "sandbox": "/", "digest": "",
        "live": True, "hosts": (Host(name=disk.host, address=""),), "disks": (disk,), "jobs": jobs,
        "hooks": (Hook(name="fsck", module="hooks.fsck", settings={"when_due": when_due}),),
    }  # fmt: skip
    return Site(**{**values, **changes})


def fsck_facts(disk: Disk, *, speed: bool = False, **changes: Any) -> Facts:
    """What this machine says of the disk, by the program that every host runs."""
    probe = agent_checks.probe(disk.host, [disk.device], speed=speed)
    reading = Reading(exit=0, out=json.dumps(table(boot_checks.read(probe.argv[2:]))))
    host = HostFacts(name=disk.host, readings={probe.id: reading})
    return Facts(at=datetime.now(tz=UTC), hosts={disk.host: host}, **changes)
