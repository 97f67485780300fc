"""A plan as a reviewer reads it: what each step changes, the exact command, why; then the sum of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from runner.model.plan import Check, Command, Effect, Ended, Finding, Plan, PlannedJob, PutFile, Step, WaitFor
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
# Of the same effect is what empties the trash, or puts away what is no sealed snapshot.
_NO_EXPIRY = (Role.REAP, Role.EMPTY, Role.ASIDE, Role.DROP_PARTIALS, Role.TIDY)
_SEVERITY: dict[str, Style] = {"note": "dim", "attention": "warn", "refusal": "bad"}


def plan_lines(plan: Plan, *, width: int = 100, commands: bool = True, zone: str = "UTC") -> tuple[Line, ...]:
    """The plan; `width` is where commands are folded, `zone` for times.

    With `commands` it is all there. Else a job has a line, and below it what is more than usual: what expires or a
    hook has added; every step of one that interrupts or destroys.
    """
    where = "live" if plan.live else "sandbox: nothing outside ./sandbox is written"
    head = line(("Plan ", "head"), (plan.id, "head"), f"  {plan.site} ({where})")
    jobs = [row for job in plan.jobs for row in _whole(plan, job, width, zone)] if commands else _short(plan, zone)
    skips = skip_lines("Not in this plan", plan.skips)
    return (head, *jobs, *skips, *finding_lines(plan.findings), line(), summary(plan))


def finding_lines(findings: Sequence[Finding]) -> tuple[Line, ...]:
    """Findings under a heading, those of one cause once, and the same text of several jobs; nothing where none are."""
    if not findings:
        return ()
    merged: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        key = (finding.cause,) if finding.cause else (finding.text, finding.advice)
        merged.setdefault((finding.severity, *key), []).append(finding)
    lines = [line(), line(("To know", "head"))]
    for (severity, *_), same in merged.items():
        mark = line("  ", (f"{severity:9}", _SEVERITY[severity]), f"  {one_line(same[0].text)}  ")
        lines.append((*mark, (f"({', '.join(dict.fromkeys(finding.source for finding in same))})", "dim")))
        advised = next((finding for finding in same if finding.advice), None)
        lines += _advice(advised.do, advised.command) if advised else []
    return tuple(lines)


def _advice(do: str, command: str) -> list[Line]:
    """What to do, and on a line of its own, which nothing folds, the command to be copied."""
    pad = " " * 13
    lines = [line(f"{pad}-> ", (one_line(do), "advice"))] if do else []
    return [*lines, line(f"{pad}   " if do else f"{pad}-> ", (one_line(command), "command"))] if command else lines


def summary(plan: Plan) -> Line:
    """One line: what is written, expired, interrupted; roughly how much and how long."""
    if not plan.steps:
        wanted = any(finding.severity != "note" for finding in plan.findings)
        return line(("Nothing can be done now.", "warn")) if wanted else line(("Nothing to do.", "good"))
    writes = [job for job in plan.jobs if job.writes]
    resumed = sum(job.resumes for job in writes)
    forecasts = [job.forecast for job in writes if job.forecast.bytes is not None]
    parts = [f"writes {count(len(writes), 'snapshot')}"] if writes else []
    # A copy that goes nowhere in particular is a drill's.
    parts += ["gets files back"] if any(step.role == Role.COPY and step.subject for step in plan.steps) else []
    parts += [f"takes up {count(resumed, 'interrupted snapshot')}"] if resumed else []
    unknown = [job for job in writes if job.forecast.bytes is None]
    if forecasts:
        amount = size(sum(forecast.bytes or 0 for forecast in forecasts))
        slowest = max((forecast.seconds for forecast in forecasts if forecast.seconds is not None), default=None)
        if all(forecast.exact for forecast in forecasts):
            parts.append(f"{amount} new, {count(sum(forecast.files or 0 for forecast in forecasts), 'inode')}")
            parts[-1] += f", about {length(slowest)}" if slowest is not None else ""
        else:
            parts.append(f"about {amount} new" + (f" in {length(slowest)}" if slowest is not None else ""))
    parts += _unknown(unknown, alone=len(unknown) == len(writes)) if unknown else []
    gone = [step for step in plan.steps if _expires(step)]
    parts += [f"expires {_gone(gone)}" + (" at most" if any(step.unless for step in gone) else "")] if gone else []
    parts += (put_away := _put_away(plan.steps))
    for effect, word in ((Effect.INTERRUPT, "interrupts"), (Effect.DESTROY, "destroys")):
        if steps := [step.id for step in plan.steps if step.effect == effect]:
            parts.append(f"{word}: {', '.join(steps)}")
    if plan.effect == Effect.READ:
        parts.append("looks only, changes nothing")
    elif not gone and not put_away and plan.effect <= Effect.EXPIRE:
        parts.append("expires nothing, interrupts nothing")
    return line(("Summary  ", "head"), "; ".join(parts) + ".")


def _unknown(jobs: Sequence[PlannedJob], *, alone: bool) -> list[str]:
    """What is not known of how much will be written. The first run copies everything, so only the second tells."""
    first = [job.name for job in jobs if not job.forecast.runs]
    later = [job.name for job in jobs if job.forecast.runs]
    if alone and not (first and later):
        when = "a day brings is not known before the second run" if later else "is not known yet"
        return [f"how much {when}"]
    texts = [f"what {name} brings is not known yet" for name in first]
    return [*texts, *(f"what a day of {name} brings is not known before its second run" for name in later)]


def _gone(steps: Sequence[Step]) -> str:
    """What expires, each by its own name; what a plugin brings is a thing."""
    dumps = sum(step.role == Role.EXPIRE_DUMP for step in steps)
    # Of one that expires a new one may be made.
    snapshots = sum(step.role in (Role.EXPIRE, Role.CLONE) for step in steps)
    counts = ((snapshots, "snapshot"), (dumps, "dump"), (len(steps) - snapshots - dumps, "thing"))
    return " and ".join(count(number, what) for number, what in counts if number)


def _expires(step: Step) -> bool:
    # What a plugin brings may be anything, in a kind of its own or added by a hook.
    return step.effect == Effect.EXPIRE and (bool(step.added_by) or step.role not in _NO_EXPIRY)


def _put_away(steps: Sequence[Step]) -> list[str]:
    """What goes without expiring: out of the count, or because nobody needs it."""
    roles = [step.role for step in steps if not step.added_by]
    aside, restored = roles.count(Role.ASIDE), roles.count(Role.TIDY)
    texts = [f"takes {count(aside, 'snapshot')} out of the count"] if aside else []
    texts += ["drops what was interrupted"] if Role.DROP_PARTIALS in roles else []
    return [*texts, *([f"clears {count(restored, 'restored folder')}"] if restored else [])]


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


def _title(plan: Plan, job: PlannedJob, zone: str, wide: int = 0) -> Line:
    # Hosts are prepared before everything else: that need not be said of each job.
    preparing = {step.job for step in plan.steps if step.role == Role.PREPARE}
    awaited = [name for name in job.after if name not in preparing]
    after = f"  after {', '.join(awaited)}" if awaited else ""
    title = f"  {job.kind}" + (f" -> {job.writes}" if job.writes else "")
    when = f"  for {minute(job.instant, zone)}" if job.instant else ""
    return line((job.name.ljust(wide), "name"), title, when, (after, "dim"))


def _whole(plan: Plan, job: PlannedJob, width: int, zone: str) -> list[Line]:
    rows = [row for step in plan.steps if step.job == job.name for row in _step(plan, step, width, True)]
    return [line(), _title(plan, job, zone), *rows]


def _short(plan: Plan, zone: str) -> list[Line]:
    lines = [line()] if plan.jobs else []
    wide = max((len(job.name) for job in plan.jobs), default=0)
    for job in plan.jobs:
        steps = [step for step in plan.steps if step.job == job.name]
        most = max((step.effect for step in steps), default=Effect.READ)
        # What only happens when something else went wrong is left out.
        usual = [step for step in steps if not isinstance(step.unless, Ended)]
        unusual = [step for step in steps if step.effect > Effect.WRITE or step.added_by]
        shown = usual if most > Effect.EXPIRE else unusual
        rest = "" if most > Effect.EXPIRE else f"  {_in_short(job, steps, usual)}"
        lines.append((*_title(plan, job, zone, wide), (rest, "dim")))
        lines += [row for step in shown for row in _step(plan, step, 0, False)]
        if most == Effect.READ and job.headline:
            lines += [line(f"  {one_line(text)}") for text in job.details]
    return lines


def _in_short(job: PlannedJob, steps: Sequence[Step], usual: Sequence[Step]) -> str:
    """A job in which nothing is unusual: what it found out already, what it is for, or how many steps it has."""
    if job.headline and all(step.effect == Effect.READ for step in steps):
        return one_line(job.headline)
    if not usual:
        return ""
    if len(usual) == 1:
        return f"{usual[0].host}: {one_line(usual[0].why)}"
    hosts = dict.fromkeys(step.host for step in usual)
    return f"{count(len(usual), 'step')} on {' and '.join(hosts)}"


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
    notes += [f"is given the output of {_either(step.feed, step.job)}"] if step.feed else []
    notes += [f"goes on beside the next steps, until {_names((step.until,), step.job)}"] if step.until else []
    notes += [f"also when {_names(step.despite, step.job)} failed"] if step.despite else []
    action = step.action
    if isinstance(action, Command) and action.artifact:
        notes.append(one_line(f"is given {action.artifact} ({action.sha256[:12]})"))
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


def _either(steps: Sequence[str], job: str) -> str:
    return " or ".join(name.removeprefix(f"{job}/") for name in steps)


def _claim(claim: Check | Ended, job: str) -> str:
    if isinstance(claim, Check):
        return one_line(claim.why)
    return f"{_either(claim.steps, job)} ended {' or '.join(map(str, claim.codes))}"
