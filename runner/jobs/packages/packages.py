"""A list of updates as lines of text: a column each, whatever the width of a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from runner.model.packages import Update
from runner.model.text import one_line

_SECURITY = "security"
# How notes begin that say what a plan will do. In a report they would be read as still to be done.
TO_INSTALL, TO_FETCH, TO_FREE = "to install: ", "to fetch: ", "let go of for this, and held again: "
# In what a job tells of itself: the rest is by the lists of some archives only.
NOT_ALL = "not every archive answered"


def foretells(text: str) -> bool:
    """Whether a note only says what a plan will do to packages: what it did is told by the report of the job."""
    return text.startswith((TO_INSTALL, TO_FETCH, TO_FREE))


def update_lines(updates: Iterable[Update]) -> tuple[str, ...]:
    """One line an update, in the order of names: name with architecture, new version, where it is from.

    Security updates say so at the end. Columns are aligned and nothing is wrapped or cut, so that a
    line can be searched for and copied. No line ends in a blank.
    """
    rows = [
        (_name(one), one_line(one.new), one_line(one.origin), _SECURITY if one.security else "")
        for one in sorted(updates, key=lambda one: (one.name, one.arch, one.new))
    ]
    widths = [max((len(row[place]) for row in rows), default=0) for place in range(4)]
    return tuple(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip()
        for row in rows
    )


def _name(update: Update) -> str:
    return one_line(f"{update.name}.{update.arch}" if update.arch else update.name)
