"""A Debian host whose packages are read, for tests of the kinds that change them: real surveys, one each state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.jobs.packages.updates import UpdatesKind, UpdatesOptions
from runner.jobs.packages.upgrade import UpgradeKind, UpgradeOptions
from runner.jobs.power.rebooting import RebootOptions
from runner.model.facts import Facts, HostFacts, Reading
from runner.model.kind import Draft
from runner.model.plan import Command, Finding, Step
from runner.model.run import Outcome, State
from runner.model.site import Host, Job, Site
from tests.unit import parts

CAPTURES = Path(__file__).parent / "captures" / "upkeep"
NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
SERVER, PROGRAM = "server", "/usr/local/sbin/runner-agent"
KERNEL, META, NEXT = "linux-image-9.9.9-demo", "linux-image-demo", "linux-image-9.9.10-demo"
UPDATES = Job(name="updates-server", kind="updates", host=SERVER, options=UpdatesOptions(), schedule="25 6 * * *")
UPGRADE = Job(name="upgrade-server", kind="upgrade", host=SERVER, options=UpgradeOptions())
REBOOT = Job(name="reboot-server", kind="reboot", host=SERVER, options=RebootOptions())
SITE = Site(
    name="babase", controller="papio", folder="/f", state="/s", sandbox="/x", digest="d", live=True,
    hosts=(
        Host(name="papio", address="", packages="yum"),
        Host(name=SERVER, address="192.0.2.2", packages="apt", hold=("linux-image-*", "libc-demo")),
    ),
    jobs=(UPDATES, UPGRADE, REBOOT),
)  # fmt: skip
UP = {"boot_id": "b1", "kernel": "9.9.9-demo", "up_since": "2026-10-01T00:00:00Z", "systemd": True}
OUTDATED = {
    "kernel": {"running": "9.9.9-demo", "newest": "9.9.9-demo"}, "boot_free": 300 << 20, "initrd": True,
    "entry": True, "services": [], "changed": [],
}  # fmt: skip


def survey(name: str) -> str:
    """What a real host said in that state."""
    return (CAPTURES / f"survey-{name}.txt").read_text("utf-8")


def facts(state: str, *detached: Mapping[str, Any], **changes: Any) -> Facts:
    """The host in that state; `detached` was begun there before, `outdated` and `up` are merged in."""
    outputs = {
        "packages.apt": survey(state),
        "packages.outdated": json.dumps({**OUTDATED, **changes.get("outdated", {})}),
        "packages.detached": json.dumps({"detached": list(detached)}),
        "power.up": json.dumps({**UP, **changes.get("up", {})}),
        "power.outdated": json.dumps({**OUTDATED, **changes.get("outdated", {})}),
        "power.idle": json.dumps({"idle": True, "error": "", "do": ""}),
        "power.systemd": "systemd 252 (252.39-1~deb12u2)\n",
        "power.fstab": "UUID=1 / ext4 defaults 0 1\n",
        "power.half": "",
    }
    readings = {name: Reading(exit=0, out=text) for name, text in outputs.items()}
    hosts = {
        SERVER: HostFacts(name=SERVER, boot_id="b1", kernel="9.9.9-demo", readings=readings, program="p", now=NOW),
        "papio": HostFacts(name="papio", boot_id="c1", program="p", now=NOW),
    }
    return Facts(at=NOW, hosts=hosts, program="p", last=changes.get("last", {}))


def partly(state: str, reason: str = "Failed to fetch http://dead.example.org/x  Unable to connect") -> Facts:
    """The host in that state, where one archive did not answer for that `reason`."""
    known = facts(state)
    server = known.hosts[SERVER]
    text = survey(state).replace("# refresh 0\n", "# refresh 100\n", 1).replace(
        "# arch 0", f"!E: {reason}\n# partly 0\n http://dead.example.org x\n# arch 0", 1
    )  # fmt: skip
    readings = {**server.readings, "packages.apt": Reading(exit=0, out=text)}
    return replace(known, hosts={**known.hosts, SERVER: replace(server, readings=readings)})


def red_hat(state: str, *detached: Mapping[str, Any]) -> Facts:
    """papio, a host of the Red Hat family, in that state: a real answer again."""
    known = facts("nothing")
    text = (CAPTURES.parent / "dnf" / f"look-{state}.stdout").read_text("utf-8")
    server = known.hosts[SERVER]
    readings = {**server.readings, "packages.dnf": Reading(exit=0, out=text)}
    running = "5.14.0-70.el9.x86_64"
    kernel = {"running": running, "newest": running}
    for name in ("power.outdated", "packages.outdated"):
        readings[name] = Reading(exit=0, out=json.dumps({**OUTDATED, "kernel": kernel}))
    readings["packages.detached"] = Reading(exit=0, out=json.dumps({"detached": list(detached)}))
    papio = replace(known.hosts["papio"], kernel=running, readings=readings)
    return replace(known, hosts={**known.hosts, "papio": papio})


def begun(step: str, *, alive: bool, seen: bool = False, argv: tuple[str, ...] = ()) -> dict[str, Any]:
    """Something that an earlier plan began."""
    return {
        "plan": "20261122T081500.000Z", "step": step, "argv": list(argv), "started": "2026-11-22T08:15:04Z",
        "ended": None if alive else "2026-11-22T08:20:00Z", "exit": None if alive else 0, "alive": alive, "seen": seen,
    }  # fmt: skip


def with_options(job: Job, **changes: Any) -> Job:
    """The job with these options of its kind."""
    return replace(job, options=replace(job.options, **changes))


def drafted(job: Job, known: Facts, site: Site = SITE) -> Draft:
    """What the job's kind makes of it."""
    kind = UpdatesKind() if job.kind == "updates" else UpgradeKind()
    return kind.draft(site, job, known, NOW)


def names(draft: Draft) -> list[str]:
    """The names of the steps, in order."""
    return [step.id.partition("/")[2] for step in draft.steps]


def by_name(draft: Draft) -> dict[str, Step]:
    """The steps by name."""
    return dict(zip(names(draft), draft.steps, strict=True))


def argv(step: Step) -> tuple[str, ...]:
    """What a step runs."""
    assert isinstance(step.action, Command)
    return step.action.argv


def texts(draft: Draft, severity: str) -> list[str]:
    """The findings of that severity, with what to do."""
    return [
        f"{finding.text} -> {finding.advice}" if finding.advice else finding.text
        for finding in draft.findings
        if _is(finding, severity)
    ]


def _is(finding: Finding, severity: str) -> bool:
    return finding.severity == severity


def done(step: str, **result: Any) -> Outcome:
    """A step of the upgrade that went well, with its answer."""
    return Outcome(
        step=f"upgrade-server/{step}",
        **parts.role(f"upgrade-server/{step}"),
        job="upgrade-server",
        state=State.DONE,
        exit=0,
        result=result,
    )
