"""What a person should know before packages are touched: held updates, troubles, a reboot that is due."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from runner.jobs.packages.family import Family, Policy
from runner.jobs.packages.held import fits
from runner.model.facts import Facts
from runner.model.packages import Held, PackageFacts, Trouble, Update, What
from runner.model.plan import Finding, Severity
from runner.model.role import Phase
from runner.model.site import Job, Site
from runner.model.text import count, length, size
from runner.tools.detached import Detached

_LISTED = 40
# Why nothing is done, in few words; the finding beside it has the evidence.
_SHORT: dict[What, str] = {
    "lock": "another program is at work on the packages",
    "broken": "the dependencies of its packages are not met",
    "disk full": "its disk is full",
    "signature": "the lists of an archive are not signed as they should be",
}


def command(site: Site, kind: str, host: str, *words: str) -> str:
    """Tell a person what to run for a job of `kind` on `host`, at the end; or how there can be such a job."""
    every = (*site.jobs, *site.elsewhere)
    found = next((one for one in every if one.kind == kind and one.host == host), None)
    if not found:
        return f'jobs.toml has no job of kind "{kind}" for {host}: add one, and run it'
    name, where = found.name, f" on {found.runs_on}" if found in site.elsewhere else ""
    return f"when it suits people{where}, run: {shlex.join(('runner', 'run', name, *words, '--yes'))}"


def held(site: Site, job: Job, found: Sequence[Held]) -> tuple[Finding, ...]:
    """One for each hold that keeps an update back: what it is, what else it keeps back, what to do."""
    own = {one.update.name: one.update for one in found if not one.by}
    said = []
    for name, others in blocks(found).items():
        text = told(own[name]) if name in own else name
        rest = [one.update for one in found if one.update.name in others]
        also = [told(one) for one in rest if one.old]
        new = [f"{one.name} {one.new}" for one in rest if not one.old]
        text += f"; it also keeps back {', '.join(also)}" if also else ""
        text += f"; with it comes {', '.join(new)}, not installed before" if new else ""
        said.append(
            Finding(
                severity="attention",
                source=job.name,
                text=f"held back: {text}",
                do=command(site, "upgrade", job.host, "--package", name),
            )
        )
    return tuple(said)


def troubles(job: Job, found: Sequence[Trouble]) -> tuple[Finding, ...]:
    """Each trouble with its remedy; what the plan itself mends, or time does, is only a note."""
    return tuple(
        Finding(
            severity="note" if one.mends or one.what == "phased" else "attention",
            source=job.name,
            text=one.text,
            do=one.do,
        )
        for one in found
    )


def short(trouble: Trouble) -> str:
    """Why a job is not in the plan, without the evidence."""
    return _SHORT.get(trouble.what, trouble.text)


def replaced(found: Sequence[Trouble], install: Sequence[Update]) -> tuple[Trouble, ...]:
    """The troubles, where those of packages that get another version now are mended by that."""
    halves = {(update.name, update.old): update for update in install}
    said = []
    for one in found:
        new = halves.get((one.package, one.version))
        if one.what == "half" and new:
            do = f"nothing now: this plan installs {new.name} {new.new}"
            said.append(replace(one, do=do, mends=True))
        else:
            said.append(one)
    return tuple(said)


def cut_off(site: Site, begun: Sequence[Detached]) -> tuple[Finding, ...]:
    """What other jobs began at the host and nobody was told the end of: only they themselves tell it."""
    jobs = (site.job(name) for name in dict.fromkeys(carried.job for carried in begun))
    return tuple(
        Finding(
            severity="attention",
            source=one.name,
            do=command(site, one.kind, one.host),
            text=f"{one.name} was cut off, and nobody was told what came of it: it says so when it runs again",
        )
        for one in jobs
    )


def reboot(site: Site, job: Job, reasons: Sequence[str], due: Sequence[Update]) -> tuple[Finding, ...]:
    """A reboot that is needed already, for `reasons`; one that these updates will make necessary."""
    do = command(site, "reboot", job.host)
    said = [f"{job.host} needs a reboot: {', '.join(reasons)}"] if reasons else []
    names = _some([one.name for one in due])
    said += [f"{job.host} will need a reboot after this: {names}"] if due else []
    return tuple(Finding(severity="attention", source=job.name, text=text, do=do) for text in said)


def holds(site: Site, job: Job, found: PackageFacts, facts: Facts, family: Family) -> tuple[Finding, ...]:
    """What is held and should not be, or should be and is not: somebody changed that at the host, or jobs.toml.

    Before the first run of a job nobody can have let go of what it holds. A pattern that fits nothing
    holds nothing: perhaps it is misspelt.
    """
    said = []
    if found.unheld and facts.last.get(job.name) is None:
        text = f"held from now on, as jobs.toml wants it: {_some(found.unheld)}"
        said.append(Finding(severity="note", source=job.name, text=text))
    elif found.unheld:
        text = f"not held, although jobs.toml wants it: {_some(found.unheld)}"
        do = "nothing now: this plan holds it; unless it is new in jobs.toml, find out who let go of it"
        said.append(Finding(severity="attention", source=job.name, text=text, do=do))
    if found.stray:
        text = f"held at the host, although jobs.toml does not say so: {_some(found.stray)}"
        how = family.let_go(found.stray[:_LISTED])
        do = f"write it into `hold` of [hosts.{job.host}], or let go of it there: {how}"
        said.append(Finding(severity="note", source=job.name, text=text, do=do))
    idle = [one for one in site.host(job.host).hold if not any(fits(name, (one,)) for name in found.installed)]
    if idle and found.fresh:
        text = f"`hold` of [hosts.{job.host}] has what fits no installed package: {_some(idle)}"
        do = "see how it is spelt; nothing, if the package is not there on purpose"
        said.append(Finding(severity="note", source=job.name, text=text, do=do))
    return tuple(said)


def removals(job: Job, found: PackageFacts) -> tuple[Finding, ...]:
    """What only a removal would let be upgraded: told, never done."""
    if not found.removals:
        return ()
    text = f"a full upgrade would remove {_some(found.removals)}; that is never done here"
    do = f"at {job.host}, see what it is and decide by hand"
    return (Finding(severity="note", source=job.name, text=text, do=do),)


def notes(job: Job, found: PackageFacts, install: Sequence[Update], facts: Facts) -> tuple[Finding, ...]:
    """What is installed, with versions; how much there is to fetch; how old the lists are if not of now."""
    lines = [f"to install: {told(one)}" for one in install[:_LISTED]]
    lines += [f"to install: {len(install) - _LISTED:,} more"] if len(install) > _LISTED else []
    # What was counted is without that which is held.
    if install and found.download is not None and set(install) <= set(found.updates):
        lines.append(f"to fetch: {size(found.download)} at most")
    # In a report they would be read as still to be done.
    foretold = [Finding(severity="note", source=job.name, text=text, phase=Phase.FORECAST) for text in lines]
    if found.fresh or found.partly:
        return tuple(foretold)
    text = age(facts.last.get(job.name), facts.at)
    return (*foretold, Finding(severity="note", source=job.name, text=text))


def age(last: datetime | None, now: datetime) -> str:
    """How long ago the lists were good, by our own record: no file at the host tells that truly."""
    if last is None:
        return "no earlier run of this job got good package lists"
    return f"the last run with good package lists was {length(now - last)} ago, {last:%Y-%m-%d %H:%M} UTC"


def notice(updates: Sequence[Update], whom: str = "") -> str:
    """Say how many updates wait (`whom`: " for a person"), and how many are a matter of security."""
    security = sum(one.security for one in updates)
    words = f", {security:,} of them for security" if security else ""
    return f"{count(len(updates), 'update waits', 'updates wait')}{whom}{words}"


def refused(job: Job, text: str, do: str) -> Finding:
    """Why nothing of the job is done; that refuses a plan that a person asked for, and no nightly one."""
    severity: Severity = "attention" if job.schedule else "refusal"
    return Finding(severity=severity, source=job.name, text=text, do=do)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What becomes of the updates: `install` now, `held` until a person decides, `later` not by this job.

    `held` has those that the host holds, and those that jobs.toml wants held and the host does not.
    """

    install: tuple[Update, ...] = ()
    held: tuple[Held, ...] = ()
    later: tuple[Update, ...] = ()


def choose(found: PackageFacts, patterns: Sequence[str], policy: Policy) -> Choice:
    """Divide the updates of `found`; nothing that fits a pattern, is held or should be, is installed.

    The reading leaves held packages out by itself; that is not relied on, since a hold may have been
    lost since, and a kernel whose name is new is held by nobody yet.
    """
    guarded = {*found.holds, *found.unheld}
    install: list[Update] = []
    held, later = list(found.held), []
    for update in found.updates:
        if update.name in guarded or fits(update.name, patterns):
            held.append(Held(update=update))
        elif policy == "all" or (policy == "security" and update.security):
            install.append(update)
        else:
            later.append(update)
    return Choice(install=tuple(install), held=tuple(held), later=tuple(later))


def chosen(held: Sequence[Held], names: Sequence[str]) -> tuple[Held, ...]:
    """The held updates that these names set free; all of them where there are no names.

    A package that another one's hold keeps back comes with the other, and brings it: neither can be
    upgraded alone.
    """
    if not names:
        return tuple(held)
    free = set(names)
    while True:
        more = {name for one in held if one.update.name in free for name in one.by}
        more |= {one.update.name for one in held if one.by and set(one.by) <= free}
        if more <= free:
            return tuple(one for one in held if one.update.name in free)
        free |= more


def unknown(held: Sequence[Held], names: Sequence[str]) -> tuple[str, ...]:
    """The names that no update has: wrong, or upgraded already."""
    known = {name for one in held for name in (one.update.name, *one.by)}
    return tuple(name for name in names if name not in known)


def blocks(held: Sequence[Held]) -> dict[str, tuple[str, ...]]:
    """For each hold that keeps something back, by its name, the other packages that it keeps back."""
    names = dict.fromkeys(name for one in held for name in (one.by or (one.update.name,)))
    return {
        name: tuple(dict.fromkeys(one.update.name for one in held if name in one.by and one.update.name != name))
        for name in names
    }


def told(update: Update) -> str:
    """An update in words: name, old and new version, whether it is a security update."""
    security = ", a security update" if update.security else ""
    old = f"{update.old} -> {update.new}" if update.old else f"{update.new}, not installed before"
    return f"{update.name} {old}{security}"
