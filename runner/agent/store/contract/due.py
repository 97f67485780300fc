"""What is answered where something is still due."""

from __future__ import annotations

from typing import NamedTuple


class StillDue(NamedTuple):
    """Answer of `not-sealed` and `not-dumped`: nothing was made for that instant yet."""

    due: bool
