"""Kind `check`: whether a store has what it should have; the guide's daily check of the minimum, and more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from runner.kinds.schemas import own_keys
from runner.model.facts import Facts, Probe, Snapshot, StoreFacts
from runner.model.kind import CheckOptions, Draft, SnapshotOptions
from runner.model.plan import Command, Effect, Finding, PlannedJob, Skip, Step
from runner.model.site import Job, Site, Store
from runner.model.text import count, length, size
from runner.rules import filesystems, retention
from runner.rules.doubts import shrunk
from runner.rules.names import snapshot_time
from runner.rules.runway import growth, runway
from runner.rules.thinning import is_clean
from runner.tools import store as tool

_GREW = 10
_USUAL = 14
_OLD_PARTIAL = timedelta(days=2)


class CheckKind:
    """The kind's entry in the catalogue."""

    name = "check"
    options: type[Any] = CheckOptions

    @property
    def schema(self) -> Mapping[str, Any]:
        """The kind's own keys."""
        return own_keys(self.name)

    def probes(self, site: Site, job: Job) -> tuple[Probe, ...]:
        """None: host and store facts are enough."""
        return ()

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Everything a person should know about the store now; one READ step counts again when it runs."""
        place = site.store(job.options.store)
        found = facts.hosts[place.host].stores[place.name]
        if found.problem:
            trouble = Finding(
                severity="attention", source=job.name,
                text=f"store {place.name} on {place.host} cannot be used: {found.problem}",
                do="put that right; until then nothing is backed up to it",
            )  # fmt: skip
            return Draft(skip=Skip(job=job.name, reason=trouble.text), findings=(trouble,))
        look = _Look(store=place, found=found, options=job.options, now=now)
        said = (*_count(look), *_age(look), *_growth(look), *_partials(look), *_room(look))
        said = (*said, *_uncovered(site, place, facts))
        at = tool.At(program=tool.program(site.host(place.host)), path=found.path, plan="")
        step = Step(
            id=f"{job.name}/count", job=job.name, host=place.host, effect=Effect.READ,
            action=Command(argv=tool.newest(at)), why="count the sealed snapshots and what is free",
        )  # fmt: skip
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, told=_told(look))
        findings = (Finding(severity=one.severity, text=one.text, do=one.do, source=job.name) for one in said)
        return Draft(planned=planned, steps=(step,), findings=tuple(findings))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    store: Store
    found: StoreFacts
    options: CheckOptions
    now: datetime

    @property
    def sealed(self) -> tuple[Snapshot, ...]:
        return self.found.sealed


def _say(text: str, do: str = "") -> Finding:
    return Finding(severity="attention", text=text, source="", do=do)


def _count(look: _Look) -> Sequence[Finding]:
    policy = look.store.retention
    clean = sum(is_clean(one) for one in look.sealed)
    if policy is None or clean >= policy.min:
        return ()
    text = f"store {look.store.name} has {count(clean, 'snapshot')} without exceptions, min is {policy.min}"
    oldest = snapshot_time(look.sealed[0].name) if look.sealed else None
    # A new store fills by one a day, and its keeper knows it: that is no reason to call anybody.
    if oldest and clean + 1 >= (look.now - oldest).days:
        return (Finding(severity="note", text=f"{text}: it is young yet", source=""),)
    return (
        _say(text, "see in `runner history` why there were fewer; nothing expires until there are enough"),
    )


def _age(look: _Look) -> Sequence[Finding]:
    newest = snapshot_time(look.sealed[-1].name) if look.sealed else None
    if newest is None:
        return (_say(f"store {look.store.name} has no snapshot", "runner run the job that writes it"),)
    if look.now - newest <= look.options.newest_within:
        return ()
    text = f"the newest snapshot of store {look.store.name} is {length(look.now - newest)} old"
    return (_say(text, "see in `runner status` how the job that writes it ended"),)


def _growth(look: _Look) -> Sequence[Finding]:
    limit = look.store.retention.max_shrink if look.store.retention else 30.0
    smaller = shrunk(look.sealed, limit)
    if smaller:
        return (_say(smaller.text, smaller.do),)
    before = [one.added_bytes for one in look.sealed[-_USUAL - 1 : -1] if one.added_bytes is not None]
    added = look.sealed[-1].added_bytes if look.sealed else None
    # The first is whole, so two others are needed before "usual" means anything.
    if added is None or len(before) < 3 or added <= max(_GREW * median(before), 1 << 26):
        return ()
    text = f"{look.sealed[-1].name} brought {size(added)}; {size(median(before))} is usual"
    return (Finding(severity="note", text=text, source="", do="runner diff previous latest shows what"),)


def _partials(look: _Look) -> Sequence[Finding]:
    times = [time for one in look.found.partials if (time := snapshot_time(one.name))]
    if not times or look.now - min(times) < _OLD_PARTIAL:
        return ()
    text = f"{count(len(times), 'interrupted snapshot')}, the oldest of {min(times):%Y-%m-%d}, waits to be taken up"
    return (_say(text, "run the job that writes this store, and see why it does not come to its end"),)


def _room(look: _Look) -> Sequence[Finding]:
    decision = retention.decide(look.sealed, look.store.retention, look.found.space, look.now)
    frozen = (_say(f"nothing expires: {decision.frozen}", decision.do),) if decision.frozen else ()
    if look.found.space is None:
        return frozen
    ahead = runway(growth(look.sealed), look.found.space, look.store.retention)
    days = min((one for one in (ahead.days_of_bytes, ahead.days_of_inodes) if one is not None), default=None)
    may_go = look.store.retention is not None and len(look.sealed) > look.store.retention.min
    if days is None or days >= look.options.runway.days or may_go:
        return frozen
    text = f"store {look.store.name} fills up: {ahead.words()}, and nothing may expire before min"
    return (*frozen, _say(text, "a larger disk, fewer snapshots (min), or less to copy (exclude)"))


def _uncovered(site: Site, place: Store, facts: Facts) -> Sequence[Finding]:
    found = []
    for job in site.jobs:
        if not isinstance(job.options, SnapshotOptions) or job.options.store != place.name:
            continue
        host, known = site.host(job.host), facts.hosts.get(job.host)
        declared = job.options.filesystems or host.filesystems
        if known is None or known.error or host.root or not declared:
            continue
        stores = tuple(one.path for one in site.stores if one.host == host.name)
        every = filesystems.choose(known.filesystems, declared=(), stores=stores, expected=())
        missing = [one.mount for one in every.chosen if one.mount not in declared]
        if missing:
            text = f"no job copies {', '.join(missing)} of {host.name}"
            found.append(_say(text, f'add to `filesystems` of {host.name}, or say "all"'))
    return found


def _told(look: _Look) -> str:
    newest = snapshot_time(look.sealed[-1].name) if look.sealed else None
    age = f", the newest {length(look.now - newest)} old" if newest else ""
    return f"{count(len(look.sealed), 'snapshot')}{age}"
