"""Which package an installation failed of, and which others only wait for it."""

from __future__ import annotations

from runner.tools.detached import DetachAnswer

_MOST = 12
# A package in this state has all its files: if an error names it too, it only needs another one.
_WAITS = "unpacked"


def blamed(answer: DetachAnswer, by_hand: str) -> str:
    """Who is to blame, in words with what to do; "" where no package is.

    Who failed is known from the package manager's own events, and from the states in which it left packages where
    there are none. `by_hand` is what a person runs in the end.
    """
    states = dict(answer.packages.unfinished)
    reasons = dict(reversed(answer.failed))
    failed = [name for name in dict(answer.failed) if states.get(name) != _WAITS] or list(states)
    waiting = [name for name in states if name not in failed]
    stays = [name for name in failed if name not in states]
    broken = [name for name in failed if name in states]
    parts = [f"{name} could not be installed and stays as it was ({reasons[name]})" for name in stays[:_MOST]]
    parts += [f"{', '.join(broken[:_MOST])} could not be set up"] if broken else []
    if not parts:
        return ""
    do = f", then, at the host: {by_hand}" if by_hand and states else ""
    waits = "wait for that" if len(waiting) > 1 else "waits for that"
    others = f"; {', '.join(waiting[:_MOST])} {waits}" if waiting else ""
    return f"{', '.join(parts)}: see its last lines below, mend that{do}{others}"
