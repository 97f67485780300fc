"""Kind `snapshot`: what golden plans do not show; see test_planner.py and cases/plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.jobs.snapshots.snapshot import SnapshotKind
from runner.model.kind import Draft
from runner.model.plan import Command
from runner.model.site import Site
from tests.unit import parts

KIND = SnapshotKind()


def draft(changes: dict[str, Any] | None = None, *, site: Site | None = None, job: str = "backup-papio") -> Draft:
    here = site or parts.site()
    return KIND.draft(here, here.job(job), parts.facts(changes, live=here.live), parts.NOW)


def argv(made: Draft, name: str) -> tuple[str, ...]:
    (step,) = [one for one in made.steps if one.id.endswith(f"/{name}")]
    assert isinstance(step.action, Command)
    return step.action.argv


def test_it_asks_for_what_was_restored_and_names_its_keys() -> None:
    site = parts.site()
    assert [probe.argv for probe in KIND.probes(site, site.jobs[0])] == [("runner-agent", "restored", "/var/restored")]
    assert KIND.probes(parts.site(live=False), site.jobs[0]) == ()
    assert "store" in KIND.schema["properties"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"papio": {"rsync": {"version": ""}}}, "papio has no rsync"),
        ({"server": {"rsync": {"version": "3.0.9"}}}, "server has rsync 3.0.9"),
        ({"server": {"store": {"problem": "the disk is another"}}}, "cannot be used: the disk is another"),
        ({"server": {"uid": 1000}}, "on server this runs as uid 1000"),
        ({"server": {"store": {"rates": {"seals": 0, "expiries": 1}}}}, "of server lets no more snapshots be sealed"),
        ({"papio": {"filesystems": []}}, "no filesystem of papio can be copied"),
        ({"server": {"store": {"sealed": [{"name": "2026-11-24T000000Z"}]}}}, "lies 15 h 45 min in the future"),
        ({"server": {"store": {"partials": [{"name": "2026-11-24T000000Z"}]}}}, "lies 15 h 45 min in the future"),
    ],
)
def test_a_snapshot_that_could_not_be_faithful_is_skipped_and_somebody_told(
    changes: dict[str, Any], reason: str
) -> None:
    made = draft(changes)
    assert made.planned is None
    assert made.steps == ()
    assert made.skip is not None
    assert reason in made.skip.reason
    (finding,) = made.findings
    assert (finding.severity, finding.text) == ("attention", made.skip.reason)
    assert finding.do


def test_in_the_sandbox_anybody_may_try_it() -> None:
    made = draft({"server": {"uid": 1000}, "papio": {"uid": 1000}}, site=parts.site(live=False))
    assert made.planned
    assert [finding.severity for finding in made.findings] == ["note"]


def test_in_the_sandbox_the_stand_ins_are_copied_whatever_filesystems_are_named() -> None:
    site = parts.site(live=False)
    named = replace(site.jobs[0], options=replace(site.jobs[0].options, filesystems=("/home",)))
    made = draft(site=replace(site, jobs=(named,)))
    assert argv(made, "begin")[-3:] == ("--", "/etc", "/usr/share/doc")
    assert made.findings == ()


BOUND = {"mount": "/srv/www", "source": "/dev/sd1", "type": "ext4", "dev": 2049, "root": "/photos"}
MEMORY = {"mount": "/srv/cache", "source": "tmpfs", "type": "tmpfs", "dev": 7}
LEFT = "left out inside /: /srv/cache (in memory (tmpfs)), /srv/www (the same filesystem as /)"


@pytest.mark.parametrize("declared", [(), ("/",)])
def test_what_is_mounted_inside_is_told_in_one_note_also_where_filesystems_are_declared(
    declared: tuple[str, ...],
) -> None:
    site = parts.site()
    named = replace(site.jobs[0], options=replace(site.jobs[0].options, filesystems=declared))
    known = [BOUND, MEMORY, *parts._hosts(live=True)["papio"]["filesystems"]]
    made = draft({"papio": {"filesystems": known}}, site=replace(site, jobs=(named,)))
    assert [(each.severity, each.text) for each in made.findings] == [
        ("note", LEFT if not declared else f"{LEFT[:18]} /home (not among the declared filesystems),{LEFT[18:]}")
    ]


def test_in_the_sandbox_what_is_mounted_inside_a_stand_in_is_left_out_and_told_too() -> None:
    inside = [
        {**BOUND, "mount": "/etc/a file", "file": True},
        {**BOUND, "mount": "/etc/www"},
        {**MEMORY, "mount": "/usr/share/doc/cache"},
        {**MEMORY, "mount": "/site/sandbox/server/srv/backups/papio"},
    ]
    made = draft({"papio": {"inside": inside}}, site=parts.site(live=False))
    assert [each.text for each in made.findings] == [
        "left out inside /etc: /etc/a file (one file, mounted by itself), /etc/www (the same filesystem as /etc)",
        "left out inside /usr/share/doc: /usr/share/doc/cache (in memory (tmpfs))",
    ]
    assert {"--exclude=/a file", "--exclude=/www/*"} <= set(argv(made, "differ-1"))
    assert {"--left-out=/etc/a file", "--emptied=/etc/www"} <= set(argv(made, "look-1"))
    assert "--exclude=/cache/*" in argv(made, "send-2")


def test_in_the_sandbox_an_excluded_stand_in_is_not_copied() -> None:
    made = draft(site=parts.site(live=False, exclude=("/etc", "/usr/share/doc/x")))
    assert argv(made, "begin")[-2:] == ("--", "/usr/share/doc")
    assert "--exclude=/x" in argv(made, "differ-1")


def test_a_filesystem_is_missed_for_a_week_of_snapshots_and_then_taken_for_gone() -> None:
    def sealed(count: int) -> dict[str, Any]:
        first = {"name": "2026-11-01T000000Z", "host": "papio", "filesystems": ["/", "/data"]}
        later = [
            {"name": f"2026-11-{day:02}T000000Z", "host": "papio", "filesystems": ["/"]} for day in range(2, 2 + count)
        ]
        return {"server": {"store": {"sealed": [first, *later]}}}

    assert any("/data of papio should be" in finding.text for finding in draft(sealed(6)).findings)
    assert draft(sealed(7)).findings == ()


def test_snapshots_of_another_host_tell_nothing_about_what_is_missing() -> None:
    sealed = [{"name": "2026-11-01T000000Z", "host": "old", "filesystems": ["/", "/data"]}]
    assert draft({"server": {"store": {"sealed": sealed}}}).findings == ()


def test_what_changed_is_judged_by_the_clock_of_the_source() -> None:
    made = draft({"server": {"now": "2026-11-23T08:05:00Z"}}, job="backup-server")
    assert "--since=2026-11-23T08:05:00+00:00" in argv(made, "explain-1")
    assert "--started=2026-11-23T08:15:00+00:00" in argv(made, "seal")
    unknown = draft({"server": {"now": None}}, job="backup-server")
    assert "--since=2026-11-23T08:15:00+00:00" in argv(unknown, "explain-1")


@pytest.mark.parametrize(
    ("papio", "server", "sums"),
    [
        (["xxh128", "md5"], ["md5", "xxh128"], "xxh128"),
        (["xxh128"], ["md5"], "md5"),
        ([], ["xxh128"], "md5"),
        ([], [], "md5"),
    ],
)
def test_the_checksum_is_one_that_both_ends_know_and_the_record_says_which(
    papio: list[str], server: list[str], sums: str
) -> None:
    made = draft({
        "papio": {"rsync": {"version": "3.5.0", "checksums": papio}},
        "server": {"rsync": {"version": "3.5.0", "checksums": server}},
    })  # fmt: skip
    assert f"--checksum-choice={sums}" in argv(made, "send-1")
    assert f"--checksum={sums}" in argv(made, "seal")


def test_the_uuid_of_jobs_toml_goes_before_the_one_that_was_found() -> None:
    site = parts.site()
    disk = replace(site.disks[0], uuid="99999999-2222-3333-4444-555555555555")
    assert "--uuid=99999999-2222-3333-4444-555555555555" in argv(draft(site=replace(site, disks=(disk,))), "begin")


def test_the_job_holds_its_store_and_says_what_it_writes() -> None:
    planned = draft().planned
    assert planned is not None
    assert (planned.writes, planned.resumes, planned.after) == ("papio/2026-11-23T081500Z", 0, ())
    assert [(lock.resource, lock.host) for lock in planned.locks] == [("store papio", "server")]


def test_half_a_file_is_sent_again_to_a_receiver_that_would_die_of_it() -> None:
    assert any(word.startswith("--partial-dir=") for word in argv(draft(), "send-1"))
    stock = draft({"server": {"rsync": {"version": "3.2.7"}}})
    assert not any(word.startswith("--partial-dir=") for word in argv(stock, "send-1"))


def test_while_a_copy_is_being_made_none_is_planned_and_it_is_not_taken_for_interrupted() -> None:
    copy = {"name": "2026-11-23T080000Z", "plan": "20261123T080000.000Z", "filesystems": ["/"]}
    holder = {"plan": copy["plan"], "who": "backup-papio of papio", "pid": 7, "since": "2026-11-23T08:00:00Z"}
    made = draft({"server": {"store": {"partials": [copy], "holder": holder}}})
    assert made.planned is None and made.skip is not None
    assert made.skip.cause == "store/papio/busy"
    assert (
        "backup-papio of papio has been making copy 2026-11-23T080000Z since 2026-11-23 08:00 UTC" in made.skip.reason
    )
    # Of a holder that does something else they are what was cut off, and are taken up.
    other = draft({"server": {"store": {"partials": [copy], "holder": {**holder, "plan": "20261123T081400.000Z"}}}})
    assert other.planned is not None and other.planned.resumes == 1


def test_before_the_first_copy_all_there_is_to_be_copied_is_foreseen_and_afterwards_history_is_asked() -> None:
    first = draft({"server": {"store": {"sealed": []}}}).planned
    later = draft().planned
    assert first and later
    assert first.forecast.bytes == 2 * 10**11 and later.forecast.bytes is None
