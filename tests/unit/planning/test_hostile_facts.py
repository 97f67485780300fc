"""Whatever one host answers, the others' jobs are planned, and nothing that does not fit gets into a plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.engine import planfile
from runner.jobs.catalogue import KINDS
from runner.jobs.retention.prune import PruneKind
from runner.model.facts import Facts
from runner.model.kind import Draft
from runner.model.plan import Check, Plan
from runner.planning import planner
from runner.report.plan import finding_lines, plan_lines
from tests.unit import hostile_parts as hostile
from tests.unit import parts

WHOLE = {name: hostile.whole(name) for name in (parts.PAPIO, parts.SERVER)}
GOOD = {name: json.dumps(answer).encode() for name, answer in WHOLE.items()}
# Those that need nothing of server.
OTHERS = {"dump-papio", "updates-papio", "prune-papio"}


def words(plan: Plan) -> Iterator[str]:
    """Every word that is run."""
    for step in plan.steps:
        yield from planner._argv(step)
        for claim in (step.guard, step.unless):
            yield from claim.argv if isinstance(claim, Check) else ()


def jobs(plan: Plan) -> set[str]:
    return {job.name for job in plan.jobs}


def test_the_whole_answers_make_jobs_of_every_kind() -> None:
    plan = hostile.planned(hostile.known(GOOD))
    assert {job.kind for job in plan.jobs} >= KINDS.keys() - {"disk"} and jobs(plan) >= OTHERS
    assert [skip.job for skip in plan.skips] == ["disk-server"], "it is as declared"


def judge(words_of_server: bytes) -> None:
    facts = hostile.known({**GOOD, parts.SERVER: words_of_server})
    assert not facts.hosts[parts.PAPIO].error
    plan = hostile.planned(facts)
    assert jobs(plan) >= OTHERS
    assert not [word for word in words(plan) if "MARK" in word.replace("\0", "")]
    assert not [finding for finding in plan.findings if "could not plan it" in finding.text]
    shown = "".join(text for line in (*plan_lines(plan), *finding_lines(plan.findings)) for text, _ in line)
    assert max((len(finding.text) for finding in plan.findings), default=0) < 10_000
    assert planfile.plan(json.loads(json.dumps(planfile.data(plan)))).steps == plan.steps
    assert shown.isprintable() or not set(shown) & set("\x1b\u202e\0\udc80")


@given(st.data())
def test_whatever_a_host_answers_the_jobs_of_the_others_are_planned(data: st.DataObject) -> None:
    judge(json.dumps(data.draw(hostile.changed(WHOLE[parts.SERVER]))).encode())


@given(st.data())
def test_however_much_is_wrong_at_once(data: st.DataObject) -> None:
    answer = WHOLE[parts.SERVER]
    for _ in range(4):
        answer = data.draw(hostile.changed(answer))
    judge(json.dumps(answer).encode())


@pytest.mark.parametrize("text", [b"", b"[" * 100_000, b'{"uid": ' + b"5" * 5000 + b"}", b"\xff\xfe", b"null", b"[1]"])
def test_an_answer_that_is_none_is_one_line_that_names_the_host(text: bytes) -> None:
    judge(text)
    plan = hostile.planned(hostile.known({**GOOD, parts.SERVER: text}))
    (line,) = {finding.text for finding in plan.findings if finding.source == "prune-server"}
    assert line.startswith("server cannot be read: its answer makes no sense: ") and "\n" not in line


READINGS = sorted({(host, name) for host, answer in WHOLE.items() for name in answer["readings"]})


@pytest.mark.parametrize("digits", ["5" * 5000, "9" * 18])
@pytest.mark.parametrize(("host", "name"), READINGS)
def test_no_number_in_what_a_program_printed_is_too_long(host: str, name: str, digits: str) -> None:
    reading = WHOLE[host]["readings"][name]
    for output in hostile.numbered(reading["out"], digits):
        answer = {**WHOLE[host], "readings": {**WHOLE[host]["readings"], name: {**reading, "out": output}}}
        plan = hostile.planned(hostile.known({**GOOD, host: json.dumps(answer).encode()}))
        assert not [finding for finding in plan.findings if "could not plan it" in finding.text]


class _Broken(PruneKind):
    """A kind with a bug: an odd answer is more than it can read."""

    word = "draft"

    def draft(self, *given: Any) -> Draft:
        """Fail for server only."""
        _, job, _, _ = given
        if self.word == "draft" and job.name == "prune-server":
            raise KeyError("odd\x1b[31m")
        return super().draft(*given)

    def together(self, site: Any, jobs: Any, drafts: tuple[Draft, ...], facts: Facts) -> tuple[Draft, ...]:
        """Fail for all of them."""
        if self.word == "together":
            raise ValueError("odd")
        return super().together(site, jobs, drafts, facts)


@pytest.mark.parametrize(("word", "hit"), [("draft", {"prune-server"}), ("together", {"prune-server", "prune-papio"})])
def test_a_kind_that_cannot_plan_a_job_keeps_no_other_from_being_planned(word: str, hit: set[str]) -> None:
    broken = _Broken()
    broken.word = word
    here = hostile.site()
    plan = planner.draft(here, here.jobs, hostile.known(GOOD), {**KINDS, "prune": broken}, {})
    assert jobs(plan) & {job.name for job in here.jobs} == {job.name for job in here.jobs} - hit - {"disk-server"}
    told = {finding.source: finding for finding in plan.findings if "could not plan it" in finding.text}
    assert set(told) == hit and all(finding.severity == "attention" for finding in told.values())
    assert hit < {skip.job for skip in plan.skips}
    (text,) = {finding.text for finding in told.values()}
    assert text.startswith("kind prune could not plan it: ") and f"({word}, line " in text and "\x1b" not in text
