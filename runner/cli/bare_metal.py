"""runner bare-metal: how to make a host again on an empty machine."""

from __future__ import annotations

import argparse

from runner.cli.opening import opened
from runner.cli.terminal.show import show_text
from runner.jobs.snapshots.when import WHEN_HELP
from runner.tools import called


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which host, as of when."""
    parser.add_argument("host", metavar="HOST", help="the host to make again")
    parser.add_argument("--at", default="latest", metavar="WHEN", help=WHEN_HELP)
    parser.add_argument("--store", default="", metavar="STORE", help="take the snapshot from this store")


def run(options: argparse.Namespace) -> int:
    """Print the procedure, filled in with this site's facts; runs nothing and changes nothing."""
    from runner.verbs import bare_metal

    with opened(options) as app:
        lost = bare_metal.lost(app, options.host, options.at, options.store)
        show_text(bare_metal.page(lost, called.here()))
    return 0
