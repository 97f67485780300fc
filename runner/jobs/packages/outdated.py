"""What a host runs that is older than its files, whatever its family: its kernel, services, reasons for a reboot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.agent.packages.contract import KernelVersions
from runner.jobs.power import reboot_need
from runner.model.facts import Facts, Probe
from runner.model.packages import PackageFacts, Trouble
from runner.model.site import Host
from runner.model.text import one_line
from runner.tools import detached

OUTDATED = "packages.outdated"
# needrestart's word for the kernel: 2 is a newer build of the one that runs, 3 a newer kernel.
_KSTA = {2: "needrestart: the running kernel was replaced", 3: "needrestart: a newer kernel waits"}


def probe(host: Host) -> Probe:
    """The READ command that `completed` needs."""
    return Probe(id=OUTDATED, host=host.name, argv=detached.OUTDATED, needs=("packages",), timeout=60)


def completed(known: PackageFacts, host: Host, facts: Facts, patterns: Sequence[str]) -> PackageFacts:
    """`known` with what the host runs; where that cannot be read, a trouble says so.

    `patterns` are the packages whose change needs a reboot.
    """
    reading = facts.reading(host.name, OUTDATED)
    outdated = detached.parse_outdated(reading.out) if reading else None
    troubles = known.troubles
    if outdated is None:
        why = one_line(reading.err.strip()) if reading else "it was not asked"
        text = f"whether {host.name} needs a reboot, and what runs replaced files there, is not known: "
        text += why or "its answer makes no sense"
        do = "see what `runner-agent outdated` says at the host"
        troubles = (*troubles, Trouble(what="unknown", text=text, do=do))
        outdated = detached.Outdated()
    kernel = KernelVersions(known.running or outdated.running, known.newest or outdated.newest)
    needrestart = _KSTA.get(outdated.ksta or 0)
    reasons = reboot_need.reasons(outdated._replace(kernel=kernel), patterns)
    return replace(
        known,
        troubles=troubles,
        running=kernel.running,
        newest=kernel.newest,
        reboot=(*reasons, *known.reboot, *([needrestart] if needrestart else ())),
        services=outdated.services,
        boot_free=outdated.boot_free if known.boot_free is None else known.boot_free,
    )
