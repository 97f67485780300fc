"""Kind `access`: one step a day, and what a person is told of its answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.jobs.access import alarms as rule
from runner.jobs.access.access import AccessKind, AccessOptions
from runner.jobs.access.report import access_report
from runner.model.kind import Draft
from runner.model.plan import Command, Effect, PlannedJob
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.site import Job
from runner.model.text import one_line
from tests.unit import parts

JOB = PlannedJob(name="access-papio", kind="access")
USUAL = {"days": 41, "median": 600, "low": 300, "high": 900, "spread": 120}
COLUMNS = {
    "accepted": "user source what", "refused": "source", "users": "user", "new": "source user",
    "guessed": "user source what", "sudo": "user to what", "sudo_refused": "user to what", "su": "user to what",
    "su_refused": "user to what", "root_typed": "user source", "root_right": "user source", "no_password": "user source",
}  # fmt: skip


def draft(*, live: bool = True, **options: Any) -> Draft:
    job = Job(name="access-papio", kind="access", host="papio", options=AccessOptions(**options))
    here = parts.site(live=live)
    here = replace(here, jobs=(*here.jobs, job))
    return AccessKind().draft(here, job, parts.facts(live=live), parts.NOW)


def table(*rows: list[Any], total: int = 0, others: int = 0, exact: bool = True) -> dict[str, Any]:
    return {"total": total or sum(row[-1] for row in rows), "rows": list(rows), "others": others, "exact": exact}


def answer(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "since": "2026-11-22T12:00:00.000000Z", "until": "2026-11-23T12:00:00.000000Z",
        "source": "journal", "covered": True, "alive": True, "long": 0, "problems": [], "history_damaged": False,
        "first": False, "usual": {"refused": USUAL}, "methods": {"password": 700, "left before login": 12},
        "ownership": 0, "pretended": 0, "unproven": 0, "unknown_users": 9,
    }  # fmt: skip
    tables = {
        "accepted": table(["karl", "192.0.2.4", "publickey", 14]),
        "refused": table(["203.0.113.7", 700], others=3, total=712),
        "users": table(["root", 500], ["admin", 200], others=9, total=709),
        "sudo": table(["karl", "root", "apt-get", 6]),
        "su": table(["root", "postgres", "", 2]),
    }
    tables = {name: changes.pop(name, tables.get(name, table())) for name in COLUMNS}
    return {**values, "tables": {name: named(name, each) for name, each in tables.items()}, **changes}


def named(name: str, rows: Any) -> Any:
    """The table as the agent answers it, each row with its times and the names of its columns."""
    if not isinstance(rows, dict):
        return rows
    columns = COLUMNS[name].split()
    cells = [{"times": row[-1], **dict(zip(columns, row[:-1], strict=True))} for row in rows["rows"]]
    return {**rows, "rows": cells}


def report(**changes: Any) -> JobReport:
    outcome = Outcome(
        step="access-papio/look",
        **parts.role("access-papio/look"),
        job="access-papio",
        state=State.DONE,
        result=answer(**changes),
    )
    made = access_report(JOB, (outcome,))
    assert made
    return made


def test_the_plan_is_one_step_at_the_host_that_keeps_its_history() -> None:
    made = draft(hours=timedelta(hours=36), rows=5, expected=("192.168.199.0/24", "2001:db8::/32"))
    (step,) = made.steps
    assert isinstance(step.action, Command)
    assert step.action.argv == (
        "nice", "--adjustment=10", "/usr/local/sbin/runner-agent", "access", "--hours=36", "--rows=5",
        "--state=/var/lib/runner/access", "--expected=192.168.199.0/24", "--expected=2001:db8::/32",
    )  # fmt: skip
    assert (step.host, step.effect, step.needs) == ("papio", Effect.WRITE, ("network",))


def test_the_sandbox_has_nobody_who_logs_in() -> None:
    made = draft(live=False)
    assert made.skip
    assert (made.skip.reason, made.steps, made.findings) == ("nobody logs in to the sandbox", (), ())


def test_an_ordinary_day_is_done_with_a_short_table() -> None:
    made = report()
    assert made.verdict == Verdict.DONE
    assert made.headline == "712 attempts refused, usually 300 to 900; 14 logins"
    assert made.details == (
        "2026-11-22 12:00 to 2026-11-23 12:00 UTC, from journal",
        "logins: 14",
        "  karl from 192.0.2.4 by publickey: 14",
        "refused: 712 (usually 300 to 900)",
        "  password 700, left before login 12",
        "  as root                500   from 203.0.113.7             700",
        "  as admin               200   from 3 others",
        "  as 9 others",
        "sudo: 6",
        "  karl to root, apt-get: 6",
        "su: 2",
        "  root to postgres: 2",
    )


def test_a_day_without_any_attempt_is_nothing_done() -> None:
    nothing = {name: table() for name in ("accepted", "users", "sudo", "su")}
    made = report(**nothing, refused=table(), methods={}, usual={})
    assert (made.verdict, made.headline) == (Verdict.NOTHING, "0 attempts refused; 0 logins")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"root_typed": table(["root", "198.51.100.9", 2])}, "root was let in by a password: root from 198.51.100.9"),
        ({"no_password": table(["guest", "198.51.100.9", 1])}, "without a password: guest from 198.51.100.9"),
        ({"root_right": table(["root", "198.51.100.9", 1])}, "only PermitRootLogin refused it: root from 198.51.100.9"),
        ({"guessed": table(["karl", "198.51.100.9", "password", 20])}, "karl from 198.51.100.9 after 20 refused tries"),
        ({"new": table(["198.51.100.9", "karl,anne", 2], others=4)}, "5 login sources never seen before: karl,anne from"),
        ({"pretended": 3}, "3 lines under the name of sshd, sudo or su came from another program here"),
        ({"alive": False}, "nothing was written to journal in this time: attempts are not recorded"),
        ({"problems": ["'/var/log/secure-1.zst': packed"]}, "not everything was read: '/var/log/secure-1.zst'"),
        ({"refused": table(["203.0.113.7", 12431])}, "12,431 refused attempts, usually 300 to 900"),
        ({"refused": table()}, "0 refused attempts, usually 300 to 900"),
    ],
)  # fmt: skip
def test_what_a_person_must_look_at_is_attention_and_in_the_headline(changes: dict[str, Any], words: str) -> None:
    made = report(**changes)
    assert made.verdict == Verdict.ATTENTION
    assert words in made.headline


@pytest.mark.parametrize(
    "changes",
    [
        {"refused": table(["203.0.113.7", 1800])},
        {"refused": table(["203.0.113.7", 12431]), "usual": {"refused": {**USUAL, "days": 6}}},
        {"refused": table(["203.0.113.7", 12431]), "since": "2026-11-16T12:00:00Z"},
        {"guessed": table(["karl", "198.51.100.9", "password", 19])},
        {"refused": table(["203.0.113.7", 40]), "usual": {"refused": {**USUAL, "low": 1, "high": 3, "median": 2, "spread": 1}}},
        {"covered": False, "first": True, "history_damaged": True, "long": 2, "ownership": 1},
    ],
)  # fmt: skip
def test_what_is_no_reason_to_call_anybody(changes: dict[str, Any]) -> None:
    assert report(**changes).verdict == Verdict.DONE


def test_several_things_are_listed_first_and_counted_in_the_headline() -> None:
    made = report(
        root_typed=table(["root", "a", 1]), pretended=1, alive=False, problems=["x"], refused=table(["b", 90000])
    )
    assert made.headline.endswith("; and 2 more below")
    assert [line.startswith("look at: ") for line in made.details[:6]] == [True] * 5 + [False]


def test_numbers_that_are_not_exact_say_so_and_only_what_stands_out_is_named() -> None:
    made = report(users=table(["root", 500], ["u1", 1], total=9000, others=470775, exact=False))
    assert "  as root              >=500   from 203.0.113.7             700" in made.details
    assert any("as about 470,776 others" in line for line in made.details)
    assert not any("u1" in line for line in made.details)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "/var/log/auth.log"}, "any user there can write such lines into it"),
        ({"usual": {}, "first": True}, "what is usual is shown once 7 whole days are known: 0 so far"),
        ({"usual": {"refused": {**USUAL, "days": 6}}}, "7 whole days are known: 6 so far"),
        ({"unproven": 2}, "2 lines of sudo or su by a program that had ended"),
    ],
)
def test_how_far_it_can_be_believed_is_said(changes: dict[str, Any], words: str) -> None:
    assert any(words in line for line in report(**changes).details)
    assert not any(words in line for line in report().details)


@given(name=st.text(max_size=80))
def test_no_name_reaches_a_terminal_or_looks_like_more_than_a_name(name: str) -> None:
    made = report(
        accepted=table([name, name, name, 1]), users=table([name, 1]), root_typed=table([name, name, 1]),
        new=table([name, name, 1]), sudo=table([name, name, name, 1]), source=name, problems=[name],
        refused=table([name, 1]), methods={name: 1},
    )  # fmt: skip
    for text in (made.headline, *made.details):
        assert one_line(text) == text


def test_a_forged_sentence_in_a_name_stands_in_quotes() -> None:
    made = report(accepted=table(["karl from 192.0.2.4 by publickey: 1", "192.0.2.9", "password", 1]))
    assert '  "karl from 192.0.2.4 by publickey: 1" from 192.0.2.9 by password: 1' in made.details


WITHOUT_SU = {name: each for name, each in answer()["tables"].items() if name != "su"}


@pytest.mark.parametrize(
    "result",
    [{}, {"access": True}, answer(refused=7), answer(since="soon"), answer(pretended=-1), answer(tables=WITHOUT_SU)],
)
def test_an_answer_that_cannot_be_read_is_attention_and_never_no_alarms(result: dict[str, Any]) -> None:
    outcome = Outcome(
        step="access-papio/look", **parts.role("access-papio/look"), job="access-papio", state=State.DONE, result=result
    )
    made = access_report(JOB, (outcome,))
    assert made
    assert made.verdict == Verdict.ATTENTION
    assert made.headline.startswith("who got in is not known: the answer of runner-agent could not be read")


def test_a_step_that_failed_is_left_to_the_usual_report() -> None:
    failed = Outcome(
        step="access-papio/look",
        **parts.role("access-papio/look"),
        job="access-papio",
        state=State.FAILED,
        result=answer(),
    )
    assert access_report(JOB, (failed,)) is None
    assert rule.read(failed.result) is not None
