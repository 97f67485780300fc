"""What the policy of a host refused to somebody with a key: a stolen one, or one that may too little. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from runner.model.attempt import Attempt
from runner.model.facts import HostFacts
from runner.model.plan import Finding
from runner.model.text import count, minute, one_line

_SHOWN = 3


def findings(hosts: Iterable[HostFacts], zone: str) -> tuple[Finding, ...]:
    """One a host where anything was refused, until a person on that host has seen it."""
    return tuple(_finding(host, zone) for host in hosts if host.attempts)


def _finding(host: HostFacts, zone: str) -> Finding:
    # Of no key is what the host says of its own list: that comes first.
    newest = sorted(host.attempts, key=lambda each: (not each.key, each.last), reverse=True)
    listed = "; ".join(_words(each, zone) for each in newest[:_SHOWN])
    more = f"; and {count(len(newest) - _SHOWN, 'thing')} more" if len(newest) > _SHOWN else ""
    times = sum(each.times for each in newest)
    keys = " and ".join(dict.fromkeys(one_line(each.key) for each in newest if each.key))
    were = "was" if times == 1 else "were"
    whose = f"{count(times, 'request')} of the key {keys} {were}" if keys else "requests were"
    text = f"{whose} refused there: {listed}{more}"
    return Finding(
        severity="attention",
        source=host.name,
        text=text,
        do=(
            "if that was none of you, somebody else has the key: docs/trust.md, After a theft; "
            f"once it is clear, on {host.name}:"
        ),
        command="runner-agent refused --forget",
    )


def _words(attempt: Attempt, zone: str) -> str:
    times = "" if attempt.times == 1 else f"{attempt.times} times, the last "
    return f"{one_line(attempt.what)} ({times}{minute(attempt.last, zone)})"
