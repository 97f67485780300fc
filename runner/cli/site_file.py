"""Which jobs.toml a verb is about."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.model.errors import UsageError


def site_file(options: argparse.Namespace) -> Path:
    """The jobs.toml that was named; UsageError where there is none."""
    path = Path(options.file)
    if not path.is_file():
        raise UsageError(
            f"{path}: no such file", do="name the site's file: runner VERB --file PATH/jobs.toml"
        )
    return path
