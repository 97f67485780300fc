"""Looking up names in a source, as far as whoever asks may see it."""

from __future__ import annotations

import os
from typing import Optional

from ..inodes import Inodes
from ..policy import hidden


class ShownSource(Inodes):
    """As `Inodes` of the folder `top`, on the way to which links are followed: of what is hidden there is nothing."""

    def __init__(self, top: bytes) -> None:
        root = hidden.opened(top)
        super().__init__(root)
        self._hidden = tuple(path + b"/" for path in hidden.below(root))

    def entry(self, path: bytes) -> Optional[os.stat_result]:  # noqa: UP045
        """What is at `path`; None where nothing is that may be seen."""
        return None if self._hidden and path.startswith(self._hidden) else super().entry(path)
