"""Kind `drill` as a plan, and the report of how it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.jobs.database.dump import DumpOptions
from runner.jobs.drill.drill import DrillKind
from runner.jobs.drill.report import drill_report
from runner.jobs.retention import retention
from runner.jobs.snapshots import proven as drill
from runner.jobs.snapshots.check import CheckKind
from runner.model.facts import BoundMachine, Proven, Snapshot
from runner.model.kind import Draft
from runner.model.options import CheckOptions, DrillOptions
from runner.model.plan import Command, Effect, Ended, PlannedJob
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.site import Job, Retention, Site
from runner.planning import floors, review
from runner.planning import machines as same
from tests.unit import parts

KIND = DrillKind()
NAMES = [f"2026-11-{day:02}T081500Z" for day in range(1, 23)]
SCRATCH = "/var/restored/drill/20261123T081500.000Z"
OLD, NEW = NAMES[0], NAMES[-1]


def site(options: DrillOptions, *, dumps_on: str = "papio", **changes: Any) -> Site:
    here = parts.site(**changes)
    dump = Job(name="dump-babase", kind="dump", host=dumps_on, options=DumpOptions(to="/srv/dumps"))
    job = Job(name="drill", kind="drill", host="server", options=options)
    return replace(here, jobs=(*here.jobs, dump, job))


def draft(
    here: Site | None = None, *, changes: dict[str, Any] | None = None, names: list[str] | None = None, **options: Any
) -> Draft:
    made = here or site(DrillOptions(**{"store": "papio", **options}))
    sealed = [{"name": name, "host": "papio"} for name in (NAMES if names is None else names)]
    facts = parts.facts({"server": {"store": {"sealed": sealed}}, **(changes or {})}, live=made.live)
    return KIND.draft(made, made.job("drill"), facts, parts.NOW)


def argvs(made: Draft) -> dict[str, tuple[str, ...]]:
    return {step.id.partition("/")[2]: step.action.argv for step in made.steps if isinstance(step.action, Command)}


def test_files_come_back_over_the_wire_to_their_own_host_and_nothing_of_them_stays() -> None:
    made = draft(canaries=("/etc/passwd",))
    known = argvs(made)
    assert list(known) == ["room", "sample", "files-room", "copy", "compare", "proven-files", "clear"]
    assert [step.host for step in made.steps] == ["papio", "server", "papio", "papio", "papio", "server", "papio"]
    assert max(step.effect for step in made.steps) == Effect.WRITE
    assert known["copy"][:3] == ("/usr/local/sbin/runner-agent", "bring", "--")
    assert known["copy"][-2:] == ("server:/srv/backups/papio/", f"{SCRATCH}/files/")
    assert {"--files-from=-", "--from0", "--acls", "--numeric-ids", "--protect-args"} <= set(known["copy"])
    assert known["sample"][3:7] == (
        "--seed=20261123T081500.000Z", "--files=200", "--most=1073741824", "--canary=/etc/passwd",
    )  # fmt: skip
    assert made.planned and made.planned.headline == "seed 20261123T081500.000Z"
    assert made.steps[-1].despite == tuple(step.id for step in made.steps[:-1])
    assert not review.check(parts.plan(*made.steps))


def test_the_snapshots_it_draws_from_are_in_the_plan_and_kept_while_it_lasts() -> None:
    made = draft()
    words = argvs(made)["sample"]
    drawn = words[words.index("--") + 1 :]
    assert len(drawn) == drill.MOST and drawn[-1] == NEW and list(drawn) == sorted(set(drawn))
    assert made.planned
    _, reading = made.planned.locks
    assert reading.argv == ("/usr/local/sbin/runner-agent", "reading", "/srv/backups/papio", *drawn)
    assert argvs(made)["proven-files"][3:5] == ("files", NEW)


def test_the_same_seed_draws_from_the_same_snapshots() -> None:
    assert drill.choose(NAMES, "1") == drill.choose(list(reversed(NAMES)), "1")
    assert len({drill.choose(NAMES, str(seed)) for seed in range(9)}) > 5
    assert drill.choose(NAMES[:1], "1") == (NAMES[0],)


def test_what_is_about_to_expire_is_not_drawn_from() -> None:
    here = site(DrillOptions(store="papio"))
    here = replace(here, stores=(replace(here.stores[0], retention=Retention(min=1, max=3)), here.stores[1]))
    words = argvs(draft(here))["sample"]
    assert list(words[words.index("--") + 1 :]) == NAMES[-3:]


def test_the_database_comes_out_of_the_newest_snapshot_and_is_tried_also_when_files_are_wrong() -> None:
    made = draft(database="dump-babase")
    known = argvs(made)
    assert list(known)[6:] == ["dumps", "dumps-room", "dumps-copy", "restore", "proven-database", "clear"]
    assert known["dumps"][1:] == ("newest-dumps", "/srv/backups/papio", NEW, "/srv/dumps")
    assert known["restore"] == ("/usr/local/sbin/runner-agent", "try-dumps", SCRATCH, "--user=postgres")
    for step in made.steps[6:11]:
        assert step.despite == ("drill/compare", "drill/proven-files")
    assert known["proven-database"][3:5] == ("database", NEW)


def test_in_the_sandbox_only_files_are_tried_and_all_stays_in_it() -> None:
    made = draft(site(DrillOptions(store="papio", database="dump-babase"), live=False))
    known = argvs(made)
    assert list(known)[-2:] == ["proven-files", "clear"]
    assert [finding.text for finding in made.findings] == ["the sandbox has no database: only files are tried"]
    assert known["room"][2] == "/site/sandbox/papio/var/restored/drill"
    assert known["room"][-1] == "--run=/site/sandbox/papio/run/runner/lock"
    assert "--source=/" in known["compare"] and not any(word.startswith("--rsh") for word in known["copy"])


@pytest.mark.parametrize(
    ("here", "why"),
    [
        (site(DrillOptions(store="papio", database="dump-bab")), "'dump-bab' is no job of kind dump"),
        (site(DrillOptions(store="papio", database="backup-papio")), "'backup-papio' is no job of kind dump"),
        (
            site(DrillOptions(store="papio", database="dump-babase"), dumps_on="server"),
            "job dump-babase dumps the databases of server, and store papio has papio",
        ),
    ],
)
def test_a_database_that_cannot_be_in_the_store_needs_a_person_and_the_files_are_tried(here: Site, why: str) -> None:
    made = draft(here)
    assert [(finding.severity, finding.text) for finding in made.findings] == [
        ("attention", f"no database is tried: {why}")
    ]
    assert "compare" in argvs(made) and "restore" not in argvs(made)


def test_without_a_snapshot_or_a_host_to_restore_to_nothing_is_tried_and_it_is_said_why() -> None:
    assert draft(names=[]).skip
    made = draft(changes={"papio": {"error": "no route"}})
    assert made.skip and made.skip.reason == "papio cannot be read: no route"
    assert [finding.severity for finding in made.findings] == ["attention"]


def test_what_keeps_it_from_its_host_is_of_the_cause_that_keeps_others() -> None:
    made = draft(changes={"papio": {"shell": "Welcome"}})
    assert made.skip and (made.skip.cause, made.findings[0].cause) == ("host/papio/shell", "host/papio/shell")
    here = site(DrillOptions(store="papio"))
    facts = parts.facts({"papio": {"machine": "a" * 32}, "server": {"store": {"sealed": [{"name": NAMES[0]}]}}})
    facts = same.checked(here, replace(facts, bound={"papio": BoundMachine(machine="b" * 32)}))
    made = KIND.draft(here, here.job("drill"), facts, parts.NOW)
    assert made.skip and made.skip.cause == "host/papio/stranger"
    assert made.findings[0].command == "runner run --here papio --new-machine papio"


def report(**outcomes: tuple[State, dict[str, Any]]) -> JobReport:
    made = [
        Outcome(step=f"drill/{name.replace('_', '-')}", **parts.role(f"drill/{name.replace('_', '-')}"), job="drill", state=state, result=result,
                note=str(result.get("error", "")))
        for name, (state, result) in outcomes.items()
    ]  # fmt: skip
    report = drill_report(PlannedJob(name="drill", kind="drill", headline="seed 1"), made)
    assert report
    return report


FILES = {"files": 212, "canaries": 3, "snapshots": 14, "recorded": 200, "attributes": 14, "source": 9, "unchecked": 0}
BABASE = {"database": "babase", "at": "2026-11-23T07:00:00.5Z", "tables": 41, "rows": 1_204_113}
WRONG = [{"snapshot": NEW, "path": "/etc/a\nb", "what": "its content is not what was sealed"}] * 7


def test_a_drill_that_went_well_says_so_with_its_numbers() -> None:
    made = report(compare=(State.DONE, FILES), restore=(State.DONE, {"databases": [BABASE]}), clear=(State.DONE, {}))
    assert made.verdict == Verdict.DONE
    assert made.headline == (
        "212 files and 3 canaries of 14 snapshots came back as sealed; "
        "database babase: 41 tables, 1,204,113 rows (dump of 2026-11-23T07:00)"
    )
    assert made.details[-1] == "the same sample again: seed 1"


def test_the_headline_of_many_databases_fits_a_line_and_none_of_them_hides_a_doubt() -> None:
    many = [
        {**BABASE, "database": f"site_{number}", "at": f"2026-11-{number % 20 + 1:02}T02:00:00Z"}
        for number in range(32)
    ]
    made = report(compare=(State.DONE, FILES), restore=(State.DONE, {"databases": many}), clear=(State.DONE, {}))
    assert made.verdict == Verdict.DONE and len(made.headline) <= 200
    assert "32 databases came back with" in made.headline and "the oldest dump is of 2026-11-01T02:00" in made.headline
    assert any("database site_0: " in line for line in made.details) and "and 27 more databases" in made.details
    odd = [{**each, "left": ["a setting"]} for each in many]
    made = report(compare=(State.DONE, FILES), restore=(State.DONE, {"databases": odd}), clear=(State.DONE, {}))
    assert made.verdict == Verdict.ATTENTION and len(made.headline) <= 300
    assert made.headline.endswith("(and 31 more, below)")
    assert sum("did not come back" in line for line in made.details) == 31


def test_what_is_wrong_is_named_first_and_the_rest_is_counted() -> None:
    result = {**FILES, "total": 70, "wrong": WRONG, "error": f"'/etc/a\\nb' of {NEW}: its content ...; 69 more"}
    made = report(compare=(State.FAILED, result), restore=(State.DONE, {"databases": [BABASE]}))
    assert made.verdict == Verdict.FAILED
    assert made.headline == f"what came back is not what it was: '/etc/a\\nb' of {NEW}: its content ...; 69 more"
    assert made.details[0] == f"/etc/a\\nb of {NEW}: its content is not what was sealed"
    assert "and 65 more" in made.details
    assert any("database babase" in line for line in made.details)


def test_two_failures_are_both_named() -> None:
    bad = {
        "databases": [],
        "total": 1,
        "wrong": [{"database": "babase", "dump": "d", "what": "d: damaged"}],
        "error": "database 'babase': d: damaged",
    }
    made = report(
        compare=(State.FAILED, {**FILES, "total": 1, "wrong": WRONG[:1], "error": "e"}), restore=(State.FAILED, bad)
    )
    assert made.headline == "what came back is not what it was: e; and database 'babase': d: damaged"
    assert "database babase: d: damaged" in made.details


def test_what_was_restored_and_could_not_be_removed_needs_a_person() -> None:
    made = report(compare=(State.DONE, FILES), clear=(State.FAILED, {"error": "the disk is read-only"}))
    assert made.verdict == Verdict.ATTENTION
    assert "what was restored is still there: the disk is read-only" in made.headline


def test_settings_that_did_not_come_back_need_a_person_and_who_needs_a_superuser_is_said() -> None:
    odd = {**BABASE, "left": ["ALTER DATABASE babase SET x.y TO 1: no such setting"], "superuser": "language\nc"}
    made = report(compare=(State.DONE, FILES), restore=(State.DONE, {"databases": [odd]}), clear=(State.DONE, {}))
    assert made.verdict == Verdict.ATTENTION
    assert made.headline.endswith(
        "; but of database babase did not come back: ALTER DATABASE babase SET x.y TO 1: no such setting"
    )
    assert "database babase: restore-db will need --as-superuser for it: language\\nc" in made.details


def test_an_answer_that_cannot_be_read_is_no_answer_that_all_is_well() -> None:
    made = report(compare=(State.DONE, {**FILES, "files": "212"}), restore=(State.DONE, {}), clear=(State.DONE, {}))
    assert made.verdict == Verdict.ATTENTION
    assert made.headline == "whether all came back is not known: the answer of compare and of restore cannot be read"


def test_where_nothing_could_be_tried_nothing_has_failed_and_nothing_is_proven() -> None:
    none = {"databases": [], "untried": True, "error": "no snapshot has a dump yet", "do": "dump"}
    made = report(compare=(State.DONE, FILES), restore=(State.DONE, none), proven_database=(State.NOT_NEEDED, {}))
    assert made.verdict == Verdict.ATTENTION
    assert made.headline.endswith("came back as sealed; but no database was tried: no snapshot has a dump yet; dump")
    bare = {**FILES, "recorded": 0, "attributes": 0, "source": 0}
    made = report(compare=(State.DONE, bare), proven_files=(State.NOT_NEEDED, {}))
    assert made.verdict == Verdict.ATTENTION
    assert made.headline == "whether 215 files came back as sealed is not known: the store has no checksums of them"


def test_a_proof_is_recorded_unless_there_was_nothing_to_try() -> None:
    steps = {step.id: step for step in draft(database="dump-babase").steps}
    for sort, tried in (("files", "compare"), ("database", "restore")):
        assert steps[f"drill/proven-{sort}"].unless == Ended(step=f"drill/{tried}", codes=(3,))
        assert steps[f"drill/{tried}"].ok_codes == (0, 3)


def test_the_report_of_another_kind_is_not_its_own() -> None:
    assert drill_report(PlannedJob(name="x", kind="prune"), []) is None


PROVEN = {
    "files": Proven(snapshot=NEW, at=parts.NOW - timedelta(days=2)),
    "database": Proven(snapshot=OLD, at=parts.NOW - timedelta(days=5)),
}


def test_how_old_the_proof_is_is_said_in_words() -> None:
    assert drill.ages(PROVEN, parts.NOW) == "last proven restore: 2 days ago (files), 5 days ago (database)"
    assert drill.ages({}, parts.NOW) == ""


def checked(proven: dict[str, Any], every: timedelta | None, **options: Any) -> list[str]:
    here = site(DrillOptions(**{"store": "papio", **options}))
    job = Job(name="check", kind="check", host="server", options=CheckOptions(store="papio", proven_every=every))
    sealed = [{"name": name, "host": "papio"} for name in NAMES]
    facts = parts.facts({"server": {"store": {"sealed": sealed, "proven": proven}}})
    made = CheckKind().draft(replace(here, jobs=(*here.jobs, job)), job, facts, parts.NOW)
    return [finding.text for finding in made.findings if "proven" in finding.text]


def test_a_proof_that_is_too_old_or_missing_is_a_matter_for_a_person() -> None:
    known = {sort: {"snapshot": proof.snapshot, "at": proof.at} for sort, proof in PROVEN.items()}
    week = timedelta(days=7)
    assert checked(known, None) == checked({}, None) == []
    assert checked(known, week, database="dump-babase") == []
    assert checked(known, timedelta(days=3), database="dump-babase") == [
        f"store papio: a restore of the database was last proven to work 5 days ago, with {OLD}"
    ]
    assert checked(known, timedelta(days=3)) == []
    assert checked({}, week) == ["store papio: a restore of files was never proven to work"]


def test_a_proof_of_a_snapshot_that_is_gone_proves_nothing_of_the_others() -> None:
    gone = {"files": {"snapshot": "2026-01-01T081500Z", "at": parts.NOW - timedelta(hours=1)}}
    assert checked(gone, timedelta(days=7)) == [
        "store papio: a restore of files was last proven to work with 2026-01-01T081500Z, which is gone: "
        "it proves nothing of the others"
    ]
    facts = parts.facts({"server": {"store": {"sealed": [{"name": NEW}, {"name": OLD, "recorded": False}]}}})
    stored = replace(facts.hosts["server"].stores["papio"], proven=PROVEN)
    assert drill.ages(drill.standing(stored), parts.NOW) == "last proven restore: 2 days ago (files)"
    assert drill.standing(replace(stored, sealed=())) == {}


def test_the_last_proven_snapshot_never_expires_while_no_newer_one_is() -> None:
    sealed = [Snapshot(name=name, proven=("files",) if name == OLD else ()) for name in NAMES]
    made = retention.decide(sealed, Retention(min=1, max=2), None, parts.NOW)
    assert OLD not in {gone.snapshot.name for gone in made.expire}
    (kept,) = (keep for keep in made.keep if keep.snapshot.name == OLD)
    assert kept.reason == "the last that was proven to come back: no newer one is"
    free = retention.decide(
        [replace(snapshot, proven=()) for snapshot in sealed], Retention(min=1, max=2), None, parts.NOW
    )
    assert OLD in {gone.snapshot.name for gone in free.expire}


def test_a_plan_that_would_expire_the_last_proven_one_is_refused_whoever_made_it() -> None:
    here = parts.site()
    here = replace(here, stores=(replace(here.stores[0], retention=Retention(min=1, max=2)), here.stores[1]))
    sealed = [{"name": name, "host": "papio"} for name in NAMES]
    facts = parts.facts(
        {"server": {"store": {"sealed": sealed, "proven": {"files": {"snapshot": OLD, "at": parts.NOW}}}}}
    )
    argv = ("/usr/local/sbin/runner-agent", "expire", "/srv/backups/papio", OLD, "--plan=1", "--min=1")
    plan = parts.plan(parts.step("x/1", *argv, host="server", effect=Effect.EXPIRE))
    assert [finding.text for finding in floors.refusals(plan, here, facts)] == [
        f"x/1 expires {OLD}, which is the last one that a drill restored"
    ]
