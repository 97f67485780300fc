"""Configuration files that a package left beside a person's own: somebody should look at them."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIXES = (".dpkg-dist", ".ucf-dist", ".rpmnew", ".rpmsave")


def conffiles(root: str) -> dict[str, str]:
    """Every such file below /etc of `root`, with what tells it from another of the same name."""
    top = Path(root or "/") / "etc"
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            if name.endswith(SUFFIXES):
                path = Path(folder) / name
                try:
                    status = path.lstat()
                except OSError:
                    continue
                found[f"/etc/{path.relative_to(top)}"] = f"{status.st_ino}.{status.st_ctime_ns}"
    return found
