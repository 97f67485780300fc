"""What the next boot of a host checks, why and for how long; for the kinds that reboot, and the fsck hook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from runner.jobs.disks import tune2fs
from runner.jobs.power import agent_checks, check_forecast
from runner.jobs.power.agent_checks import Extfs, HostChecks
from runner.jobs.power.check_forecast import AtBoot, Content, Drive, FsckForecast, Measured
from runner.model.facts import Facts, Timed
from runner.model.role import Role
from runner.model.site import Disk, Job, Site
from runner.model.text import one_line

Cause = Literal["", "damage", "mounts", "age", "clock", "forced"]

HOOK = "fsck"
_ELSEWHERE = ("forward", "defer")
_SLACK = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """One filesystem at one boot. `forecast.why` is None where that boot does not check it.

    `cause` is the kind of reason, "" where there is none; `never` says why no boot would look at it.
    `left` is how long its age, and `mounts` how many mounts, keep it from being checked; None where
    that does not count. `memory` is what the check needs at most, in bytes, None where unknown.
    """

    extfs: Extfs
    forecast: FsckForecast
    cause: Cause = ""
    never: str | None = None
    left: timedelta | None = None
    mounts: int | None = None
    memory: int | None = None


def known(facts: Facts, host: str) -> HostChecks | None:
    """What the probe of the boot's checks read on `host`; None where it was not asked or did not answer."""
    reading = facts.reading(host, agent_checks.ID)
    return agent_checks.read(reading) if reading else None


def unread(facts: Facts, host: str) -> str:
    """What of `outlooks` is not known because it could not be read, in words; "" where all was."""
    checks = known(facts, host)
    if checks is None:
        reading = facts.reading(host, agent_checks.ID)
        return one_line((reading.err if reading else "").strip()) or "its answer makes no sense"
    return "; ".join(
        f"{one_line(extfs.seen.mount or extfs.seen.device)}: {one_line(extfs.problem)}"
        for extfs in checks.filesystems
        if extfs.problem
    )


def outlooks(site: Site, facts: Facts, host: str, at: datetime) -> tuple[Outlook, ...]:
    """Every filesystem of `host` that could be read, at a boot at `at` by the controller's clock.

    The host's own clock decides; how far it differs was read with the rest.
    """
    checks = known(facts, host)
    if checks is None:
        return ()
    its = at + (checks.answer.clock - facts.at)
    words = (*checks.answer.kernel, *checks.answer.files)
    return tuple(
        _outlook(extfs, words, its, _took(extfs, facts.took, _disks(site, host, extfs)))
        for extfs in checks.filesystems
        if not extfs.problem
    )


def when(facts: Facts, job: str) -> datetime:
    """When the reboot of `job` will be, as far as is known: as announced, or else now."""
    announced = facts.announced.get(job)
    return max(announced.at, facts.at) if announced else facts.at


def most(boot: Sequence[Outlook]) -> tuple[float | None, ...]:
    """For each check that the boot makes, how many seconds it takes at most; None where nobody can say."""
    return tuple(outlook.forecast.most for outlook in boot if outlook.forecast.why)


def awaited(site: Site, facts: Facts, job: Job, at: datetime) -> tuple[float | None, ...]:
    """As `most`, for the boot of `job` at `at`: without the checks that the fsck hook makes before, or defers."""
    elsewhere = due_disks(site, facts, job.host, at) if _when_due(site) in _ELSEWHERE else ()
    devices = {outlook.extfs.seen.device for _, outlook in elsewhere}
    boot = outlooks(site, facts, job.host, at)
    return most([outlook for outlook in boot if outlook.extfs.seen.device not in devices])


def brought_forward(site: Site, facts: Facts, job: Job) -> tuple[tuple[Disk, Outlook], ...]:
    """The disks whose check the fsck hook makes before the reboot of `job`, while the host is up.

    Empty unless `[hooks.fsck]` says when_due = "forward". The kind releases their stores in time: the
    `until` of such a store's lock is `release_step`.
    """
    return due_disks(site, facts, job.host, when(facts, job.name)) if _when_due(site) == "forward" else ()


def _when_due(site: Site) -> object:
    return next((hook.settings.get("when_due") for hook in site.hooks if hook.name == HOOK), None)


def due_disks(site: Site, facts: Facts, host: str, at: datetime) -> tuple[tuple[Disk, Outlook], ...]:
    """The declared disks, the root aside, that a boot of `host` checks only because it is time.

    Where one is mounted at another place than declared, it is left to people.
    """
    declared = ((_disks(site, host, outlook.extfs), outlook) for outlook in outlooks(site, facts, host, at))
    return tuple(
        (disks[0], outlook)
        for disks, outlook in declared
        if disks
        and outlook.cause in ("mounts", "age", "clock")
        and outlook.extfs.seen.mount in ("", disks[0].mount)
        and disks[0].mount != "/"
    )


def content_of(extfs: Extfs) -> Content | None:
    """What a check of the filesystem has to read; None where its superblock does not say."""
    shape, seen = extfs.shape, extfs.seen
    if not shape.inodes or not shape.block:
        return None
    # Without the group table: an ext4 may need less than all of its inode tables, an ext3 never does.
    table = shape.inodes * shape.inode_size if seen.table is None else seen.table
    return Content(
        table=table,
        blocks=shape.bytes // shape.block,
        block=shape.block,
        inodes=shape.inodes,
        inodes_used=extfs.inodes_used,
        used=extfs.used,
        directories=seen.directories,
        extents=seen.extents is True,
    )


def release_step(job: str, store: str) -> str:
    """The id of the step in which `job` releases a store's lock, its disk being unmounted for a check.

    The lock's `until`, where the store is on a disk of `brought_forward`.
    """
    return f"{job}/release-{store}"


def _outlook(extfs: Extfs, words: tuple[str, ...], at: datetime, took: tuple[Measured, ...]) -> Outlook:
    seen, block = extfs.seen, extfs.superblock
    boot = AtBoot(root="/" in (seen.mount, seen.at), passno=seen.pass_, noauto=seen.noauto, words=words)
    content = content_of(extfs)
    never = check_forecast.never(boot)
    due, forced = tune2fs.due(block, at), check_forecast.forced(boot)
    why = due.why if due else forced
    drive = Drive(speed=seen.speed, rotates=seen.rotates)
    return Outlook(
        extfs=extfs,
        forecast=check_forecast.forecast(None if never else why, content, drive, took),
        cause="" if never else _cause(due, forced),
        never=never,
        left=block.next_check - at if block.next_check else None,
        mounts=block.max_mounts - block.mounts if block.max_mounts is not None else None,
        memory=content.memory if content else None,
    )


def _cause(due: tune2fs.CheckDue | None, forced: str | None) -> Cause:
    if due and due.cause == "damage":
        return "damage"
    # What is forced is checked at the boot even if it was checked a moment before.
    return "forced" if forced else due.cause if due else ""


def _disks(site: Site, host: str, extfs: Extfs) -> tuple[Disk, ...]:
    """The disks of jobs.toml that a filesystem is on."""
    return tuple(disk for disk in site.disks if disk.host == host and disk.device in extfs.seen.devices)


def _took(extfs: Extfs, known: Mapping[Timed, tuple[float, ...]], disks: Iterable[Disk]) -> tuple[Measured, ...]:
    """The checks of this filesystem that were timed: at the boot of which its date of the last check is, or by us."""
    last = extfs.superblock.last_checked
    at_boot = tuple(
        Measured(
            seconds=check.seconds,
            inodes_used=check.inodes,
            used=None if check.blocks is None else check.blocks * extfs.shape.block,
        )
        for check in extfs.seen.checks
        if last and check.started - _SLACK <= last <= check.started + timedelta(seconds=check.seconds) + _SLACK
    )
    names = {disk.name for disk in disks}
    own = tuple(
        times[0] for (_, role, subject), times in known.items() if role == Role.CHECK and subject in names and times
    )
    return at_boot or tuple(Measured(seconds=seconds) for seconds in own)
