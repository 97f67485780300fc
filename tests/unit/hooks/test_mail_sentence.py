"""What a mail says first, and how it says it: a run that somebody stopped is nothing for a Linux administrator."""

from __future__ import annotations

import pytest

from hooks import mail_text
from runner.model import cause
from runner.model.plan import Finding
from runner.model.run import JobReport, Verdict
from runner.report.report import RunResult, compose
from runner.tools.called import Spelling
from tests.unit import parts


def failed(job: str, of: str) -> JobReport:
    return JobReport(job=job, verdict=Verdict.FAILED, headline="it ended", cause=of)


DONE = JobReport(job="c", verdict=Verdict.DONE, headline="sealed")


@pytest.mark.parametrize(
    ("jobs", "findings", "calm", "actions"),
    [
        ((failed("a", cause.STOPPED),), (), True, 1),
        ((failed("a", cause.STOPPED), failed("b", cause.STOPPED), DONE), (), True, 1),
        ((failed("a", cause.STOPPED), failed("b", "")), (), False, 2),
        ((failed("a", "store/papio/full"),), (), False, 1),
        ((DONE,), (Finding(severity="refusal", source="runner", text="a bug"),), False, 1),
    ],
)
def test_only_a_run_that_failed_of_nothing_else_says_that_it_was_stopped(
    jobs: tuple[JobReport, ...], findings: tuple[Finding, ...], calm: bool, actions: int
) -> None:
    plans = (parts.plan(findings=findings),)
    result = RunResult(run="r", started=parts.NOW, ended=parts.NOW, jobs=jobs, plans=plans)
    report = compose(parts.site(), result)
    assert report.verdict is Verdict.FAILED
    text = mail_text.body(report)
    assert text.startswith(mail_text.STOPPED if calm else mail_text.SENTENCES[Verdict.FAILED])
    assert report.was_stopped is calm
    assert len(report.actions) == actions


def test_what_to_do_is_shown_as_it_is_typed_and_names_are_shown_as_they_are() -> None:
    found = Finding(
        severity="attention", source="s", text="/srv/my runner plan x", do="see: runner history", command="runner run a"
    )
    result = RunResult(run="r", started=parts.NOW, ended=parts.NOW, findings=(found,))
    shown = mail_text.body(compose(parts.site(), result), Spelling(program="/x/runner"))
    assert "/srv/my runner plan x: see: /x/runner history\n" in shown and "      /x/runner run a\n" in shown


def test_notes_that_the_message_leaves_out_are_in_the_log_with_what_to_do() -> None:
    notes = tuple(
        Finding(severity="note", source="s", text=f"note {number}", do="to undo it:", command=f"runner pin {number}")
        for number in range(30)
    )
    result = RunResult(run="r", started=parts.NOW, ended=parts.NOW, findings=notes, log=("ended",))
    report, spelling = compose(parts.site(), result), Spelling(program="/x/runner")
    assert "note 7" not in mail_text.body(report, spelling)
    told = "  note: note 7\n    -> to undo it:\n       /x/runner pin 7\n"
    assert told in mail_text.log_file(report, spelling)


def test_a_command_in_a_text_is_on_one_line_however_long_it_is() -> None:
    command = "/opt/runner/.venv/bin/runner snapshots --file /srv/site/jobs.toml papio --exceptions 2026-11-30T181618Z"
    text = (
        f"1 exception: what could not be read is not in it; `{command}` lists it, and a ` alone is as good as any word"
    )
    lines = mail_text.item(text, "    - ").split("\n")
    assert f"      `{command}`" in lines
    assert " ".join(line.strip() for line in lines) == f"- {text}"
