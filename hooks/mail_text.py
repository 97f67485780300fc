"""The words of the mail: subject and body. Pure; what a file name may hold is shown, and does nothing."""

from __future__ import annotations

import re
import textwrap
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from runner.model.plan import Finding
from runner.model.run import Report, Verdict
from runner.model.text import length, one_line, size
from runner.report.report import merged_skips
from runner.tools.called import AS_WRITTEN, Spelling

WIDTH = 78
# A message that is longer than a person reads has its log attached.
LONGEST = 60
LOG_LINES = 200

SENTENCES = {
    Verdict.NOTHING: "Nothing was done: no job was due or could run.",
    Verdict.DONE: "Done. Nobody has to do anything.",
    Verdict.ATTENTION: "Attention needed: please read what to do, and do it.",
    Verdict.FAILED: "Failed: please refer this message to a Linux administrator.",
}
STOPPED = "Stopped by Ctrl-C or a signal. Nothing sealed was harmed; where it stopped is below."


def subject(report: Report) -> str:
    """`[site] verdict: the most important line`, one line of at most 120 characters; a late one says when it was."""
    made = f" on {report.ended.astimezone(_zone(report.timezone)):%Y-%m-%d %H:%M %Z}" if report.late else ""
    line = header(f"[{report.site}] {report.verdict}{made}: {_most_important(report)}")
    return line if len(line) <= 120 else f"{line[:117].rstrip()}..."


def body(report: Report, spelling: Spelling = AS_WRITTEN) -> str:
    """The message: verdict, what to do, what happened, what was not done and why, findings, log.

    Where it would be too long to be read it only says that the log is attached, and if need be the notes with it.
    """
    whole = _body(report, spelling)
    if not _is_long(whole, report):
        return whole
    short = _body(report, spelling, attached=True)
    return _body(report, spelling, attached=True, notes=False) if _is_long(short, report) else short


def log_file(report: Report, spelling: Spelling = AS_WRITTEN) -> str:
    """The log, to be attached, where the message is too long with it; else "". The notes come first in it."""
    if not _is_long(_body(report, spelling), report):
        return ""
    notes = [_note(finding, spelling) for finding in report.findings if finding.severity == "note"]
    left_out = max(0, len(report.log) - LOG_LINES)
    head = f"({left_out} earlier lines are in the journal)\n" if left_out else ""
    noted, entries = ("".join(f"{log(entry)}\n" for entry in each) for each in (notes, report.log[-LOG_LINES:]))
    return f"{noted}{head}{entries}"


def _note(finding: Finding, spelling: Spelling) -> str:
    """A note as an entry of the log: where the message leaves the notes out, what to do is nowhere else."""
    do, command = spelling.advice(finding.do), spelling.command(finding.command)
    advice = (f"  -> {do}" if do else "", f"     {command}" if command else "")
    return "\n".join(filter(None, (f"note: {finding.text}", *advice)))


def _is_long(whole: str, report: Report) -> bool:
    return bool(report.log) and whole.count("\n") > LONGEST


def _body(report: Report, spelling: Spelling, *, attached: bool = False, notes: bool = True) -> str:
    zone, done = _zone(report.timezone), [skip for skip in report.skips if skip.done]
    started, ended = (f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}" for at in (report.started, report.ended))
    return render(
        "mail.txt.j2",
        spelling=spelling,
        report=report,
        done=done,
        minute=lambda at: f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}",
        skips=merged_skips([skip for skip in report.skips if not skip.done]),
        sentence=_sentence(report),
        started=started,
        ended=ended,
        took=length(report.ended - report.started),
        lines=() if attached else report.log,
        findings=[finding for finding in report.findings if notes or finding.severity != "note"],
        attached=attached,
    )


def _sentence(report: Report) -> str:
    if report.was_stopped:
        return STOPPED
    nothing_left = report.jobs or any(skip.done for skip in report.skips)
    return (
        "There was nothing to do." if report.verdict is Verdict.NOTHING and nothing_left else SENTENCES[report.verdict]
    )


def render(template: str, **values: object) -> str:
    """A text for a mail from a template beside this file, with the filters item, log and heading."""
    import jinja2  # noqa: PLC0415  (40 ms that only a run which mails should take)

    # Plain text: nothing is escaped for HTML, control characters are by the filters.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"item": item, "log": log, "heading": heading}
    return environment.get_template(template).render(values)


def item(text: str, first: str = "", command: str = "") -> str:
    """The text as one paragraph behind `first`, wrapped, its other lines indented as deep; the command whole below.

    What stands in backticks is to be pasted: it is never broken.
    """
    bare = text.lstrip(" ")
    first += " " * (len(text) - len(bare))
    # No text that is one line has a NUL.
    lines = textwrap.wrap(
        re.sub("`[^`]*`", lambda quoted: quoted[0].replace(" ", "\0"), one_line(bare)),
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )
    whole = [line.replace("\0", " ") for line in lines]
    return "\n".join((*whole, f"{' ' * len(first)}  {one_line(command)}") if command else whole)


def heading(text: str) -> str:
    """A heading in plain text."""
    return f"{text}\n{'-' * len(text)}"


def log(text: str) -> str:
    """One entry of the log, its lines indented so that none can pass for a part of the report."""
    return "\n".join(f"  {one_line(line)}".rstrip() for line in text.split("\n"))


def header(text: str) -> str:
    """The text fit for a header: what cannot be printed becomes a blank, and several blanks become one."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def word(text: str) -> str:
    """The text as a word that can be part of a file name or a Message-ID."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".") or "run"


def _most_important(report: Report) -> str:
    """What somebody who reads no more than the subject should know."""
    if report.actions:
        first, *more = report.actions
        others = sum(todo.things for todo in more)
        return f"{first.headline or first.text}{f' (and {others} more)' if others else ''}"
    made = [job for job in report.jobs if job.made]
    if made:
        return "; ".join(f"{job.made}, {size(job.written[0])} new" if job.written else job.made for job in made)
    lines = [f"{job.job}: {job.headline}" for job in report.jobs if job.verdict is report.verdict]
    first_line, *rest = lines or [f"{skip.job}: {skip.reason}" for skip in report.skips] or ["no job"]
    return f"{first_line} (and {len(rest)} more)" if rest else first_line


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        return UTC
