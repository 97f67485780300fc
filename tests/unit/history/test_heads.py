"""What a store's history is, is compared with what the journal has seen of it; another store is compared with nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.jobs.history import heads
from runner.model.facts import Facts, HostFacts, Reading, StoreFacts, Wrote
from runner.model.stored import SeenHead
from tests.unit import parts

ONE, TWO = "2026-11-21T081500Z", "2026-11-22T081500Z"
HEAD, LATER = f"41:{'a' * 64}", f"45:{'b' * 64}"
KNOWN = {"papio": SeenHead(head=HEAD, at=parts.NOW - timedelta(days=1), place=9)}
HERE = Wrote(path="/srv/backups/papio", uuid="", first=parts.NOW, last=parts.NOW, names=(ONE,))
ELSEWHERE = replace(HERE, path="/mnt/papio", last=parts.NOW + timedelta(hours=1))
WENT = {"at": "2026-11-22T09:00:00.000000Z", "event": "expired", "snapshot": ONE}
FINE: dict[str, Any] = {"head": LATER, "continues": True}


def facts(answer: object, *, exit_code: int = 0, wrote: tuple[Wrote, ...] = (HERE,), **store: Any) -> Facts:
    made = parts.site()
    here = made.store("papio")
    stored = StoreFacts(path=here.path, exists=True, **store)
    reading = Reading(exit=exit_code, out=json.dumps(answer))
    host = HostFacts(name=here.host, stores={"papio": stored}, readings={"history.papio": reading})
    return Facts(at=parts.NOW, hosts={here.host: host}, wrote={"backup-papio": wrote})


def told(known: Facts, asked: tuple[str, ...] = ()) -> list[str]:
    listed = heads.doubts(parts.site(), known, KNOWN, lambda: asked)
    assert all(each.severity == "attention" and each.do for each in listed)
    return [each.text for each in listed]


@pytest.mark.parametrize(
    ("known", "texts"),
    [
        (facts(FINE), []),
        (facts({**FINE, "continues": False}), ["the history of store papio at server is not the one that this runner saw on 2026-11-22"]),
        (facts({"head": "", "continues": False}), ["the history of store papio at server is not the one that this runner saw on 2026-11-22"]),
        (facts({"head": "", "broken": "line 7 is\nodd", "continues": False}), ["the history of store papio at server cannot be followed: line 7 is\\nodd"]),
        (facts({**FINE, "gone": [ONE]}), [f"{ONE} of store papio: gone, with the record, and its history has no line that says why"]),
        (facts({**FINE, "gone": [ONE]}, lost=(ONE,)), []),
        (facts({**FINE, "strange": [TWO]}), [f"{TWO} of store papio: not sealed by its history, and there all the same"]),
        (facts({**FINE, "since": [WENT], "changes": 1}), [f"store papio: {ONE} expired at 2026-11-22T09:00Z, and this runner did not ask for it"]),
        (facts({**FINE, "since": [{**WENT, "event": "sealed"}], "changes": 1}), []),
        # Another store at that name, one that was not asked, an answer that is none, a disk that is not there.
        (facts({**FINE, "continues": False}, wrote=(HERE, ELSEWHERE)), []),
        (facts({**FINE, "continues": False}, exit_code=1), []),
        (facts({**FINE, "head": "41:../x", "continues": False}), []),
        (facts([["x"]]), []),
        (facts({**FINE, "continues": False}, problem="it is not mounted"), []),
    ],
)  # fmt: skip
def test_what_is_not_as_it_was_seen_is_told(known: Facts, texts: list[str]) -> None:
    assert [text.replace("backup-server1", "server") for text in told(known)] == texts


def test_what_a_run_asked_for_is_no_news() -> None:
    assert told(facts({**FINE, "since": [WENT], "changes": 1}), (ONE,)) == []
    assert len(told(facts({**FINE, "since": [WENT, {**WENT, "snapshot": TWO}], "changes": 2}), (ONE,))) == 1


def test_the_last_head_of_any_job_of_a_store_is_asked_for() -> None:
    site, now = parts.site(), parts.NOW
    one, two = SeenHead(head=HEAD, at=now, place=3), SeenHead(head=LATER, at=now, place=4)
    purge = replace(site.jobs[0], name="purge-papio")
    site = replace(site, jobs=(*site.jobs, purge))
    known = heads.seen(site, {"backup-papio": two, "purge-papio": one, "gone-job": one})
    assert known == {"papio": two}
    host = site.store("papio").host
    (probe,) = heads.probes(replace(site, stores=(site.store("papio"),)), (host,), known)
    assert probe.argv == ("runner-agent", "chain", site.store("papio").path, f"--known={LATER}")
    assert heads.probes(site, ("nobody",), known) == ()
