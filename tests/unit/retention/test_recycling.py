"""Of which snapshot a new one is made: only of one that may go, and while nothing speaks against it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.jobs.retention import recycling
from runner.model.facts import Snapshot, StoreFacts
from runner.model.options import PruneOptions
from runner.model.plan import Effect
from runner.model.site import Job, Retention, Site
from runner.model.stored import Rates
from tests.unit import parts

GIB = 1 << 30
SPACE = {"size": 1000 * GIB, "free": 500 * GIB, "inodes": 10**8, "inodes_free": 5 * 10**7}
MOUNTS = ("/", "/home")
NEW = Snapshot(name="2026-11-23T081500Z", job="backup-papio", host="papio", filesystems=MOUNTS)


def site(**changes: Any) -> Site:
    here = parts.site()
    purge = Job(name="purge", kind="prune", host="server", options=PruneOptions(store="papio"))
    stores = (replace(here.stores[0], retention=Retention(min=2, max=4)), here.stores[1])
    return replace(here, stores=stores, jobs=(here.jobs[0], purge), **{"unattended": Effect.EXPIRE, **changes})


def store(count: int = 4, last: dict[str, Any] | None = None, **changes: Any) -> StoreFacts:
    days = range(23 - count, 23)
    known = {"host": "papio", "job": "backup-papio", "filesystems": list(MOUNTS)}
    sealed = [{**known, "name": f"2026-11-{day:02}T081500Z"} for day in days]
    sealed[-1].update(last or {})
    facts = parts.facts({"server": {"store": {"sealed": sealed, "space": SPACE}}})
    return replace(facts.hosts["server"].stores["papio"], **changes)


def recycled(here: Site, facts: StoreFacts, coming: Snapshot = NEW) -> str:
    gone = recycling.for_coming(here, here.stores[0], facts, coming)
    return gone.snapshot.name[8:10] if gone else ""


def test_at_max_it_is_the_oldest() -> None:
    assert recycled(site(), store()) == "19"
    assert recycled(site(), store(3)) == ""
    # What goes in any case is the prune job's.
    assert recycled(site(), store(5)) == ""


@pytest.mark.parametrize(
    ("here", "facts", "coming"),
    [
        (site(unattended=Effect.WRITE), store(), NEW),
        (replace(site(), jobs=site().jobs[:1]), store(), NEW),
        (site(), store(unread=("/store/.runner/pins.json",)), NEW),
        (site(), store(last={"files": 10}), NEW),
        (site(), store(rates=Rates(seals=4, expiries=0)), NEW),
        # One of the newest is not mounted today.
        (site(), store(), replace(NEW, filesystems=("/",))),
    ],
    ids=[
        "unattended",
        "no prune job",
        "pins that cannot be read",
        "a source that shrank",
        "the policy of the host",
        "a filesystem is missing",
    ],
)
def test_nothing_is_recycled_where_something_speaks_against_it(here: Site, facts: StoreFacts, coming: Snapshot) -> None:
    if facts.sealed[-1].files == 10:
        older = tuple(replace(each, files=1000) for each in facts.sealed[:-1])
        facts = replace(facts, sealed=(*older, facts.sealed[-1]))
    assert recycled(here, facts, coming) == ""


def test_a_stray_file_in_the_store_s_own_folder_speaks_against_nothing() -> None:
    assert recycled(site(), store(odd=("/store/.runner/records/stray",))) == "19"


def test_a_filesystem_that_is_new_speaks_against_nothing() -> None:
    assert recycled(site(), store(), replace(NEW, filesystems=(*MOUNTS, "/srv"))) == "19"
