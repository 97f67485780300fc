"""A report reaches people in the end: it is tried again where that may help, kept, and sent before the next one."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from runner.config.plugins import Hooks
from runner.engine import undelivered
from runner.engine.undelivered import KeptReport
from runner.model.plan import Finding
from runner.model.role import Phase
from runner.model.run import Report, Undelivered
from runner.model.site import Site
from runner.model.text import count, minute

SOON = 60.0
MOST = 20
LONGEST = timedelta(days=14)


class DeliveryDesk(Protocol):
    """What is needed of the app."""

    site: Site
    hooks: Hooks
    stop: threading.Event

    def now(self) -> datetime:
        """The time, UTC."""


def deliver(desk: DeliveryDesk, report: Report) -> tuple[Undelivered, ...]:
    """Deliver this run's report; who could not, and keeps it for the next run.

    Where that may pass by itself, as when a mail server puts off whom it does not know, they are asked once more.
    """
    failed = desk.hooks.deliver_report(report)
    passing = tuple(each.hook for each in failed if each.passing)
    if passing and desk.site.live and not desk.stop.wait(SOON):
        again = desk.hooks.deliver_report(report, only=passing)
        failed = (*(each for each in failed if not each.passing), *again)
    if failed:
        try:
            undelivered.keep(Path(desk.site.state), report, tuple(each.hook for each in failed))
        except (OSError, TypeError) as error:
            why = f"nor could it be kept for the next run: {error}"
            failed = (*failed, Undelivered(hook="state", why=why, for_good=True))
    return failed


def catch_up(desk: DeliveryDesk) -> tuple[Finding, ...]:
    """Deliver what earlier runs could not, oldest first, by those who could not; what people must know of the rest."""
    state = Path(desk.site.state)
    try:
        with undelivered.at_work(state) as reports:
            lost, waiting = sorted_out(reports, desk.now(), desk.hooks.names)
            findings = [_given_up(each, desk.site.timezone) for each in lost]
            findings += _unreadable([each for each in reports if each.error])
            failed: dict[str, str] = {}
            left = sum(_is_left(desk, state, each, failed) for each in waiting)
            for each in lost:
                with suppress(OSError):  # it is told again then
                    each.path.unlink(missing_ok=True)
    except OSError as error:
        return (_finding(f"it is not known which reports could not be delivered: {error}", "look at that folder"),)
    if left:
        why = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        text = f"{count(left, 'report')} of earlier runs could not be delivered yet: {why}"
        until = f"for {LONGEST.days} days, or until more than {MOST} wait"
        findings.append(_finding(text, f"put that right: each run tries again, {until}"))
    return tuple(findings)


def sorted_out(
    reports: Sequence[KeptReport], now: datetime, hooks: Collection[str]
) -> tuple[tuple[KeptReport, ...], tuple[KeptReport, ...]]:
    """Those that are given up, and those that are to be delivered, oldest first.

    What is too old, too much or not understood is given up, and what waits for none of `hooks`, which there are now.
    What cannot be read now is neither.
    """
    good = [
        each
        for each in reports
        if each.report and now - each.report.ended <= LONGEST and not set(each.hooks).isdisjoint(hooks)
    ]
    waiting = tuple(good[-MOST:])
    return tuple(each for each in reports if each not in waiting and not each.error), waiting


def _is_left(desk: DeliveryDesk, state: Path, old: KeptReport, failed: dict[str, str]) -> bool:
    """Try it, by whom it waits for; whether somebody still has not. Who failed in this run is not asked again."""
    if old.report is None:
        return False
    site = desk.site
    known = [name for name in old.hooks if name in desk.hooks.names]
    to_ask = tuple(name for name in known if name not in failed)
    # As jobs.toml is now: a wrong address may have been the reason.
    people = {"admin": site.people.admin, "experts": site.people.experts, "users": site.people.users}
    report = replace(old.report, late=True, recipients=people)
    again = desk.hooks.deliver_report(report, only=to_ask) if to_ask else ()
    failed |= {each.hook: each.why for each in again}
    left = tuple(name for name in known if name in failed)
    if left != old.hooks:
        with suppress(OSError):  # it comes twice then, which is better than never
            undelivered.keep(state, old.report, left)
    return bool(left)


def _given_up(old: KeptReport, zone: str) -> Finding:
    text = f"a report that was kept cannot be read, and is dropped: {old.path.name}"
    if old.report:
        what = f"the report of {minute(old.report.ended, zone)} ({old.report.verdict.value})"
        text = f"{what} was never delivered by {' and '.join(old.hooks)}, and is given up"
    return _finding(text, "see: runner history")


def _unreadable(reports: Sequence[KeptReport]) -> list[Finding]:
    if not reports:
        return []
    files = "; ".join(f"{each.path.name}: {each.error}" for each in reports)
    they = "it is" if len(reports) == 1 else "they are"
    text = f"{count(len(reports), 'report')} of earlier runs cannot be read now, so {they} not delivered: {files}"
    return [_finding(text, f"look at {reports[0].path.parent} and its disk: each run tries again")]


def _finding(text: str, do: str) -> Finding:
    return Finding(severity="attention", source="reports", text=text, do=do, phase=Phase.RUN)
