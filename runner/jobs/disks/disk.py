"""Kind `disk`: a backup disk, from nothing to a mounted store, and kept as it is declared."""

from __future__ import annotations

import uuid
from datetime import datetime

from runner.jobs.bundled import Bundled
from runner.jobs.disks import found as disk_fit
from runner.jobs.disks import found as disk_found
from runner.jobs.disks import mke2fs
from runner.jobs.disks import steps as disk_steps
from runner.jobs.disks.found import DiskState, Wrong
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
        return disk_found.probes(site, disk) if disk else ()

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Make the disk if the device is blank, mend what drifted if it is the declared disk.

        A device with any signature is the declared disk or is refused; there is no option that
        changes this. A refusal stops the whole plan, so a job with a schedule, which would take
        others with it, is skipped for attention instead: nothing is done in either case.
        """
        disk = _declared(site, job)
        if disk is None:
            text = f"{job.options.disk!a} is not a disk of {job.host}"
            return _refused(job, Wrong(text=text, do="name a disk of [disks] that is on the job's host"))
        if not site.live:
            return Draft(skip=Skip(job=job.name, reason="the sandbox has no disks"))
        found = disk_found.read(site, disk, facts)
        if isinstance(found, Wrong):
            return _refused(job, found)
        wrong = disk_fit.judge(disk, found)
        if wrong:
            return _refused(job, wrong)
        return _keep(site, (job, disk), found, now) if found.marks else _make(site, (job, disk), found, now)


def _declared(site: Site, job: Job) -> Disk | None:
    return next((disk for disk in site.disks if disk.name == job.options.disk and disk.host == job.host), None)


def _refused(job: Job, wrong: Wrong) -> Draft:
    severity: Severity = "attention" if job.schedule else "refusal"
    finding = Finding(severity=severity, text=wrong.text, source=job.name, do=wrong.do, command=wrong.command)
    return Draft(skip=Skip(job=job.name, reason=wrong.text), findings=(finding,))


def _make(site: Site, what: tuple[Job, Disk], found: DiskState, now: datetime) -> Draft:
    job, disk = what
    # The plan is literal, so it knows the UUID before mke2fs does.
    chosen = disk.uuid or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{site.name}/{disk.name}/{now.isoformat()}"))
    work = disk_steps.Work(site=site, job=job.name, disk=disk, found=found, uuid=chosen, now=now)
    shape = f"{size(found.made.bytes)} and {count(found.made.inodes, 'inode')}" if found.made else ""
    notes = (
        f"{disk.device} is {found.device.name}: {found.device.told}, {size(found.device.size)} "
        f"({found.device.size} bytes)",
        f"on {disk.device} now: no signature of a filesystem, a partition table or anything else, no "
        "partition, no mount; what else it may hold cannot be seen, and is lost",
        f"mke2fs would make {disk.filesystem} of {shape}, label {mke2fs.label(disk)!a}, uuid {chosen}",
    )
    findings = [Finding(severity="note", text=text, source=job.name) for text in notes]
    if disk.uuid or found.lines:
        by = "its uuid" if disk.uuid else "its line in fstab"
        findings.append(
            Finding(
                severity="attention",
                source=job.name,
                text=f"disk {disk.name} is known by {by}, and the device is blank",
                do="if it held snapshots, do not apply this: the disk may be another one, or damaged",
            )
        )
    if not disk.device.startswith(("/dev/disk/by-id/", "/dev/mapper/")):
        findings.append(
            Finding(
                severity="note",
                source=job.name,
                text=f"{disk.device} is a place, and after a reboot another disk may be there",
                do="let `device` be the disk's name below /dev/disk/by-id",
            )
        )
    if not disk.uuid:
        findings.append(_write_down(job, disk, chosen))
    return _planned(job, disk_steps.make(work), (*findings, *_place(job, disk, found)))


def _keep(site: Site, what: tuple[Job, Disk], found: DiskState, now: datetime) -> Draft:
    job, disk = what
    own = found.marks[0].uuid
    work = disk_steps.Work(site=site, job=job.name, disk=disk, found=found, uuid=own, now=now)
    findings = (
        *(() if disk.uuid else (_write_down(job, disk, own),)),
        *_shape(job, disk, found),
        *_place(job, disk, found),
    )
    steps = disk_steps.keep(work)
    if not steps:
        return Draft(skip=Skip(job=job.name, reason="as declared"), findings=findings)
    return _planned(job, steps, findings)


def _planned(job: Job, steps: tuple[Step, ...], findings: tuple[Finding, ...]) -> Draft:
    planned = PlannedJob(name=job.name, kind="disk", after=job.after)
    return Draft(planned=planned, steps=steps, findings=findings)


def _write_down(job: Job, disk: Disk, own: str) -> Finding:
    return Finding(
        severity="note",
        source=job.name,
        text=f"jobs.toml does not say the uuid of disk {disk.name}",
        do=f'once it is made, write uuid = "{own}" below [disks.{disk.name}]: no other disk is then taken for it',
    )


def _shape(job: Job, disk: Disk, found: DiskState) -> tuple[Finding, ...]:
    block, wants = found.shape, []
    if block.inodes and block.bytes / block.inodes > disk.bytes_per_inode * _RARER:
        rare = block.bytes // block.inodes
        wants.append(f"disk {disk.name} has one inode for {rare} bytes; jobs.toml says {disk.bytes_per_inode}")
    if 0 < block.inode_size < mke2fs.INODE:
        wants.append(f"disk {disk.name} has {block.inode_size}-byte inodes: times in whole seconds, until 2038")
    do = "only making the filesystem anew changes that"
    return tuple(Finding(severity="attention", text=text, source=job.name, do=do) for text in wants)


def _place(job: Job, disk: Disk, found: DiskState) -> tuple[Finding, ...]:
    if found.point is None or (found.point.exists and found.point.unwritable is None):
        text = f"whether {disk.mount} can be written while the disk is away is not known"
        return (Finding(severity="attention", text=text, source=job.name, do="see chattr(1), option i"),)
    if found.point.exists and not found.point.empty:
        text = f"files lie in {disk.mount} below the mount: they fill the filesystem there, and nobody sees them"
        return (Finding(severity="attention", text=text, source=job.name, do="unmount the disk and look"),)
    return ()
