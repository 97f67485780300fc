"""runner config: jobs.toml as it is understood."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any

from runner.cli.opening import site_file
from runner.cli.terminal.show import show_json, show_text


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which form."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print the site with every default filled in."""
    import tomli_w

    from runner.verbs.load import load

    values = _plain(load(site_file(options)))
    if options.json:
        show_json(values)
    else:
        show_text(tomli_w.dumps(values))
    return 0


def _plain(value: Any) -> Any:  # noqa: ANN401  (any value of the site)
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.0f}s"
    if is_dataclass(value):
        pairs = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: _plain(item) for name, item in pairs.items() if item not in (None, "", ())}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        named = value and all(is_dataclass(item) and hasattr(item, "name") for item in value)
        return {item.name: _plain(item) for item in value} if named else [_plain(item) for item in value]
    return value
