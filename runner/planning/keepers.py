"""What one keeper alone may not do, where the site has two of them sign: destroy, and expire more than is usual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from runner.model.errors import PlanRefused
from runner.model.plan import Effect, Finding, Plan, Skip, Step
from runner.model.site import Site, Store
from runner.model.text import count
from runner.planning import floors, review

# So many different ones have to sign.
ENOUGH = 2


def reasons(plan: Plan, site: Site) -> Mapping[str, str]:
    """The jobs that need two keepers, and why; none where the site asks for none.

    Of an expiry above the usual these are as few jobs as leave the rest at the usual, those that expire most first:
    a snapshot that one other expires for is not held up by a prune.
    """
    if not site.two_keepers:
        return {}
    needing = {
        step.job: f"{step.id} would destroy what cannot be had back"
        for step in plan.steps
        if step.effect >= Effect.DESTROY
    }
    going: dict[tuple[str, str], Counter[str]] = {}
    # Two steps for the same snapshot expire one.
    gone = {(step.host, path, name): step.job for step, path, name in floors.expiries(plan)}
    for (host, path, _), job in gone.items():
        going.setdefault((host, path), Counter())[job] += 1
    for (host, path), jobs in going.items():
        most, name = _usual(site, host, path)
        left = jobs.total()
        for job, many in jobs.most_common():
            if left <= most:
                break
            left -= many
            rest = jobs.total() - many
            others = f" ({rest} more by other jobs)" if rest else ""
            usual = f"{most} in a plan are usual (expire_usual)" if name else "it is no store of jobs.toml"
            text = f"{job} would expire {count(many, 'snapshot')} of {name or path}{others}, and {usual}"
            needing.setdefault(job, text)
    return needing


def _usual(site: Site, host: str, path: str) -> tuple[int, str]:
    """How many snapshots a plan usually expires in that folder, and the store that it is; 0 where it is none."""
    for store in site.stores:
        if store.host == host and site.host(host).at(store.path) == path:
            return _most(store), f"store {store.name}"
    return 0, ""


def _most(store: Store) -> int:
    return store.retention.expire_usual if store.retention else 0


def contain(plan: Plan, site: Site, *, confirmed: bool) -> Plan:
    """The plan without the jobs that may not run unattended, or by one keeper; a finding for each tells a person.

    `confirmed`: a person has allowed what is above the ceiling.
    """
    needing = reasons(plan, site)
    findings = tuple(
        Finding(
            severity="attention",
            source=job,
            text=f"{why}, so two keepers have to sign it",
            do=f"runner plan {job} --out plan.toml, read it, have it signed as is said there, then:",
            command="runner apply plan.toml",
        )
        for job, why in needing.items()
    )
    left = replace(
        plan,
        jobs=tuple(job for job in plan.jobs if job.name not in needing),
        steps=_without(plan.steps, needing),
        skips=(*plan.skips, *(Skip(job=job, reason="it needs two keepers") for job in needing)),
        findings=(*plan.findings, *findings),
    )
    return left if confirmed else review.contain(left, site.unattended)


def _without(steps: Iterable[Step], jobs: Collection[str]) -> tuple[Step, ...]:
    return tuple(step for step in steps if step.job not in jobs)


def allow(plan: Plan, site: Site, *, reviewed: bool, confirmed: bool, signers: Collection[str] = ()) -> None:
    """Raise PlanRefused unless this plan may run now: see `review.allow`, and who has signed it is enough."""
    review.allow(plan, ceiling=site.unattended, reviewed=reviewed, confirmed=confirmed)
    needing = reasons(plan, site)
    if needing and len(set(signers)) < ENOUGH:
        raise PlanRefused(
            f"{next(iter(needing.values()))}, so two keepers have to sign it",
            do="write the plan to a file, which says how to sign it:",
            command=f"runner plan {next(iter(needing))} --out plan.toml",
        )
