"""The options of `confine`."""

from __future__ import annotations

from typing import NamedTuple, Tuple  # noqa: UP035

from ..arguments import AbsolutePath, Rest


class Confine(NamedTuple):
    """Options of `confine`: `argv` hears a stranger, and of this host sees its programs and what it `reads`."""

    argv: Rest = ()
    reads: Tuple[AbsolutePath, ...] = ()  # noqa: UP006
