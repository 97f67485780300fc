"""A store that was written before and is empty now is not written until a person has said that it is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.jobs.snapshots.filesystems import emptied
from tests.unit import parts

EMPTY: dict[str, dict[str, Any]] = {"server": {"store": {"sealed": []}}}


def test_an_empty_store_on_an_undeclared_disk_is_doubted_once_the_job_has_written_it() -> None:
    site = parts.site()
    finding = emptied(site, site.job("backup-papio"), parts.facts(EMPTY), runs=3)
    assert finding is not None
    assert finding.severity == "attention"
    assert "another disk is mounted at /srv/backups/papio" in finding.text
    assert 'uuid = "11111111-2222-3333-4444-555555555555"' in finding.do


def test_a_first_snapshot_and_a_disk_that_is_declared_are_not_doubted() -> None:
    site = parts.site()
    job = site.job("backup-papio")
    assert emptied(site, job, parts.facts(EMPTY), runs=0) is None
    known = replace(site, disks=(replace(site.disks[0], uuid="11111111-2222-3333-4444-555555555555"),))
    assert emptied(known, job, parts.facts(EMPTY), runs=3) is None
    assert emptied(site, job, parts.facts(), runs=3) is None


def test_a_store_that_could_not_be_read_is_not_said_to_be_empty() -> None:
    site = parts.site()
    changes = {"server": {"store": {"sealed": [], "problem": "the disk is not mounted"}}}
    assert emptied(site, site.job("backup-papio"), parts.facts(changes), runs=3) is None


@pytest.mark.parametrize("partials", [[{"name": "2026-11-22T081500Z"}]])
def test_a_store_with_an_interrupted_snapshot_is_the_one_it_was(partials: list[dict[str, str]]) -> None:
    site = parts.site()
    changes = {"server": {"store": {"sealed": [], "partials": partials}}}
    assert emptied(site, site.job("backup-papio"), parts.facts(changes), runs=1) is None


def test_a_store_without_a_disk_and_the_sandbox_are_not_doubted() -> None:
    site = parts.site()
    changes: dict[str, Any] = {"papio": {"store": {"sealed": []}}}
    assert emptied(site, site.job("backup-server"), parts.facts(changes), runs=3) is None
    played = parts.site(live=False)
    assert emptied(played, played.job("backup-papio"), parts.facts(EMPTY, live=False), runs=3) is None
