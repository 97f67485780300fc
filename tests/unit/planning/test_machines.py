"""A host is the machine that it was: rules over ids, known and not known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.jobs.catalogue import together
from runner.jobs.snapshots.machine import another
from runner.model.errors import StalePlan
from runner.model.facts import BoundMachine, Facts, Snapshot
from runner.model.plan import Forecast
from runner.planning import machines, planner
from runner.tools.machines import unread
from tests.unit import parts

OLD, NEW, OTHER = "a" * 32, "b" * 32, "c" * 32
SITE = parts.site()
KINDS = together(())


def facts(
    *, papio: str = "", server: str = "", bound: dict[str, BoundMachine] | None = None, copied: str = ""
) -> Facts:
    """What both hosts say; `copied` is the machine of papio's newest snapshot."""
    known = parts.facts({"papio": {"machine": papio}, "server": {"machine": server}})
    store = known.hosts["server"].stores["papio"]
    sealed = tuple(replace(snapshot, machine=copied) for snapshot in store.sealed)
    keeper = replace(known.hosts["server"], stores={"papio": replace(store, sealed=sealed)})
    return replace(known, hosts={**known.hosts, "server": keeper}, bound=bound or {})


def skipped(known: Facts) -> list[str]:
    plan = planner.draft(SITE, SITE.jobs, machines.checked(SITE, known), KINDS, {})
    return sorted(skip.job for skip in plan.skips)


@pytest.mark.parametrize(
    ("now", "bound", "read"), [(OLD, OLD, True), (NEW, OLD, False), ("", OLD, True), (NEW, "", True), ("", "", True)]
)
def test_only_another_known_id_is_another_machine(now: str, bound: str, read: bool) -> None:
    known = machines.checked(SITE, facts(server=now, bound={"server": BoundMachine(machine=bound)} if bound else {}))
    assert (known.hosts["server"].error == "") is read
    assert known.hosts["papio"].error == "", "nobody else is doubted for it"


def test_the_refusal_names_host_both_ids_and_the_command_that_lifts_it() -> None:
    known = machines.checked(SITE, facts(server=NEW, bound={"server": BoundMachine(machine=OLD)}))
    finding = unread(SITE, "backup-papio", known, "server")
    assert finding and (finding.severity, finding.source) == ("attention", "backup-papio")
    assert all(word in finding.text for word in ("server", NEW, OLD))
    assert (finding.command, finding.cause) == ("runner run --new-machine server", "host/server/stranger")
    with pytest.raises(StalePlan, match=NEW):
        machines.require_same(SITE, known)


def test_the_machine_that_the_runner_is_on_is_named_as_what_it_is_taken_for() -> None:
    known = machines.checked(SITE, facts(papio=NEW, bound={"papio": BoundMachine(machine=OLD)}))
    finding = unread(SITE, "backup-papio", known, "papio")
    assert finding and finding.command == "runner run --here papio --new-machine papio"


def test_what_to_do_about_a_host_that_cannot_be_read_is_of_its_failure() -> None:
    known = parts.facts({"server": {"error": "ssh: there is no ssh key here", "do": "make one"}})
    finding = unread(SITE, "backup-papio", known, "server")
    assert finding and finding.do == "make one; the next run makes up for what was left out"
    assert finding.text == "server cannot be read: ssh: there is no ssh key here"
    silent = parts.facts({"server": {"error": "ssh: server does not answer"}})
    finding = unread(SITE, "backup-papio", silent, "server")
    assert finding and finding.do.startswith("see that it is on and can be reached; ")


def test_jobs_of_other_hosts_go_on() -> None:
    site = replace(SITE, jobs=(*SITE.jobs, parts.job("own", host="papio", store="server")))
    known = machines.checked(site, facts(server=NEW, bound={"server": BoundMachine(machine=OLD)}))
    plan = planner.draft(site, site.jobs, known, KINDS, {})
    assert {skip.job for skip in plan.skips} == {"backup-papio", "backup-server"}
    assert [job.name for job in plan.jobs if job.kind == "snapshot"] == ["own"]


@pytest.mark.parametrize(
    ("now", "copied", "bound", "refused"),
    [
        (NEW, OLD, None, True),
        (NEW, OLD, BoundMachine(machine=NEW), True),
        (NEW, OLD, BoundMachine(machine=NEW, former=(OLD,)), False),
        (NEW, OTHER, BoundMachine(machine=NEW, former=(OLD,)), True),
        (OLD, OLD, None, False),
        ("", OLD, None, False),
        (NEW, "", None, False),
    ],
)
def test_a_store_knows_whose_snapshots_it_has(now: str, copied: str, bound: BoundMachine | None, refused: bool) -> None:
    known = facts(papio=now, copied=copied, bound={"papio": bound} if bound else {})
    finding = another(SITE, SITE.job("backup-papio"), known)
    assert bool(finding) is refused
    assert skipped(known) == (["backup-papio"] if refused else [])
    if finding:
        assert all(word in finding.text for word in (now, copied, "2026-11-22T081500Z", "store papio"))
        assert finding.cause == "host/papio/stranger"


def test_a_folder_without_a_record_says_nothing_of_a_machine() -> None:
    known = facts(papio=NEW, copied=OLD)
    store = known.hosts["server"].stores["papio"]
    odd = Snapshot(name="2026-11-22T091500Z", host="papio", machine=OTHER, recorded=False)
    keeper = replace(known.hosts["server"], stores={"papio": replace(store, sealed=(*store.sealed, odd))})
    finding = another(SITE, SITE.job("backup-papio"), replace(known, hosts={**known.hosts, "server": keeper}))
    assert finding and OTHER not in finding.text


def test_a_first_run_binds_what_it_acts_on_and_what_has_an_id() -> None:
    known = facts(papio=OLD, server="")
    assert machines.fresh(known, ("papio", "server", "gone")) == {"papio": BoundMachine(machine=OLD)}
    assert machines.fresh(known, ()) == {}
    again = replace(known, bound={"papio": BoundMachine(machine=NEW)})
    assert machines.fresh(again, ("papio",)) == {}, "what is bound stays until a person says otherwise"


def test_a_person_s_word_gives_up_what_the_host_was_in_state_and_in_the_stores() -> None:
    known = facts(papio=NEW, copied=OTHER, bound={"papio": BoundMachine(machine=OLD, former=(NEW,))})
    made = machines.taken(known, ("papio", "server"))
    assert made == {"papio": BoundMachine(machine=NEW, former=(OLD, OTHER))}
    lifted = replace(known, bound=made)
    assert machines.checked(SITE, lifted).hosts["papio"].error == ""
    assert another(SITE, SITE.job("backup-papio"), lifted) is None


def test_two_hosts_of_one_id_are_a_note_until_they_are_bound() -> None:
    known = facts(papio=OLD, server=OLD)
    (note,) = machines.notes(SITE, known)
    assert note.severity == "note" and "papio and server have one machine-id" in note.text
    both = {name: BoundMachine(machine=OLD) for name in ("papio", "server")}
    assert machines.notes(SITE, replace(known, bound=both)) == ()
    assert skipped(known) == []


def test_a_bound_host_without_an_id_is_a_note() -> None:
    (note,) = machines.notes(SITE, facts(server="", bound={"server": BoundMachine(machine=OLD)}))
    assert "server has no machine-id now" in note.text


def test_the_sandbox_has_none_of_it() -> None:
    site = parts.site(live=False)
    known = replace(parts.facts({"papio": {"machine": NEW}}, live=False), bound={"papio": BoundMachine(machine=OLD)})
    assert machines.checked(site, known) is known
    assert machines.notes(site, known) == ()
    plan = planner.draft(site, site.jobs, known, KINDS, {name.name: Forecast() for name in site.jobs})
    assert not any("--machine" in word for step in plan.steps for word in getattr(step.action, "argv", ()))


def test_a_seal_is_told_the_machine() -> None:
    plan = planner.draft(SITE, SITE.jobs, facts(papio=NEW), KINDS, {})
    words = [word for step in plan.steps for word in getattr(step.action, "argv", ())]
    assert words.count(f"--machine={NEW}") == 1
