"""What is printed: a line, of pieces of text with the style that decides their colour; a table, as values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "head", "dim", "good", "warn", "bad", "name", "advice", "command"]
Line = tuple[tuple[str, Style], ...]
"""`command` is one to be copied, `advice` says what to do, with commands in it; both are shown as they are typed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of cells under a heading. The columns in `right` are numbers; their cells are never broken, nor those in
    `whole`.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    whole: tuple[int, ...] = ()


def line(*pieces: str | tuple[str, Style]) -> Line:
    """A line of plain and coloured pieces."""
    return tuple((piece, "") if isinstance(piece, str) else piece for piece in pieces)


def plain(lines: tuple[Line, ...]) -> str:
    """The lines as text without colour, each ended by a line feed."""
    return "".join("".join(text for text, _ in row).rstrip() + "\n" for row in lines)


def aligned(table: Table) -> tuple[Line, ...]:
    """The table as lines, two columns in, its cells under one another."""
    widths = [max(map(len, cells)) for cells in zip(table.head, *table.rows, strict=True)]

    def text(row: tuple[str, ...]) -> str:
        cells = (
            cell.rjust(widths[index]) if index in table.right else cell.ljust(widths[index])
            for index, cell in enumerate(row)
        )
        return "  " + "  ".join(cells).rstrip()

    return (line((text(table.head), "head")), *(line(text(row)) for row in table.rows))


def folded(whole: Line, width: int) -> tuple[Line, ...]:
    """The line in pieces of at most `width` columns, broken at blanks; what follows stands under its last column.

    Commands are left as they are: they were folded so that they can be pasted.
    """
    text = "".join(piece for piece, _ in whole)
    if len(text) <= width or any(style == "command" for _, style in whole):
        return (whole,)
    columns = [gap.end() for gap in re.finditer(r"(?:^| ) +(?:(?:\*|->) )?", text) if gap.end() <= width * 11 // 20]
    indent = columns[-1] if columns else 0
    lines, start, margin = [], 0, 0
    while len(text) - start > (room := width - margin):
        end = text.rfind(" ", start + indent - margin + 1, start + room + 1)
        # A word that is longer than a line stays whole: it may be a path, to be copied.
        end = end if end > 0 else text.find(" ", start + room)
        if end < 0:
            break
        lines.append(_part(whole, start, end, margin))
        start, margin = end + len(text[end:]) - len(text[end:].lstrip(" ")), indent
    return (*lines, _part(whole, start, len(text), margin))


def _part(whole: Line, start: int, end: int, indent: int) -> Line:
    pieces: list[tuple[str, Style]] = [(" " * indent, "")] if indent else []
    place = 0
    for text, style in whole:
        cut = text[max(start - place, 0) : max(end - place, 0)]
        pieces += [(cut, style)] if cut else []
        place += len(text)
    return tuple(pieces)
