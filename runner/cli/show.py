"""Print lines: in colour at a terminal, plain in a pipe. Also JSON, and a table."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from runner.report.line import Line, Style, folded, line, plain

_STYLES: dict[Style, str] = {
    "head": "1",
    "dim": "2",
    "good": "32",
    "warn": "33",
    "bad": "1;31",
    "name": "1;36",
    "command": "2",
}


def at_terminal() -> bool:
    """Whether colour and live progress make sense: a terminal, and NO_COLOR is not set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """The columns there are to fold in; wide enough where nobody looks."""
    if not sys.stdout.isatty():
        return 100
    try:
        return max(os.get_terminal_size().columns, 60)
    except OSError:
        return 100


def show(lines: Sequence[Line]) -> None:
    """Print them; at a terminal in lines that fit it."""
    if sys.stdout.isatty():
        lines = [part for one in lines for part in folded(one, width())]
    colour = at_terminal()
    text = "".join(_coloured(one) + "\n" for one in lines) if colour else plain(tuple(lines))
    sys.stdout.write(text)
    sys.stdout.flush()


def tell(lines: Sequence[Line]) -> None:
    """Show what a run has to say; a reader that has gone ends no run and changes no exit code."""
    try:
        show(lines)
    except OSError:
        # Python would try to flush once more when it ends, and fail with a code of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show_json(values: Any) -> None:  # noqa: ANN401  (anything JSON has a form for)
    """Print one JSON document; names that are not UTF-8 keep their bytes as lone surrogates."""
    sys.stdout.write(json.dumps(values, indent=2, default=str) + "\n")


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), cut: bool = False
) -> tuple[Line, ...]:
    """Aligned columns under a heading; the columns in `right` are numbers.

    `cut`: at a terminal the last column is only what there is room for.
    """
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    most = width() if sys.stdout.isatty() else None
    gap = "  " if most is None or sum(widths) + 2 * len(widths) - 2 <= most else " "

    def one(row: Sequence[str]) -> str:
        cells = [
            text.rjust(widths[index]) if index in right else text.ljust(widths[index])
            for index, text in enumerate(row)
        ]
        text = gap.join(cells).rstrip()
        return f"{text[: most - 3]}..." if cut and most is not None and len(text) > most else text

    return (line((one(head), "head")), *(line(one(row)) for row in rows))


def complain(text: str) -> None:
    """Write to standard error, at a terminal in lines that fit it."""
    lines = tuple(line(one) for one in text.split("\n"))
    if sys.stderr.isatty():
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
        lines = tuple(part for one in lines for part in folded(one, max(columns, 60)))
    sys.stderr.write(plain(lines))


def _coloured(one: Line) -> str:
    return "".join(f"\x1b[{_STYLES[role]}m{text}\x1b[0m" if role and text else text for text, role in one)
