"""Facts in, plan out: golden cases in cases/plan (a new case is a new file), and what holds for every plan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.jobs.catalogue import KINDS
from runner.model.errors import HookFailed, UsageError
from runner.model.facts import Facts
from runner.model.kind import Draft
from runner.model.options import PruneOptions
from runner.model.plan import Command, Effect, Forecast, Insertion, Lock, Plan, PlannedJob, PutFile, Skip, Step
from runner.model.role import Role
from runner.model.site import Job, Site
from runner.planning import planner, review
from tests.unit import parts

GOLDEN = parts.cases("plan")


def planned(site: Site, facts: Facts, *names: str) -> Plan:
    return planner.draft(site, [site.job(name) for name in names], facts, KINDS, {})


def of_case(case: dict[str, Any]) -> tuple[Site, Facts]:
    live = case.get("live", True)
    site = parts.site(live=live, exclude=tuple(case.get("exclude", ())))
    if case.get("here"):
        disk, store = site.disks[0], site.stores[0]
        site = replace(site, disks=(replace(disk, host="papio"),), stores=(replace(store, host="papio"),))
    changes = case.get("facts", {})
    if count := case.get("partials"):
        names = [f"2026-11-23T00{number:02}00Z" for number in range(count)]
        changes = {"server": {"store": {"partials": [{"name": one, "filesystems": ["/"]} for one in names]}}}
    facts = parts.facts(changes, live=live)
    if case.get("here"):
        papio, server = facts.hosts["papio"], facts.hosts["server"]
        facts = replace(facts, hosts={"papio": replace(papio, stores=server.stores)})
    return site, facts


@pytest.mark.parametrize("name", GOLDEN)
def test_the_plan_is_the_golden_one(name: str) -> None:
    case = GOLDEN[name]
    site, facts = of_case(case)
    plan = planned(site, facts, *case["jobs"])
    text = parts.told(plan)
    if not case.get("commands", True):
        text = "".join(line + "\n" for line in text.splitlines() if not line.startswith("  "))
    assert text == case.get("plan", "").lstrip("\n"), f"the plan is now:\n{text}"


def test_every_golden_plan_passes_review() -> None:
    for case in GOLDEN.values():
        site, facts = of_case(case)
        plan = planned(site, facts, *case["jobs"])
        assert review.check(plan) == ()
        review.allow(plan, ceiling=site.unattended, reviewed=False, confirmed=False)


def test_no_golden_plan_lets_rsync_write_outside_of_what_arrives() -> None:
    for case in GOLDEN.values():
        site, facts = of_case(case)
        for step in planned(site, facts, *case["jobs"]).steps:
            argv = step.action.argv if isinstance(step.action, Command) else ()
            if "rsync" in argv and "--dry-run" not in argv:
                assert ".incoming/2026-11-23T0815" in argv[-1]
                assert not any(word.startswith("--link-dest") for word in argv)


@given(data=st.data(), live=st.booleans())
def test_the_plan_does_not_depend_on_any_order(data: st.DataObject, live: bool) -> None:
    site = parts.site(live=live, exclude=("/var/cache", "/opt"))
    facts = parts.facts(live=live)

    def shuffled(things: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(data.draw(st.permutations(things)))

    other = replace(site, hosts=shuffled(site.hosts), stores=shuffled(site.stores), disks=shuffled(site.disks))
    mixed = {
        name: replace(host, filesystems=shuffled(host.filesystems), stores=dict(shuffled(tuple(host.stores.items()))))
        for name, host in shuffled(tuple(facts.hosts.items()))
    }
    names = ("backup-papio", "backup-server")
    assert planned(other, replace(facts, hosts=mixed), *names) == planned(site, facts, *names)


def test_a_host_that_was_not_asked_skips_its_jobs() -> None:
    facts = parts.facts()
    plan = planned(parts.site(), replace(facts, hosts={"papio": facts.hosts["papio"]}), "backup-papio")
    assert plan.steps == ()
    assert "server cannot be read: it was not asked" in plan.skips[0].reason


def test_the_program_is_put_only_where_it_is_used_and_another() -> None:
    plan = planned(
        parts.site(), parts.facts({"papio": {"program": "old"}, "server": {"program": "old"}}), "backup-papio"
    )
    put = [step for step in plan.steps if isinstance(step.action, PutFile)]
    assert [step.host for step in put] == ["papio", "server"]
    assert plan.jobs[-1].after == ("prepare-papio", "prepare-server")
    first = planned(parts.site(), parts.facts({"papio": {"program": "old"}}), "backup-papio")
    assert [step.host for step in first.steps if isinstance(step.action, PutFile)] == ["papio"]


def test_the_file_of_the_former_name_is_removed_after_the_program_is_there() -> None:
    plan = planned(parts.site(), parts.facts({"papio": {"program": "", "former": True}}), "backup-papio")
    put, removal = (step for step in plan.steps if step.job == "prepare-papio")
    assert isinstance(put.action, PutFile)
    assert removal.action == Command(argv=("rm", "--force", "--", "/usr/local/sbin/runner-store"))
    assert plan.jobs[0].name == "prepare-papio" and plan.jobs[-1].after == ("prepare-papio",)
    again = planned(parts.site(), parts.facts({"papio": {"former": True}}), "backup-papio")
    assert [step.id for step in again.steps if step.job == "prepare-papio"] == ["prepare-papio/former"]


def opened(**more: Any) -> Facts:
    return parts.facts({"server": {"store": {"open": ["/srv/backups/papio"], **more}}})


@pytest.mark.parametrize("job", ["backup-papio", "purge"])
def test_a_store_that_others_may_enter_is_closed_first_by_whatever_job_works_on_it(job: str) -> None:
    plan = planned(purging(), opened(), job)
    (step,) = [step for step in plan.steps if step.job == "prepare-server"]
    assert step.action == Command(argv=("/usr/local/sbin/runner-agent", "close", "/srv/backups/papio"))
    assert (step.role, step.subject, step.effect) == (Role.PREPARE, "papio", Effect.WRITE)
    assert plan.jobs[-1].after == ("prepare-server",)
    (finding,) = [finding for finding in plan.findings if finding.source == "prepare-server"]
    assert finding.severity == "attention"
    assert "other users of server could enter store papio" in finding.text
    assert "this run closes it" in finding.text


def test_a_store_with_other_things_in_its_folder_is_told_and_left() -> None:
    plan = planned(purging(), opened(foreign=["www"]), "purge")
    assert [step for step in plan.steps if step.job == "prepare-server"] == []
    (finding,) = plan.findings
    assert "it stays open, since there is something else in its folder: www" in finding.text
    assert "/srv/backups/papio" in finding.do


def test_an_empty_store_is_left_to_whoever_holds_it_and_another_is_not_looked_at() -> None:
    assert planned(purging(), opened(sealed=[]), "backup-papio").findings == ()
    assert not any("close" in step.id for step in planned(purging(), opened(sealed=[]), "backup-papio").steps)
    other = {"papio": {"store": {"open": ["/srv/backups/server"]}}}
    assert not any("close" in step.id for step in planned(purging(), parts.facts(other), "purge").steps)


def test_of_two_stores_of_a_host_only_the_one_that_the_steps_name_is_closed_and_rested_on() -> None:
    here, known = purging(), opened()
    here = replace(here, stores=(here.stores[0], replace(here.stores[1], host="server")))
    papio, server = known.hosts["papio"], known.hosts["server"]
    other = replace(papio.stores["server"], open=("/srv/backups/server",), path="/srv/backups/server")
    hosts = {"papio": replace(papio, stores={}), "server": replace(server, stores={**server.stores, "server": other})}
    plan = planned(here, replace(known, hosts=hosts), "purge")
    assert [step.subject for step in plan.steps if step.job == "prepare-server"] == ["papio"]
    assert [entry.subject for entry in plan.basis] == ["jobs.toml", "host papio", "host server", "store papio"]


def purging() -> Site:
    here = parts.site()
    job = Job(name="purge", kind="prune", host="server", options=PruneOptions(store="papio"))
    return replace(here, jobs=(*here.jobs, job))


def test_a_path_that_only_looks_like_the_program_brings_it_nowhere() -> None:
    step = parts.step("restore-server/copy", "rsync", "/x/usr/local/sbin/runner-agent", "/y/", host="server")
    draft = Draft(planned=PlannedJob(name="restore-server", kind="restore"), steps=(step,))
    plan = planner.assemble(parts.site(), (draft,), parts.facts({"server": {"program": ""}}), {})
    assert plan.steps == (step,)


def test_where_only_a_lock_needs_the_program_it_is_put_there_too() -> None:
    lock = Lock(resource="power server", host="server", argv=("/usr/local/sbin/runner-agent", "hold"))
    job = PlannedJob(name="down", kind="reboot", locks=(lock,))
    draft = Draft(planned=job, steps=(parts.step("down/one", "true", host="papio"),))
    plan = planner.assemble(parts.site(), (draft,), parts.facts({"server": {"program": ""}}), {})
    assert [step.id for step in plan.steps] == ["prepare-server/runner-agent", "down/one"]


def test_the_forecast_of_a_job_is_in_its_plan() -> None:
    foretold = Forecast(bytes=1, files=2, seconds=3.0, runs=4)
    site = parts.site()
    plan = planner.draft(site, site.jobs, parts.facts(), KINDS, {"backup-server": foretold})
    assert [job.forecast for job in plan.jobs] == [Forecast(), foretold]


def test_days_that_shared_foretell_nothing_where_there_is_nothing_to_share_with() -> None:
    past = {"backup-papio": Forecast(bytes=0, files=0, seconds=5.5, runs=7)}
    site = parts.site(live=False)
    for sealed, known in (([], Forecast()), ([{"name": "2026-11-22T081500Z", "host": "papio"}], past["backup-papio"])):
        facts = parts.facts({"server": {"store": {"sealed": sealed}}}, live=False)
        (job,) = planner.draft(site, [site.job("backup-papio")], facts, KINDS, past).jobs
        assert job.forecast == known


def inserted(*wishes: Insertion) -> list[str]:
    plan = parts.plan(parts.step("a/one"), parts.step("a/two"), parts.step("b/one"))

    def add(job: PlannedJob, steps: tuple[Step, ...], facts: Facts) -> tuple[Insertion, ...]:
        return wishes if job.name == "a" else ()

    return [step.id for step in planner.insert(plan, parts.facts(), add).steps]


def wish(name: str, where: Any, anchor: str) -> Insertion:
    return Insertion(step=parts.step(name, added_by="hook"), where=where, anchor=anchor)


def test_steps_of_hooks_stand_next_to_their_anchor_in_the_order_of_the_wishes() -> None:
    assert inserted(wish("a/x", "before", "a/one"), wish("a/y", "before", "a/one")) == [
        "a/x", "a/y", "a/one", "a/two", "b/one",
    ]  # fmt: skip
    assert inserted(wish("a/x", "after", "a/one"), wish("a/y", "after", "a/one"), wish("a/z", "after", "a/two")) == [
        "a/one", "a/x", "a/y", "a/two", "a/z", "b/one",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "bad", [wish("a/x", "after", "a/none"), wish("a/x", "before", "b/one"), wish("b/one", "after", "a/one")]
)
def test_a_wish_that_does_not_fit_refuses_the_plan(bad: Insertion) -> None:
    with pytest.raises(HookFailed):
        inserted(bad)


FILESYSTEMS = [
    {"mount": mount, "source": "/dev/sda", "type": kind, "dev": dev, "size": size, "used": size // 10}
    for mount, kind, dev, size in (
        ("/", "ext4", 2049, 10**12),
        ("/home", "ext4", 2050, 10**12),
        ("/proc", "proc", 5, 0),
    )
]


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"papio": {"uid": 1}}, "host papio"),
        ({"server": {"rsync": {"version": "3.4.0"}}}, "host server"),
        ({"papio": {"filesystems": []}}, "host papio"),
        ({"server": {"store": {"sealed": []}}}, "store papio"),
        ({"server": {"store": {"partials": [{"name": "2026-11-23T010000Z"}]}}}, "store papio"),
        ({"server": {"store": {"problem": "gone"}}}, "store papio"),
        ({"server": {"store": {"uuid": "another"}}}, "store papio"),
        ({"papio": {"error": "no answer", "stores": {}}}, "host papio"),
        ({"papio": {"filesystems": [*FILESYSTEMS, {**FILESYSTEMS[0], "mount": "/new", "dev": 99}]}}, "host papio"),
    ],
)
def test_what_changed_since_the_plan_is_named(changes: dict[str, Any], subject: str) -> None:
    site = parts.site()
    then, now = planner.basis(site, parts.facts()), planner.basis(site, parts.facts(changes))
    assert planner.changed(then, then) == ()
    told = planner.changed(then, now)
    assert told
    assert re.match(rf"{subject} (changed: .+ then, .+ now|cannot be read now)$", told[0])


def test_what_the_kernel_mounts_and_nobody_copies_is_no_change() -> None:
    tmpfs = {"mount": "/run/user/1000", "source": "tmpfs", "type": "tmpfs", "dev": 77}
    then, now = parts.facts(), parts.facts({"papio": {"filesystems": [*FILESYSTEMS, tmpfs]}})
    assert planner.changed(planner.basis(parts.site(), then), planner.basis(parts.site(), now)) == ()


def test_another_jobs_toml_is_a_change_and_a_later_moment_is_none() -> None:
    site = parts.site()
    then = planner.basis(site, parts.facts())
    assert planner.changed(then, planner.basis(site, parts.facts(at=parts.later(hours=3)))) == ()
    changed = planner.changed(then, planner.basis(replace(site, digest="ee" * 32), parts.facts()))
    assert [text.partition(" ")[0] for text in changed] == ["jobs.toml"]


def test_only_the_hosts_of_a_job_and_of_its_store_are_read() -> None:
    site = parts.site()
    assert planner.hosts_of(site, site.jobs[:1]) == ("papio", "server")
    alone = replace(site, stores=(replace(site.stores[0], host="papio"),))
    assert planner.hosts_of(alone, site.jobs[:1]) == ("papio",)


def test_the_host_whose_snapshots_a_prune_is_about_is_read_too() -> None:
    site = purging()
    assert planner.needed(site, site.job("purge")) == ("server",)
    assert planner.hosts_of(site, [site.job("purge")]) == ("papio", "server")


def test_a_store_that_was_written_and_is_empty_is_doubted_and_its_job_skipped() -> None:
    facts = parts.facts({"server": {"store": {"sealed": []}}})
    plan = planner.draft(
        parts.site(), [parts.site().job("backup-papio")], facts, KINDS, {"backup-papio": Forecast(runs=3)}
    )
    (skip,), (finding,) = plan.skips, plan.findings
    assert plan.steps == () and skip.reason == finding.text
    assert skip.reason.startswith("store papio is empty, and backup-papio has written to it before")


class Passed:
    """A kind that only settles drafts, and whose methods are nowhere on its class, as plugins' kinds are wrapped."""

    def __getattr__(self, word: str) -> Any:
        if word not in ("draft", "together"):
            raise AttributeError(word)
        return self._draft if word == "draft" else self._together

    @staticmethod
    def _draft(site: Site, job: Job, facts: Facts, now: datetime) -> Draft:
        return Draft(planned=PlannedJob(name=job.name, kind=job.kind))

    @staticmethod
    def _together(site: Site, jobs: Sequence[Job], drafts: tuple[Draft, ...], facts: Facts) -> tuple[Draft, ...]:
        return tuple(replace(draft, skip=Skip(job=draft.planned.name, reason="settled")) for draft in drafts)  # type: ignore[union-attr]


@pytest.mark.parametrize("has", [{"records": True}, {"done": lambda *_: Skip(job="a", reason="it is")}, {}])
def test_a_kind_that_keeps_no_record_of_its_instants_is_not_asked_for_them(has: dict[str, Any]) -> None:
    site, facts = of_case({})
    job = replace(site.jobs[0], kind="simple", instant=parts.NOW)
    kind = SimpleNamespace(draft=Passed._draft, **has)
    made = planner.draft(site, [job], facts, {"simple": kind}, {})  # type: ignore[dict-item]
    assert [(each.name, each.instant) for each in made.jobs] == [(job.name, parts.NOW)]


@pytest.mark.parametrize("word", ["draft", "together"])
def test_a_kind_that_says_what_is_wrong_is_heard(word: str) -> None:
    def refuse(*_: object) -> Any:
        raise UsageError("the options do not fit", do="see docs/jobs.md")

    site, facts = of_case({})
    kind = SimpleNamespace(**{"draft": Passed._draft, word: refuse})
    with pytest.raises(UsageError, match="the options do not fit"):
        planner.draft(site, [replace(site.jobs[0], kind="simple")], facts, {"simple": kind}, {})  # type: ignore[dict-item]


def test_a_kind_that_has_only_one_of_the_two_looks_beyond_is_asked_it() -> None:
    site, facts = of_case({})
    job = replace(site.jobs[0], kind="passed")
    made = planner.draft(site, [job], facts, {"passed": Passed()}, {})  # type: ignore[dict-item]
    assert [skip.reason for skip in made.skips] == ["settled"]
