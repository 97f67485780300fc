"""What every verb that reads the site begins with: the file, the app, the signals."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from runner.model.errors import UsageError
from runner.tools import called, trust

if TYPE_CHECKING:
    from runner.model.site import Site
    from runner.verbs.app import App, Tell
    from runner.verbs.due import RunRequest


SITE = "jobs.toml"
# What does or foretells something at a live site. Asking, and getting something back, goes on with an old file.
_ACTING = ("plan", "run", "apply", "announce")


@contextmanager
def opened(options: argparse.Namespace, tell: Tell | None = None) -> Iterator[App]:
    """The site of `--file`, open. For a verb that runs something (it gives `tell`) Ctrl-C, TERM and a lost
    terminal end what runs and leave a partial to take up; any other verb just ends.
    """
    # Late: a verb about the file alone needs none of these.
    from runner.config.here import placed
    from runner.engine import machines
    from runner.verbs.app import App
    from runner.verbs.load import load

    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    asking = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # A verb that only reads may wait for a slow host, and nothing is lost with it.
    handlers = {number: ask_to_stop for number in asking} if tell else {signal.SIGINT: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        site = load(site_file(options), acting=options.verb in _ACTING)
        site = placed(site, options.here, machines.own(Path(site.state)) if site.live else "")
        _require_closed(site)
        with App(site, tell or (lambda event: None), stop) as app:
            yield app
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def package_option(parser: argparse.ArgumentParser) -> None:
    """The packages that a job of kind `upgrade` shall upgrade, in place of all that are held back."""
    parser.add_argument(
        "--package", action="append", default=[], metavar="NAME", help="upgrade only this (repeat for more)"
    )


def instant_option(parser: argparse.ArgumentParser) -> None:
    """The scheduled time that a job is done for, once."""
    parser.add_argument(
        "--for", dest="instant", default="", metavar="TIME", help="do JOB for this scheduled time, unless that is done"
    )


def asked(options: argparse.Namespace, app: App) -> RunRequest:
    """What these options ask a plan or a run for. UsageError where `--for` is no time, or two."""
    from runner.jobs.snapshots.when import time_of
    from runner.verbs.due import RunRequest

    at = time_of(options.instant, zone=app.site.timezone, now=app.now()) if options.instant else None
    if isinstance(at, str):
        raise UsageError(f"--for {options.instant}: {at}", do="or with its offset: --for 2026-11-30T03:15Z")
    return RunRequest(jobs=tuple(options.jobs), packages=tuple(options.package), instant=at)


def site_file(options: argparse.Namespace) -> Path:
    """The jobs.toml that was named; UsageError where there is none, Exposed where others may change it."""
    path = Path(options.file or SITE)
    if not (options.file or path.exists()):
        path = called.site_beside() or path
    if not path.is_file():
        what = "this is not a file" if path.exists() else "no such file"
        raise UsageError(f"{path}: {what}", do="name the site's file: runner VERB --file PATH/jobs.toml")
    trust.require((".", str(path)))
    return path


def _require_closed(site: Site) -> None:
    """Exposed where others may change what the runner keeps for the site, or whom it takes a host for."""
    from runner.tools import ssh

    files = [f"{site.journal}{end}" for end in ("", "-wal", "-shm")]
    files += [f"{site.state}/plan.key", f"{site.state}/spool/kept"]
    if site.live:
        files += [*map(os.path.expanduser, ssh.known_hosts(site)), *(host.key for host in site.hosts if host.key)]
    trust.require(files, folders=(site.state,) if site.live else (site.state, site.sandbox))
