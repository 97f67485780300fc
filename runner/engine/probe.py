"""Read the hosts before planning: one round trip a host, all at once, READ commands only.

The program that reads travels over standard input, so nothing need be installed and nothing is
written. One host that cannot be read never hides another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import msgspec

from runner.engine.artifact import BOOT
from runner.hosts.transport import Transport
from runner.model.facts import Facts, HostFacts, Probe
from runner.model.site import Host, Site
from runner.model.text import printable
from runner.tools import agent

_PATIENCE = 120.0


def gather(
    site: Site,
    hosts: Sequence[str],
    probes: Iterable[Probe],
    transports: Mapping[str, Transport],
    *,
    at: datetime,
    program: tuple[bytes, str],
) -> Facts:
    """Read these hosts; `program` is runner-store as shipped and its SHA-256. Never raises for a host."""
    wanted = tuple(probes)

    def one(name: str) -> HostFacts:
        asked = request(site, site.host(name), wanted)
        return _read(name, transports[name], program[0], asked)

    with ThreadPoolExecutor(max_workers=max(len(hosts), 1), thread_name_prefix="probe") as pool:
        found = {facts.name: facts for facts in pool.map(one, hosts)}
    return Facts(at=at, hosts=found, program=program[1])


def request(site: Site, host: Host, probes: Sequence[Probe]) -> dict[str, Any]:
    """What is asked of one host: its stores as they are declared, and the commands of its probes."""
    disks = {disk.name: disk for disk in site.disks}
    stores = [
        {
            "name": one.name,
            "path": host.at(one.path),
            "mount": disks[one.disk].mount if one.disk and not host.root else "",
            "uuid": disks[one.disk].uuid if one.disk and not host.root else "",
        }
        for one in site.stores
        if one.host == host.name
    ]
    commands = [
        {"id": probe.id, "argv": list(probe.argv), "timeout": probe.timeout}
        for probe in probes
        if probe.host == host.name and (site.live or not probe.needs)
    ]
    return {
        "host": host.name,
        "stores": stores,
        "root": host.root,
        "stand_ins": list(host.stand_ins),
        "commands": commands,
        "program": agent.program(host),
    }


def _read(name: str, transport: Transport, program: bytes, asked: Mapping[str, Any]) -> HostFacts:
    argv = ("python3", "-I", "-c", BOOT, str(len(program)))
    question = json.dumps(asked).encode("ascii")
    patience = _PATIENCE + sum(one["timeout"] for one in asked["commands"])
    result = transport.run(argv, stdin=(program, question), timeout=patience)
    if result.exit != 0:
        why = result.error or printable(result.err).strip().splitlines()[-1:] or f"it ended {result.exit}"
        return HostFacts(name=name, error=why if isinstance(why, str) else why[0])
    try:
        answer = json.loads(result.out)
        facts = msgspec.convert({**answer, "name": name}, HostFacts, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        return HostFacts(name=name, error=f"its answer makes no sense: {printable(str(error))}")
    return facts
