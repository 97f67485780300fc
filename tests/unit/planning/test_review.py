"""What may run: plans that hold together, below the ceiling or read by a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.model.errors import PlanRefused
from runner.model.plan import Check, Command, Effect, Ended, Finding, Lock, Plan, PlannedJob, PutFile, WaitFor
from runner.planning import doubted, review
from runner.report import outcome
from tests.unit import parts

READ, WRITE, EXPIRE, INTERRUPT, DESTROY = Effect


def job(name: str, *after: str, writes: str = "") -> PlannedJob:
    return PlannedJob(name=name, kind="snapshot", after=after, writes=writes)


SOUND = parts.plan(
    parts.step("a/one"), parts.step("a/two", inputs=("a/one", "kept:papio/x/0"), unless=Ended(step="a/one")),
    parts.step("b/one"), jobs=(job("a", "b", "elsewhere", writes="papio/x"), job("b", writes="server/x")),
)  # fmt: skip


def test_a_plan_that_holds_together_has_no_finding() -> None:
    assert review.check(SOUND) == ()
    assert review.check(parts.plan()) == ()


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (parts.plan(parts.step("a/one"), parts.step("a/one")), "two steps are called a/one"),
        (parts.plan(parts.step("a/one"), jobs=(job("b"),)), "a/one belongs to no job of this plan"),
        (parts.plan(parts.step("a/one", inputs=("a/two",)), parts.step("a/two")), "a/one rests on a/two"),
        (parts.plan(parts.step("a/one", unless=Ended(step="a/one"))), "a/one rests on a/one"),
        (parts.plan(parts.step("b/one"), parts.step("a/one", inputs=("b/one",))), "a/one rests on b/one"),
        (parts.plan(parts.step("b/one"), parts.step("a/x", unless=Ended(step="b/one"))), "a/x rests on b/one"),
        (parts.plan(parts.step("b/one"), parts.step("a/x", despite=("b/one",))), "a/x rests on b/one"),
        (parts.plan(parts.step("a/x", until="a/y")), "a/x goes on until a/y, which does not come after it in the same job"),
        (parts.plan(parts.step("a/y"), parts.step("a/x", until="a/y")), "a/x goes on until a/y, which does not come after"),
        (parts.plan(parts.step("a/x", until="a/x")), "a/x goes on until a/x, which does not come after it in the same job"),
        (parts.plan(parts.step("a/x", until="b/y"), parts.step("b/y")), "a/x goes on until b/y, which does not come after"),
        (
            parts.plan(parts.step("a/x", until="a/z"), parts.step("a/y", feed=("a/x",)), parts.step("a/z")),
            "a/y rests on a/x, and does not wait for it",
        ),
        (parts.plan(jobs=(job("a", writes="s/x"), job("b", writes="s/y"))), "2 jobs of this plan write store s"),
        (parts.plan(jobs=(job("a"), job("a"))), "two jobs are called a"),
        (parts.plan(jobs=(job("a", "a"),)), "a wait for each other"),
        (parts.plan(jobs=(job("a", "b"), job("b", "c"), job("c", "a"), job("d", "a"))), "a, b, c, d wait for each other"),
    ],
)  # fmt: skip
def test_a_plan_that_does_not_hold_together_is_refused(plan: Plan, text: str) -> None:
    found = review.check(plan)
    assert [one.severity for one in found] == ["refusal"]
    assert found[0].text.startswith(text)


CLAIM = Check(host="papio", argv=("true",), field="a", relation="==", value=1, why="")
ODD = "2026-11-23T081500Z"


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (parts.plan(id="../x"), "the plan's id is none"),
        (parts.plan(id=".."), "the plan's id is none"),
        (parts.plan(id=""), "the plan's id is none"),
        (parts.plan(jobs=(job("a\0"),)), "job 'a\\x00' has no proper name"),
        (parts.plan(parts.step("..", job="a")), "step '..' has no proper name"),
        (parts.plan(parts.step("a/\udcff")), "step 'a/\\udcff' has no proper name"),
        (parts.plan(parts.step("a/" + "x" * 300)), "step 'a/xxx"),
        (parts.plan(parts.step("a/x", inputs=("kept:papio/../../etc/0",))), "a/x keeps its output as 'papio/../../etc/0'"),
        (parts.plan(parts.step("a/x", keep_output_as=f"../{ODD}/0")), "a/x keeps its output as '../"),
        (parts.plan(parts.step("a/x", keep_output_as=f"papio/{ODD}/0/..")), "a/x keeps its output as 'papio"),
        (parts.plan(parts.step("a/x", host="stranger")), "a/x is for 'stranger', which is no host of jobs.toml"),
        (parts.plan(parts.step("a/x", guard=replace(CLAIM, host=""))), "a/x is for '', which is no host"),
        (parts.plan(parts.step("a/x", unless=replace(CLAIM, host="no"))), "a/x is for 'no', which is no host"),
        (parts.plan(parts.step("a/x", action=WaitFor(until=replace(CLAIM, host="no"), within=1))), "a/x is for 'no'"),
        (parts.plan(parts.step("a/x", action=Command(argv=()))), "a/x has no command that can be run"),
        (parts.plan(parts.step("a/x", "touch", "\0")), "a/x has no command that can be run"),
        (parts.plan(parts.step("a/x", "touch", "\ud800")), "a/x has no command that can be run"),
        (parts.plan(parts.step("a/x", guard=replace(CLAIM, argv=()))), "a/x has no command that can be run"),
        (parts.plan(parts.step("a/x", action=PutFile(path="/\0", artifact="", sha256=""))), "a/x has no command"),
        (parts.plan(jobs=(replace(job("a"), locks=(Lock(resource="", host="no", argv=("x",)),)),)), "a is for 'no'"),
        (parts.plan(jobs=(replace(job("a"), locks=(Lock(resource="", host="papio", argv=()),)),)), "a has no command"),
    ],
)  # fmt: skip
def test_a_plan_that_names_what_cannot_be_is_refused(plan: Plan, text: str) -> None:
    first, *_ = review.names(plan, parts.site())
    assert first.severity == "refusal" and first.text.startswith(text)


def test_names_with_bytes_of_their_own_and_what_is_kept_are_no_fault() -> None:
    kept = f"papio/{ODD}/12"
    inputs = ("a/first", f"kept:{kept}")
    plan = parts.plan(parts.step("a/x y.z:1", "touch", "\udcff", inputs=inputs, keep_output_as=kept))
    assert review.names(plan, parts.site()) == ()


@pytest.mark.parametrize(
    ("effect", "ceiling", "reviewed", "confirmed", "runs"),
    [
        (READ, READ, False, False, True),
        (WRITE, READ, False, False, False),
        (WRITE, READ, False, True, False),
        (EXPIRE, EXPIRE, False, False, True),
        (EXPIRE, WRITE, False, True, False),
        (INTERRUPT, EXPIRE, False, False, False),
        (INTERRUPT, EXPIRE, False, True, True),
        (INTERRUPT, INTERRUPT, False, False, True),
        (DESTROY, EXPIRE, False, True, False),
        (DESTROY, INTERRUPT, False, True, False),
        (DESTROY, DESTROY, False, True, False),
        (DESTROY, EXPIRE, True, False, True),
        (INTERRUPT, READ, True, False, True),
    ],
)
def test_the_ceiling_holds_unless_a_person_has_read_the_plan(
    effect: Effect, ceiling: Effect, reviewed: bool, confirmed: bool, runs: bool
) -> None:
    plan = parts.plan(parts.step("a/one"), parts.step("a/two", effect=effect))
    if runs:
        review.allow(plan, ceiling=ceiling, reviewed=reviewed, confirmed=confirmed)
        return
    with pytest.raises(PlanRefused, match=f"a/two would {effect.name.lower()}") as refused:
        review.allow(plan, ceiling=ceiling, reviewed=reviewed, confirmed=confirmed)
    assert ("-> say --yes if you mean it, or write" in str(refused.value)) == (effect == INTERRUPT)
    assert "apply it: runner apply plan.toml" in str(refused.value)


@pytest.mark.parametrize("reviewed", [True, False])
def test_a_refusal_stops_any_plan_and_says_what_to_do(reviewed: bool) -> None:
    plan = parts.plan(
        findings=(
            Finding(severity="note", text="fine", source="a"),
            Finding(severity="refusal", text="the wrong disk", source="hooks.fsck", do="look at it:", command="ls -l"),
        )
    )
    with pytest.raises(PlanRefused, match="refused by hooks.fsck: the wrong disk") as refused:
        review.allow(plan, ceiling=DESTROY, reviewed=reviewed, confirmed=True)
    assert str(refused.value).endswith("  -> look at it: ls -l")
    # The mail shows the command whole, so it must come that far by itself.
    finding = outcome.refusal(refused.value)
    assert (finding.do, finding.command) == ("look at it:", "ls -l")


def test_of_several_refusals_the_first_that_knows_what_to_do_says_it() -> None:
    silent = Finding(severity="refusal", text="no", source="review")
    knowing = Finding(severity="refusal", text="the wrong disk", source="hooks.fsck", do="attach the right one")
    with pytest.raises(PlanRefused, match="refused by review: no\nrefused by hooks.fsck") as refused:
        review.allow(parts.plan(findings=(silent, knowing)), ceiling=READ, reviewed=True, confirmed=False)
    assert str(refused.value).endswith("  -> attach the right one")


def test_of_a_run_that_nobody_asked_for_only_the_job_that_needs_a_person_is_left_out() -> None:
    plan = parts.plan(
        parts.step("backup/send", effect=WRITE), parts.step("down/idle"), parts.step("down/reboot", effect=INTERRUPT),
        parts.step("disk/format", effect=DESTROY), jobs=(job("backup"), job("down"), job("disk")),
    )  # fmt: skip
    left = review.contain(plan, EXPIRE)
    assert [one.id for one in left.steps] == ["backup/send"] and [one.name for one in left.jobs] == ["backup"]
    assert [(one.job, one.reason) for one in left.skips] == [
        ("down", "it needs a person"), ("disk", "it needs a person"),
    ]  # fmt: skip
    assert [(one.severity, one.source) for one in left.findings] == [("attention", "down"), ("attention", "disk")]
    assert "runner run down --yes" in left.findings[0].advice and "runner apply plan.toml" in left.findings[1].advice
    assert [one.do for one in left.findings] == [
        "when it suits people, run:", "runner plan disk --out plan.toml, read it, then:",
    ]  # fmt: skip
    review.allow(left, ceiling=EXPIRE, reviewed=False, confirmed=False)


@pytest.mark.parametrize("ceiling", [READ, WRITE, EXPIRE, INTERRUPT])
def test_what_is_left_may_always_run_and_nothing_below_the_ceiling_is_left_out(ceiling: Effect) -> None:
    plan = parts.plan(*(parts.step(f"{effect.name.lower()}/one", effect=effect) for effect in Effect))
    left = review.contain(plan, ceiling)
    review.allow(left, ceiling=ceiling, reviewed=False, confirmed=False)
    assert [one.effect for one in left.steps] == [one for one in Effect if one <= ceiling]


def test_a_job_that_refuses_itself_keeps_no_other_from_running_but_a_hook_or_the_review_does() -> None:
    refused = Finding(severity="refusal", text="not now", source="down", do="later")
    note = Finding(severity="note", text="by the way", source="down")
    plan = parts.plan(parts.step("backup/send"), parts.step("down/reboot"), findings=(refused, note))
    left = review.contain(plan, EXPIRE)
    assert [one.id for one in left.steps] == ["backup/send"] and left.refusals == ()
    assert [(one.severity, one.text) for one in left.findings] == [("attention", "not now"), ("note", "by the way")]
    others = parts.plan(
        parts.step("backup/send"), findings=(Finding(severity="refusal", text="no", source="hooks.fsck"),)
    )
    assert review.contain(others, EXPIRE) == others


def test_what_interrupts_is_not_done_for_a_time_before_the_journal_was_lost() -> None:
    due, later = parts.NOW, parts.NOW + parts.timedelta(hours=1)
    plan = parts.plan(
        parts.step("reboot/down", effect=INTERRUPT), parts.step("backup/send"), parts.step("named/down", effect=INTERRUPT),
        jobs=(replace(job("reboot"), instant=due), replace(job("backup"), instant=due), job("named")),
    )  # fmt: skip
    left = doubted.left_out(plan, later)
    assert [each.name for each in left.jobs] == ["backup", "named"]
    assert [each.id for each in left.steps] == ["backup/send", "named/down"]
    assert [each.job for each in left.skips] == ["reboot"]
    (finding,) = left.findings
    assert (finding.severity, finding.command) == ("attention", "runner run reboot --yes")
    assert doubted.left_out(plan, due) == plan, "it was due since, and what was done since is known"
