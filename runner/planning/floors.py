"""A second reading of what a plan takes away: no store may be left below its `retention.min`."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from runner.model.facts import Facts, Snapshot, StoreFacts
from runner.model.names import snapshot_time
from runner.model.plan import Argv, Command, Finding, Plan, Step
from runner.model.site import Site, Store
from runner.model.text import count


def refusals(plan: Plan, site: Site, facts: Facts) -> tuple[Finding, ...]:
    """Refusals for a plan that would leave a store with less than its `retention.min`, by expiring or setting aside.

    Counted here again, and by itself: whoever decided what expires may be wrong. Every step that may
    expire counts as if it did. Only snapshots with a record and without exceptions count as left, and of
    each job and day (UTC, when they were sealed) no more than `retention.per_day`.
    """
    faults: list[str] = []
    steps = expiries(plan)
    moved = [(step, *gone) for step in plan.steps if (gone := _called(step, "set-aside"))]
    for place in site.stores:
        host = facts.hosts.get(place.host)
        known = host.stores.get(place.name) if host else None
        if known is None:
            continue
        own = [(step, name) for step, path, name in steps if (step.host, path) == (place.host, known.path)]
        if own:
            faults += [f"{step.id} expires {name}, and {known.doubted}" for step, name in own if known.doubted]
            faults += _below(place, known, own)
            steps = [row for row in steps if (row[0], row[2]) not in own]
        aside = [name for step, path, name in moved if (step.host, path) == (place.host, known.path)]
        faults += _below_aside(place, known, aside, facts.at)
        moved = [row for row in moved if (row[0].host, row[1]) != (place.host, known.path)]
    faults += [f"{step.id} expires {name} from {path}, which is no store that was read" for step, path, name in steps]
    faults += [f"{step.id} sets {name} of {path} aside, which is no store that was read" for step, path, name in moved]
    return tuple(Finding(severity="refusal", text=text, source="review") for text in faults)


def expiries(plan: Plan) -> list[tuple[Step, str, str]]:
    """Every step that may expire a snapshot, with the store's folder and the snapshot, as its command says."""
    return [(step, *gone) for step in plan.steps if (gone := _called(step, "expire") or _recycled(step))]


def _below(place: Store, known: StoreFacts, own: list[tuple[Step, str]]) -> list[str]:
    if place.retention is None:
        return [f"{step.id} expires {name}, and store {place.name} has no retention" for step, name in own]
    least = place.retention.min
    recorded = [snapshot for snapshot in known.sealed if snapshot.recorded]
    wrong = {snapshot.name: "is the newest" for snapshot in recorded[-1:]}
    wrong |= {snapshot.name: "is being read" for snapshot in recorded if snapshot.being_read}
    proven = {drill.snapshot for drill in known.proven.values()}
    wrong |= {
        snapshot.name: "is the last one that a drill restored"
        for snapshot in recorded
        if snapshot.proven or snapshot.name in proven
    }
    wrong |= {name: "is no sealed snapshot" for _, name in own if name not in {snapshot.name for snapshot in recorded}}
    faults = [f"{step.id} expires {name}, which {wrong[name]}" for step, name in own if name in wrong]
    faults += [
        f"{step.id} is given another minimum than min = {least}"
        for step, _ in own
        if f"--min={least}" not in _argv(step)
    ]
    most = place.retention.per_day
    faults += [
        f"{step.id} is given another number a day than per_day = {most}"
        for step, _ in own
        # A plan of an older runner says none: then the disk counts all, and it is counted here alone.
        if _per_day(_argv(step)) not in ("", str(most))
    ]
    left = _left(known, {name for _, name in own}, most)
    if left < least:
        many = count(left, "snapshot")
        faults.append(f"this plan would leave {many} without exceptions in store {place.name}, and min is {least}")
    return faults


def _below_aside(place: Store, known: StoreFacts, names: list[str], now: datetime) -> list[str]:
    """Why these may not be set aside: only one whose name lies in the future may be where too few would count."""
    past = [name for name in names if (at := snapshot_time(name)) is None or at <= now]
    counting = {snapshot.name for snapshot in known.sealed if snapshot.recorded and snapshot.exceptions == 0}
    if place.retention is None or not counting.intersection(past):
        return []
    left = _left(known, set(names), place.retention.per_day)
    if left >= place.retention.min:
        return []
    many = count(left, "snapshot")
    text = f"without {', '.join(past)} only {many} without exceptions would count in store {place.name}"
    return [f"{text}, and min is {place.retention.min}"]


def _left(known: StoreFacts, gone: set[str], most: int) -> int:
    stay = [each for each in known.sealed if each.recorded and each.exceptions == 0 and each.name not in gone]
    days = Counter((snapshot.job, _day(snapshot)) for snapshot in stay)
    return sum(min(many, most or many) for many in days.values())


def _per_day(argv: Argv) -> str:
    return next((word.partition("=")[2] for word in argv if word.startswith("--per-day=")), "")


def _day(snapshot: Snapshot) -> str:
    return f"{snapshot.sealed.astimezone(UTC):%Y-%m-%d}" if snapshot.sealed else snapshot.name.partition("T")[0]


def _called(step: Step, verb: str) -> tuple[str, str] | None:
    """Give the store's folder and the snapshot, where a step calls this verb of `runner-agent`."""
    argv = _argv(step)
    for program, word, path, name in zip(argv, argv[1:], argv[2:], argv[3:], strict=False):
        if word == verb and program.endswith("runner-agent"):
            return path, name
    return None


def _recycled(step: Step) -> tuple[str, str] | None:
    """The store's folder, and the snapshot that expires where a step makes a new one of it."""
    place = _called(step, "clone")
    gone = next((word.partition("=")[2] for word in _argv(step) if word.startswith("--recycle=")), "")
    return (place[0], gone) if place and gone else None


def _argv(step: Step) -> Argv:
    return step.action.argv if isinstance(step.action, Command) else ()
