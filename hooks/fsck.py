"""Says whether the next boot checks a backup disk, and why: a check takes hours, and none is worse.

Use it with an empty table `[hooks.fsck]`. It reads the superblock of every disk in jobs.toml.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runner.hookspecs import hookimpl
from runner.model.facts import Facts, Probe
from runner.model.plan import Command, Effect, Finding, Plan, Severity
from runner.model.site import Disk, Site
from runner.tools import tune2fs

DAMAGED = "have a Linux administrator unmount it and run: "


class Fsck:
    """The hook; `declare_probes` tells it the disks that `check_plan` speaks of."""

    def __init__(self) -> None:
        """Know no disk yet."""
        self._disks: tuple[Disk, ...] = ()

    @hookimpl
    def declare_probes(self, site: Site) -> Sequence[Probe]:
        """Ask for the superblock of every disk."""
        self._disks = site.disks
        return tuple(
            Probe(id=_probe(disk), host=disk.host, argv=tune2fs.superblock(disk.device), needs=("device",))
            for disk in site.disks
        )

    @hookimpl
    def check_plan(self, plan: Plan, facts: Facts) -> Sequence[Finding]:
        """Tell of every disk what the next boot does to it."""
        if not self._disks:
            return ()
        if not plan.live:
            return (_finding("note", "the sandbox has no disks, so none is looked at"),)
        stops = {step.host for step in plan.steps if step.effect == Effect.INTERRUPT}
        return tuple(
            finding
            for disk in self._disks
            if not _is_made(disk, plan)
            for finding in _look(disk, facts, reboot=disk.host in stops)
        )


def plugin(settings: Mapping[str, Any]) -> Fsck:
    """Make the hook; it has no settings."""
    return Fsck()


def _is_made(disk: Disk, plan: Plan) -> bool:
    """Whether this very plan makes the disk: what is on it now is of no interest then."""
    return any(
        step.effect == Effect.DESTROY and step.host == disk.host and disk.device in step.action.argv
        for step in plan.steps
        if isinstance(step.action, Command)
    )


def _look(disk: Disk, facts: Facts, *, reboot: bool) -> list[Finding]:
    reading = facts.reading(disk.host, _probe(disk))
    name = f"disk {disk.name} ({disk.device} of {disk.host})"
    if reading is None:
        return [_finding("note", f"{name} was not asked, so its next check is not known")]
    found = tune2fs.parse_superblock(reading.out)
    if reading.exit != 0 or not found.state:
        return [
            _finding(
                "attention",
                f"{name} cannot be read: {_first_line(reading.err) or f'tune2fs ended with {reading.exit}'}",
                do="see that it is plugged in and that `device` in jobs.toml is right",
            )
        ]
    return [
        *_health(disk, name, found),
        *_next(name, found, facts.at, reboot=reboot),
        *_policy(disk, name, found),
    ]


def _health(disk: Disk, name: str, found: tune2fs.Superblock) -> list[Finding]:
    damaged = "errors" in found.state or found.state.startswith("not clean")
    if not damaged and not found.errors:
        return []
    told = f"it says '{found.state}'" + (f", errors counted: {found.errors}" if found.errors else "")
    check = shlex.join(("e2fsck", "-f", "--", disk.device))
    return [_finding("attention", f"{name} may be damaged: {told}", do=DAMAGED + check)]


def _next(name: str, found: tune2fs.Superblock, now: datetime, *, reboot: bool) -> list[Finding]:
    why = tune2fs.will_check(found, now)
    if why:
        return [
            _finding(
                "attention" if reboot else "note",
                f"the next boot checks {name}: {why}",
                do="leave hours for the reboot: the disk is not there until the check ends" if reboot else "",
            )
        ]
    left = []
    if found.next_check:
        left.append(f"from {found.next_check:%Y-%m-%d} on")
    if found.max_mounts is not None:
        left.append(f"after {found.max_mounts - found.mounts} more mounts")
    return [_finding("note", f"a boot checks {name} {' or '.join(left)}")] if left else []


def _policy(disk: Disk, name: str, found: tune2fs.Superblock) -> list[Finding]:
    if disk.fsck_every is None:
        return []
    days = tune2fs.whole_days(disk.fsck_every)
    if found.interval and tune2fs.whole_days(found.interval) == days:
        return []
    wanted = f"jobs.toml says every {days} days"
    told = f"checked every {tune2fs.whole_days(found.interval)} days" if found.interval else "never checked"
    mend = shlex.join(tune2fs.check_every(disk.device, disk.fsck_every))
    return [_finding("attention", f"{name} is {told}, {wanted}", do=f"on {disk.host} run: {mend}")]


def _finding(severity: Severity, text: str, do: str = "") -> Finding:
    return Finding(severity=severity, text=text, source="hooks.fsck", do=do)


def _probe(disk: Disk) -> str:
    return f"fsck.{disk.name}"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
