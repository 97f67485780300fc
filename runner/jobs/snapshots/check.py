"""Kind `check`: whether a store has what it should have; the guide's daily check of the minimum, and more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median

from runner.jobs.bundled import Bundled, unusable
from runner.jobs.retention import prune, retention
from runner.jobs.retention.doubts import shrunk
from runner.jobs.retention.runway import growth, runway
from runner.jobs.retention.thinning import is_clean
from runner.jobs.snapshots import filesystems
from runner.jobs.snapshots import proven as drill
from runner.jobs.snapshots.report import check_report
from runner.model.facts import Facts, Snapshot, Space, StoreFacts
from runner.model.kind import Draft
from runner.model.names import snapshot_time
from runner.model.options import CheckOptions, DrillOptions, SnapshotOptions
from runner.model.plan import Command, Effect, Finding, PlannedJob, Step
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome
from runner.model.site import Job, Site, Store
from runner.model.text import count, length, size
from runner.tools import agent as tool

_LINKS_PATIENCE = 3600
_GREW = 10
_USUAL = 14
_LARGE = 1 << 26
_MANY = 10_000
_OLD_PARTIAL = timedelta(days=2)
_SHOWN = 5


class CheckKind(Bundled):
    """The kind's entry in the catalogue."""

    name = "check"
    options = CheckOptions

    def draft(self, site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        """Everything a person should know about the store now; two READ steps look again when it runs."""
        place = site.store(job.options.store)
        found = facts.hosts[place.host].stores[place.name]
        if skipped := unusable(job, place, found, "put that right; until then nothing is backed up to it"):
            return skipped
        look = _look(place, found, job.options, now)
        said = (*_count(look), *_foreign(look), *_age(look), *_growth(look), *_partials(look), *_room(look))
        said = (*said, *_uncovered(site, place, facts), *_unproven(site, look))
        at = tool.At(program=tool.program(site.host(place.host)), path=found.path, plan="")
        step = Step(
            id=f"{job.name}/count",
            role=Role.COUNT,
            job=job.name,
            host=place.host,
            effect=Effect.READ,
            action=Command(argv=tool.newest(at)),
            why="count the sealed snapshots and what is free",
        )
        links = Step(
            id=f"{job.name}/links",
            role=Role.LINKS,
            job=job.name,
            host=place.host,
            effect=Effect.READ,
            timeout=_LINKS_PATIENCE,
            action=Command(argv=tool.links(at, place.retention.max if place.retention else len(found.sealed))),
            why="whether the files with most names will run out of links before max",
        )
        planned = PlannedJob(name=job.name, kind=self.name, after=job.after, headline=_headline(look, said))
        findings = (Finding(severity=one.severity, text=one.text, do=one.do, source=job.name) for one in said)
        return Draft(planned=planned, steps=(step, links), findings=tuple(findings))

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return check_report(job, outcomes, around)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    store: Store
    found: StoreFacts
    options: CheckOptions
    now: datetime
    sealed: tuple[Snapshot, ...]
    decision: retention.Decision

    @property
    def clean(self) -> int:
        return sum(is_clean(one) for one in self.sealed)


def _look(place: Store, found: StoreFacts, options: CheckOptions, now: datetime) -> _Look:
    sealed = prune.counted(found)
    decision = retention.decide(sealed, place.retention, found.space, now)
    return _Look(store=place, found=found, options=options, now=now, sealed=sealed, decision=decision)


def _say(text: str, do: str = "") -> Finding:
    return Finding(severity="attention", text=text, source="", do=do)


def _count(look: _Look) -> Sequence[Finding]:
    policy = look.store.retention
    if policy is None or look.clean >= policy.min or not look.sealed:
        return ()
    text = f"store {look.store.name} has {count(look.clean, 'snapshot')} without exceptions, min is {policy.min}"
    oldest, days = look.sealed[0], _days(look)
    unclean = len(look.sealed) - look.clean
    # A new store fills by one a day, and its keeper knows it: that is no reason to call anybody.
    if _is_first(oldest) and look.clean + 1 >= days:
        return (Finding(severity="note", text=f"{text}: it is young yet", source=""),)
    why, do = [], []
    if unclean:
        why.append(f"{unclean} more have exceptions")
        do.append("runner snapshots --exceptions says what could not be read")
    if not _is_first(oldest):
        why.append(f"those before {oldest.name} are gone")
        do.append("find out who removed them, if `min` was not raised: nothing expires below min")
    if len(look.sealed) + 1 < days:
        why.append(f"in {count(days, 'day')} there were {len(look.sealed)}")
        do.append("see in `runner history` which runs failed")
    said = f"{text}: {', '.join(why)}" if why else text
    return (_say(said, "; ".join(do) or "nothing expires until there are enough"),)


def _days(look: _Look) -> int:
    oldest = snapshot_time(look.sealed[0].name)
    return (look.now - oldest).days if oldest else 0


def _is_first(oldest: Snapshot) -> bool:
    """Tell whether it may be the first that was ever made: then most of it was new."""
    if oldest.files is None or oldest.added_files is None:
        return False
    return 2 * oldest.added_files >= oldest.files


def _foreign(look: _Look) -> Sequence[Finding]:
    names = [one.name for one in look.found.sealed if not one.recorded]
    if not names:
        return ()
    text = f"{', '.join(names[:_SHOWN])} in store {look.store.name} has no record: no run sealed it"
    return (_say(text, "see where it comes from and move it away; until then it counts for nothing"),)


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
        # Where it freezes the store it is said with that.
        return () if look.decision.cause == smaller else (_say(smaller.text, smaller.do),)
    if not look.sealed:
        return ()
    # The first of all is whole, and says nothing of what is usual.
    newest, usual = look.sealed[-1], look.sealed[1:-1][-_USUAL:]
    told = [
        *_grew(newest.added_bytes, [one.added_bytes for one in usual], _LARGE, size),
        *_grew(newest.added_files, [one.added_files for one in usual], _MANY, _files),
    ]
    if not told:
        return ()
    text = f"{newest.name} brought {' and '.join(told)}"
    return (_say(text, "runner diff previous latest shows what is new"),)


def _grew(added: int | None, before: Sequence[int | None], least: int, words: Callable[[float], str]) -> Sequence[str]:
    known = [one for one in before if one is not None]
    if added is None or len(known) < 2 or added <= max(_GREW * median(known), least):
        return ()
    return (f"{words(added)}, {words(median(known))} is usual",)


def _files(number: float) -> str:
    return count(round(number), "file")


def _partials(look: _Look) -> Sequence[Finding]:
    times = [time for one in look.found.partials if (time := snapshot_time(one.name))]
    if not times or look.now - min(times) < _OLD_PARTIAL:
        return ()
    text = f"{count(len(times), 'interrupted snapshot')} left behind, the oldest of {min(times):%Y-%m-%d}"
    return (_say(text, "run the job that writes this store, and see why it does not come to its end"),)


def _room(look: _Look) -> Sequence[Finding]:
    decision = look.decision
    frozen = (_say(f"nothing expires: {decision.frozen}", decision.do),) if decision.frozen else ()
    spare = _spare(look)
    if look.found.space is None or spare is None:
        return frozen
    ahead = runway(growth(look.sealed), spare, look.store.retention)
    days = min((one for one in (ahead.days_of_bytes, ahead.days_of_inodes) if one is not None), default=None)
    if days is None or days >= look.options.runway.days:
        return frozen
    beyond = "with all that may expire" if spare != look.found.space else "and nothing may expire before min"
    text = f"store {look.store.name} fills up: {ahead.words()}, {beyond}"
    return (*frozen, _say(text, "a larger disk, fewer snapshots (min), or less to copy (exclude)"))


def _unproven(site: Site, look: _Look) -> Sequence[Finding]:
    """What no drill has brought back for too long, of all that the store's drills try."""
    if look.options.proven_every is None or not look.sealed:
        return ()
    own = [one.options for one in site.jobs if isinstance(one.options, DrillOptions)]
    tries = [one for one in own if one.store == look.store.name]
    # The sandbox has no database, and nobody asks of a store younger than that what was never tried.
    database = site.live and any(one.database for one in tries)
    oldest = snapshot_time(look.sealed[0].name)
    young = oldest is not None and look.now - oldest < look.options.proven_every
    sorts = ("files", *(("database",) if database else ()))
    wanted = tuple(sort for sort in sorts if sort in look.found.proven or not young)
    return tuple(
        _say(f"store {look.store.name}: {doubt.text}", doubt.do)
        for doubt in drill.stale(look.found.proven, wanted, look.options.proven_every, look.now)
    )


def _spare(look: _Look) -> Space | None:
    """The room that there would be without all above `min`, as far as is known; None where it is not."""
    policy, space = look.store.retention, look.found.space
    above = look.clean - policy.min if policy else 0
    if space is None or above <= 0:
        return space
    measured = [one for one in look.sealed if one.freed_bytes is not None and one.freed_inodes is not None]
    if not measured:
        return None
    last = measured[-1]
    return replace(
        space,
        free=space.free + above * (last.freed_bytes or 0) // len(measured),
        inodes_free=space.inodes_free + above * (last.freed_inodes or 0) // len(measured),
    )


def _uncovered(site: Site, place: Store, facts: Facts) -> Sequence[Finding]:
    every = [job for job in site.jobs if isinstance(job.options, SnapshotOptions)]
    found = []
    for name in dict.fromkeys(job.host for job in every if job.options.store == place.name):
        host, known = site.host(name), facts.hosts.get(name)
        own = [job.options for job in every if job.host == name]
        declared = [one.filesystems or host.filesystems for one in own]
        if known is None or known.error or host.root or not all(declared):
            continue
        stores = {one.path for one in site.stores if one.host == name}
        choice = filesystems.choose(
            known.filesystems,
            declared=(),
            expected=(),
            stores=sorted(stores | {one.path for one in known.stores.values()}),
            excluded=[path for one in own for path in one.exclude],
        )
        copied = {mount for one in declared for mount in one}
        missing = [one.mount for one in choice.chosen if one.mount not in copied]
        if missing:
            text = f"no job copies {', '.join(missing)} of {name}"
            found.append(_say(text, "add it to `filesystems` in jobs.toml, or say in `exclude` that it is meant"))
    return found


def _headline(look: _Look, said: Sequence[Finding]) -> str:
    wrong = sum(one.severity != "note" for one in said)
    newest = snapshot_time(look.sealed[-1].name) if look.sealed else None
    age = f", the newest {length(look.now - newest)} old" if newest else ""
    ahead = runway(growth(look.sealed), look.found.space, look.store.retention)
    lasts = f"; {ahead.words()}" if len(look.sealed) > 1 else ""
    head = count(wrong, "thing") + " to look at" if wrong else "nothing to do"
    proven = drill.told(look.found.proven, look.now)
    return f"{head}: {count(len(look.sealed), 'snapshot')}{age}{lasts}{f'; {proven}' if proven else ''}"
