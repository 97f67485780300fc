"""A table at a terminal: rich draws it, in columns that wrap between words. Imported when one is drawn."""

from __future__ import annotations

import sys

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Drawing
from rich.text import Text

from runner.report.line import Table

_INDENT = 2


def draw(table: Table, width: int, *, colour: bool) -> bool:
    """Print it in `width` columns; False, and nothing is printed, where words would have to be broken for that."""
    fit = widths(table, width - _INDENT)
    if fit is None:
        return False
    columns, gap = fit
    drawing = Drawing(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
        header_style="bold",
        border_style="dim",
    )
    for index, (title, column) in enumerate(zip(table.head, columns, strict=True)):
        drawing.add_column(
            Text(title), justify="right" if index in table.right else "left", width=column, overflow="fold"
        )
    for row in table.rows:
        # Text, not str: what stands in brackets or between colons is no markup.
        drawing.add_row(*(Text(cell) for cell in row))
    console = Console(
        file=sys.stdout,
        width=width,
        force_terminal=True,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
    console.print(Padding(drawing, (0, 0, 0, _INDENT)))
    return True


def widths(table: Table, room: int) -> tuple[tuple[int, ...], int] | None:
    """How wide each column is, and the gap between them, for all to fit `room`.

    The gap gives way first, then the widest column, down to its longest word; in
    one of numbers or of whole cells only the heading may be broken.
    None where that is not enough.
    """
    columns = list(zip(table.head, *table.rows, strict=True))
    wide = [max(map(cell_len, cells)) for cells in columns]
    least = [_least(cells, whole=index in (*table.right, *table.whole)) for index, cells in enumerate(columns)]
    gaps = len(wide) - 1
    gap = 2 if sum(wide) + 2 * gaps <= room else 1
    while sum(wide) + gap * gaps > room:
        gives = [index for index in range(len(wide)) if wide[index] > least[index]]
        if not gives:
            return None
        wide[max(gives, key=lambda index: wide[index])] -= 1
    return tuple(wide), gap


def _least(cells: tuple[str, ...], *, whole: bool) -> int:
    """The longest word of the heading, and of the other cells, or the longest of these where they are `whole`."""
    head, *others = cells
    pieces = [*head.split(" "), *(others if whole else (word for cell in others for word in cell.split(" ")))]
    return max(map(cell_len, pieces))
