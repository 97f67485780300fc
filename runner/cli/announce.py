"""runner announce: tell the users when a job will interrupt them, that it will not after all, or that it is over."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from runner.cli.opening import opened
from runner.cli.terminal.show import show
from runner.model.notice import Notice
from runner.model.text import length, one_line
from runner.report.line import Line, line


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which job, when, why."""
    parser.add_argument("job", metavar="JOB", help="a job that interrupts people, such as a reboot")
    choice = parser.add_mutually_exclusive_group(required=True)
    at = "when it begins, in the site's zone: '2026-11-28 17:00' or 'tomorrow 17:00'"
    choice.add_argument("--at", metavar="TIME", help=at)
    choice.add_argument("--cancel", action="store_true", help="say that what was announced does not happen")
    choice.add_argument("--over", action="store_true", help="tell them that it is over, if no run has")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for the users")


def run(options: argparse.Namespace) -> int:
    """Send the notice; 6 where it could not be delivered."""
    from runner.verbs import announce

    since = None
    with opened(options) as app:
        if options.cancel:
            notice = announce.cancel(app, options.job)
        elif options.over:
            notice = announce.over(app, options.job)
        else:
            sent = announce.announce(app, options.job, options.at, options.reason)
            notice, since = sent.notice, sent.since
    show(_standing(notice, since) if since else _lines(notice))
    return 0


def _standing(notice: Notice, since: datetime) -> list[Line]:
    at, before = (moment.astimezone(ZoneInfo(notice.timezone)) for moment in (notice.at, since))
    when = f"{at:%Y-%m-%d %H:%M %Z}, told {before:%a %Y-%m-%d %H:%M}"
    return [line(f"announced already: {notice.job} on {when}; nothing is sent again"), *_next(notice)]


def _lines(notice: Notice) -> list[Line]:
    at = notice.at.astimezone(ZoneInfo(notice.timezone))
    people = ", ".join(notice.recipients) or "nobody"
    where = f" (a file in {notice.sandbox}/mail; nothing is sent from the sandbox)" if notice.sandbox else ""
    if notice.what != "coming":
        return [line(f"{notice.what}: {notice.job} on {at:%Y-%m-%d %H:%M %Z}; sent to {one_line(people)}{where}")]
    long = "an unknown time"
    if notice.downtime:
        long = " to ".join(dict.fromkeys(length(timedelta(seconds=seconds)) for seconds in notice.downtime))
    return [
        line(f"announced: {notice.job} on {at:%Y-%m-%d %H:%M %Z}, for {long}; sent to {one_line(people)}{where}"),
        *_next(notice),
    ]


def _next(notice: Notice) -> tuple[Line, ...]:
    run, cancel = f"runner run {notice.job} --yes", f"runner announce {notice.job} --cancel"
    return (line("  then: ", (run, "command")), line("  or not: ", (cancel, "command")))
