"""How long an interruption should take, from how long it took before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from runner.model.text import count, length

# What the guide tells people when nobody has measured it yet: five to ten minutes.
_UNKNOWN = (300.0, 600.0)
_ROUND = 60.0
# A runner that went down with the host began to wait when all was over.
_QUICKEST = 10.0

# What a forecast says at most is doubled: disks are slower when they are old, and a drive there is longer.
_DOUBT = 2
# A check whose length nobody knows may take a night and a day.
_UNKNOWN_CHECKS = timedelta(hours=24)
_SETTLE = timedelta(minutes=10)


def downtime(took: Sequence[float], check: float | None = None) -> tuple[float, float]:
    """The least and the most seconds that a reboot should take; `check` is what a disk check may add.

    `took` are the last ones measured, newest first. Rounded to minutes, the most with a reserve of half.
    """
    known = [seconds for seconds in took if seconds >= _QUICKEST]
    least, most = (min(known), max(known) * 1.5) if known else _UNKNOWN
    return _minutes(least), _minutes(most + (check or 0.0))


def _minutes(seconds: float) -> float:
    return max(_ROUND, -(-seconds // _ROUND) * _ROUND)


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """The seconds until the host must be back, the further ones until it must have settled, and why."""

    back: int
    settle: int
    why: str


def patience(least: timedelta, took: Sequence[float], checks: Sequence[float | None]) -> Patience:
    """How long to wait: `least` at any rate, twice the longest of what it `took` before, and the checks.

    `took` are seconds of former reboots; `checks` has for each filesystem that the boot checks the
    seconds that it may take at most, None where nobody can say.
    """
    longest = max(took, default=0.0)
    known = sum(seconds for seconds in checks if seconds is not None)
    extra = _DOUBT * known + (_UNKNOWN_CHECKS.total_seconds() if None in checks else 0.0)
    reasons = [f"at least {length(least)}"]
    if took:
        reasons.append(f"twice the {length(longest)} that the longest of {count(len(took), 'reboot')} took")
    if checks:
        what = f"checking {count(len(checks), 'filesystem')}"
        hours = f"plus hours for {what}, how many is not known"
        reasons.append(hours if None in checks else f"plus twice the {length(known)} that {what} may take")
    return Patience(
        back=math.ceil(max(least.total_seconds(), _DOUBT * longest) + extra),
        # With `nofail` the host answers while a check still runs.
        settle=math.ceil(_SETTLE.total_seconds() + extra),
        why=", ".join(reasons),
    )
