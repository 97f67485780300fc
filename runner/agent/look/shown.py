"""Looking up names in a source, as far as whoever asks may see it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from ..inodes import Inodes
from ..policy import hidden


class ShownSource(Inodes):
    """As `Inodes` of the folder `top`: of what is hidden there is nothing."""

    def __init__(self, top: Path) -> None:
        super().__init__(top)
        self._hidden = tuple(path + b"/" for path in hidden.below(os.fsencode(top)))

    def entry(self, path: bytes) -> Optional[os.stat_result]:  # noqa: UP045
        """What is at `path`; None where nothing is that may be seen."""
        return None if self._hidden and path.startswith(self._hidden) else super().entry(path)
