"""What became of a reboot or a halt: it is back after so long, what is missing, or what was seen last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.agent.detached.contract import DetachAnswer
from runner.agent.power.contract import Returned
from runner.model.plan import PlannedJob
from runner.model.role import Role
from runner.model.run import STOPPED, JobReport, Outcome, State, Verdict
from runner.model.text import count, length, one_line
from runner.tools import answers

_REACHED = frozenset((State.DONE, *STOPPED))
# What e2fsck(8) ends with where it put errors right.
_MENDED = 1
_SHOWN = 5


def power_report(job: PlannedJob, outcomes: Sequence[Outcome]) -> JobReport | None:
    """The report of a job that took a host down; None where it did not come so far.

    A host that does not come back, or not with everything, is a failure.
    """
    off = _find(outcomes, Role.OFF)
    if off is not None:
        return _halted(job, off, outcomes) if off.state == State.DONE else None
    begun = [
        at
        for at, outcome in enumerate(outcomes)
        if outcome.role == Role.DOWN and (outcome.state == State.DONE or _cut_off(outcome))
    ]
    if not begun:
        return None
    down, *after = outcomes[begun[-1] :]
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
        early=tuple(each for each in outcomes if each.role == Role.CHECK and each.state == State.DONE),
    )
    return _returned(job, reboot) if back.state == State.DONE else _not_back(job, reboot)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reboot:
    """What became of the steps of a reboot: `after` are those behind `back`, `early` the disk checks before."""

    down: Outcome
    back: Outcome
    settled: Outcome | None
    after: tuple[Outcome, ...]
    early: tuple[Outcome, ...]


def _find(outcomes: Sequence[Outcome], role: Role) -> Outcome | None:
    return next((outcome for outcome in outcomes if outcome.role == role), None)


def _answer(outcome: Outcome | None) -> Returned:
    """What a look answered; empty where it gave no answer that makes sense."""
    return (answers.read(outcome.result, Returned) if outcome else None) or Returned()


def away(down: Outcome, back: Outcome, settled: Outcome | None) -> float | None:
    """How many seconds a host was away that was told to restart and came back; None where no clock says."""
    up = _up_again(down, back, settled)
    # A clock that was put back, by a boot for one, makes no duration.
    return (up - down.started).total_seconds() if up and down.started and up >= down.started else None


def _up_again(down: Outcome, back: Outcome, settled: Outcome | None) -> datetime | None:
    """When it was seen again. Where it was up before anybody looked, as when the runner went down with
    it, what the host itself answered: when its boot was over, or else began."""
    seconds = _answer(settled).up or _answer(back).booted
    booted = datetime.fromtimestamp(seconds, UTC) if seconds else None
    if booted and down.started and back.started and down.started <= booted <= back.started:
        return booted
    return back.ended


def _cut_off(outcome: Outcome) -> bool:
    """Whether the run was stopped when the host had been told to restart, or was about to be."""
    return outcome.state == State.INTERRUPTED and outcome.exit is not None


def _look(job: PlannedJob) -> str:
    return f"plan {job.name} again to see how it is"


def _returned(job: PlannedJob, reboot: _Reboot) -> JobReport:
    down, back, settled = reboot.down, reboot.back, reboot.settled
    seconds = away(down, back, settled)
    span = "some time" if seconds is None else length(seconds)
    after = [outcome for outcome in reboot.after if outcome.state in _REACHED]
    wrong = [outcome for outcome in after if outcome.state in STOPPED and outcome.state != State.INTERRUPTED]
    unseen = [outcome.label for outcome in after if outcome.state == State.INTERRUPTED]
    up = _up_again(down, back, settled)
    watched = up == back.ended and settled and settled.state == State.DONE
    whole = _span(down, settled) if watched else ""
    running = _answer(_find(reboot.after, Role.KERNEL)).running
    details = [
        f"down {_at(down.started).strip()}, up {_at(up).strip()}",
        *([f"its boot was over after {whole}"] if whole and whole != span else []),
        *_checked_before(reboot.early),
        *_checked_at_boot(reboot),
        *([f"it runs kernel {one_line(running)}"] if running else []),
    ]
    mended = [outcome.subject for outcome in reboot.early if outcome.exit == _MENDED]
    verdict = Verdict.ATTENTION if mended or unseen else Verdict.DONE
    if wrong:
        verdict = Verdict.FAILED
        text = f"but not as it was: {'; '.join(_why(outcome) for outcome in wrong)}"
        details += [f"{outcome.label}: {do}" for outcome in wrong if (do := one_line(_answer(outcome).do))]
    elif unseen:
        text = f"but the run was stopped before it had looked at {', '.join(unseen)}: {_look(job)}"
    else:
        looked = sum(outcome.state == State.DONE for outcome in after)
        text = f"{count(looked, 'thing')} looked at, all as before"
        text += f"; errors on disk {', '.join(mended)} were put right" if mended else ""
    text = f"is back after {span}{', ' if wrong or unseen else '; '}{text}"
    return JobReport(job=job.name, verdict=verdict, headline=text, details=tuple(details))


def _not_back(job: PlannedJob, reboot: _Reboot) -> JobReport:
    down, back = reboot.down, reboot.back
    span = _span(down, back) or "some time"
    ask = "ask somebody on the spot what its screen shows"
    text = f"did not come back within {span}: {ask}; a disk check must not be cut off"
    if back.state != State.FAILED:
        text = f"was told to restart and was not seen again: the run was stopped after {span}; {_look(job)}"
    # The note, where there is one, says what was seen last.
    seen = one_line(back.note) or f"seen last: {one_line(_answer(back).error or 'it has not answered since')}"
    details = (
        f"told to restart {_at(down.started).strip()}",
        *_checked_before(reboot.early),
        seen,
        *(f"also not done: {each.label}: {_why(each)}" for each in reboot.after if each.state in STOPPED),
    )
    return JobReport(job=job.name, verdict=Verdict.FAILED, headline=text, details=details)


def _halted(job: PlannedJob, down: Outcome, outcomes: Sequence[Outcome]) -> JobReport:
    gone = _find(outcomes, Role.GONE)
    details = [text for outcome in outcomes if outcome.state == State.DONE and (text := _let_be(outcome))]
    details += [f"to start it again: {one_line(job.headline)}"] if job.headline else []
    verdict = Verdict.DONE
    if gone is None:
        text = f"was told to switch off{_at(down.started)}; nobody is left here to see it: look at its lights"
    elif gone.state == State.DONE:
        # It stops to answer before its power goes, and a broken line is silent too.
        since = f" since{_at(gone.ended).removeprefix(' at')}" if gone.ended else ""
        text = f"is going off, and has not answered{since}: unplug it when its lights are out"
    else:
        verdict = Verdict.FAILED
        details = [gone.note, *details]
        text = "but still answers: do not unplug it"
        if gone.state != State.FAILED:
            text = "and nobody saw whether it did: look at its lights"
        text = f"was told to switch off{_at(down.started)}, {text}"
    return JobReport(job=job.name, verdict=verdict, headline=text, details=tuple(details))


def _let_be(outcome: Outcome) -> str:
    if outcome.role == Role.SYNC:
        return f"written to its disks{_at(outcome.ended)}"
    return f"disk {outcome.subject} unmounted{_at(outcome.ended)}" if outcome.role == Role.UNMOUNT else ""


def _checked_before(early: Sequence[Outcome]) -> Iterator[str]:
    for outcome in early:
        name, answer = outcome.subject, answers.read(outcome.result, DetachAnswer)
        how = "errors were put right" if outcome.exit == _MENDED else "no error was found"
        yield f"disk {name} was checked{_took(answer.seconds if answer else None)} before the host went down: {how}"
        if outcome.exit == _MENDED:
            yield from (f"e2fsck: {one_line(line)}" for line in (answer.log if answer else ())[-_SHOWN:])
            yield f"see in dmesg of its host, and at the cable of disk {name}, why there were any"


def _checked_at_boot(reboot: _Reboot) -> Iterator[str]:
    mounted = [outcome for outcome in reboot.after if outcome.role == Role.MOUNTED and outcome.subject]
    disks = {uuid: f"disk {outcome.subject}" for outcome in mounted if (uuid := _answer(outcome).uuid)}
    for check in _answer(reboot.settled).checks or ():
        place = f"filesystem {one_line(check.mount or check.device)}"
        yield f"{disks.get(check.uuid, place)} was checked{_took(check.seconds)}"


def _took(seconds: float | None) -> str:
    return "" if seconds is None else f" in {length(seconds)}"


def _why(outcome: Outcome) -> str:
    return one_line(_answer(outcome).error or outcome.note) or f"{outcome.label} {outcome.state.value}"


def _span(down: Outcome | None, back: Outcome | None) -> str:
    # A clock that was put back, by a boot for one, makes no duration.
    if not (down and back and down.started and back.ended and back.ended >= down.started):
        return ""
    return length(back.ended - down.started)


def _at(moment: datetime | None) -> str:
    return f" at {moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""
