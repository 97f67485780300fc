"""Kind `disk`: a backup disk, from nothing to a mounted store, and kept as it is declared."""

from __future__ import annotations

import uuid
from datetime import datetime

from runner.jobs.bundled import Bundled
from runner.jobs.disks import mke2fs, state
from runner.jobs.disks import steps as disk_steps
from runner.jobs.disks.state import DiskRefusal
from runner.jobs.disks.steps import DiskWork
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.options import DiskOptions
from runner.model.plan import Finding, PlannedJob, Severity, Skip, Step
from runner.model.site import Disk, Job, Site
from runner.model.text import count, size

# How much rarer inodes may be than declared before it is worth a word; mke2fs rounds.
_RARER = 1.25


class DiskKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "disk"
    options = DiskOptions

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """Look at the device, its signatures, fstab and the mount point; nothing where names are wrong."""
        disk = _declared(site, job)
        return state.probes(site, disk) if disk else ()

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Make the disk if the device is blank, mend what drifted if it is the declared disk.

        A device with any signature is the declared disk or is refused; there is no option that
        changes this. A refusal stops the whole plan, so a job with a schedule, which would take
        others with it, is skipped for attention instead: nothing is done in either case.
        """
        disk = _declared(site, job)
        if disk is None:
            text = f"{job.options.disk!a} is not a disk of {job.host}"
            return _refused(job, DiskRefusal(text, "name a disk of [disks] that is on the job's host"))
        if not site.live:
            return Draft(skip=Skip(job=job.name, reason="the sandbox has no disks"))
        seen = state.read(site, disk, facts)
        if isinstance(seen, DiskRefusal):
            return _refused(job, seen)
        if refusal := state.judge(disk, seen):
            return _refused(job, refusal)
        # The plan is literal, so it knows the UUID before mke2fs does.
        chosen = disk.uuid or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{site.name}/{disk.name}/{now.isoformat()}"))
        own = seen.marks[0].uuid if seen.marks else chosen
        work = DiskWork(site=site, job=job, disk=disk, state=seen, uuid=own, now=now)
        return _keep(work) if seen.marks else _make(work)


def _declared(site: Site, job: Job) -> Disk | None:
    return next((disk for disk in site.disks if disk.name == job.options.disk and disk.host == job.host), None)


def _refused(job: Job, refusal: DiskRefusal) -> Draft:
    severity: Severity = "attention" if job.schedule else "refusal"
    finding = Finding(severity=severity, text=refusal.text, source=job.name, do=refusal.do, command=refusal.command)
    return Draft(skip=Skip(job=job.name, reason=refusal.text), findings=(finding,))


def _make(work: DiskWork) -> Draft:
    disk, device, made = work.disk, work.state.device, work.state.made
    shape = f"{size(made.bytes)} and {count(made.inodes, 'inode')}" if made else ""
    named = disk.device if disk.device == device.name else f"{disk.device} is {device.name}"
    findings = [
        work.note(f"{named}: {device.description}, {size(device.size)} ({device.size} bytes)"),
        work.note(
            f"on {disk.device} now: no signature of a filesystem, a partition table or anything else, no "
            "partition, no mount; what else it may hold cannot be seen, and will be lost"
        ),
        work.note(f"mke2fs would make {disk.filesystem} of {shape}, label {mke2fs.label(disk)!a}, uuid {work.uuid}"),
    ]
    if disk.uuid or work.state.lines:
        by = "its uuid" if disk.uuid else "its line in fstab"
        findings.append(
            work.attention(
                f"disk {disk.name} is known by {by}, and the device is blank",
                do="if it held snapshots, do not apply this: the disk may be another one, or damaged",
            )
        )
    if not disk.device.startswith(("/dev/disk/by-id/", "/dev/mapper/")):
        text = f"{disk.device} names a place, where another disk may be after a reboot"
        findings.append(work.note(text, do="set `device` to the disk's name below /dev/disk/by-id"))
    made_at = f"{disk.name} is made, and mounted at {disk.mount}"
    now = () if disk.uuid else (f'write uuid = "{work.uuid}" below [disks.{disk.name}] in jobs.toml now',)
    return _planned(work, disk_steps.make(work), (*findings, *_write_down(work), *_place(work)), made_at, now)


def _keep(work: DiskWork) -> Draft:
    findings = (*_write_down(work), *_shape(work), *_place(work))
    steps = disk_steps.keep(work)
    if not steps:
        return Draft(skip=Skip(job=work.job.name, reason="as declared", needless=True), findings=findings)
    mended = f"{work.disk.name} is as declared again: {', '.join(step.id.rpartition('/')[2] for step in steps)}"
    return _planned(work, steps, findings, mended)


def _planned(
    work: DiskWork, steps: tuple[Step, ...], findings: tuple[Finding, ...], headline: str, details: tuple[str, ...] = ()
) -> Draft:
    planned = PlannedJob(name=work.job.name, kind="disk", after=work.job.after, headline=headline, details=details)
    return Draft(planned=planned, steps=steps, findings=findings)


def _write_down(work: DiskWork) -> tuple[Finding, ...]:
    disk = work.disk
    if disk.uuid:
        return ()
    do = f'once it is made, write uuid = "{work.uuid}" below [disks.{disk.name}]: no other disk is then taken for it'
    return (work.note(f"jobs.toml does not say the uuid of disk {disk.name}", do=do),)


def _shape(work: DiskWork) -> tuple[Finding, ...]:
    disk, shape, texts = work.disk, work.state.shape, []
    if shape.inodes and shape.bytes / shape.inodes > disk.bytes_per_inode * _RARER:
        rare = shape.bytes // shape.inodes
        texts.append(f"disk {disk.name} has one inode for {rare} bytes; jobs.toml says {disk.bytes_per_inode}")
    if 0 < shape.inode_size < mke2fs.INODE:
        texts.append(f"disk {disk.name} has {shape.inode_size}-byte inodes: times in whole seconds, until 2038")
    return tuple(work.attention(text, do="only a new filesystem changes that") for text in texts)


def _place(work: DiskWork) -> tuple[Finding, ...]:
    mount, point = work.disk.mount, work.state.point
    if point is None or (point.exists and point.unwritable is None):
        text = f"it is not known whether anybody can write to {mount} while the disk is away"
        return (work.attention(text, do="see chattr(1), option i"),)
    if point.exists and not point.empty:
        text = f"files lie in {mount} below the mount: they fill the filesystem there, and nobody sees them"
        return (work.attention(text, do="unmount the disk and look"),)
    return ()
