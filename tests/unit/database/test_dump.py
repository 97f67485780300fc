"""Kind `dump`: a step a database, each for itself, and what a person is told before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from runner.agent.database.contract import DatabaseServer, encoded
from runner.jobs.database.dump import FOLDER, SERVER, DumpKind, DumpOptions
from runner.model.facts import Facts, Reading
from runner.model.kind import Draft
from runner.model.names import snapshot_name
from runner.model.plan import Check, Command, Effect
from runner.model.site import Job
from tests.unit import parts

TO = "/srv/babase_database/postgres"
JOB = Job(name="dump-papio", kind="dump", host=parts.PAPIO, options=DumpOptions(to=TO))
PROGRAM = "/usr/local/sbin/runner-agent"
AT = snapshot_name(parts.NOW)
ODD = 'it\'s "odd"\n--x'


def dump(days: float, **changes: Any) -> dict[str, Any]:
    at = parts.NOW - timedelta(days=days)
    values = {"time": snapshot_name(at), "at": at.isoformat(), "bytes": 1000, "objects": 9, "rows": 5}
    return {**values, "server": "15.18 (Debian)", "pg_dump": "15.18", "doubts": [], **changes}


def server(*names: str, **changes: Any) -> dict[str, Any]:
    known = [{"name": name, "owner": "postgres", "size": 9} for name in names]
    return {
        "server": "15.18", "number": 150018, "standby": False, "databases": known, "pg_dump": "15.18",
        "trouble": None, **changes,
    }  # fmt: skip


def facts(asked: Mapping[str, Any], kept: Mapping[str, Any], **changes: Any) -> Facts:
    folder = {"exists": True, "free": 1 << 40, "databases": kept, "globals": [], "odd": [], **changes}
    readings = {
        f"{SERVER}.{JOB.name}": Reading(exit=0, out=json.dumps(asked) + "\n"),
        f"{FOLDER}.{JOB.name}": Reading(exit=0, out=json.dumps(folder) + "\n"),
    }
    known = parts.facts()
    papio = replace(known.hosts[parts.PAPIO], readings=readings)
    return replace(known, hosts={**known.hosts, parts.PAPIO: papio})


def drafted(found: Facts, job: Job = JOB, *, live: bool = True) -> Draft:
    return DumpKind().draft(parts.site(live=live, jobs=(job,)), job, found, parts.NOW)


def names(draft: Draft) -> list[str]:
    return [step.id.partition("/")[2] for step in draft.steps]


def argv(draft: Draft, name: str) -> tuple[str, ...]:
    (step,) = [one for one in draft.steps if one.id == f"{JOB.name}/{name}"]
    assert isinstance(step.action, Command)
    return step.action.argv


def texts(draft: Draft, severity: str = "attention") -> str:
    return "\n".join(one.text for one in draft.findings if one.severity == severity)


def test_every_database_is_a_step_of_its_own_named_literally() -> None:
    draft = drafted(facts(server("babase", ODD), {}))
    odd = "dump-it%27s%20%22odd%22%0A--x"
    assert names(draft) == ["answers", "globals", "dump-babase", odd, "all"]
    assert argv(draft, "dump-babase") == (
        PROGRAM, "dump", TO, AT, "--user=postgres", "--within=21600", "--max-shrink=50", "--", "babase",
    )  # fmt: skip
    assert argv(draft, odd)[-2:] == ("--", ODD)
    assert argv(draft, "globals")[:4] == (PROGRAM, "dump-globals", TO, AT)
    assert argv(draft, "all")[-5:] == ("--require", "--all", "--", "babase", ODD)
    assert {step.id: step.effect for step in draft.steps if step.effect != Effect.WRITE} == {
        f"{JOB.name}/answers": Effect.READ, f"{JOB.name}/all": Effect.READ,
    }  # fmt: skip
    assert draft.planned is not None
    assert draft.planned.locks[0].argv[:3] == (PROGRAM, "hold-host", "dump")


def test_a_database_that_was_restored_beside_another_is_not_dumped_and_told() -> None:
    def asked(days: float) -> dict[str, Any]:
        known = server("babase", "look")
        known["databases"][1]["restored"] = (parts.NOW - timedelta(days=days)).isoformat()
        return known

    young, old = (drafted(facts(asked(days), {"babase": [dump(1)]})) for days in (2, 40))
    assert names(young) == names(old) == ["answers", "globals", "dump-babase", "all"]
    assert "database look is not dumped: it was restored 2 days ago, and is scratch" in texts(young, "note")
    assert (texts(young), texts(old)) == (
        "",
        "database look is not dumped: it was restored 40 days ago, and is scratch",
    )
    # Somebody named it, or it was dumped before: it is in use.
    for kept, job in (
        ({"look": [dump(1)]}, JOB),
        ({}, replace(JOB, options=DumpOptions(to=TO, databases=("babase", "look")))),
    ):
        draft = drafted(facts(asked(2), kept), job)
        assert "dump-look" in names(draft) and "scratch" not in texts(draft, "note")


def test_a_database_that_fails_keeps_no_other_from_being_dumped() -> None:
    draft = drafted(facts(server("a", "b"), {}))
    assert {step.id: step.ok_codes for step in draft.steps if step.ok_codes != (0,)} == {
        f"{JOB.name}/{name}": (0, 1) for name in ("globals", "dump-a", "dump-b")
    }
    # It is missed at the end, and stopping the run stops the rest: no step runs in spite of another.
    assert names(draft)[-1] == "all" and not any(step.despite for step in draft.steps)


def test_nothing_expires_unless_this_run_made_a_good_one() -> None:
    kept = {"babase": [dump(day) for day in range(40, 0, -1)]}
    draft = drafted(
        facts(server("babase"), kept, globals=[dump(50)["time"], *(dump(day)["time"] for day in range(14, 0, -1))])
    )
    going = [step for step in draft.steps if step.effect == Effect.EXPIRE]
    assert [step.id.partition("/")[2] for step in going] == [
        *(f"expire-babase-{dump(day)['time']}" for day in range(40, 30, -1)), f"expire-{dump(50)['time']}",
    ]  # fmt: skip
    for step in going:
        assert isinstance(step.unless, Check) and isinstance(step.action, Command)
        assert (step.unless.field, step.unless.value) == ("spared", True)
        assert step.unless.argv[:4] == (PROGRAM, "dumped", TO, AT)
        assert f"--after={AT}" in step.action.argv and "--keep=14" in step.action.argv
    assert names(draft).index("dump-babase") < names(draft).index(going[0].id.partition("/")[2])


def test_dumps_of_a_database_that_is_gone_stay() -> None:
    kept = {"gone": [dump(day) for day in (90, 80)], "babase": [dump(1)]}
    draft = drafted(facts(server("babase"), kept), replace(JOB, options=DumpOptions(to=TO, keep=1)))
    assert not any(step.effect == Effect.EXPIRE for step in draft.steps)
    assert "gone, and their dumps are kept until a person removes them: gone" in texts(draft, "note")


def test_a_listed_database_that_is_not_there_is_told() -> None:
    job = replace(JOB, options=DumpOptions(to=TO, databases=("babase", "lost")))
    draft = drafted(facts(server("babase", "other"), {}), job)
    assert names(draft) == ["answers", "globals", "dump-babase", "all"]
    assert texts(draft) == "there is no database lost"
    assert "--all" not in argv(draft, "all")


def test_a_database_that_allows_no_connection_is_told_and_is_not_gone() -> None:
    known, kept = server("babase", closed=["shut"]), {"shut": [dump(9)], "babase": [dump(1)]}
    said = texts(drafted(facts(known, kept)), "note")
    assert "not dumped, since no connection to it is allowed: shut" in said and "gone" not in said
    named = drafted(facts(known, kept), replace(JOB, options=DumpOptions(to=TO, databases=("babase", "shut"))))
    assert texts(named) == "not dumped, since no connection to it is allowed: shut"


def test_a_server_that_does_not_answer_is_asked_once_more_for_what_it_had() -> None:
    down = {"error": "the database server does not answer: x", "do": "start it"}
    draft = drafted(facts(down, {"babase": [dump(1)], "empty": []}))
    assert names(draft) == ["answers", "globals", "dump-babase", "all"]
    assert "does not answer" in texts(draft, "note") and not texts(draft)
    unknown = drafted(facts(down, {}))
    assert unknown.skip and "does not answer" in unknown.skip.reason and texts(unknown) == unknown.skip.reason


def test_the_report_of_a_failure_can_say_when_the_last_good_one_was() -> None:
    draft = drafted(facts(server("a", "b"), {"a": [dump(3), dump(1)], "b": [dump(2)]}))
    assert draft.planned and draft.planned.since == datetime.fromisoformat(dump(2)["at"])
    draft = drafted(facts(server("a", "new"), {"a": [dump(1)]}))
    assert draft.planned and draft.planned.since is None
    assert "dumped for the first time: new" in texts(draft, "note")


def test_a_folder_that_is_reached_through_a_link_is_told() -> None:
    known = facts(server("a"), {"a": [dump(1)]})
    assert texts(drafted(known)) == ""
    draft = drafted(facts(server("a"), {"a": [dump(1)]}, real="/big/dumps"))
    assert f"{TO} leads to /big/dumps through a link" in texts(draft) and draft.steps


def test_too_little_room_is_foretold() -> None:
    kept = {"a": [dump(1, bytes=700 << 20)], "b": [dump(1, bytes=400 << 20)]}
    assert "512.0 MiB free, and 2 dumps need about 1.2 GiB" in texts(
        drafted(facts(server("a", "b"), kept, free=512 << 20))
    )
    assert texts(drafted(facts(server("a", "b"), kept))) == ""


def test_dumps_that_cannot_be_read_here_and_a_pg_dump_that_is_too_old_are_told() -> None:
    draft = drafted(facts(server("a"), {"a": [dump(1, pg_dump="17.2")]}))
    assert "pg_restore 15.18 here cannot read the newest dumps, made by a newer pg_dump: a" in texts(draft)
    trouble = {"error": "pg_dump 13.9 is older than the server, which is 15", "do": "install it"}
    draft = drafted(facts(server("a", pg_dump="", trouble=trouble), {}))
    assert draft.skip and "13.9" in draft.skip.reason


def test_a_clock_before_the_newest_dump_dumps_nothing() -> None:
    draft = drafted(facts(server("a"), {"a": [dump(-1)]}))
    assert draft.skip and "the clock is behind the newest dump" in draft.skip.reason


def test_a_folder_that_could_not_be_read_is_left_alone() -> None:
    draft = drafted(replace(parts.facts()))
    assert draft.skip and TO in draft.skip.reason and draft.steps == ()


def test_the_sandbox_has_no_database() -> None:
    draft = drafted(parts.facts(live=False), live=False)
    assert draft.skip and draft.skip.reason == "the sandbox has no database"
    assert DumpKind().probes(parts.site(live=False), JOB) == ()


def test_how_the_server_is_reached_is_in_every_word_and_no_password_is() -> None:
    options = DumpOptions(to=TO, user="backup", service="babase", service_file="/etc/pg", programs="/opt/pg/bin")
    job = replace(JOB, options=options)
    words = ("--user=backup", "--service=babase", "--service-file=/etc/pg", "--programs=/opt/pg/bin")
    (probe, _) = DumpKind().probes(parts.site(), job)
    assert probe.argv == ("runner-agent", "databases", *words)
    draft = drafted(facts(server("a"), {}), job)
    for name in ("answers", "globals", "dump-a", "all"):
        assert set(words) <= set(argv(draft, name))


def test_a_name_is_a_connection_string_that_can_only_mean_itself() -> None:
    assert DatabaseServer().conninfo("dbname=x user=y") == "dbname='dbname=x user=y'"
    assert DatabaseServer().conninfo("it's\\") == "dbname='it\\'s\\\\'"
    assert DatabaseServer(socket="/run/pg").conninfo("a") == "host='/run/pg' dbname='a'"


def test_a_name_is_a_folder_of_its_own_and_never_hidden() -> None:
    assert encoded("babase-1.0_x") == "babase-1.0_x"
    assert encoded("..") == "%2E."
    assert encoded("a/b\n%") == "a%2Fb%0A%25"
    assert encoded("ü\udcff") == "%C3%BC%FF"
