"""What came of a job that installs packages, in words, from what the carried commands answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from runner.model.plan import PlannedJob
from runner.model.run import JobReport, Outcome, State, Verdict
from runner.model.text import count, length
from runner.tools import aptitude, rpm
from runner.view.came_of_power import power_report

KINDS = frozenset(("updates", "upgrade"))
# Steps that change something without being carried, by the beginning of their names.
_CHANGES = {
    "repair": "an interrupted installation was taken up and ended",
    "hold": "held again what jobs.toml wants held",
    "restart-": "restarted",
}
_BAD = (State.FAILED, State.INTERRUPTED, State.STALE)
_MOST, _LAST = 100, 20


def packages_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """Report on a job of the kinds `updates` and `upgrade`; None for others, and where another says it better.

    What was installed is told from the lists of packages before and after, never from what the
    package manager printed; of that the last lines are shown when something failed, and odd ones always.
    """
    if job.kind not in KINDS:
        return None
    runs = _runs(outcomes)
    power = power_report(replace(job, kind="reboot"), outcomes)
    bad = next((one for one in outcomes if one.state in _BAD), None)
    if bad is not None and (power is None or power.verdict != Verdict.FAILED):
        return _failed(job, bad, outcomes) if runs or bad.state == State.INTERRUPTED else None
    if any(one.state == State.BUSY for one in outcomes):
        return None
    told = _told(job, outcomes) if not runs else _installed(job, outcomes)
    if power is None:
        return told
    verdict = Verdict.FAILED if Verdict.FAILED in (power.verdict, told.verdict) else told.verdict
    # Without an installation it was the reboot that comes before, and the rest is still to be done.
    text = f"{told.headline}; the host {power.headline}" if runs else f"the host {power.headline}; {job.told}"
    return replace(
        told, verdict=verdict if runs or verdict == Verdict.FAILED else Verdict.ATTENTION, headline=text,
        details=(*told.details, *power.details),
    )  # fmt: skip


def _told(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport:
    """Nothing was installed: what the plan knew."""
    did = _did(outcomes)
    headline, *details = job.told.splitlines() or ["nothing to do"]
    verdict = Verdict.DONE if did else Verdict.NOTHING
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=(*did, *details))


def _installed(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport:
    runs = _runs(outcomes)
    wanting = tuple(_wanting(outcomes))
    ended = [one for one in runs if one.get("exit") != 0]
    broken = bool(ended or _all(runs, "unfinished"))
    verdict = Verdict.FAILED if broken else Verdict.ATTENTION if wanting else Verdict.DONE
    more = tuple(line for _, lines in wanting for line in lines)
    details = (*_versions(runs), *_did(outcomes), *more, *_running(outcomes))
    end = _end(ended[0] if ended else runs[-1]) if broken else ()
    headline = "; ".join((_changed(runs), *(text for text, _ in wanting)))
    return JobReport(job=job.name, verdict=verdict, headline=headline, details=(*details, *end))


def _failed(job: PlannedJob, bad: Outcome, outcomes: Sequence[Outcome]) -> JobReport:
    runs = _runs(outcomes)
    step = _step(bad)
    if bad.state == State.INTERRUPTED and not _runs((bad,)):
        headline = (
            f"interrupted at {step}: {bad.note}. What had begun at the host goes on there by itself, "
            "and the next run says what came of it"
        )
    else:
        word = "failed" if bad.state == State.FAILED else f"is {bad.state.value}"
        # A carried command's own last words are in its answer; nothing of it was on stderr.
        last = [str(line) for line in bad.result.get("log", ())][-1:]
        why = ": ".join((_ended(bad.result), *last)) if _runs((bad,)) else bad.note
        headline = f"{step} {word}: {why}"
    if any(_names(runs, word) for word in ("upgraded", "installed")):
        headline += f"; {_changed(runs)} all the same"
    wanting = tuple(line for text, lines in _wanting(outcomes) for line in (text, *lines))
    end = _end(bad.result) or tuple(bad.log.strip().splitlines()[-_LAST:])
    details = (*_versions(runs), *_did(outcomes), *wanting, *end)
    return JobReport(job=job.name, verdict=Verdict.FAILED, headline=headline, details=details)


def _runs(outcomes: Sequence[Outcome]) -> list[Mapping[str, Any]]:
    return [one.result for one in outcomes if one.result.get("carried") is True]


def _all(runs: Sequence[Mapping[str, Any]], word: str) -> list[Any]:
    """All entries below `packages` of that name; `unfinished` counts as the last run left it."""
    last = runs[-1:] if word == "unfinished" else runs
    return [entry for one in last for entry in (one.get("packages") or {}).get(word, ())]


def _names(runs: Sequence[Mapping[str, Any]], word: str) -> list[str]:
    return list(dict.fromkeys(str(entry[0]) for entry in _all(runs, word)))


def _changed(runs: Sequence[Mapping[str, Any]]) -> str:
    words = (("upgraded", "upgraded"), ("installed", "newly installed"))
    parts = [
        f"{count(len(names), 'package')} {said}" for word, said in words if (names := _names(runs, word))
    ]
    return ", ".join(parts) or "no package changed"


def _versions(runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    lines = [f"{name} {old} -> {new}" for name, old, new in _all(runs, "upgraded")]
    lines += [f"{name} {new}, newly installed" for name, new in _all(runs, "installed")]
    more = (f"and {len(lines) - _MOST:,} more",) if len(lines) > _MOST else ()
    return (*lines[:_MOST], *more)


def _did(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What steps did that are no installation: those that count as a change, once each."""
    said: dict[str, list[str]] = {}
    for one in outcomes:
        step = _step(one)
        for word, text in _CHANGES.items():
            if one.state == State.DONE and step.startswith(word):
                said.setdefault(text, []).append(step.removeprefix(word) if word.endswith("-") else "")
    return tuple(f"{text} {', '.join(names)}".rstrip(" ,") for text, names in said.items())


def _wanting(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a person must look at: in a few words, with the lines that belong to it."""
    runs = _runs(outcomes)
    for one in outcomes:
        if _step(one).startswith("attach") and _runs((one,)) and one.result.get("exit") != 0:
            yield f"what an earlier run had begun {_ended(one.result)}", ()
    if problem := next((str(one["problem"]) for one in runs if one.get("problem")), ""):
        yield f"what changed is not known: {problem}", ()
    if unfinished := _all(runs, "unfinished"):
        lines = tuple(f"{name} is {state}" for name, state in unfinished)
        yield f"{count(len(unfinished), 'package')} not set up", lines
    if removed := _all(runs, "removed"):
        lines = tuple(f"removed: {name} {old}" for name, old in removed)
        yield f"{count(len(removed), 'package')} removed, which nobody asked for", lines
    log = [str(line) for one in runs for line in one.get("log", ())]
    if scripts := rpm.failed_scriptlets(log):
        yield f"scripts of packages failed: {', '.join(scripts)}", ()
    if odd := aptitude.odd_lines(log):
        yield f"{count(len(odd), 'odd line')} in the log", tuple(f"odd: {line}" for line in odd[:_LAST])
    if files := list(dict.fromkeys(str(path) for one in runs for path in one.get("conffiles", ()))):
        lines = tuple(f"the old one stays; the new one is {path}" for path in files)
        yield f"{count(len(files), 'configuration file')} to compare with the new version", lines
    if (reasons := runs[-1].get("reboot") if runs else ()) and not _rebooted(outcomes):
        yield f"a reboot is needed: {', '.join(str(reason) for reason in reasons)}", ()


def _ended(run: Mapping[str, Any]) -> str:
    return (
        f"ended {run['exit']}" if run.get("exit") is not None else str(run.get("note") or "has no known end")
    )


def _rebooted(outcomes: Sequence[Outcome]) -> bool:
    """Whether the host came back from a reboot after the last package run."""
    last = max((at for at, one in enumerate(outcomes) if _runs((one,))), default=0)
    return any(_step(one) == "back" and one.state == State.DONE for one in outcomes[last:])


def _step(one: Outcome) -> str:
    return one.step.rpartition("/")[2]


def _running(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Services that still run what was replaced, but for those that were restarted since."""
    fresh = {_step(one) for one in outcomes if one.state in (State.DONE, State.NOT_NEEDED)}
    runs = _runs(outcomes)
    old = [str(unit) for unit in runs[-1].get("services", ()) if f"restart-{unit}" not in fresh]
    if not old or _rebooted(outcomes):
        return ()
    return (
        f"still running what was replaced: {', '.join(old)}; restart them, or let the job do it (restart = [...])",
    )


def _end(run: Mapping[str, Any]) -> tuple[str, ...]:
    lines = [str(text) for text in run.get("log", ())][-_LAST:]
    took = f" after {length(float(run['seconds']))}" if isinstance(run.get("seconds"), int | float) else ""
    return (f"its last lines{took}:", *lines) if lines else ()
