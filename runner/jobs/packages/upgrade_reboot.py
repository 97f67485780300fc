"""The reboots of an upgrade: what they must know, what stands against them, and their steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cmp_to_key

from runner.jobs.packages import findings as package_findings
from runner.jobs.packages import steps
from runner.jobs.packages.debian import version as debian_version
from runner.jobs.packages.redhat import rpm
from runner.jobs.packages.steps import Work
from runner.jobs.power import before, rebooting
from runner.jobs.power.rebooting import Asked
from runner.jobs.power.window import Wrong
from runner.model.facts import Facts, Probe
from runner.model.kind import Draft
from runner.model.plan import Finding, PlannedJob, Skip
from runner.model.site import Job, Site
from runner.tools import detached

BEFORE = "before/"
# A host that was started this short a time ago need not be rebooted before an upgrade. It may have been
# checking a disk for most of that, and must not be rebooted once more when that is over.
_RECENT = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a host is rebooted, in words; `kernel` is the release that must run then, "" where none comes."""

    why: str
    kernel: str = ""


def probes(site: Site, job: Job) -> tuple[Probe, ...]:
    """What a reboot of the job's host must know."""
    host = site.host(job.host)
    return before.probes(site, host, database=rebooting.options_of(site, job.host).database)


def fresh(job: Job, facts: Facts) -> bool:
    """Whether the host was rebooted a short time ago, so that disks and boot are known to be good."""
    reading, host = facts.reading(job.host, "power.up"), facts.hosts.get(job.host)
    found = detached.parse_up(reading.out) if reading else None
    # By the host's own clock, which said when it was started; the controller's may be another.
    now = host.now if host and host.now else facts.at
    return bool(found and found.up_since and now - found.up_since < _RECENT)


def first(work: Work, facts: Facts) -> Draft:
    """Only the reboot that comes before: what then can be upgraded is planned when the host is back."""
    why = "see that the host comes back by itself, before anything is changed"
    asked = _asked(work, facts, BEFORE)
    if isinstance(asked, Wrong):
        return _refused(work, (asked,))
    if wrong := rebooting.against(asked, work.now):
        return _refused(work, wrong)
    note = Finding(
        severity="note", source=work.job.name,
        text="this plan only reboots; what is upgraded is planned when the host is back",
    )  # fmt: skip
    planned = PlannedJob(
        name=work.job.name, kind=work.job.kind, after=work.job.after, locks=rebooting.locks(asked),
        told=f"rebooted; the upgrade itself comes next: runner run {work.job.name}",
    )  # fmt: skip
    return Draft(planned=planned, steps=rebooting.steps(asked, why), findings=(note, *_known(work, asked)))


def after(work: Work, draft: Draft, facts: Facts, reason: Reason) -> Draft:
    """`draft` with the reboot at its end; nothing at all where the reboot may not be now.

    An upgrade that works already is waited for in any case: then only the reboot is left out.
    """
    asked = _asked(work, facts, "", reason.kernel)
    waits = any(step.carried and step.id.startswith(work.id("attach-")) for step in draft.steps)
    wrong = (asked,) if isinstance(asked, Wrong) else rebooting.against(asked, work.now)
    if isinstance(asked, Wrong) or wrong:
        return (
            replace(draft, findings=(*draft.findings, *_left_out(work, wrong)))
            if waits
            else _refused(work, wrong)
        )
    if draft.planned is None:
        return draft
    own = {lock.resource for lock in draft.planned.locks}
    locks = (
        *(replace(lock, until=asked.id) for lock in draft.planned.locks),
        *(lock for lock in rebooting.locks(asked) if lock.resource not in own),
    )
    return replace(
        draft, planned=replace(draft.planned, locks=locks), findings=(*draft.findings, *_known(work, asked)),
        steps=(*draft.steps, *rebooting.steps(asked, reason.why)),
    )  # fmt: skip


def release(names: Iterable[tuple[str, str, str]]) -> str:
    """The release, as `uname -r` tells it, of the newest kernel among packages (name, version, architecture)."""
    debian: list[str] = []
    packages: list[rpm.Package] = []
    for name, version, arch in names:
        own = name.partition(":")[0].removeprefix("linux-image-")
        if name.startswith("linux-image-") and own[:1].isdecimal():
            debian.append(own.removesuffix("-unsigned"))
        elif rpm.is_kernel(name):
            packages.append(rpm.Package(name=name, arch=arch, version=version))
    if debian:
        return max(debian, key=cmp_to_key(debian_version.compare))
    return rpm.newest_kernel(packages, "")


def _asked(work: Work, facts: Facts, prefix: str, kernel: str = "") -> Asked | Wrong:
    found = before.read(work.job.host, facts)
    if isinstance(found, Wrong):
        return found
    # What is only half there, or still works, is the business of this job's own steps; the step that looks
    # whether nothing is being written comes right before the reboot.
    alive = any(one.alive for one in steps.left(work.job, facts))
    found = replace(found, half="", busy="" if alive else found.busy)
    options = rebooting.options_of(work.site, work.job.host)
    return Asked(
        site=work.site, job=work.job, options=options, facts=facts, found=found, prefix=prefix, kernel=kernel,
        upgraded=not prefix,
    )  # fmt: skip


def _known(work: Work, asked: Asked) -> tuple[Finding, ...]:
    job = work.job
    doubts = (
        Finding(severity="attention", source=job.name, text=one.text, do=one.do)
        for one in rebooting.doubts(asked)
    )
    notes = (Finding(severity="note", source=job.name, text=text) for text in rebooting.notes(asked))
    return (*doubts, *notes)


def _refused(work: Work, wrong: Sequence[Wrong]) -> Draft:
    findings = tuple(package_findings.refused(work.job, one.text, one.do) for one in wrong)
    return Draft(skip=Skip(job=work.job.name, reason=wrong[0].text), findings=findings)


def _left_out(work: Work, wrong: Sequence[Wrong]) -> tuple[Finding, ...]:
    do = package_findings.command(work.site, "reboot", work.job.host)
    return tuple(
        Finding(severity="attention", source=work.job.name, text=f"no reboot after this: {one.text}", do=do)
        for one in wrong
    )
