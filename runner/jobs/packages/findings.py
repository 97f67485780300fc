"""What a person should know before packages are touched: held updates, troubles, a reboot that is due."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from runner.jobs.packages.choice import blocks
from runner.jobs.packages.family import Family, fits
from runner.model.cause import of_job
from runner.model.facts import Facts
from runner.model.kind import Draft
from runner.model.packages import Held, PackageFacts, Trouble, Update, What
from runner.model.plan import Finding, Severity, Skip
from runner.model.role import Phase
from runner.model.site import Job, Site
from runner.model.text import count, length, one_line, size
from runner.tools.detached import Detached

_LISTED = 40
# With these nothing can be installed, or should be.
IN_THE_WAY: frozenset[What] = frozenset(("broken", "disk full", "signature"))
# Of these no list of packages can be had.
_NO_LISTS: frozenset[What] = frozenset(
    ("disk full", "expired", "signature", "moved", "clock", "unreachable", "damaged")
)
# Why nothing is done, in few words; the finding beside it has the evidence.
_SHORT: dict[What, str] = {
    "lock": "another program is at work on the packages",
    "broken": "the dependencies of its packages are not met",
    "disk full": "its disk is full",
    "signature": "the lists of an archive are not signed as they should be",
}


class ByHand(NamedTuple):
    """What a person should do next, and the command for that."""

    do: str
    command: str = ""


def by_hand(site: Site, kind: str, host: str, *words: str) -> ByHand:
    """What a person should run for a job of `kind` on `host`; or how there can be such a job."""
    job = next((job for job in (*site.jobs, *site.elsewhere) if job.kind == kind and job.host == host), None)
    if not job:
        return ByHand(f'jobs.toml has no job of kind "{kind}" for {host}: add one, and run it')
    where = f" on {job.runs_on}" if job in site.elsewhere else ""
    command = shlex.join(("runner", "run", job.name, *words, "--yes"))
    return ByHand(f"when it suits people{where}, run:", command)


def held(site: Site, job: Job, updates: Sequence[Held]) -> tuple[Finding, ...]:
    """One for each hold that keeps an update back: what it is, what else it keeps back, what to do."""
    own = {each.update.name: each.update for each in updates if not each.by}
    findings = []
    for name, others in blocks(updates).items():
        text = in_words(own[name]) if name in own else name
        rest = [each.update for each in updates if each.update.name in others]
        also = [in_words(update) for update in rest if update.old]
        new = [f"{update.name} {update.new}" for update in rest if not update.old]
        text += f"; it also keeps back {', '.join(also)}" if also else ""
        text += f"; with it comes {', '.join(new)}, not installed before" if new else ""
        todo = by_hand(site, "upgrade", job.host, "--package", name)
        findings.append(attention(job, f"held back: {text}", *todo))
    return tuple(findings)


def troubles(job: Job, troubles: Sequence[Trouble]) -> tuple[Finding, ...]:
    """Each trouble with its remedy; what the plan itself mends, or time does, is only a note."""
    return tuple(
        Finding(
            severity="attention" if is_serious(trouble) else "note", source=job.name, text=trouble.text, do=trouble.do
        )
        for trouble in troubles
    )


def without_lists(job: Job, known: Sequence[Trouble]) -> tuple[Finding, ...]:
    """The same where no list could be fetched: what keeps the job from it, and that it failed, are one thing to do.

    That is the first of such troubles; another has its own remedy, and is a thing to do of its own.
    """
    first = next((trouble for trouble in known if trouble.what in _NO_LISTS and is_serious(trouble)), None)
    return tuple(
        replace(finding, cause=of_job(job.name)) if trouble is first else finding
        for trouble in known
        for finding in troubles(job, (trouble,))
    )


def is_serious(trouble: Trouble) -> bool:
    """Whether neither the plan itself nor time mends it: with such a one there is never nothing to do."""
    return not trouble.mends and trouble.what != "phased"


def short(trouble: Trouble) -> str:
    """Why a job is not in the plan, without the evidence."""
    return _SHORT.get(trouble.what, trouble.text)


def replaced(troubles: Sequence[Trouble], install: Sequence[Update]) -> tuple[Trouble, ...]:
    """The troubles, where those of packages that get another version now are mended by that."""
    new = {(update.name, update.old): f"{update.name} {update.new}" for update in install}
    return tuple(
        replace(trouble, do=f"nothing now: this plan installs {new[trouble.package, trouble.version]}", mends=True)
        if trouble.what == "half" and (trouble.package, trouble.version) in new
        else trouble
        for trouble in troubles
    )


def cut_off(site: Site, commands: Sequence[Detached]) -> tuple[Finding, ...]:
    """What other jobs began at the host and nobody has seen the end of: only they themselves report it."""
    jobs = (site.job(name) for name in dict.fromkeys(command.job for command in commands))
    return tuple(
        attention(
            job,
            f"{job.name} was cut off, and how it ended is not known yet: its next run reports it",
            *by_hand(site, job.kind, job.host),
        )
        for job in jobs
    )


def reboot(site: Site, job: Job, reasons: Sequence[str], due: Sequence[Update]) -> tuple[Finding, ...]:
    """A reboot that is needed already, for `reasons`; one that these updates will make necessary."""
    todo = by_hand(site, "reboot", job.host)
    texts = [f"{job.host} needs a reboot: {', '.join(reasons)}"] if reasons else []
    names = _listed([update.name for update in due])
    texts += [f"{job.host} will need a reboot after this: {names}"] if due else []
    return tuple(attention(job, text, *todo) for text in texts)


def holds(site: Site, job: Job, known: PackageFacts, facts: Facts, family: Family) -> tuple[Finding, ...]:
    """What is held and should not be, or should be and is not: somebody changed that at the host, or jobs.toml.

    Before the first run of a job nobody can have released what it holds. A pattern that fits nothing
    holds nothing: perhaps it is misspelt.
    """
    findings = []
    if known.unheld and facts.last.get(job.name) is None:
        findings.append(note(job, f"held from now on, as jobs.toml wants it: {_listed(known.unheld)}"))
    elif known.unheld:
        text = f"not held, although jobs.toml wants it: {_listed(known.unheld)}"
        do = "nothing now: this plan holds it; unless it is new in jobs.toml, find out who released it"
        findings.append(attention(job, text, do))
    if known.stray:
        text = f"held at the host, although jobs.toml does not say so: {_listed(known.stray)}"
        how = family.unhold(known.stray[:_LISTED])
        findings.append(note(job, text, f"write it into `hold` of [hosts.{job.host}], or release it there: {how}"))
    patterns = site.host(job.host).hold
    idle = [pattern for pattern in patterns if not any(fits(name, (pattern,)) for name in known.installed)]
    if idle and known.fresh:
        text = f"`hold` of [hosts.{job.host}] has patterns that fit no installed package: {_listed(idle)}"
        findings.append(
            note(job, text, "check the spelling; if the package is missing on purpose, there is nothing to do")
        )
    return tuple(findings)


def no_security(job: Job, known: PackageFacts) -> tuple[Finding, ...]:
    """That a job which installs security updates can never find one."""
    if known.for_security or not known.fresh:
        return ()
    text = f"none of the archives of {job.host} is for security updates, so this job finds none, ever"
    do = 'add one to its archives or repositories; where its distribution has none, set install = "all" for this job'
    return (attention(job, text, do),)


def removals(job: Job, known: PackageFacts) -> tuple[Finding, ...]:
    """What could only be upgraded by removing something: mentioned, never done."""
    if not known.removals:
        return ()
    text = f"a full upgrade would remove {_listed(known.removals)}; that is never done here"
    return (note(job, text, f"at {job.host}, see what it is and decide by hand"),)


def notes(job: Job, known: PackageFacts, install: Sequence[Update], facts: Facts) -> tuple[Finding, ...]:
    """What is installed, with versions; how much there is to fetch; how old the lists are if not of now."""
    lines = [f"to install: {in_words(update)}" for update in install[:_LISTED]]
    lines += [f"to install: {len(install) - _LISTED:,} more"] if len(install) > _LISTED else []
    # What was counted is without that which is held.
    if install and known.download is not None and set(install) <= set(known.updates):
        lines.append(f"to fetch: {size(known.download)} at most")
    # In a report they would be read as still to be done.
    foretold = [replace(note(job, text), phase=Phase.FORECAST) for text in lines]
    if known.fresh or known.partly:
        return tuple(foretold)
    # When the lists were good is known by our own record: no file at the host tells that truly.
    text, last = "no earlier run of this job got good package lists", facts.last.get(job.name)
    if last:
        ago = f"{length(facts.at - last)} ago, " if last <= facts.at else ""
        text = f"the last run with good package lists was {ago}{last:%Y-%m-%d %H:%M} UTC"
    return (*foretold, note(job, text))


def waiting(updates: Sequence[Update], whom: str = "") -> str:
    """Say how many updates wait (`whom`: " for a person"), and how many are a matter of security."""
    security = sum(update.security for update in updates)
    words = f", {security:,} of them for security" if security else ""
    return f"{count(len(updates), 'update waits', 'updates wait')}{whom}{words}"


def attention(job: Job, text: str, do: str, command: str = "") -> Finding:
    """What a person must see to."""
    return Finding(severity="attention", source=job.name, text=text, do=do, command=command)


def note(job: Job, text: str, do: str = "", command: str = "") -> Finding:
    """What a person may like to know."""
    return Finding(severity="note", source=job.name, text=text, do=do, command=command)


def refused(job: Job, text: str, do: str) -> Finding:
    """Why nothing of the job is done; that refuses a plan that a person asked for, and no nightly one."""
    severity: Severity = "attention" if job.schedule else "refusal"
    return Finding(severity=severity, source=job.name, text=text, do=do)


def skipped(job: Job, findings: Sequence[Finding], reason: str = "") -> Draft:
    """Nothing is done, for these reasons; `reason` is the first of them in few words."""
    return Draft(skip=Skip(job=job.name, reason=reason or findings[0].text), findings=tuple(findings))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def in_words(update: Update) -> str:
    """An update in words: name, old and new version, whether it is a security update."""
    security = ", a security update" if update.security else ""
    old = f"{update.old} -> {update.new}" if update.old else f"{update.new}, not installed before"
    return f"{update.name} {old}{security}"


def update_lines(updates: Iterable[Update]) -> tuple[str, ...]:
    """One line an update, in the order of names: name with architecture, new version, where it is from.

    Security updates say so at the end. Columns are aligned and nothing is wrapped or cut, so that a
    line can be searched for and copied. No line ends in a blank.
    """
    rows = [
        (_name(update), one_line(update.new), one_line(update.origin), "security" if update.security else "")
        for update in sorted(updates, key=lambda update: (update.name, update.arch, update.new))
    ]
    widths = [max((len(row[place]) for row in rows), default=0) for place in range(4)]
    return tuple(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip() for row in rows
    )


def _name(update: Update) -> str:
    return one_line(f"{update.name}.{update.arch}" if update.arch else update.name)
