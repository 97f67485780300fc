"""What lies in a store and is not the store's, or is in the place of what should be read there. Pure."""

from __future__ import annotations

from dataclasses import replace

from runner.jobs.retention.doubts import out_of_the_count
from runner.model.copies import replaced
from runner.model.facts import StoreFacts
from runner.model.plan import Finding
from runner.model.site import Store
from runner.model.text import count, one_line

_LATEST = "latest"
_SHOWN = 5


def doubts(store: Store, facts: StoreFacts) -> tuple[Finding, ...]:
    """What a person should know of it: none of it is touched, and none of it keeps a snapshot from being made."""
    made = []
    if names := [snapshot.name for snapshot in facts.sealed if not snapshot.recorded]:
        text = f"{', '.join(names[:_SHOWN])} in store {store.name} has no record: no run sealed it"
        made.append(_doubt(text, "see where it comes from and move it away; until then it counts for nothing"))
    if places := replaced(facts):
        no_folder = "is no folder, so that snapshot counts" if len(places) == 1 else "are no folders, so they count"
        back = "if somebody moved a snapshot, put its folder back in that place; else move what is there elsewhere"
        text = f"{', '.join(places)} in store {store.name} {no_folder} for nothing"
        made.append(_doubt(text, f"{back}: the next check says what to do with the record of a lost snapshot"))
    if _LATEST in facts.foreign:
        text = f"{_LATEST} in store {store.name} is no link, so it does not lead to the newest snapshot"
        made.append(_doubt(text, f"see what is in it and move it away: the next snapshot makes {_LATEST} again"))
    if others := [one_line(name) for name in facts.foreign if name != _LATEST]:
        text = f"in the folder of store {store.name} lies what is not the store's: {', '.join(others)}"
        made.append(Finding(severity="note", text=text, source="", do="move it elsewhere: it never expires"))
    look = "look at it on the store's host: what it holds is not known, and counts as nothing"
    held = f"{look}; at max nothing expires for a new snapshot until then"
    odd = [path for path in facts.odd if path not in {f"{facts.path.rstrip('/')}/{name}" for name in places}]
    for paths, do in ((facts.unread, held), (odd, look)):
        if paths:
            text = f"{', '.join(map(one_line, paths))} in store {store.name} cannot be read"
            made.append(_doubt(text, do))
    if damaged := unread_records(store, facts):
        made.append(damaged)
    return tuple(made)


def unread_records(store: Store, stored: StoreFacts) -> Finding | None:
    """Which records of sealed snapshots cannot be understood, and what to do; None where there is no such record."""
    names = [snapshot.name for snapshot in stored.sealed if snapshot.recorded and snapshot.exceptions is None]
    if not names:
        return None
    more = f" and {len(names) - 1} more there" if names[1:] else ""
    path = f"{stored.path}/.runner/records/{names[0]}.json{more}"
    text = f"the record of {count(len(names), 'snapshot')} of store {store.name} is empty or damaged: {path}"
    counts = "they may be whole, but count" if len(names) > 1 else "it may be whole, but counts"
    them, command = out_of_the_count(store.name, names)
    look = f"look at the disk of {store.host} (dmesg, smartctl -a); {counts} for nothing"
    do = f"{look}; to take {them} out of the count (nothing is removed):"
    return replace(_doubt(text, do), command=command)


def _doubt(text: str, do: str) -> Finding:
    return Finding(severity="attention", text=text, source="", do=do)
