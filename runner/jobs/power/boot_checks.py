"""What the next boot of a host checks, why and for how long; for the kinds that reboot, and the fsck hook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from runner.jobs.disks import tune2fs
from runner.jobs.power import agent_checks, check_forecast
from runner.jobs.power.agent_checks import BootChecks, Extfs
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

    found: Extfs
    forecast: FsckForecast
    cause: Cause = ""
    never: str | None = None
    left: timedelta | None = None
    mounts: int | None = None
    memory: int | None = None


def known(facts: Facts, host: str) -> BootChecks | None:
    """What the probe of `fsck_reading` read on `host`; None where it was not asked or did not answer."""
    reading = facts.reading(host, agent_checks.ID)
    return agent_checks.read(reading) if reading else None


def unread(facts: Facts, host: str) -> str:
    """What of `outlooks` is not known because it could not be read, in words; "" where all was."""
    checks = known(facts, host)
    if checks is None:
        reading = facts.reading(host, agent_checks.ID)
        return one_line((reading.err if reading else "").strip()) or "its answer makes no sense"
    return "; ".join(
        f"{one_line(one.mount or one.device)}: {one_line(one.problem)}" for one in checks.filesystems if one.problem
    )


def outlooks(site: Site, facts: Facts, host: str, at: datetime) -> tuple[Outlook, ...]:
    """Every filesystem of `host` that could be read, at a boot at `at` by the controller's clock.

    The host's own clock decides; how far it differs was read with the rest.
    """
    checks = known(facts, host)
    if checks is None:
        return ()
    its = at + (checks.clock - facts.at) if checks.clock else at
    said = (*checks.kernel, *checks.files)
    return tuple(
        _outlook(one, said, its, _took(one, facts.took, _disks(site, host, one)))
        for one in checks.filesystems
        if not one.problem
    )


def when(facts: Facts, job: str) -> datetime:
    """When the reboot of `job` will be, as far as is known: as announced, or else now."""
    announced = facts.announced.get(job)
    return max(announced.at, facts.at) if announced else facts.at


def most(outlook: Sequence[Outlook]) -> tuple[float | None, ...]:
    """For each check that the boot makes, how many seconds it takes at most; None where nobody can say."""
    return tuple(one.forecast.most for one in outlook if one.forecast.why)


def awaited(site: Site, facts: Facts, job: Job, at: datetime) -> tuple[float | None, ...]:
    """As `most`, for the boot of `job` at `at`: without the checks that the fsck hook makes before, or defers."""
    hook = next((one for one in site.hooks if one.name == HOOK), None)
    elsewhere = due_disks(site, facts, job.host, at) if hook and hook.settings.get("when_due") in _ELSEWHERE else ()
    devices = {one.found.device for _, one in elsewhere}
    return most([one for one in outlooks(site, facts, job.host, at) if one.found.device not in devices])


def declared(site: Site, host: str, found: Extfs) -> Disk | None:
    """The disk of jobs.toml that a filesystem is on, or None."""
    return next(iter(_disks(site, host, found)), None)


def brought_forward(site: Site, facts: Facts, job: Job) -> tuple[tuple[Disk, Outlook], ...]:
    """The disks whose check the fsck hook makes before the reboot of `job`, while the host is up.

    Empty unless `[hooks.fsck]` says when_due = "forward". The kind lets go of their stores in time: the
    `until` of such a store's lock is `let_go_step`.
    """
    hook = next((one for one in site.hooks if one.name == HOOK), None)
    if hook is None or hook.settings.get("when_due") != "forward":
        return ()
    return due_disks(site, facts, job.host, when(facts, job.name))


def due_disks(site: Site, facts: Facts, host: str, at: datetime) -> tuple[tuple[Disk, Outlook], ...]:
    """The declared disks, the root aside, that a boot of `host` checks only because it is time.

    Where one is mounted at another place than declared, it is left to people.
    """
    found = ((declared(site, host, one.found), one) for one in outlooks(site, facts, host, at))
    return tuple(
        (disk, one)
        for disk, one in found
        if disk is not None
        and one.cause in ("mounts", "age", "clock")
        and one.found.mount in ("", disk.mount)
        and disk.mount != "/"
    )


def content_of(found: Extfs) -> Content | None:
    """What a check of the filesystem has to read; None where its superblock does not say."""
    shape = found.shape
    if not shape.inodes or not shape.block:
        return None
    # Without the group table: an ext4 may need less than all of its inode tables, an ext3 never does.
    table = shape.inodes * shape.inode_size if found.table is None else found.table
    return Content(
        table=table,
        blocks=shape.bytes // shape.block,
        block=shape.block,
        inodes=shape.inodes,
        inodes_used=found.inodes_used,
        used=found.used,
        directories=found.directories,
        extents=found.extents is True,
    )


def let_go_step(job: str, store: str) -> str:
    """The id of the step in which `job` lets go of a store's lock, its disk being unmounted for a check.

    The lock's `until`, where the store is on a disk of `brought_forward`.
    """
    return f"{job}/let-go-{store}"


def _outlook(found: Extfs, said: tuple[str, ...], at: datetime, took: tuple[Measured, ...]) -> Outlook:
    root = found.mount == "/" or found.place == "/"
    boot = AtBoot(root=root, passno=found.passno, noauto=found.noauto, words=said)
    content = content_of(found)
    never = check_forecast.never(boot)
    due, forced = tune2fs.due(found.superblock, at), check_forecast.forced(boot)
    why = due.why if due else forced
    drive = Drive(speed=found.speed, rotates=found.rotates)
    block = found.superblock
    return Outlook(
        found=found,
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


def _disks(site: Site, host: str, found: Extfs) -> tuple[Disk, ...]:
    return tuple(one for one in site.disks if one.host == host and one.device in found.asked)


def _took(found: Extfs, known: Mapping[Timed, tuple[float, ...]], disks: Iterable[Disk]) -> tuple[Measured, ...]:
    """The checks of this filesystem that were timed: at the boot of which its date of the last check is, or by us."""
    last = found.superblock.last_checked
    at_boot = tuple(
        Measured(
            seconds=one.seconds,
            inodes_used=one.inodes,
            used=None if one.blocks is None else one.blocks * found.shape.block,
        )
        for one in found.took
        if last and one.started - _SLACK <= last <= one.started + timedelta(seconds=one.seconds) + _SLACK
    )
    names = {disk.name for disk in disks}
    own = tuple(
        times[0] for (_, role, subject), times in known.items() if role == Role.CHECK and subject in names and times
    )
    return at_boot or tuple(Measured(seconds=seconds) for seconds in own)
