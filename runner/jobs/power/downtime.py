"""How long an interruption should take, from how long it took before."""

from __future__ import annotations

from collections.abc import Sequence

# What the guide tells people when nobody has measured it yet: five to ten minutes.
_UNKNOWN = (300.0, 600.0)
_ROUND = 60.0
# A runner that went down with the host began to wait when all was over.
_QUICKEST = 10.0


def downtime(took: Sequence[float], check: float | None = None) -> tuple[float, float]:
    """The least and the most seconds that a reboot should take; `check` is what a disk check may add.

    `took` are the last ones measured, newest first. Rounded to minutes, the most with a reserve of half.
    """
    known = [one for one in took if one >= _QUICKEST]
    least, most = (min(known), max(known) * 1.5) if known else _UNKNOWN
    return _minutes(least), _minutes(most + (check or 0.0))


def _minutes(seconds: float) -> float:
    return max(_ROUND, -(-seconds // _ROUND) * _ROUND)
