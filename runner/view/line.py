"""A line of output: pieces of text, each with the role that decides its colour at a terminal."""

from __future__ import annotations

from typing import Literal

Role = Literal["", "head", "dim", "good", "warn", "bad", "name", "command"]
Line = tuple[tuple[str, Role], ...]


def line(*pieces: str | tuple[str, Role]) -> Line:
    """A line of plain and coloured pieces."""
    return tuple((piece, "") if isinstance(piece, str) else piece for piece in pieces)


def plain(lines: tuple[Line, ...]) -> str:
    """The lines as text without colour, each ended by a line feed."""
    return "".join("".join(text for text, _ in one).rstrip() + "\n" for one in lines)
