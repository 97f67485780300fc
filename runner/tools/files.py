"""coreutils: the few commands on plain folders."""

from __future__ import annotations

from collections.abc import Sequence

from runner.model.plan import Argv


def make_folders(paths: Sequence[str]) -> Argv:
    """Make folders, for their owner only, and their parents, which others may pass through and no more.

    Whatever the umask; existing ones stay (mkdir(1), where --mode is not for the parents).
    """
    return ("sh", "-c", 'umask 066; exec mkdir --parents --mode=0700 -- "$@"', "sh", *paths)


def remove_file(path: str) -> Argv:
    """Remove one file; one that is not there is no failure (rm(1))."""
    return ("rm", "--force", "--", path)
