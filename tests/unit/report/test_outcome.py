"""What came of a run: a line a job for the journal, a report for people, an exit code for cron."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from runner.jobs.catalogue import KINDS, REPORTERS
from runner.model import cause
from runner.model.errors import BUG, EXIT_CODES, StalePlan
from runner.model.plan import Effect, Finding, PlannedJob, Skip
from runner.model.run import Around, JobReport, Outcome, Pass, State, Stop, Verdict
from runner.report import outcome
from runner.report.report import RunResult, compose
from tests.unit import parts

EVERY = {**KINDS, **REPORTERS}
JOB = PlannedJob(name="a", kind="snapshot", writes="papio/2026-11-23T081500Z")
SEALED = parts.seal_answer()


def ended(step: str, state: State = State.DONE, **changes: Any) -> Outcome:
    values = {"started": parts.NOW, "ended": parts.later(seconds=5), **changes}
    return Outcome(step=step, **parts.role(step), job=step.partition("/")[0], state=state, **values)


def done(*outcomes: Outcome, jobs: tuple[PlannedJob, ...] = (JOB,), live: bool = True) -> Pass:
    steps = (parts.step(outcome.step, effect=Effect.WRITE) for outcome in outcomes)
    return Pass(plan=parts.plan(*steps, jobs=jobs, live=live), outcomes=outcomes)


def verdict_and_headline(*outcomes: Outcome) -> tuple[Verdict, str]:
    report = KINDS[JOB.kind].report(JOB, outcomes, Around(live=True))
    return report.verdict, report.headline


def code(*passes: Pass, trouble: Exception | None = None) -> int:
    report = compose(
        parts.site(),
        RunResult(run="r", started=parts.NOW, ended=parts.NOW, jobs=outcome.job_reports(passes, EVERY, parts.site()), plans=tuple(item.plan for item in passes)),
    )  # fmt: skip
    return outcome.exit_code(report, trouble)


def test_a_sealed_snapshot_is_done_in_figures() -> None:
    assert verdict_and_headline(ended("a/send-1", exit=0), ended("a/seal", result=SEALED)) == (
        Verdict.DONE, "sealed papio/2026-11-23T081500Z: 10 files, 2.0 KiB new in 3 files",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "live", "verdict", "details"),
    [
        ({"exceptions": 2, "exceptions_new": 0}, True, Verdict.DONE, ["2 exceptions: what could"]),
        ({"exceptions": 2, "exceptions_new": 1}, True, Verdict.ATTENTION, ["2 exceptions, 1 of them new: what"]),
        ({"exceptions": 2, "exceptions_new": 2}, True, Verdict.ATTENTION, ["2 exceptions: what could"]),
        ({"exceptions": 2, "exceptions_new": 2}, False, Verdict.DONE, ["2 exceptions: what could"]),
        ({"vanished": 1, "changed": 2}, True, Verdict.DONE, ["3 files changed or went"]),
        ({"exceptions": 1, "changed": 1}, True, Verdict.DONE, ["1 exception: what", "1 file changed or went"]),
    ],
)
def test_new_exceptions_want_attention_and_known_ones_only_a_word(
    counts: dict[str, int], live: bool, verdict: Verdict, details: list[str]
) -> None:
    report = KINDS[JOB.kind].report(JOB, (ended("a/seal", result={**SEALED, **counts}),), Around(live=live))
    assert report.verdict == verdict
    assert len((*report.advice, *report.details)) == len(details)
    assert all(text.startswith(start) for text, start in zip((*report.advice, *report.details), details, strict=True))


@pytest.mark.parametrize(
    ("outcomes", "verdict", "headline"),
    [
        ((ended("a/begin", State.BUSY, note="held by b"),), Verdict.ATTENTION, "busy: held by b"),
        ((ended("a/begin", State.STALE, note="newest is x"),), Verdict.FAILED, "stale at begin: newest is x"),
        (
            (ended("a/send-1", State.INTERRUPTED, note="cut"), ended("a/seal", State.NOT_REACHED)),
            Verdict.FAILED, "interrupted at send-1: cut. What was sent is kept, and the next run takes it up.",
        ),
        (
            (ended("a/send-1", State.INTERRUPTED, note="stopped while it ran", log="[Errno 22]", cause="run/stopped"),),
            Verdict.FAILED,
            "stopped by Ctrl-C or a signal, at send-1. What was sent is kept, and the next run takes it up.",
        ),
        ((ended("a/seal", State.FAILED, note="disk full"),), Verdict.FAILED, "seal failed: disk full"),
        (
            (ended("a/seal", result=SEALED), ended("a/reap", State.FAILED, note="ended 1")),
            Verdict.ATTENTION, "sealed papio/2026-11-23T081500Z, but then reap failed: ended 1",
        ),
        (
            (ended("a/seal", result=SEALED), ended("a/reap", State.INTERRUPTED, note="stopped")),
            Verdict.ATTENTION, "sealed papio/2026-11-23T081500Z, but then reap was interrupted: stopped",
        ),
        ((ended("a/x"), ended("a/y", State.NOT_NEEDED)), Verdict.DONE, "1 step done"),
        ((ended("a/x", State.NOT_NEEDED), ended("a/y", State.NOT_HERE)), Verdict.NOTHING, "no step was needed"),
        ((ended("a/x", result={"sealed": 7, "newest": "n"}),), Verdict.DONE, "1 step done"),
        ((), Verdict.DONE, "0 steps done"),
    ],
)  # fmt: skip
def test_a_job_is_told_by_its_first_step_that_did_not_go_well(
    outcomes: tuple[Outcome, ...], verdict: Verdict, headline: str
) -> None:
    assert verdict_and_headline(*outcomes) == (verdict, headline)


def test_the_last_words_of_a_failed_step_are_shown_and_cannot_lie() -> None:
    log = "\n".join(f"line {number}" for number in range(9)) + "\n\x1b[2Jall is well"
    report = KINDS[JOB.kind].report(JOB, (ended("a/seal", State.FAILED, log=log, note="n"),), Around(live=True))
    assert report.details == ("line 5", "line 6", "line 7", "line 8", "\\x1b[2Jall is well")


@pytest.mark.parametrize("result", [{}, {"sealed": "2026-11-23T081500Z"}, {**SEALED, "exceptions": "none"}])
def test_a_seal_whose_answer_cannot_be_read_is_a_snapshot_of_which_nothing_more_is_known(
    result: dict[str, Any],
) -> None:
    report = KINDS[JOB.kind].report(JOB, (ended("a/seal", result=result, log="a\nb"),), Around(live=True))
    assert (report.verdict, report.made, report.written) == (Verdict.ATTENTION, JOB.writes, None)
    assert (
        report.headline == f"sealed {JOB.writes}, but the answer of the seal cannot be read: what it holds is not known"
    )
    assert report.details == ("a", "b")


def test_only_the_last_pass_of_a_job_counts() -> None:
    first = done(ended("a/send-1", State.INTERRUPTED, note="cut"))
    second = done(ended("a/send-1"), ended("a/seal", result=SEALED))
    assert [report.verdict for report in outcome.job_reports((first, second), EVERY, parts.site())] == [Verdict.DONE]
    assert code(first, second) == 0
    assert code(second, first) == 1


def test_a_job_of_the_first_pass_alone_is_still_told() -> None:
    both = (JOB, PlannedJob(name="b", kind="snapshot", writes="server/x"))
    first = done(ended("a/send-1", State.INTERRUPTED), ended("b/seal", result=SEALED), jobs=both)
    second = done(ended("a/seal", result=SEALED))
    assert [report.job for report in outcome.job_reports((first, second), EVERY, parts.site())] == ["a", "b"]


def test_that_a_host_was_prepared_is_told_only_when_it_went_wrong() -> None:
    prepare = PlannedJob(name="prepare-x", kind="prepare")
    assert outcome.job_reports((done(ended("prepare-x/put"), jobs=(prepare,)),), EVERY, parts.site()) == ()
    wrong = done(ended("prepare-x/put", State.FAILED, note="no room"), jobs=(prepare,))
    assert [report.headline for report in outcome.job_reports((wrong,), EVERY, parts.site())] == ["put failed: no room"]


@pytest.mark.parametrize(
    ("states", "wanted"),
    [
        ((), 0), ((State.DONE,), 0), ((State.NOT_NEEDED,), 0), ((State.FAILED,), 1), ((State.INTERRUPTED,), 1),
        ((State.STALE,), 5), ((State.BUSY,), 75), ((State.STALE, State.FAILED), 1), ((State.BUSY, State.STALE), 5),
        ((State.BUSY, State.DONE), 75),
    ],
)  # fmt: skip
def test_the_exit_code_is_the_worst_of_the_parts(states: tuple[State, ...], wanted: int) -> None:
    jobs = tuple(PlannedJob(name=str(number), kind="x") for number in range(len(states)))
    outcomes = (ended(f"{number}/step", state) for number, state in enumerate(states))
    assert code(done(*outcomes, jobs=jobs)) == wanted


def test_what_could_not_be_looked_at_has_not_changed_and_what_was_done_before_is_well() -> None:
    unread = ended("a/begin", State.STALE, note="could not be checked", result={"unread": True})
    assert code(done(unread)) == 1
    assert code(done(ended("a/begin", State.STALE), ended("b/begin", State.STALE, result={"unread": True}),
                     jobs=(JOB, PlannedJob(name="b", kind="x")))) == 1  # fmt: skip
    before = ended("a/instant", State.ALREADY, note="a has sealed x for that time")
    assert code(done(before)) == 0
    assert verdict_and_headline(before) == (Verdict.NOTHING, "already done: a has sealed x for that time")


def test_a_report_says_for_which_instant_its_job_was() -> None:
    job = replace(JOB, instant=parts.NOW)
    (report,) = outcome.job_reports((done(ended("a/begin"), jobs=(job,)),), EVERY, parts.site())
    assert report.instant == parts.NOW


def reported(*jobs: tuple[Verdict, Stop], refused: bool = False) -> int:
    reports = tuple(
        JobReport(job=str(number), verdict=verdict, headline="x", stop=stop)
        for number, (verdict, stop) in enumerate(jobs)
    )
    findings = (Finding(severity="refusal", source="a", text="x"),) if refused else ()
    result = RunResult(run="r", started=parts.NOW, ended=parts.NOW, jobs=reports, findings=findings)
    return outcome.exit_code(compose(parts.site(), result), None)


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("stop", list(Stop))
def test_the_exit_code_follows_the_verdict(verdict: Verdict, stop: Stop) -> None:
    wanted = {
        Verdict.NOTHING: 0,
        Verdict.DONE: 0,
        Verdict.ATTENTION: 75 if stop == Stop.BUSY else 3,
        Verdict.FAILED: 5 if stop == Stop.STALE else 1,
    }
    assert reported((verdict, stop)) == wanted[verdict]
    assert reported((verdict, stop)) in EXIT_CODES
    assert reported((verdict, stop), (Verdict.FAILED, Stop.NONE)) == 1
    assert reported((verdict, stop), refused=True) == (wanted[verdict] if verdict == Verdict.FAILED else 4)


BUSY_RUN = cause.of_run("20261123T081500Z-7")


@pytest.mark.parametrize(
    ("about", "stops", "causes", "wanted"),
    [
        ("one job is busy", (Stop.BUSY,), (), 75),
        ("another job needs a person", (Stop.BUSY, Stop.NONE), (), 3),
        ("what was named is busy", (), (BUSY_RUN,), 75),
        ("what was named is busy, and a store is full", (), (BUSY_RUN, "store/papio/full"), 3),
        ("a store is full, and what is merely due is busy", (), ("store/papio/full",), 3),
        ("too many to be shown are busy", (Stop.BUSY,) * 7, (), 75),
        ("of too many to be shown one needs a person", (*(Stop.BUSY,) * 6, Stop.NONE), (), 3),
    ],
)
def test_who_must_do_something_hears_of_it_also_where_another_job_is_busy(
    about: str, stops: tuple[Stop, ...], causes: tuple[str, ...], wanted: int
) -> None:
    reports = tuple(
        JobReport(job=str(number), verdict=Verdict.ATTENTION, headline=about, stop=stop)
        for number, stop in enumerate(stops)
    )
    findings = tuple(Finding(severity="attention", source=each, text=each, cause=each) for each in causes)
    result = RunResult(
        run="r", started=parts.NOW, ended=parts.NOW, jobs=reports, findings=findings,
        skips=(Skip(job="due", reason="busy", cause=BUSY_RUN),),
    )  # fmt: skip
    assert outcome.exit_code(compose(parts.site(), result), None) == wanted, about


def test_a_job_may_be_called_busy() -> None:
    assert not cause.is_busy(cause.of_job("busy"))
    assert not cause.is_busy(cause.of_store("busy", cause.Fault.FULL))
    assert cause.is_busy(cause.of_store("papio", cause.Fault.BUSY)) and cause.is_busy(BUSY_RUN)


def test_a_job_that_failed_by_its_own_report_fails_the_run_though_every_step_is_done() -> None:
    dump = PlannedJob(name="d", kind="dump")
    lost = ended("d/dump-x", exit=1, result={"error": "the disk is full"})
    assert code(done(ended("d/answers", exit=0), lost, jobs=(dump,))) == 1


def test_new_exceptions_alone_end_with_the_code_of_attention() -> None:
    assert code(done(ended("a/seal", result={**SEALED, "exceptions": 1, "exceptions_new": 1}))) == 3


def test_the_journal_keeps_what_was_written_and_when() -> None:
    late = ended("a/seal", result=SEALED, started=parts.later(seconds=9), ended=parts.later(seconds=12))
    (line,) = outcome.job_lines(done(ended("a/send-1"), late), EVERY)
    assert (line.started, line.ended, line.written) == (parts.NOW, parts.later(seconds=12), (2048, 3))
    (sealed,) = outcome.job_lines(done(ended("a/seal", result=SEALED), ended("a/reap", State.FAILED)), EVERY)
    assert (sealed.verdict, sealed.written) == (Verdict.ATTENTION, (2048, 3))


def test_a_job_that_found_its_store_busy_or_had_no_step_is_not_in_the_journal() -> None:
    assert outcome.job_lines(done(ended("a/begin", State.BUSY), ended("a/seal", State.NOT_REACHED)), EVERY) == ()
    assert outcome.job_lines(done(), EVERY) == ()


def test_the_log_names_each_step_with_its_end_and_its_last_words() -> None:
    item = done(
        ended("a/send-1", exit=23, log="one\ntwo", ended=parts.NOW + timedelta(seconds=90)),
        ended("a/seal", State.NOT_REACHED, started=None, ended=None),
    )
    assert outcome.log((item,), StalePlan("it was run already")) == (
        "a/send-1: done (exit 23) 90.0 s", "  one", "  two", "a/seal: not reached",
    )  # fmt: skip
    assert len(outcome.log((done(ended("a/x", log="x\n" * 500)),), None)) == 200


def test_a_bug_is_told_with_its_trace_and_has_an_exit_code_of_its_own() -> None:
    bug = ValueError("ouch")
    assert outcome.log((), bug)[-1] == "ValueError: ouch"
    assert code(trouble=bug) == BUG
    assert "ouch" in outcome.refusal(bug).text


def test_what_stopped_a_run_decides_the_exit_code_whatever_its_jobs_did() -> None:
    stale = StalePlan("it was run already", do="plan again")
    assert code(done(ended("a/seal", State.FAILED)), trouble=stale) == StalePlan.code
    finding = outcome.refusal(stale)
    assert (finding.severity, finding.text, finding.do) == ("refusal", "it was run already", "plan again")


def test_of_a_journal_that_was_put_aside_all_is_removed_by_one_command() -> None:
    finding = outcome.put_aside("/s/journal.broken-1", "torn", parts.NOW, newer=False)
    assert finding.command == "rm -rf -- /s/journal.broken-1 /s/journal.broken-1-wal /s/journal.broken-1-shm"


def test_skips_are_no_jobs() -> None:
    plan = parts.plan(skips=(Skip(job="a", reason="not due"),))
    assert outcome.job_reports((Pass(plan=plan, outcomes=()),), EVERY, parts.site()) == ()


class Plain:
    """A kind that a plugin brought, which does not say how its jobs end."""

    name = "sizes"


def test_a_kind_without_a_report_of_its_own_is_told_as_any_job() -> None:
    sizes = PlannedJob(name="sizes", kind="sizes", headline="12 folders")
    for kinds in ({"sizes": Plain()}, {}):
        fine = done(ended("sizes/look"), jobs=(sizes,))
        (report,) = outcome.job_reports((fine,), kinds, parts.site())
        assert (report.verdict, report.headline) == (Verdict.DONE, "12 folders")
        late = done(ended("sizes/look", State.STALE, note="changed"), jobs=(sizes,))
        (report,) = outcome.job_reports((late,), kinds, parts.site())
        assert (report.headline, report.stop) == ("stale at look: changed", Stop.STALE)


class _Odd:
    """A kind whose report is no report."""

    def __init__(self, gives: object) -> None:
        self.gives = gives

    def report(self, job: PlannedJob, outcomes: object, around: Around) -> Any:
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives


@pytest.mark.parametrize(
    "gives",
    [KeyError("rows"), None, "fine", JobReport(job="another", verdict=Verdict.DONE, headline="mine")],
    ids=["raises", "nothing", "text", "another job's"],
)
def test_a_kind_that_cannot_say_how_its_job_ended_hides_nothing_and_stops_nobody(gives: object) -> None:
    odd = PlannedJob(name="b", kind="odd")
    kinds = {**EVERY, "odd": _Odd(gives)}
    well = done(ended("a/seal", result=SEALED), ended("b/step"), jobs=(JOB, odd))
    sealed, report = outcome.job_reports((well,), kinds, parts.site())
    assert sealed.verdict == Verdict.DONE and report.job == "b"
    assert (report.verdict, report.headline) == (
        Verdict.ATTENTION,
        "1 step done; how it ended is not fully known: see the log",
    )
    assert any("kind odd could not report it" in text for text in report.details)
    failed = done(ended("b/step", State.FAILED, note="no room"), jobs=(odd,))
    (report,) = outcome.job_reports((failed,), kinds, parts.site())
    assert (report.verdict, report.headline) == (
        Verdict.FAILED,
        "step failed: no room; how it ended is not fully known: see the log",
    )
    assert [report.verdict for report in outcome.job_lines(failed, kinds)] == [Verdict.FAILED]


def test_a_backup_of_a_source_that_shrank_is_sealed_and_does_not_end_as_done() -> None:
    job = replace(JOB, about='{"host": "papio", "usual": 100000, "max_shrink": 30.0}')
    sealed = ended("a/seal", result={**SEALED, "files": 3})
    report = KINDS[JOB.kind].report(job, (sealed,), Around(live=True))
    assert report.verdict == Verdict.ATTENTION and report.made == JOB.writes
    assert report.headline.startswith(
        "papio shrank: 3 files in 2026-11-23T081500Z, 100,000 before; max_shrink is 30 %; "
    )
    assert any("see that all of it was mounted" in line for line in report.details)
    many = ended("a/seal", result={**SEALED, "files": 99_000})
    assert KINDS[JOB.kind].report(job, (many,), Around(live=True)).verdict == Verdict.DONE
