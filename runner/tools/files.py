"""coreutils: the few commands on plain folders."""

from __future__ import annotations

from collections.abc import Sequence

from runner.model.plan import Argv


def make_folders(paths: Sequence[str]) -> Argv:
    """Make folders and their parents, readable by their owner only; existing ones stay (mkdir(1))."""
    return ("mkdir", "--parents", "--mode=0700", "--", *paths)


def remove_file(path: str) -> Argv:
    """Remove one file; one that is not there is no failure (rm(1))."""
    return ("rm", "--force", "--", path)
