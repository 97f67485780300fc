"""A host that cannot confine what hears another works as before there was a view, and is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.jobs.policy.unconfined import unconfined
from runner.jobs.snapshots import restore
from runner.jobs.snapshots.check import CheckKind
from runner.jobs.snapshots.route import RestoreRequest
from runner.model.facts import Snapshot
from runner.model.kind import Draft
from runner.model.options import CheckOptions
from runner.model.plan import Command
from runner.model.site import Job, Site
from runner.planning import planner
from tests.unit import parts
from tests.unit.planning.test_planner import planned


def site(*names: str, live: bool = True) -> Site:
    """That of the tests, where these hosts are not confined."""
    known = parts.site(live=live)
    return replace(known, hosts=tuple(replace(host, confined=host.name not in names) for host in known.hosts))


def test_each_such_host_of_a_live_site_is_named() -> None:
    assert unconfined(site()) == () == unconfined(site("papio", live=False))
    (note,) = unconfined(site("papio"))
    assert note.severity == "note" and "papio" in note.text and "confined = false" in note.text and note.do
    assert len(unconfined(site("papio", "server"))) == 2


def test_each_check_has_it() -> None:
    check = Job(name="check", kind="check", host="server", options=CheckOptions(store="papio"))
    facts = parts.facts({"server": {"store": {"sealed": [{"name": "2026-11-22T081500Z", "host": "papio"}]}}})
    texts = [note.text for note in CheckKind().draft(site("papio"), check, facts, parts.NOW).findings]
    assert unconfined(site("papio"))[0].text in texts


@pytest.mark.parametrize(("names", "without"), [((), 0), (("papio",), 1), (("server",), 0)])
def test_only_what_that_host_receives_and_looks_at_is_root_s(names: tuple[str, ...], without: int) -> None:
    here = site(*names)
    snapshot = Snapshot(name="2026-11-22T081500Z", host="papio")
    wanted = RestoreRequest(host="papio", path="/etc", store=here.store("papio"), snapshot=snapshot)
    drafts: tuple[Draft | planner.Plan, ...] = (
        planned(here, parts.facts(), "backup-server"),
        restore.draft(here, wanted, parts.facts(), parts.NOW),
    )
    for each in drafts:
        argvs = [step.action.argv for step in each.steps if isinstance(step.action, Command)]
        hears = [argv for argv in argvs if any(word.startswith("--rsh=") for word in argv)]
        bare = [argv for argv in hears if not {"--confined", "confine"} & set(argv) and "--super" not in argv]
        assert hears and len(bare) == (len(hears) if without else 0)
