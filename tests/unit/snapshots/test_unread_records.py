"""A record that is empty or damaged is a person's business: its snapshot counts for nothing, and is no basis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runner.jobs.snapshots.check import CheckKind
from runner.jobs.snapshots.foreign import unread_records
from runner.jobs.snapshots.snapshot import SnapshotKind
from runner.model.facts import StoreFacts
from runner.report.todo import to_do
from tests.unit import parts


def sealed(store: StoreFacts, **changes: Any) -> list[dict[str, Any]]:
    """The newest snapshot of the store, with these changes."""
    newest = store.sealed[-1]
    return [{"name": newest.name, "host": newest.host, "filesystems": list(newest.filesystems), **changes}]


def test_it_is_named_by_its_path_and_all_is_copied_again() -> None:
    site, store = parts.site(), parts.facts().hosts["server"].stores["papio"]
    # As the agent answers where it can believe nothing in a record.
    empty = sealed(store, host="", filesystems=[], exceptions=None)
    facts = parts.facts({"server": {"store": {"sealed": empty}}})
    draft = SnapshotKind().draft(site, site.job("backup-papio"), facts, facts.at)
    (finding,) = [each for each in draft.findings if each.severity == "attention"]
    assert f"/srv/backups/papio/.runner/records/{store.sealed[-1].name}.json" in finding.text
    notes = [each.text for each in draft.findings if each.severity == "note"]
    assert (
        "a snapshot whose record cannot be read is no basis: there is no other of papio, so all is copied again"
        in notes
    )
    assert finding.command == f"runner snapshots papio --set-aside {store.sealed[-1].name}"
    assert draft.planned, "a backup is made all the same"


def test_the_command_is_for_as_many_as_a_person_can_copy() -> None:
    site, known = parts.site(), parts.facts().hosts["server"].stores["papio"]
    several = tuple(replace(known.sealed[0], name=f"2026-11-{day}T081500Z", exceptions=None) for day in range(10, 22))
    finding = unread_records(site.store("papio"), replace(known, sealed=several))
    them = "the first 10 of 12 (the next run names the others)"
    assert finding and finding.do.endswith(f"to take {them} out of the count (nothing is removed):")
    assert finding.command.split()[4:] == [each.name for each in several[:10]]
    finding = unread_records(site.store("papio"), replace(known, sealed=several[:2]))
    assert finding and finding.do.endswith("to take them out of the count (nothing is removed):")


def test_a_record_that_can_be_read_is_no_matter() -> None:
    site, known = parts.site(), parts.facts().hosts["server"].stores["papio"]
    assert unread_records(site.store("papio"), known) is None
    unrecorded = replace(known, sealed=tuple(replace(each, recorded=False) for each in known.sealed))
    assert unread_records(site.store("papio"), unrecorded) is None, "a folder without a record is another matter"


def test_the_check_says_so_every_day() -> None:
    site, store = parts.site(), parts.facts().hosts["server"].stores["papio"]
    facts = parts.facts({"server": {"store": {"sealed": sealed(store, exceptions=None)}}})
    options = CheckKind.options(store="papio")
    job = replace(site.job("backup-papio"), name="check-papio", kind="check", options=options)
    checked, backed_up = (
        CheckKind().draft(site, job, facts, facts.at),
        SnapshotKind().draft(site, site.job("backup-papio"), facts, facts.at),
    )
    found = [each for draft in (checked, backed_up) for each in draft.findings if "empty or damaged" in each.text]
    # One thing to do, which is said once.
    assert len(found) == 2
    (item,) = to_do((), found, {}).items
    assert item.text.count("is empty or damaged") == 1
