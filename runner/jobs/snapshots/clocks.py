"""Whether the controller's clock can be right, before a snapshot is named by it: a false name blocks what follows.

Clocks of other machines decide: those of the job's own hosts, so that no other can keep it from being done. What the
store and the journal remember only says how long nothing ran: a site that was off, and a clock that jumped, look the
same there, and so do the times in a filesystem, which the same clock wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runner.jobs.retention.doubts import out_of_the_count
from runner.model.cause import Fault, of_host, of_store
from runner.model.facts import Facts, HostFacts, StoreFacts
from runner.model.names import CLOSE, next_snapshot_name, snapshot_time
from runner.model.plan import Finding
from runner.model.site import Job, Site, Store
from runner.model.text import count, length

# Clocks that nobody sets may be off by that; a name that is, does no harm.
NEAR = timedelta(hours=1)
# A name that is off by more may keep the next day's snapshot from being made.
FALSE = timedelta(days=1)
# What was named within that time was named by the clock that runs still.
LATELY = timedelta(days=2)
# Of one machine alone: so long a silence is worth a word.
SILENCE = timedelta(days=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class Clocks:
    """What a job's snapshot will be named by, and what there is to compare with."""

    site: Site
    job: Job
    store: Store
    facts: Facts

    @property
    def stored(self) -> StoreFacts:
        """The store as it was read."""
        return self.facts.hosts[self.store.host].stores[self.store.name]

    @property
    def sealed(self) -> tuple[str, ...]:
        """The names of the sealed snapshots of the store."""
        return tuple(snapshot.name for snapshot in self.stored.sealed if snapshot.recorded)

    @property
    def others(self) -> tuple[HostFacts, ...]:
        """The job's hosts that say what time it is."""
        names = dict.fromkeys((self.job.host, self.store.host))
        return tuple(self.facts.hosts[name] for name in names if self.facts.hosts[name].now is not None)

    def ahead_of(self, host: HostFacts) -> timedelta:
        """How far the controller's clock stands before that host's."""
        return self.facts.at - (host.now or self.facts.at)

    def is_another(self, host: HostFacts) -> bool:
        """Whether it has a clock of its own."""
        controller = self.facts.hosts.get(self.site.controller)
        same = controller is not None and controller.boot_id == host.boot_id != ""
        return host.name != self.site.controller and not same

    @property
    def is_steady(self) -> bool:
        """Whether the controller named a snapshot here lately, which was sealed after that by the store's own clock."""
        at = self.facts.at
        return any(
            named <= at <= named + LATELY and sealed - named >= -NEAR
            for named, sealed in ((snapshot_time(each.name), each.sealed) for each in self.stored.sealed)
            if named and sealed
        )

    def went_back(self, host: HostFacts) -> bool:
        """Whether it is the store's host, and stands before what it wrote itself when it last sealed."""
        own = [snapshot.sealed for snapshot in self.stored.sealed if snapshot.sealed]
        return host.name == self.store.host and bool(own) and max(own) - (host.now or self.facts.at) > NEAR


def name_or_why(clocks: Clocks) -> str | Finding:
    """The name of a snapshot that begins now; or why the controller's clock may name none."""
    # A folder that no run sealed may have any name, and stands in nobody's way.
    taken = [*clocks.sealed, *(partial.name for partial in clocks.stored.partials)]
    name = next_snapshot_name(clocks.facts.at, taken)
    return _behind(clocks) if name is None else (_ahead(clocks) or name)


def from_the_future(names: Iterable[str], at: datetime) -> list[str]:
    """Those of the names of snapshots that keep the next one from being named at `at`."""
    return [name for name in names if (time := snapshot_time(name)) and time - at > CLOSE]


def doubts(clocks: Clocks) -> tuple[Finding, ...]:
    """What a person should know of the clocks, where a snapshot is made all the same."""
    return (*_apart(clocks), *_silent(clocks))


def _ahead(clocks: Clocks) -> Finding | None:
    differ = [host for host in clocks.others if clocks.ahead_of(host) > FALSE and not clocks.went_back(host)]
    agree = [host for host in clocks.others if clocks.is_another(host) and abs(clocks.ahead_of(host)) <= FALSE]
    if not differ or agree or clocks.is_steady:
        return None
    witness = next((host for host in differ if clocks.is_another(host)), differ[0])
    site, at = clocks.site, clocks.facts.at
    text = (
        f"the clock of {site.controller} says {_day(at)}, and that of {witness.name} {_day(witness.now)}: "
        f"it seems {length(clocks.ahead_of(witness))} ahead, and the snapshot would have a name from the future"
    )
    do = f"nothing was written; set the clock that is wrong ({site.controller} or {witness.name}) and run again"
    return replace(_attention(clocks.job, text, do), cause=_cause(site))


def _behind(clocks: Clocks) -> Finding:
    at, store = clocks.facts.at, clocks.store.name
    partials = {partial.name for partial in clocks.stored.partials}
    later = from_the_future((*clocks.sealed, *partials), at)
    last = max(later)
    by = (snapshot_time(last) or at) - at
    slow = next((host for host in clocks.others if -clocks.ahead_of(host) > NEAR), None)
    if slow:
        text = f"the clock of {clocks.site.controller} says {_day(at)}, and that of {slow.name} {_day(slow.now)}"
        do = f"set the clock of {clocks.site.controller}; snapshots must be in order of time"
        finding = _attention(clocks.job, f"{text}; store {store} has {last}, which comes after", do)
        return replace(finding, cause=_cause(clocks.site))
    what = last if len(later) == 1 else f"{count(len(later), 'snapshot')}, the last {last},"
    lies = "lies" if len(later) == 1 else "lie"
    text = f"{what} of store {store} {lies} {length(by)} in the future: a clock that was ahead gave the name"
    wait = "wait until then, or " if by <= FALSE else ""
    why = f"no snapshot can be made before {'it is' if len(later) == 1 else 'they are'} out of the way"
    named = sorted(set(later).intersection(clocks.sealed))
    do, command = "drop what is interrupted:", f"runner snapshots {store} --drop-partials"
    if named:
        them, command = out_of_the_count(store, named)
        do = f"take {them} out of the count:"
    finding = _attention(clocks.job, text, f"{why}: {wait}{do}", command)
    return replace(finding, cause=of_store(store, Fault.CLOCK))


def _apart(clocks: Clocks) -> Iterator[Finding]:
    for host in clocks.others:
        if (by := clocks.ahead_of(host)) > NEAR or -by > NEAR:
            order = "behind" if by > NEAR else "ahead of"
            text = f"the clock of {host.name} is {length(abs(by))} {order} that of {clocks.site.controller}"
            do = "set the one that is wrong; names and dates of snapshots rest on them"
            yield replace(_attention(clocks.job, text, do), cause=of_host(host.name, Fault.CLOCK))


def _silent(clocks: Clocks) -> Iterator[Finding]:
    """For want of another clock: how long the store and the journal know of nothing."""
    at = clocks.facts.at
    if any(clocks.is_another(host) for host in clocks.others):
        return
    names = (snapshot_time(snapshot.name) for snapshot in clocks.stored.sealed)
    known = [time for time in (*names, *clocks.facts.last.values()) if time is not None and time <= at]
    if known and at - max(known) > SILENCE:
        text = (
            f"nothing ran since {_day(max(known))}, {length(at - max(known))} ago by the clock of "
            f"{clocks.site.controller}, and there is no other clock to compare it with"
        )
        do = "if the site was off that long, all is well; if not, set the clock before the next run"
        yield _attention(clocks.job, text, do)


def _cause(site: Site) -> str:
    return of_host(site.controller, Fault.CLOCK)


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "nothing"


def _attention(job: Job, text: str, do: str, command: str = "") -> Finding:
    return Finding(severity="attention", source=job.name, text=text, do=do, command=command)
