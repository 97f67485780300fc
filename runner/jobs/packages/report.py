"""What came of a job that installs packages, in words, from what the carried commands answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.jobs.packages.debian import trouble
from runner.jobs.packages.redhat import rpm
from runner.jobs.power.report import power_report
from runner.model.packages import Update
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.text import count, length, one_line

# Steps that change something without being carried.
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
    Role.INITRD: "the newest kernel has no initrd to boot from: do not reboot; see df /boot, then, at the host: "
    "update-initramfs -u -k all",
    Role.ENTRY: "the boot loader does not know the newest kernel: do not reboot; at the host: update-grub",
}
_BAD = (State.FAILED, State.INTERRUPTED, State.STALE)
_MOST, _LAST = 100, 12

_SECURITY = "security"
# In what a job tells of itself: the rest is by the lists of some archives only.
NOT_ALL = "not every archive answered"


def packages_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """Report on a job of the kinds `updates` and `upgrade`; None where how it stopped says it better.

    What was installed is told from the lists of packages before and after, never from what the
    package manager printed; of that the last lines are shown when something failed, and odd ones always.
    """
    runs = _runs(outcomes)
    power = power_report(job, outcomes)
    bad = next((one for one in outcomes if one.state in _BAD), None)
    if bad is not None and (power is None or power.verdict != Verdict.FAILED):
        known = runs or bad.state in (State.INTERRUPTED, State.STALE) or bad.role in _FAILED
        return _failed(job, bad, outcomes) if known else None
    if any(one.state == State.BUSY for one in outcomes):
        return None
    told = _told(job, outcomes) if not runs else _installed(job, outcomes)
    if power is None:
        return told
    verdict = Verdict.FAILED if Verdict.FAILED in (power.verdict, told.verdict) else told.verdict
    # Without an installation it was the reboot that comes before, and the rest is still to be done.
    text = f"{told.headline}; the host {power.headline}" if runs else f"the host {power.headline}; {job.headline}"
    return replace(
        told,
        verdict=verdict if runs or verdict == Verdict.FAILED else Verdict.ATTENTION,
        headline=text,
        details=(*told.details, *power.details),
    )


def _told(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport:
    """Nothing was installed: what the plan knew."""
    did = _did(outcomes)
    verdict = Verdict.ATTENTION if job.partly else Verdict.DONE if did else Verdict.NOTHING
    headline = job.headline or "nothing to do"
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=(*did, *job.details))


def _installed(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport:
    runs = _runs(outcomes)
    wanting = (*_wanting(outcomes), *[(NOT_ALL, ())] * job.partly)
    ended = [one for one in runs if one.get("exit") != 0]
    broken = bool(ended or _all(runs, "unfinished"))
    verdict = Verdict.FAILED if broken else Verdict.ATTENTION if wanting else Verdict.DONE
    more = tuple(line for _, lines in wanting for line in lines)
    details = (*_versions(runs), *_did(outcomes), *more, *_running(outcomes))
    end = _end(ended[0] if ended else runs[-1]) if broken else ()
    changed = _changed(runs) or next(iter(_did(outcomes)), "") or "all was installed already"
    if any(one.role == Role.ATTACH for one in outcomes):
        changed += ", by what was cut off before and went on at the host"
    headline = "; ".join((changed, *(text for text, _ in wanting)))
    details = tuple(line for line in details if line != changed)
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=(*details, *end))


def _failed(job: PlannedJob, bad: Outcome, outcomes: Sequence[Outcome]) -> JobReport:
    runs = _runs(outcomes)
    step = bad.label
    if bad.state == State.INTERRUPTED and not _runs((bad,)):
        headline = (
            f"interrupted at {step}: {bad.note}. What had begun at the host goes on there by itself, "
            "and the next run says what came of it"
        )
    elif bad.state == State.STALE:
        before = f"stopped before {step}" if runs or _did(outcomes) else "nothing was done"
        headline = f"{before}: {bad.note}"
    else:
        headline = _why(bad)
    if changed := _changed(runs):
        headline += f"; {changed} all the same"
    wanting = tuple(line for text, lines in _wanting(outcomes, failed=True) for line in lines or (text,) if line)
    # Why refresh-first failed is what the plan itself had found.
    said = () if bad.role == Role.REFRESH_FIRST else bad.log.strip().splitlines()[-_LAST:]
    end = _end(bad.result) or tuple(said)
    details = (*_versions(runs), *_did(outcomes), *wanting, *end)
    return JobReport(job=job.name, verdict=Verdict.FAILED, headline=headline, details=details)


def _why(bad: Outcome) -> str:
    """Why a step failed and what to do about it, as far as what it said tells that."""
    step = bad.label
    word = "failed" if bad.state == State.FAILED else f"was {bad.state.value}"
    # A carried command's own words are in its answer; nothing of them was on stderr.
    said = [str(line) for line in bad.result.get("log", ())] if _runs((bad,)) else bad.log.splitlines()
    known = next(iter(trouble.read(said)), None)
    if bad.role in _FAILED and bad.state == State.FAILED:
        # Before refresh-first the plan itself found the reason, and says what to do.
        reason = f": {known.text}: {known.do}" if known else f": {bad.note}"
        return _FAILED[bad.role] + (reason if bad.role == Role.REFRESH else "")
    if names := _all(_runs((bad,)), "unfinished"):
        broken = ", ".join(str(name) for name, _ in names[:_LAST])
        do = "see its last lines below, mend that, then, at the host: dpkg --configure -a"
        return f"{step} {word}: {broken} could not be set up: {do}"
    if known:
        return f"{step} {word}: {known.text}: {known.do}"
    if not _runs((bad,)):
        return f"{step} {word}: {bad.note}"
    last = [line for line in said if line.startswith("E: ")][-1:] or said[-1:]
    return ": ".join((f"{step} {word}", _ended(bad.result), *last))


def _runs(outcomes: Sequence[Outcome]) -> list[Mapping[str, Any]]:
    return [one.result for one in outcomes if one.result.get("detached") is True]


def _all(runs: Sequence[Mapping[str, Any]], word: str) -> list[Any]:
    """All entries below `packages` of that name; `unfinished` counts as the last run left it."""
    last = runs[-1:] if word == "unfinished" else runs
    return [entry for one in last for entry in (one.get("packages") or {}).get(word, ())]


def _names(runs: Sequence[Mapping[str, Any]], word: str) -> list[str]:
    return list(dict.fromkeys(str(entry[0]) for entry in _all(runs, word)))


def _changed(runs: Sequence[Mapping[str, Any]]) -> str:
    """How many packages were upgraded and installed, and are whole; "" where none."""
    words = (("upgraded", "upgraded"), ("installed", "newly installed"))
    broken = _names(runs, "unfinished")
    parts = []
    for word, said in words:
        names = [name for name in _names(runs, word) if name not in broken]
        parts += [f"{count(len(names), 'package')} {said}"] if names else []
    return ", ".join(parts)


def _versions(runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    states = {str(name): f", and it is {state}" for name, state in _all(runs, "unfinished")}
    lines = [f"{name} {old} -> {new}{states.get(name, '')}" for name, old, new in _all(runs, "upgraded")]
    lines += [f"{name} {new}, newly installed{states.get(name, '')}" for name, new in _all(runs, "installed")]
    # Of a kernel only so many are kept: the oldest goes when the next one comes.
    fresh = _names(runs, "installed")
    lines += [f"{name} {old}, which made room for it" for name, old in _all(runs, "removed") if name in fresh]
    more = (f"and {len(lines) - _MOST:,} more",) if len(lines) > _MOST else ()
    return (*lines[:_MOST], *more)


def _did(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What steps did that are no installation: those that count as a change, once each."""
    said: dict[str, list[str]] = {}
    for one in outcomes:
        if one.state == State.DONE and one.role in _CHANGES:
            said.setdefault(_CHANGES[one.role], []).append(one.subject)
    return tuple(f"{text} {', '.join(names)}".rstrip(" ,") for text, names in said.items())


def _wanting(outcomes: Sequence[Outcome], *, failed: bool = False) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a person must look at: in a few words, with the lines that belong to it.

    Of a job that failed the packages that are not set up and the last lines of the log are told anyway.
    """
    runs = _runs(outcomes)
    for one in outcomes:
        if one.role == Role.ATTACH and _runs((one,)) and one.result.get("exit") != 0:
            yield f"what an earlier run had begun {_ended(one.result)}", ()
    if problem := next((str(one["problem"]) for one in runs if one.get("problem")), ""):
        yield f"what changed is not known: {problem}", ()
    if unfinished := _all(runs, "unfinished"):
        known = _names(runs, "upgraded") + _names(runs, "installed")
        lines = tuple(f"{name} is {state}" for name, state in unfinished if name not in known)
        yield "" if failed else f"{count(len(unfinished), 'package')} not set up", lines
    installed = _names(runs, "installed")
    if removed := [(name, old) for name, old in _all(runs, "removed") if name not in installed]:
        lines = tuple(f"removed: {name} {old}" for name, old in removed)
        yield f"{count(len(removed), 'package')} removed, which nobody asked for", lines
    log = [str(line) for one in runs for line in one.get("log", ())]
    if scripts := rpm.failed_scriptlets(log):
        yield f"scripts of packages failed: {', '.join(scripts)}", ()
    if not failed and (found := trouble.odd_lines(log)):
        yield f"{count(len(found), 'odd line')} in the log", tuple(f"odd: {line}" for line in found[:_LAST])
    if files := list(dict.fromkeys(str(path) for one in runs for path in one.get("conffiles", ()))):
        lines = tuple(f"{_stays(path)} stays; compare it with {path}" for path in files)
        words = lines[0] if len(lines) == 1 else f"{len(files)} configuration files to compare with the new ones"
        yield words, lines if len(lines) > 1 else ()
    if (reasons := runs[-1].get("reboot") if runs else ()) and not _rebooted(outcomes):
        yield f"a reboot is needed: {', '.join(str(reason) for reason in reasons)}", ()


def _stays(path: str) -> str:
    """The configuration file beside which a new one was put."""
    return path.rpartition(".")[0]


def _ended(run: Mapping[str, Any]) -> str:
    return f"ended {run['exit']}" if run.get("exit") is not None else str(run.get("note") or "has no known end")


def _rebooted(outcomes: Sequence[Outcome]) -> bool:
    """Whether the host came back from a reboot after the last package run."""
    last = max((at for at, one in enumerate(outcomes) if _runs((one,))), default=0)
    return any(one.role == Role.BACK and one.state == State.DONE for one in outcomes[last:])


def _running(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Services that still run what was replaced, but for those that were restarted since."""
    ended = (State.DONE, State.NOT_NEEDED)
    fresh = {one.subject for one in outcomes if one.role == Role.RESTART and one.state in ended}
    runs = _runs(outcomes)
    old = [str(unit) for unit in runs[-1].get("services", ()) if str(unit) not in fresh]
    if not old or _rebooted(outcomes):
        return ()
    return (f"still running what was replaced: {', '.join(old)}; restart them, or let the job do it (restart = [...])",)


def _end(run: Mapping[str, Any]) -> tuple[str, ...]:
    lines = trouble.telling(str(text) for text in run.get("log", ()))[-_LAST:]
    took = f" after {length(float(run['seconds']))}" if isinstance(run.get("seconds"), int | float) else ""
    return (f"its last lines{took}:", *lines) if lines else ()


def update_lines(updates: Iterable[Update]) -> tuple[str, ...]:
    """One line an update, in the order of names: name with architecture, new version, where it is from.

    Security updates say so at the end. Columns are aligned and nothing is wrapped or cut, so that a
    line can be searched for and copied. No line ends in a blank.
    """
    rows = [
        (_name(one), one_line(one.new), one_line(one.origin), _SECURITY if one.security else "")
        for one in sorted(updates, key=lambda one: (one.name, one.arch, one.new))
    ]
    widths = [max((len(row[place]) for row in rows), default=0) for place in range(4)]
    return tuple(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip() for row in rows
    )


def _name(update: Update) -> str:
    return one_line(f"{update.name}.{update.arch}" if update.arch else update.name)
