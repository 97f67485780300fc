"""What a person should know before packages are touched: held updates, troubles, a reboot that is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runner.kinds import package_choice
from runner.model.facts import Facts
from runner.model.packages import Held, PackageFacts, Trouble, Update
from runner.model.plan import Finding, Severity
from runner.model.site import Job, Site
from runner.model.text import count, length, size

_LISTED = 40


def command(site: Site, kind: str, host: str, *words: str) -> str:
    """Give the command that a person runs for a job of `kind` on `host`; or how there can be one."""
    name = next((one.name for one in site.jobs if one.kind == kind and one.host == host), "")
    if not name:
        return f'jobs.toml has no job of kind "{kind}" for {host}: add one, and run it'
    return " ".join(("runner run", name, *words))


def held(site: Site, job: Job, found: Sequence[Held]) -> tuple[Finding, ...]:
    """One for each hold that keeps an update back: what it is, what else it keeps back, what to do."""
    own = {one.update.name: one.update for one in found if not one.by}
    said = []
    for name, others in package_choice.blocks(found).items():
        text = package_choice.told(own[name]) if name in own else name
        rest = [one.update for one in found if one.update.name in others]
        also = f"; it also keeps back {', '.join(package_choice.told(one) for one in rest)}" if rest else ""
        said.append(Finding(
            severity="attention", source=job.name, text=f"held back: {text}{also}",
            do=command(site, "upgrade", job.host, "--package", name),
        ))  # fmt: skip
    return tuple(said)


def troubles(job: Job, found: Sequence[Trouble]) -> tuple[Finding, ...]:
    """Each trouble with its remedy; what the plan itself mends is only a note."""
    return tuple(
        Finding(severity="note" if one.mends else "attention", source=job.name, text=one.text, do=one.do)
        for one in found
    )


def reboot(site: Site, job: Job, reasons: Sequence[str], due: Sequence[Update]) -> tuple[Finding, ...]:
    """A reboot that is needed already, for `reasons`; one that these updates will make necessary."""
    do = command(site, "reboot", job.host)
    said = [f"{job.host} needs a reboot: {', '.join(reasons)}"] if reasons else []
    names = _some([one.name for one in due])
    said += [f"{job.host} will need a reboot after this: {names}"] if due else []
    return tuple(Finding(severity="attention", source=job.name, text=text, do=do) for text in said)


def holds(job: Job, found: PackageFacts) -> tuple[Finding, ...]:
    """What is held and should not be, or should be and is not: somebody changed that at the host."""
    said = []
    if found.unheld:
        text = f"not held, although jobs.toml wants it: {_some(found.unheld)}"
        do = "nothing now: this plan holds it again; find out who let go of it"
        said.append(Finding(severity="attention", source=job.name, text=text, do=do))
    if found.stray:
        text = f"held at the host, although jobs.toml does not say so: {_some(found.stray)}"
        do = f"write it into `hold` of [hosts.{job.host}], or let go of it: apt-mark unhold"
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
    lines = [f"to install: {package_choice.told(one)}" for one in install[:_LISTED]]
    lines += [f"and {len(install) - _LISTED:,} more"] if len(install) > _LISTED else []
    if install and found.download is not None:
        lines.append(f"to fetch: {size(found.download)} at most")
    if not found.fresh:
        lines.append(age(facts.last.get(job.name), facts.at))
    return tuple(Finding(severity="note", source=job.name, text=text) for text in lines)


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
