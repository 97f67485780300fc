"""Binding the controller's key to the policy of a host: a plan of one step, which a person runs who is root there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.agent.arguments import argv as words
from runner.agent.policy.contract.enrol import Enrol
from runner.jobs.policy import rights
from runner.model.kind import Draft
from runner.model.plan import Command, Effect, Finding, PlannedJob, Step
from runner.model.site import Site
from runner.tools import agent


@dataclass(frozen=True, kw_only=True, slots=True)
class EnrolRequest:
    """`host` is to let `public`, a key of the controller, do what the jobs want; it comes from `source` ("": anywhere).

    `runs` is how often each store gets a snapshot a day. `allow` is what a person allows the key beside what snapshots
    want: see `rights`. So many of the `keepers`, a line each, have to sign
    what changes it from afar; 0: nothing does.
    """

    host: str
    public: str
    source: str
    runs: Mapping[str, int]
    allow: tuple[str, ...] = ()
    signed: int = 0
    keepers: str = ""


def draft(site: Site, asked: EnrolRequest) -> Draft:
    """One WRITE step, with the whole policy of the key in it, and what the key will not do."""
    job, host = f"enrol-{asked.host}", site.host(asked.host)
    policy = rights.policy(site, asked.host, asked.runs, asked.allow)
    options = Enrol(site.controller, asked.public, policy, asked.source, signed=asked.signed, keepers=asked.keepers)
    why = f"bind a key of {site.controller} to what the jobs of this site want of {asked.host}, and to no more"
    step = Step(
        id=f"{job}/policy",
        job=job,
        host=asked.host,
        action=Command(argv=(agent.program(host), *words("enrol", options))),
        effect=Effect.WRITE,
        why=why,
    )
    planned = PlannedJob(name=job, kind="enrol", headline=f"the key {site.controller} of {asked.host} has its policy")
    return Draft(planned=planned, steps=(step,), findings=_findings(site, asked, job))


def _findings(site: Site, asked: EnrolRequest, job: str) -> tuple[Finding, ...]:
    findings = []
    if not asked.source:
        text = f"the key will be good from any address: it is not known which one {site.controller} has there"
        findings.append(Finding(severity="note", source=job, text=text, do="name it: --from ADDRESS"))
    if asked.signed:
        names = " and ".join(dict.fromkeys(line.split(" ")[0] for line in asked.keepers.splitlines()))
        text = f"{asked.host} will change this, and its agent, as {asked.signed} of {names} have signed"
        findings.append(Finding(severity="note", source=job, text=text))
    if others := rights.beyond(site, asked.host, asked.allow):
        names = ", ".join(each.name for each in others)
        text = f"the key has no right to what {names} {'does' if len(others) == 1 else 'do'} on {asked.host}"
        do = f'let the runner of {asked.host} start that: runs_on = "{asked.host}" in jobs.toml'
        if all(map(rights.allowable, others)):
            do += "; or allow it to the key: --allow (docs/trust.md says what a thief may do then)"
        findings.append(Finding(severity="note", source=job, text=text, do=do))
    return tuple(findings)
