"""Print lines and tables: in colour and drawn at a terminal, plain in a pipe. Also JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from runner.model.errors import RunnerError
from runner.model.text import one_line, printable, utc
from runner.report.line import Line, Style, Table, aligned, folded, line, plain
from runner.tools import called

_STYLES: dict[Style, str] = {
    "head": "1",
    "dim": "2",
    "good": "32",
    "warn": "33",
    "bad": "1;31",
    "name": "1;36",
    "advice": "",
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


def show(parts: Sequence[Line | Table]) -> None:
    """Print them; at a terminal in lines that fit it, and tables drawn. RunnerError where nobody takes them."""
    with taken():
        _show(parts)


def _show(parts: Sequence[Line | Table]) -> None:
    for part in map(_harmless, parts):
        if not isinstance(part, Table):
            _write((part,))
        elif not (sys.stdout.isatty() and _drawn(part)):
            _write(aligned(part))
    sys.stdout.flush()


def _harmless(part: Line | Table) -> Line | Table:
    """Nothing in it is more than text to a terminal, whoever forgot that a host had answered it."""
    if isinstance(part, Table):
        return replace(part, rows=tuple(tuple(map(one_line, row)) for row in part.rows))
    return tuple((printable(text), style) for text, style in part)


def tell(lines: Sequence[Line | Table]) -> None:
    """Show what a run has to say; a reader that has gone ends no run and changes no exit code."""
    with suppress(OSError):  # what is left of it is given away at the door
        _show(lines)


def show_json(values: Any) -> None:  # noqa: ANN401  (anything JSON has a form for)
    """Print one JSON document, times in UTC; names that are not UTF-8 keep their bytes as lone surrogates."""
    show_text(json.dumps(values, indent=2, default=_json) + "\n")


def show_text(text: str) -> None:
    """Print it as it is; RunnerError where nobody takes it."""
    with taken():
        sys.stdout.write(text)
        sys.stdout.flush()


@contextmanager
def taken() -> Iterator[None]:
    """RunnerError where standard output takes no more; a reader that has gone is no error."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        do = "send it to a file on a disk with room, or nowhere: >/dev/null"
        raise RunnerError(f"standard output cannot be written: {error.strerror}", do=do) from error


def _json(value: object) -> str:
    return utc(value) if isinstance(value, datetime) else str(value)


def complain(text: str, do: str = "", command: str = "") -> None:
    """Write it and what to do to standard error, at a terminal in lines that fit it; where nobody takes it the exit
    code must do.
    """
    here = called.here()
    advice = f"{here.advice(do)} {here.command(command)}".strip()
    lines = tuple(line(part) for part in (f"{text}\n  -> {advice}" if advice else text).split("\n"))
    with suppress(OSError):
        if sys.stderr.isatty():
            columns = os.get_terminal_size(sys.stderr.fileno()).columns
            lines = tuple(part for whole in lines for part in folded(whole, max(columns, 60)))
        sys.stderr.write(plain(lines))


def _write(lines: tuple[Line, ...]) -> None:
    lines = tuple(tuple((_spelled(text, style), style) for text, style in whole) for whole in lines)
    if sys.stdout.isatty():
        lines = tuple(piece for whole in lines for piece in folded(whole, width()))
    sys.stdout.write("".join(_coloured(each) + "\n" for each in lines) if at_terminal() else plain(lines))


def _spelled(text: str, style: Style) -> str:
    match style:
        case "command":
            return called.here().command(text)
        case "advice":
            return called.here().advice(text)
        case _:
            return text


def _drawn(table: Table) -> bool:
    # A pipe does not pay for importing rich.
    from runner.cli.terminal.table import draw

    return draw(table, width(), colour=at_terminal())


def _coloured(parts: Line) -> str:
    codes = ((text, _STYLES[role] if role else "") for text, role in parts)
    return "".join(f"\x1b[{code}m{text}\x1b[0m" if code and text else text for text, code in codes)
