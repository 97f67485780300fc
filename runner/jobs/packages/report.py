"""What came of a job that installs packages, in words, from the answers of the detached commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from runner.jobs.packages import families
from runner.jobs.packages.families import FAMILIES
from runner.jobs.packages.family import Family, PackageLog, plain_log
from runner.jobs.power.report import power_report
from runner.model.packages import Update
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.text import count, length, one_line

# Steps that change something without being detached.
_CHANGES = {
    Role.REPAIR: "an interrupted installation was taken up and ended",
    Role.HOLD: "held what jobs.toml wants held",
    Role.RESTART: "restarted",
}
# Steps whose failure needs more than their names.
_NO_LISTS = "the package lists could not be fetched, so no update was installed"
_FAILED = {
    Role.REFRESH_FIRST: _NO_LISTS,
    Role.REFRESH: _NO_LISTS,
    Role.INITRD: "the newest kernel has no initrd to boot from: do not reboot; see df /boot",
    Role.ENTRY: "the boot loader does not know the newest kernel: do not reboot",
}
_BAD = (State.FAILED, State.INTERRUPTED, State.STALE)
_MOST, _LAST = 100, 12

_SECURITY = "security"
# In what a job tells of itself: the rest is by the lists of some archives only.
NOT_ALL = "not every archive answered"


class _Want(NamedTuple):
    """What a person must look at: in a few words, with the lines that belong to it."""

    text: str
    lines: tuple[str, ...] = ()


class _Runs:
    """The outcomes of a job's steps, and among them the answers of its detached commands, in order."""

    def __init__(self, outcomes: Sequence[Outcome], family: Family | None) -> None:
        self.outcomes, self.family = outcomes, family
        self.answers = [outcome.result for outcome in outcomes if _is_run(outcome)]

    def log(self, lines: Iterable[object]) -> PackageLog:
        """What these lines of a log say; where the family is not known, only which are odd."""
        texts = [str(line) for line in lines]
        return self.family.log(texts) if self.family else plain_log(texts)

    def entries(self, key: str) -> list[Any]:
        """All entries below `packages` of that key; `unfinished` counts as the last run left it."""
        answers = self.answers[-1:] if key == "unfinished" else self.answers
        return [entry for answer in answers for entry in (answer.get("packages") or {}).get(key, ())]

    def names(self, key: str) -> list[str]:
        """Their names, each once."""
        return list(dict.fromkeys(str(entry[0]) for entry in self.entries(key)))

    def every(self, key: str) -> list[str]:
        """The texts below `key` of every answer, each once."""
        return list(dict.fromkeys(str(text) for answer in self.answers for text in answer.get(key, ())))

    def last(self, key: str) -> list[str]:
        """The texts below `key` of the last answer; none where the host came back from a reboot since."""
        end = max((at for at, outcome in enumerate(self.outcomes) if _is_run(outcome)), default=0)
        back = any(outcome.role == Role.BACK and outcome.state == State.DONE for outcome in self.outcomes[end:])
        return [str(text) for answer in self.answers[-1:] if not back for text in answer.get(key, ())]


def _is_run(outcome: Outcome) -> bool:
    return outcome.result.get("detached") is True


def packages_report(
    job: PlannedJob, outcomes: Sequence[Outcome], table: Mapping[str, str] = FAMILIES
) -> JobReport | None:
    """Report on a job of the kinds `updates` and `upgrade`; None where how it stopped says it better.

    What was installed is told from the lists of packages before and after, never from what the
    package manager printed; of that the last lines are shown when something failed, and odd ones always.
    """
    runs = _Runs(outcomes, families.named(job.about, table))
    power = power_report(job, outcomes)
    bad = next((outcome for outcome in outcomes if outcome.state in _BAD), None)
    if bad is not None and (power is None or power.verdict != Verdict.FAILED):
        known = runs.answers or bad.state in (State.INTERRUPTED, State.STALE) or bad.role in _FAILED
        return _failed(job, bad, runs) if known else None
    if any(outcome.state == State.BUSY for outcome in outcomes):
        return None
    report = _installed(job, runs) if runs.answers else _nothing_installed(job, outcomes)
    if power is None:
        return report
    verdict = Verdict.FAILED if Verdict.FAILED in (power.verdict, report.verdict) else report.verdict
    # Without an installation it was the reboot that comes before, and the rest is still to be done.
    only_reboot = not runs.answers
    text = f"the host {power.headline}; {job.told}" if only_reboot else f"{report.headline}; the host {power.headline}"
    return replace(
        report,
        verdict=Verdict.ATTENTION if only_reboot and verdict != Verdict.FAILED else verdict,
        headline=text,
        details=(*report.details, *power.details),
    )


def _nothing_installed(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport:
    """What the plan knew."""
    did = _did(outcomes)
    headline, *details = job.told.splitlines() or ["nothing to do"]
    verdict = Verdict.ATTENTION if job.partly else Verdict.DONE if did else Verdict.NOTHING
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=(*did, *details))


def _installed(job: PlannedJob, runs: _Runs) -> JobReport:
    wants = (*_wants(runs), *([_Want(NOT_ALL)] if job.partly else []))
    failed = [answer for answer in runs.answers if answer.get("exit") != 0]
    broken = bool(failed or runs.entries("unfinished"))
    verdict = Verdict.FAILED if broken else Verdict.ATTENTION if wants else Verdict.DONE
    did = _did(runs.outcomes)
    changed = _changed(runs) or next(iter(did), "") or "all was installed already"
    if any(outcome.role == Role.ATTACH for outcome in runs.outcomes):
        changed += ", by what was cut off before and went on at the host"
    more = (line for want in wants for line in want.lines)
    details = tuple(line for line in (*_versions(runs), *did, *more, *_running(runs)) if line != changed)
    end = _end(runs, failed[0] if failed else runs.answers[-1]) if broken else ()
    headline = "; ".join((changed, *(want.text for want in wants)))
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=(*details, *end))


def _failed(job: PlannedJob, bad: Outcome, runs: _Runs) -> JobReport:
    did = _did(runs.outcomes)
    if bad.state == State.INTERRUPTED and not _is_run(bad):
        headline = (
            f"interrupted at {bad.label}: {bad.note}. What had begun at the host goes on there by itself, "
            "and the next run says what came of it"
        )
    elif bad.state == State.STALE:
        before = f"stopped before {bad.label}" if runs.answers or did else "nothing was done"
        headline = f"{before}: {bad.note}"
    else:
        headline = _why(bad, runs)
    if changed := _changed(runs):
        headline += f"; {changed} all the same"
    wants = (line for want in _wants(runs, failed=True) for line in want.lines or (want.text,) if line)
    # Why refresh-first failed is what the plan itself had found.
    log = () if bad.role == Role.REFRESH_FIRST else tuple(bad.log.strip().splitlines()[-_LAST:])
    details = (*_versions(runs), *did, *wants, *(_end(runs, bad.result) or log))
    return JobReport(job=job.name, verdict=Verdict.FAILED, headline=headline, details=details)


def _why(bad: Outcome, runs: _Runs) -> str:
    """Why a step failed and what to do about it, as far as its output tells that."""
    failed = f"{bad.label} failed" if bad.state == State.FAILED else f"{bad.label} was {bad.state.value}"
    # The output of a detached command is in its answer; nothing of it was on stderr.
    lines = [str(line) for line in bad.result.get("log", ())] if _is_run(bad) else bad.log.splitlines()
    known = next(iter(runs.log(lines).troubles), None)
    if bad.role in _FAILED and bad.state == State.FAILED:
        return _FAILED[bad.role] + _remedy(bad, runs, f"{known.text}: {known.do}" if known else bad.note)
    own = _Runs([bad], runs.family)
    if names := own.names("unfinished"):
        do = f", then, at the host: {runs.family.by_hand}" if runs.family and runs.family.by_hand else ""
        return f"{failed}: {', '.join(names[:_LAST])} could not be set up: see its last lines below, mend that{do}"
    if known:
        return f"{failed}: {known.text}: {known.do}"
    if not own.answers:
        return f"{failed}: {bad.note}"
    last = [line for line in lines if line.startswith("E: ")][-1:] or lines[-1:]
    return ": ".join((failed, _ended(bad.result), *last))


def _remedy(bad: Outcome, runs: _Runs, reason: str) -> str:
    # Before refresh-first the plan itself found the reason, and says what to do.
    if bad.role == Role.REFRESH:
        return f": {reason}"
    if not runs.family or bad.role == Role.REFRESH_FIRST:
        return ""
    initrd, entry = runs.family.write_initrd, runs.family.write_entry
    return f", then, at the host: {initrd}" if bad.role == Role.INITRD else f"; at the host: {entry}"


def _changed(runs: _Runs) -> str:
    """How many packages were upgraded and installed, and are whole; "" where none."""
    broken = runs.names("unfinished")
    counts = {
        words: sum(name not in broken for name in runs.names(key))
        for key, words in (("upgraded", "upgraded"), ("installed", "newly installed"))
    }
    return ", ".join(f"{count(number, 'package')} {words}" for words, number in counts.items() if number)


def _versions(runs: _Runs) -> tuple[str, ...]:
    states = {str(name): f", and it is {state}" for name, state in runs.entries("unfinished")}
    lines = [f"{name} {old} -> {new}{states.get(name, '')}" for name, old, new in runs.entries("upgraded")]
    lines += [f"{name} {new}, newly installed{states.get(name, '')}" for name, new in runs.entries("installed")]
    # Of a kernel only so many are kept: the oldest goes when the next one comes.
    fresh = runs.names("installed")
    lines += [f"{name} {old}, which made room for it" for name, old in runs.entries("removed") if name in fresh]
    more = (f"and {len(lines) - _MOST:,} more",) if len(lines) > _MOST else ()
    return (*lines[:_MOST], *more)


def _did(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What steps did that are no installation: those that count as a change, once each."""
    subjects: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.state == State.DONE and outcome.role in _CHANGES:
            subjects.setdefault(_CHANGES[outcome.role], []).append(outcome.subject)
    return tuple(f"{text} {', '.join(names)}".rstrip(" ,") for text, names in subjects.items())


def _wants(runs: _Runs, *, failed: bool = False) -> Iterator[_Want]:
    """What a person must look at.

    Of a job that failed the packages that are not set up and the last lines of the log are told anyway.
    """
    for outcome in runs.outcomes:
        if outcome.role == Role.ATTACH and _is_run(outcome) and outcome.result.get("exit") != 0:
            yield _Want(f"what an earlier run had begun {_ended(outcome.result)}")
    if problem := next((str(answer["problem"]) for answer in runs.answers if answer.get("problem")), ""):
        yield _Want(f"what changed is not known: {problem}")
    installed = runs.names("installed")
    if unfinished := runs.entries("unfinished"):
        known = runs.names("upgraded") + installed
        lines = tuple(f"{name} is {state}" for name, state in unfinished if name not in known)
        yield _Want("" if failed else f"{count(len(unfinished), 'package')} not set up", lines)
    if removed := [(name, old) for name, old in runs.entries("removed") if name not in installed]:
        lines = tuple(f"removed: {name} {old}" for name, old in removed)
        yield _Want(f"{count(len(removed), 'package')} removed, which nobody asked for", lines)
    log = runs.log(line for answer in runs.answers for line in answer.get("log", ()))
    if log.scripts:
        yield _Want(f"scripts of packages failed: {', '.join(log.scripts)}")
    if not failed and log.odd:
        yield _Want(f"{count(len(log.odd), 'odd line')} in the log", tuple(f"odd: {line}" for line in log.odd[:_LAST]))
    if files := runs.every("conffiles"):
        # A new file was put beside the one that stays.
        lines = tuple(f"{path.rpartition('.')[0]} stays; compare it with {path}" for path in files)
        words = lines[0] if len(lines) == 1 else f"{len(files)} configuration files to compare with the new ones"
        yield _Want(words, lines if len(lines) > 1 else ())
    if reasons := runs.last("reboot"):
        yield _Want(f"a reboot is needed: {', '.join(reasons)}")


def _ended(answer: Mapping[str, Any]) -> str:
    return (
        f"ended {answer['exit']}" if answer.get("exit") is not None else str(answer.get("note") or "has no known end")
    )


def _running(runs: _Runs) -> tuple[str, ...]:
    """Services that still run what was replaced, but for those that were restarted since."""
    ended = (State.DONE, State.NOT_NEEDED)
    fresh = {each.subject for each in runs.outcomes if each.role == Role.RESTART and each.state in ended}
    old = [unit for unit in runs.last("services") if unit not in fresh]
    if not old:
        return ()
    return (f"still running what was replaced: {', '.join(old)}; restart them, or let the job do it (restart = [...])",)


def _end(runs: _Runs, answer: Mapping[str, Any]) -> tuple[str, ...]:
    lines = runs.log(answer.get("log", ())).telling[-_LAST:]
    took = f" after {length(float(answer['seconds']))}" if isinstance(answer.get("seconds"), int | float) else ""
    return (f"its last lines{took}:", *lines) if lines else ()


def update_lines(updates: Iterable[Update]) -> tuple[str, ...]:
    """One line an update, in the order of names: name with architecture, new version, where it is from.

    Security updates say so at the end. Columns are aligned and nothing is wrapped or cut, so that a
    line can be searched for and copied. No line ends in a blank.
    """
    rows = [
        (_name(update), one_line(update.new), one_line(update.origin), _SECURITY if update.security else "")
        for update in sorted(updates, key=lambda update: (update.name, update.arch, update.new))
    ]
    widths = [max((len(row[place]) for row in rows), default=0) for place in range(4)]
    return tuple(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip() for row in rows
    )


def _name(update: Update) -> str:
    return one_line(f"{update.name}.{update.arch}" if update.arch else update.name)
