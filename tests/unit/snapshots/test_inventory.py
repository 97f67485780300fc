"""What a snapshot leaves beside itself: the steps behind its seal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.jobs.snapshots import inventory
from runner.jobs.snapshots.snapshot import SnapshotKind
from runner.model.plan import Command, Effect
from runner.model.site import Job
from tests.unit import parts


@dataclass(frozen=True, kw_only=True)
class Dump:
    to: str


def dump(name: str, host: str, to: str) -> Job:
    return Job(name=name, kind="dump", host=host, options=Dump(to=to))


def test_a_host_s_folders_of_dumps_are_those_of_its_own_dump_jobs_each_once() -> None:
    jobs = (dump("a", "papio", "/srv/a"), dump("b", "server", "/srv/b"), dump("c", "papio", "/srv/a"))
    site = parts.site(jobs=(*parts.site().jobs, *jobs))
    assert inventory.dumps(site, "papio") == ("/srv/a",)
    assert inventory.dumps(parts.site(), "papio") == ()


def test_it_comes_after_the_seal_and_before_anything_is_removed() -> None:
    partials = [{"name": "2026-11-22T091500Z", "filesystems": ["/"]}]
    site = replace(parts.site(), jobs=(*parts.site().jobs, dump("d", "papio", "/srv/dumps")))
    facts = parts.facts({"server": {"store": {"partials": partials}}})
    made = SnapshotKind().draft(site, site.job("backup-papio"), facts, parts.NOW)
    steps = made.steps[[step.id for step in made.steps].index("backup-papio/seal") :]
    assert [step.id.partition("/")[2] for step in steps] == ["seal", "about", "site", "keep-about", "reap"]
    _, look, read, keep, _ = steps
    assert (look.effect, read.effect, keep.effect) == (Effect.READ, Effect.READ, Effect.WRITE)
    assert (look.host, read.host, keep.host) == ("papio", site.controller, "server")
    assert keep.inputs == (look.id, read.id)
    assert isinstance(keep.action, Command)
    assert "--dumps=/srv/dumps" in keep.action.argv
    assert f"--site-sha256={site.digest}" in keep.action.argv
