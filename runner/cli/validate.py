"""runner validate: check jobs.toml, every problem at once."""

from __future__ import annotations

import argparse
import os

from runner.cli.opening import site_file
from runner.cli.terminal.show import show
from runner.model.text import count
from runner.report.line import line


def arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(options: argparse.Namespace) -> int:
    """Print what the site has; ConfigError carries the problems."""
    from runner.verbs.load import load, outgrown, unheard

    file = site_file(options)
    site = load(file, acting=True)
    parts = (count(len(site.hosts), "host"), count(len(site.stores), "store"), count(len(site.jobs), "job"))
    show([line(("Good", "good"), f"  {file}: {site.name}, {', '.join(parts)}, {'live' if site.live else 'sandbox'}")])
    show([line(("note", "warn"), f"  {text}") for text in (*unheard(site, os.uname().nodename), *outgrown(site))])
    return 0
