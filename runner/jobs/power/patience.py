"""How long to wait for a machine that was told to reboot, before anybody is sent there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from runner.model.text import count, length

# What a forecast says at most is doubled: disks are slower when they are old, and a drive there is longer.
_DOUBT = 2
# A check whose length nobody knows may take a night and a day.
_UNKNOWN = timedelta(hours=24)
_SETTLE = timedelta(minutes=10)


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
    base = max(least.total_seconds(), _DOUBT * max(took, default=0.0))
    known = sum(one for one in checks if one is not None)
    extra = _DOUBT * known + (_UNKNOWN.total_seconds() if None in checks else 0.0)
    return Patience(
        back=math.ceil(base + extra),
        # With `nofail` the host answers while a check still runs.
        settle=math.ceil(_SETTLE.total_seconds() + extra),
        why=_why(least, took, checks),
    )


def _why(least: timedelta, took: Sequence[float], checks: Sequence[float | None]) -> str:
    longest = max(took, default=0.0)
    said = [f"at least {length(least)}"]
    if took:
        said.append(f"twice the {length(longest)} that the longest of {count(len(took), 'reboot')} took")
    if checks:
        known = sum(one for one in checks if one is not None)
        what = count(len(checks), "filesystem")
        told = f"plus twice the {length(known)} that checking {what} may take"
        said.append(told if None not in checks else f"plus hours for checking {what}, how many nobody knows")
    return ", ".join(said)
