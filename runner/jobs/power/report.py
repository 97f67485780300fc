"""What became of a reboot or a halt: it is back after so long, what is missing, or what was seen last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import Around, JobReport, Outcome, State, Verdict
from runner.model.text import count, length, one_line
from runner.report.default import STOPPED, default_report

_REACHED = frozenset((State.DONE, *STOPPED))
# What e2fsck(8) ends with where it put errors right.
_MENDED = 1
_SHOWN = 5


def reported(job: PlannedJob, outcomes: Sequence[Outcome], around: Around) -> JobReport:
    """The report of a reboot or a halt, however far it came."""
    return power_report(job, outcomes) or default_report(job, outcomes, around)


def power_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """The report of a job that took a host down; None where it did not come so far.

    A host that does not come back, or not with everything, is a failure.
    """
    off = _find(outcomes, Role.OFF)
    if off is not None:
        return _halted(job, off, outcomes)
    begun = [
        at for at, one in enumerate(outcomes) if one.role == Role.DOWN and (one.state == State.DONE or _cut_off(one))
    ]
    if not begun:
        return None
    down, *after = outcomes[begun[-1] :]
    early = tuple(one for one in outcomes if _is_check(one))
    back = _find(after, Role.BACK)
    if _cut_off(down):
        text = f"the run was stopped while the host was told to restart: {_look(job)}"
        return JobReport(job=job.name, verdict=Verdict.FAILED, headline=text)
    if back is None or back.state not in _REACHED:
        text = f"was restarted{_at(down.started)}; whether it came back is not known yet"
        return JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=text)
    reboot = _Reboot(
        down=down,
        back=back,
        settled=_find(after, Role.SETTLED),
        after=tuple(after[after.index(back) + 1 :]),
        early=early,
    )
    return _came_back(job, reboot) if back.state == State.DONE else _not_back(job, reboot)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reboot:
    """What became of the steps of a reboot: `after` are those behind `back`, `early` the disk checks before."""

    down: Outcome
    back: Outcome
    settled: Outcome | None
    after: tuple[Outcome, ...]
    early: tuple[Outcome, ...]


def _find(outcomes: Sequence[Outcome], role: Role) -> Outcome | None:
    return next((one for one in outcomes if one.role == role), None)


def downtime(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """How long each reboot among these took, in words: for the report of a job that does more than that."""
    spans = [
        _away(_find(outcomes[:at][::-1], Role.DOWN), one, _find(outcomes[at:], Role.SETTLED))
        for at, one in enumerate(outcomes)
        if one.role == Role.BACK and one.state == State.DONE
    ]
    return tuple(f"restarted, and back after {span}" for span in spans if span)


def away(down: Outcome, back: Outcome, settled: Outcome | None) -> float | None:
    """How many seconds a host was away that was told to restart and came back; None where no clock says."""
    up = _up_again(down, back, settled)
    # A clock that was put back, by a boot for one, makes no duration.
    return (up - down.started).total_seconds() if up and down.started and up >= down.started else None


def _up_again(down: Outcome, back: Outcome, settled: Outcome | None) -> datetime | None:
    """When it was seen again. Where it was up before anybody looked, as when the runner went down with
    it, what it says itself: when its boot was over, or else began."""
    said = (settled.result.get("up") if settled else None, back.result.get("booted"))
    booted = next((datetime.fromtimestamp(one, UTC) for one in said if isinstance(one, int | float)), None)
    if booted and down.started and back.started and down.started <= booted <= back.started:
        return booted
    return back.ended


def _away(down: Outcome | None, back: Outcome, settled: Outcome | None) -> str:
    seconds = away(down, back, settled) if down else None
    return "" if seconds is None else length(seconds)


def _cut_off(one: Outcome) -> bool:
    """Whether the run was stopped when the host had been told to restart, or was about to be."""
    return one.state == State.INTERRUPTED and one.exit is not None


def _look(job: PlannedJob) -> str:
    return f"see how it is: runner plan {job.name}"


def _came_back(job: PlannedJob, reboot: _Reboot) -> JobReport:
    down, back, settled = reboot.down, reboot.back, reboot.settled
    span = _away(down, back, settled) or "some time"
    after = [one for one in reboot.after if one.state in _REACHED]
    wrong = [one for one in after if one.state in STOPPED and one.state != State.INTERRUPTED]
    unseen = [one.label for one in after if one.state == State.INTERRUPTED]
    up = _up_again(down, back, settled)
    watched = up == back.ended and settled and settled.state == State.DONE
    whole = _span(down, settled) if watched else ""
    details = [
        f"down {_at(down.started).strip()}, up {_at(up).strip()}",
        *([f"its boot was over after {whole}"] if whole and whole != span else []),
        *_checked_before(reboot.early),
        *_checked_at_boot(reboot),
    ]
    kernel = _find(reboot.after, Role.KERNEL)
    if kernel and kernel.result.get("running"):
        details.append(f"it runs kernel {one_line(str(kernel.result['running']))}")
    if wrong:
        missing = "; ".join(_why(one) for one in wrong)
        text = f"is back after {span}, but not as it was: {missing}"
        details += [f"{one.label}: {_do(one)}" for one in wrong if _do(one)]
        return JobReport(job=job.name, verdict=Verdict.FAILED, headline=text, details=tuple(details))
    if unseen:
        left = f"the run was stopped before it had looked at {', '.join(unseen)}"
        text = f"is back after {span}, but {left}: {_look(job)}"
        return JobReport(job=job.name, verdict=Verdict.ATTENTION, headline=text, details=tuple(details))
    looked = sum(one.state == State.DONE for one in after)
    text = f"is back after {span}; {count(looked, 'thing')} looked at, all as before"
    mended = [one.subject for one in reboot.early if one.exit == _MENDED]
    if mended:
        text += f"; errors on disk {', '.join(mended)} were put right"
    verdict = Verdict.ATTENTION if mended else Verdict.DONE
    return JobReport(job=job.name, verdict=verdict, headline=text, details=tuple(details))


def _not_back(job: PlannedJob, reboot: _Reboot) -> JobReport:
    down, back = reboot.down, reboot.back
    span = _span(down, back) or "some time"
    ask = "ask somebody on the spot what its screen shows"
    text = f"did not come back within {span}: {ask}; a disk check must not be cut off"
    if back.state != State.FAILED:
        stopped = f"the run was stopped after {span}; {_look(job)}"
        text = f"was told to restart and not seen back: {stopped}"
    # Its own words, where it has some, say what was seen last.
    said = str(back.result.get("error") or "it has not answered since")
    seen = one_line(back.note) or f"seen last: {one_line(said)}"
    undone = [one for one in reboot.after if one.state in STOPPED]
    details = (
        f"told to restart {_at(down.started).strip()}",
        *_checked_before(reboot.early),
        seen,
        *(f"also not done: {one.label}: {_why(one)}" for one in undone),
    )
    return JobReport(job=job.name, verdict=Verdict.FAILED, headline=text, details=details)


def _halted(job: PlannedJob, down: Outcome, outcomes: Sequence[Outcome]) -> JobReport | None:
    gone = _find(outcomes, Role.GONE)
    if down.state != State.DONE:
        return None
    details = [text for one in outcomes if one.state == State.DONE and (text := _let_be(one))]
    details += [f"to start it again: {one_line(job.headline)}"] if job.headline else []
    if gone is None:
        text = f"was told to switch off{_at(down.started)}; nobody is left here to see it: look at its lights"
        return JobReport(job=job.name, verdict=Verdict.DONE, headline=text, details=tuple(details))
    if gone.state == State.DONE:
        # It stops to answer before its power goes, and a broken line is silent too.
        text = f"is going off, and has not answered{_since(gone)}: unplug it when its lights are out"
        return JobReport(job=job.name, verdict=Verdict.DONE, headline=text, details=tuple(details))
    text = f"was told to switch off{_at(down.started)}, but still answers: do not unplug it"
    if gone.state != State.FAILED:
        text = f"was told to switch off{_at(down.started)}, and nobody saw whether it did: look at its lights"
    return JobReport(job=job.name, verdict=Verdict.FAILED, headline=text, details=(gone.note, *details))


def _since(gone: Outcome) -> str:
    return f" since{_at(gone.ended).removeprefix(' at')}" if gone.ended else ""


def _let_be(one: Outcome) -> str:
    if one.role == Role.SYNC:
        return f"written to its disks{_at(one.ended)}"
    return f"disk {one.subject} unmounted{_at(one.ended)}" if one.role == Role.UNMOUNT else ""


def _is_check(one: Outcome) -> bool:
    return one.role == Role.CHECK and one.state == State.DONE and "carried" in one.result


def _checked_before(early: Sequence[Outcome]) -> Iterator[str]:
    for one in early:
        name = one.subject
        how = "errors were put right" if one.exit == _MENDED else "no error was found"
        yield f"disk {name} was checked{_took(one.result)} before the host went down: {how}"
        log = one.result.get("log")
        if one.exit == _MENDED and isinstance(log, list):
            yield from (f"e2fsck: {one_line(str(text))}" for text in log[-_SHOWN:])
            yield f"see in dmesg of its host, and at the cable of disk {name}, why there were any"


def _checked_at_boot(reboot: _Reboot) -> Iterator[str]:
    settled = reboot.settled
    told = settled.result.get("checks") if settled else None
    disks = {
        str(one.result.get("uuid")): f"disk {one.subject}"
        for one in reboot.after
        if one.role == Role.MOUNTED and one.subject and one.result.get("uuid")
    }
    for one in told if isinstance(told, list) else ():
        if isinstance(one, dict):
            place = f"filesystem {one_line(str(one.get('mount') or one.get('device')))}"
            yield f"{disks.get(str(one.get('uuid')), place)} was checked{_took(one)}"


def _took(told: Mapping[str, Any]) -> str:
    found = told.get("seconds")
    return f" in {length(found)}" if isinstance(found, int | float) else ""


def _why(one: Outcome) -> str:
    said = one_line(str(one.result.get("error") or one.note))
    return said or f"{one.label} {one.state.value}"


def _do(one: Outcome) -> str:
    return one_line(str(one.result.get("do") or ""))


def _span(down: Outcome | None, back: Outcome | None) -> str:
    # A clock that was put back, by a boot for one, makes no duration.
    if not (down and back and down.started and back.ended and back.ended >= down.started):
        return ""
    return length(back.ended - down.started)


def _at(moment: datetime | None) -> str:
    return f" at {moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""
