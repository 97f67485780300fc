"""The snapshots of a store while it is being chosen among them; keeps the floor whoever chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.jobs.retention.thinning import is_clean
from runner.model.facts import Snapshot
from runner.model.text import count


class Choice:
    """Who goes so far: `gone`, as indices in `ordered`, which is oldest first.

    Those in `protected` may not go whatever happens (it says why), and `least` that count must be
    left. `held` are those that were wanted and had to stay for `least`.
    """

    def __init__(self, ordered: Sequence[Snapshot], protected: Mapping[int, str], least: int) -> None:
        self.ordered = ordered
        self.protected = protected
        self.gone: set[int] = set()
        self.held: set[int] = set()
        self._least = least
        self._clean = sum(map(is_clean, ordered))

    @property
    def left(self) -> int:
        """How many stay so far."""
        return len(self.ordered) - len(self.gone)

    def take(self, index: int) -> bool:
        """Let this one go if it may; says whether it went now."""
        if index in self.gone or index in self.protected:
            return False
        clean = self._clean - is_clean(self.ordered[index])
        if clean < self._least:
            self.held.add(index)
            return False
        self._clean = clean
        self.gone.add(index)
        return True

    def obstacles(self) -> str:
        """What keeps those that stay, in words."""
        reasons = list(self.protected.values())
        pinned = sum(one.startswith("pinned") for one in reasons)
        read = reasons.count("being read")
        proven = sum(one.startswith("the last that was proven") for one in reasons)
        told = [
            f"{count(len(self.held), 'snapshot')} needed for min = {self._least}" if self.held else "",
            f"{pinned} pinned" if pinned else "",
            f"{read} being read" if read else "",
            f"{proven} proven to come back" if proven else "",
            "the newest",
        ]
        return ", ".join(one for one in told if one)
