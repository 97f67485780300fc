"""What came of a job that installs packages, in words, from the answers of the detached commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from runner.agent.detached.contract import Changes
from runner.jobs.bundled import Bundled
from runner.jobs.packages import conffiles, families
from runner.jobs.packages.blame import blamed
from runner.jobs.packages.families import FAMILIES
from runner.jobs.packages.family import Family, PackageLog, plain_log
from runner.jobs.power.report import power_report
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome, State, Verdict
from runner.model.text import count, length
from runner.report.default import default_report
from runner.tools.answers import read
from runner.tools.detached import DetachAnswer

# Steps that change something without being detached.
_CHANGES = {
    Role.REPAIR: "an interrupted installation was finished",
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
_INSTALLS = (Role.INSTALL, Role.UPGRADE)
_BAD = (State.FAILED, State.INTERRUPTED, State.STALE)
_MOST, _LAST = 100, 12
# In a headline: the rest of it is by the lists of some archives only.
NOT_ALL = "not every archive answered"


class _Want(NamedTuple):
    """What a person must look at: in a few words, with the lines that belong to it."""

    text: str
    lines: tuple[str, ...] = ()


class _Runs:
    """The outcomes of a job's steps, and among them the answers of its detached commands by step, in order."""

    def __init__(self, outcomes: Sequence[Outcome], family: Family | None) -> None:
        self.outcomes, self.family = outcomes, family
        self.by_step = {each.step: _answer(each) for each in outcomes if _is_detached(each)}
        self.answers = tuple(self.by_step.values())

    def log(self, lines: Sequence[str]) -> PackageLog:
        """What these lines of a log say; where the family is not known, only which are odd."""
        return self.family.log(lines) if self.family else plain_log(lines)

    @property
    def changes(self) -> Changes:
        """What became of packages, of all runs together; `unfinished` counts as the last run left it."""
        each = [answer.packages for answer in self.answers]
        return Changes(
            upgraded=tuple(row for changes in each for row in changes.upgraded),
            installed=tuple(row for changes in each for row in changes.installed),
            removed=tuple(row for changes in each for row in changes.removed),
            unfinished=each[-1].unfinished if each else (),
        )

    @property
    def last(self) -> DetachAnswer:
        """The last answer; an empty one where the host came back from a reboot since, or there is none."""
        end = max((at for at, outcome in enumerate(self.outcomes) if outcome.step in self.by_step), default=0)
        back = any(outcome.role == Role.BACK and outcome.state == State.DONE for outcome in self.outcomes[end:])
        return self.answers[-1] if self.answers and not back else DetachAnswer(detached=False)


def _is_detached(outcome: Outcome) -> bool:
    """Whether it is of a detached command: an installation that ended well is one, whatever it answered."""
    return outcome.result.get("detached") is True or (outcome.state == State.DONE and outcome.role in _INSTALLS)


def _answer(outcome: Outcome) -> DetachAnswer:
    unread = DetachAnswer(detached=True, note="has an answer that makes no sense")
    return read(outcome.result, DetachAnswer) or unread


def _names(rows: Iterable[tuple[str, ...]]) -> list[str]:
    return list(dict.fromkeys(row[0] for row in rows))


class PackagesKind(Bundled):
    """What the kinds `updates` and `upgrade` share. `families` is the table of families that it knows."""

    def __init__(self, families: Mapping[str, str] = FAMILIES) -> None:
        self.families = families

    def report(self, job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
        """See JobKind."""
        return packages_report(job, outcomes, self.families) or default_report(job, outcomes, around)


def packages_report(
    job: PlannedJob, outcomes: Sequence[Outcome], table: Mapping[str, str] = FAMILIES
) -> JobReport | None:
    """Report on a job of the kinds `updates` and `upgrade`; None where how it stopped says it better.

    What was installed is known from the lists of packages before and after, never from the output of the
    package manager; of that the last lines are shown when something failed, and odd ones always.
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
    rebooted = f"the host {power.headline}"
    return replace(
        report,
        verdict=Verdict.ATTENTION if only_reboot and verdict != Verdict.FAILED else verdict,
        headline=f"{rebooted}; {job.headline}" if only_reboot else f"{report.headline}; {rebooted}",
        details=(*report.details, *power.details),
    )


def _nothing_installed(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport:
    """What the plan knew."""
    did, headline = _did(outcomes), job.headline or "nothing to do"
    verdict = Verdict.ATTENTION if job.partly or job.doubt else Verdict.DONE if did else Verdict.NOTHING
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=(*did, *job.details))


def _installed(job: PlannedJob, runs: _Runs) -> JobReport:
    wants = (*_wants(runs), *([_Want(NOT_ALL)] if job.partly else []))
    failed = [answer for answer in runs.answers if answer.exit != 0]
    broken = bool(failed or runs.changes.unfinished)
    verdict = Verdict.FAILED if broken else Verdict.ATTENTION if wants else Verdict.DONE
    did = _did(runs.outcomes)
    changed = _changed(runs.changes) or next(iter(did), "") or ("" if failed else "everything was installed already")
    if changed and any(outcome.role == Role.ATTACH for outcome in runs.outcomes):
        changed += ", by a command that was cut off before and went on at the host"
    more = (line for want in wants for line in want.lines)
    details = tuple(line for line in (*_versions(runs.changes), *did, *more, *_running(runs)) if line != changed)
    end = _end(runs, failed[0] if failed else runs.answers[-1]) if broken else ()
    headline = "; ".join(filter(None, (changed, *(want.text for want in wants))))
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=(*details, *end))


def _failed(job: PlannedJob, bad: Outcome, runs: _Runs) -> JobReport:
    did, answer = _did(runs.outcomes), runs.by_step.get(bad.step)
    if bad.state == State.INTERRUPTED and not answer:
        headline = (
            f"interrupted at {bad.label}: {bad.note}. What it began at the host goes on there by itself, "
            "and the next run reports how it ended"
        )
    elif bad.state == State.STALE:
        before = f"stopped before {bad.label}" if runs.answers or did else "nothing was done"
        headline = f"{before}: {bad.note}"
    else:
        headline = _why(bad, answer, runs)
    if changed := _changed(runs.changes):
        headline += f"; {changed} all the same"
    wants = (line for want in _wants(runs, failed=True) for line in want.lines or (want.text,) if line)
    # Why refresh-first failed is what the plan itself had found.
    log = () if bad.role == Role.REFRESH_FIRST else tuple(bad.log.strip().splitlines()[-_LAST:])
    details = (*_versions(runs.changes), *did, *wants, *((_end(runs, answer) if answer else ()) or log))
    return JobReport(job=job.name, verdict=Verdict.FAILED, headline=headline, details=details)


def _why(bad: Outcome, answer: DetachAnswer | None, runs: _Runs) -> str:
    """Why a step failed and what to do about it, as far as its output tells that."""
    failed = f"{bad.label} failed" if bad.state == State.FAILED else f"{bad.label} was {bad.state.value}"
    # The output of a detached command is in its answer; nothing of it was on stderr.
    lines = answer.log if answer else bad.log.splitlines()
    known = next(iter(runs.log(lines).troubles), None)
    if bad.role in _FAILED and bad.state == State.FAILED:
        return _FAILED[bad.role] + _remedy(bad, runs.family, f"{known.text}: {known.do}" if known else bad.note)
    if answer and (who := blamed(answer, runs.family.by_hand if runs.family else "")):
        return f"{failed}: {who}"
    if known:
        return f"{failed}: {known.text}: {known.do}"
    if not answer:
        return f"{failed}: {bad.note}"
    last = [line for line in lines if line.startswith("E: ")][-1:] or lines[-1:]
    return ": ".join((failed, _ended(answer), *last))


def _remedy(bad: Outcome, family: Family | None, reason: str) -> str:
    # Before refresh-first the plan itself found the reason, and says what to do.
    if bad.role == Role.REFRESH:
        return f": {reason}"
    if not family or bad.role == Role.REFRESH_FIRST:
        return ""
    write = f", then, at the host: {family.write_initrd}"
    return write if bad.role == Role.INITRD else f"; at the host: {family.write_entry}"


def _changed(changes: Changes) -> str:
    """How many packages were upgraded and installed, and are whole; "" where none."""
    broken = _names(changes.unfinished)
    counts = {
        words: sum(name not in broken for name in _names(rows))
        for words, rows in (("upgraded", changes.upgraded), ("newly installed", changes.installed))
    }
    return ", ".join(f"{count(number, 'package')} {words}" for words, number in counts.items() if number)


def _versions(changes: Changes) -> tuple[str, ...]:
    states = {name: f", and it is {state}" for name, state in changes.unfinished}
    lines = [f"{name} {old} -> {new}{states.get(name, '')}" for name, old, new in changes.upgraded]
    lines += [f"{name} {new}, newly installed{states.get(name, '')}" for name, new in changes.installed]
    # Of a kernel only so many are kept: the oldest goes when the next one comes.
    fresh = _names(changes.installed)
    lines += [f"{name} {old}, which made room for it" for name, old in changes.removed if name in fresh]
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

    Of a job that failed the packages that are not set up and the last lines of the log are in its report anyway.
    """
    for outcome in runs.outcomes:
        answer = runs.by_step.get(outcome.step)
        if answer and answer.exit != 0 and (outcome.role == Role.ATTACH or outcome.state == State.DONE):
            what = "what an earlier run began" if outcome.role == Role.ATTACH else outcome.label
            yield _Want(f"{what} {_ended(answer)}")
    if problem := next((answer.problem for answer in runs.answers if answer.problem), ""):
        yield _Want(f"what changed is not known: {problem}")
    changes = runs.changes
    installed = _names(changes.installed)
    if changes.unfinished:
        known = _names(changes.upgraded) + installed
        lines = tuple(f"{name} is {state}" for name, state in changes.unfinished if name not in known)
        yield _Want("" if failed else f"{count(len(changes.unfinished), 'package')} not set up", lines)
    if lines := tuple(f"removed: {name} {old}" for name, old in changes.removed if name not in installed):
        yield _Want(f"{count(len(lines), 'package')} removed, which nobody asked for", lines)
    log = runs.log([line for answer in runs.answers for line in answer.log])
    if log.scripts:
        yield _Want(f"scripts of packages failed: {', '.join(log.scripts)}")
    if not failed and log.odd:
        yield _Want(f"{count(len(log.odd), 'odd line')} in the log", tuple(f"odd: {line}" for line in log.odd[:_LAST]))
    if files := dict.fromkeys(path for answer in runs.answers for path in answer.conffiles):
        gone = {path for answer in runs.answers for path in answer.gone}
        lines = tuple(conffiles.words(path, gone=path in gone) for path in files)
        words = lines[0] if len(lines) == 1 else f"{len(files)} configuration files to compare with the new ones"
        yield _Want(words, lines if len(lines) > 1 else ())
    if runs.last.reboot:
        yield _Want(f"a reboot is needed: {', '.join(runs.last.reboot)}")


def _ended(answer: DetachAnswer) -> str:
    return f"ended {answer.exit}" if answer.exit is not None else answer.note or "has no known end"


def _running(runs: _Runs) -> tuple[str, ...]:
    """Services that still run what was replaced, but for those that were restarted since."""
    ended = (State.DONE, State.NOT_NEEDED)
    fresh = {each.subject for each in runs.outcomes if each.role == Role.RESTART and each.state in ended}
    old = [unit for unit in runs.last.services if unit not in fresh]
    if not old:
        return ()
    return (f"still running replaced files: {', '.join(old)}; restart them, or let the job do it (restart = [...])",)


def _end(runs: _Runs, answer: DetachAnswer) -> tuple[str, ...]:
    lines = runs.log(answer.log).telling[-_LAST:]
    took = "" if answer.seconds is None else f" after {length(answer.seconds)}"
    return (f"its last lines{took}:", *lines) if lines else ()
