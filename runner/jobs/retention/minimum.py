"""Whether a store has the snapshots that `min` asks for, and why it has not: one sentence wherever it is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto

from runner.jobs.retention.thinning import counting, is_clean
from runner.model.facts import Snapshot
from runner.model.names import snapshot_time
from runner.model.plan import Finding
from runner.model.site import Store
from runner.model.text import count

_FIND_OUT = "find out who removed them, or whether `min` was raised: no run expires below min"


class OlderOnes(Enum):
    """What is known of snapshots before the oldest that a store has."""

    # It may be the first that was ever made.
    NONE = auto()
    # Some are gone, as another finding says.
    LOST = auto()
    # A person took them out of the count, whole or what was left of them.
    KNOWN = auto()
    # Some are gone, and this is where it is said.
    GONE = auto()


def few(store: Store, sealed: Sequence[Snapshot], older: OlderOnes, now: datetime) -> Finding | None:
    """That fewer of the snapshots, oldest first, count than `min`; None where there are enough, or none at all.

    A store fills by one a day, when it is new and when a person knows what became of those before: that is a note.
    """
    policy = store.retention
    known = counting(sealed, policy).count if policy else 0
    if policy is None or known >= policy.min or not sealed:
        return None
    oldest = sealed[0].name
    begun = snapshot_time(oldest)
    days = (now - begun).days if begun else 0
    why, do = _not_counted(store, sealed, known, policy.per_day)
    text = f"store {store.name} has {count(len(sealed), 'snapshot')}, min is {policy.min}"
    if why:
        text = f"{text}, and {known or 'none'} of them {'count' if known > 1 else 'counts'}"
    if older in (OlderOnes.NONE, OlderOnes.KNOWN) and known + 1 >= days:
        young, again = "it is still young", f"those before {oldest} were taken out or lost, and it fills again"
        why = [*([", ".join(why)] if why else []), young if older == OlderOnes.NONE else again]
        return Finding(severity="note", source="", text=f"{text}: {'; '.join(why)}")
    if older == OlderOnes.GONE:
        why.append(f"those before {oldest} are gone")
        do.append(_FIND_OUT)
    if len(sealed) + 1 < days:
        why.append(f"in {count(days, 'day')} there were {len(sealed)}")
        do.append("see in `runner history` which runs failed")
    text = f"{text}: {', '.join(why)}" if why else text
    if older == OlderOnes.LOST and not why:
        return Finding(severity="note", source="", text=f"{text}: nothing expires until there are enough")
    todo = "; ".join(do) or "nothing expires until there are enough"
    return Finding(severity="attention", source="", text=text, do=todo)


def _not_counted(store: Store, sealed: Sequence[Snapshot], known: int, per_day: int) -> tuple[list[str], list[str]]:
    """Why some do not count, and what to do about each."""
    unread = sum(snapshot.exceptions is None for snapshot in sealed)
    exceptions = [snapshot.name for snapshot in sealed if snapshot.exceptions]
    unclean = sum(not is_clean(snapshot) for snapshot in sealed) - unread
    beyond = len(sealed) - unread - unclean - known
    why, do = [], []
    if unclean:
        why.append(f"{unclean} {'has' if unclean == 1 else 'have'} exceptions")
        listing = f"`runner snapshots {store.name} --exceptions {exceptions[-1]}`" if exceptions else "the record"
        do.append(f"{listing} lists what could not be read; what never can goes into `accept`")
    if unread:
        why.append(f"the record of {unread} cannot be read")
    if beyond:
        why.append(f"{beyond} {'is' if beyond == 1 else 'are'} beyond the {per_day} a day that count (per_day)")
        do.append("see in `runner history` who makes so many in a day, and that the clock of the store's host is right")
    return why, do
