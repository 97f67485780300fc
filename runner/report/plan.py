"""A plan as a reviewer reads it: what each step changes, the exact command, why; then the sum of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from runner.model.plan import Check, Effect, Ended, Finding, Plan, PlannedJob, PutFile, Step, WaitFor
from runner.model.role import Role
from runner.model.text import count, length, minute, one_line, printable, size
from runner.report.line import Line, Style, line
from runner.report.report import skip_lines

_EFFECTS: dict[Effect, Style] = {
    Effect.READ: "dim",
    Effect.WRITE: "good",
    Effect.EXPIRE: "warn",
    Effect.INTERRUPT: "bad",
    Effect.DESTROY: "bad",
}
_SEVERITY: dict[str, Style] = {"note": "dim", "attention": "warn", "refusal": "bad"}


def plan_lines(plan: Plan, *, width: int = 100, commands: bool = True, zone: str = "UTC") -> tuple[Line, ...]:
    """The whole plan; `width` is where commands are folded, `commands` whether they are shown, `zone` for times."""
    where = "live" if plan.live else "sandbox: nothing outside ./sandbox is written"
    head = line(("Plan ", "head"), (plan.id, "head"), f"  {plan.site} ({where})")
    jobs = [row for job in plan.jobs for row in (*_title(plan, job, zone), *_job(plan, job, width, commands))]
    skips = skip_lines("Not in this plan", plan.skips)
    return (head, *jobs, *skips, *finding_lines(plan.findings), line(), summary(plan))


def finding_lines(findings: Sequence[Finding]) -> tuple[Line, ...]:
    """Findings under a heading, the same text of several jobs once; nothing where there are none."""
    if not findings:
        return ()
    merged: dict[tuple[str, str, str], list[str]] = {}
    for finding in findings:
        merged.setdefault((finding.severity, finding.text, finding.advice), []).append(finding.source)
    lines = [line(), line(("To know", "head"))]
    for (severity, text, advice), sources in merged.items():
        mark = line("  ", (f"{severity:9}", _SEVERITY[severity]), f"  {one_line(text)}  ")
        lines.append((*mark, (f"({', '.join(sources)})", "dim")))
        lines += [line(" " * 13 + f"-> {one_line(advice)}")] if advice else []
    return tuple(lines)


def summary(plan: Plan) -> Line:
    """One line: what is written, expired, interrupted; roughly how much and how long."""
    if not plan.steps:
        return line(("Nothing to do.", "good"))
    writes = [job for job in plan.jobs if job.writes]
    resumed = sum(job.resumes for job in writes)
    forecasts = [job.forecast for job in writes if job.forecast.bytes is not None]
    parts = [f"writes {count(len(writes), 'snapshot')}"] if writes else []
    # A copy that goes nowhere in particular is a drill's.
    parts += ["gets files back"] if any(step.role == Role.COPY and step.subject for step in plan.steps) else []
    parts += [f"takes up {count(resumed, 'interrupted one')}"] if resumed else []
    if forecasts:
        amount = size(sum(forecast.bytes or 0 for forecast in forecasts))
        slowest = max((forecast.seconds for forecast in forecasts if forecast.seconds is not None), default=None)
        if all(forecast.exact for forecast in forecasts):
            parts.append(f"{amount} new, {count(sum(forecast.files or 0 for forecast in forecasts), 'inode')}")
            parts[-1] += f", about {length(slowest)}" if slowest is not None else ""
        else:
            parts.append(f"about {amount} new" + (f" in {length(slowest)}" if slowest is not None else ""))
    elif writes:
        parts.append("how much is not known before the first run")
    gone = [step for step in plan.steps if _expires(step)]
    if gone:
        unsure = any(step.unless for step in gone)
        parts.append(f"expires {count(len(gone), 'snapshot')}" + (" at most" if unsure else ""))
    for effect, word in ((Effect.INTERRUPT, "interrupts"), (Effect.DESTROY, "destroys")):
        if steps := [step.id for step in plan.steps if step.effect == effect]:
            parts.append(f"{word}: {', '.join(steps)}")
    if plan.effect == Effect.READ:
        parts.append("looks only, changes nothing")
    elif not gone and plan.effect <= Effect.EXPIRE:
        parts.append("expires nothing, interrupts nothing")
    return line(("Summary  ", "head"), "; ".join(parts) + ".")


def _expires(step: Step) -> bool:
    # Emptying the trash is of the same effect, but takes no snapshot. A step of a hook may be anything.
    emptying = step.role in (Role.REAP, Role.EMPTY) and not step.added_by
    return step.effect == Effect.EXPIRE and not emptying


def command_lines(argv: Sequence[str], width: int) -> tuple[str, ...]:
    """The exact command, quoted for sh(1), folded at blanks with a backslash so that it can be pasted.

    What cannot be printed is spelt as printf(1) reads it, so nothing in it can pass for a line of the plan.
    """
    lines: list[str] = []
    current = ""
    for index, word in enumerate(argv):
        if _is_script(argv, index):
            # Its own lines, as sh reads them. It is one of ours: no name of a file is in it.
            first, *more = shlex.quote(word).split("\n")
            lines += [f"{current} {first}", *more[:-1]]
            current = more[-1]
            continue
        shown = _quoted(word)
        if current and len(current) + 1 + len(shown) > width - 2:
            lines.append(current + " \\")
            current = "  " + shown
        else:
            current = f"{current} {shown}" if current else shown
    return (*lines, current)


def _is_script(argv: Sequence[str], index: int) -> bool:
    """Whether the word is a script of several lines that can be shown as they are: `sh -c SCRIPT`."""
    word = argv[index]
    behind = index >= 2 and argv[index - 1] in ("-c", "-euc", "-eu") and argv[index - 2].endswith("sh")
    return behind and "\n" in word and printable(word) == word


def _quoted(word: str) -> str:
    if one_line(word) == word:
        return shlex.quote(word)
    # $(...) drops line feeds at its end; those can be printed, since nothing comes behind them.
    text = word.rstrip("\n")
    ends = "'" + "\n" * (len(word) - len(text)) + "'" if text != word else ""
    if one_line(text) == text:
        return shlex.quote(text) + ends
    return f"\"$(printf -- '{''.join(_spelt(char) for char in text)}')\"{ends}"


def _spelt(char: str) -> str:
    if char == "%":
        return "%%"
    if char not in "'\\" and one_line(char) == char:
        return char
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))


def _title(plan: Plan, job: PlannedJob, zone: str) -> list[Line]:
    # Hosts are prepared before everything else: that need not be said of each job.
    preparing = {step.job for step in plan.steps if step.role == Role.PREPARE}
    awaited = [name for name in job.after if name not in preparing]
    title = f"  {job.kind}" + (f" -> {job.writes}" if job.writes else "")
    when = f"  for {minute(job.instant, zone)}" if job.instant else ""
    after = f"  after {', '.join(awaited)}" if awaited else ""
    return [line(), line((job.name, "name"), title, when, (after, "dim"))]


def _job(plan: Plan, job: PlannedJob, width: int, commands: bool) -> list[Line]:
    steps = [step for step in plan.steps if step.job == job.name]
    if not commands:
        if job.headline and all(step.effect == Effect.READ for step in steps):
            return [line(f"  {one_line(text)}") for text in (job.headline, *job.details)]
        # In short: what only happens when something else went wrong is left out.
        steps = [step for step in steps if not isinstance(step.unless, Ended)]
    return [row for step in steps for row in _step(plan, step, width, commands)]


def _step(plan: Plan, step: Step, width: int, whole: bool) -> list[Line]:
    elsewhere = "" if plan.live or not step.needs else "  [not in the sandbox]"
    added = f"  [added by {step.added_by}]" if step.added_by else ""
    lines = [
        line(
            f"  {_names((step.id,), step.job):12} ",
            (f"{step.effect.name.lower():9}", _EFFECTS[step.effect]),
            f" {step.host:15} ",
            one_line(step.why),
            (elsewhere + added, "warn"),
        )
    ]
    if not whole:
        return lines
    notes = [
        f"{word} {_claim(claim, step.job)}"
        for word, claim in (("only if", step.guard), ("unless", step.unless))
        if claim
    ]
    notes += [f"reads the output of {_names(step.inputs, step.job)}"] if step.inputs else []
    notes += [f"also when {_names(step.despite, step.job)} failed"] if step.despite else []
    action = step.action
    if isinstance(action, PutFile):
        text = f"puts {action.artifact} ({action.sha256[:12]}) at {action.path}, mode {action.mode:o}"
        commands = [("", one_line(text))]
    else:
        commands = _marked((action.until if isinstance(action, WaitFor) else action).argv, width)
    if isinstance(action, WaitFor):
        what = "it no longer answers" if action.gone else one_line(action.until.why)
        notes.append(f"asks every {action.every} s until {what}, for {length(action.within)} at most")
    pad = " " * 15
    lines += [line(pad, (note, "dim")) for note in notes]
    return lines + [line(pad, (mark, "dim"), (text, "command")) for mark, text in commands]


def _marked(argv: Sequence[str], width: int) -> list[tuple[str, str]]:
    first, *more = command_lines(argv, max(width - 17, 40))
    return [("$ ", first), *(("  ", text) for text in more)]


def _names(steps: Sequence[str], job: str) -> str:
    return ", ".join(name.removeprefix(f"{job}/") for name in steps)


def _claim(claim: Check | Ended, job: str) -> str:
    if isinstance(claim, Check):
        return one_line(claim.why)
    return f"{_names((claim.step,), job)} ended {' or '.join(map(str, claim.codes))}"
