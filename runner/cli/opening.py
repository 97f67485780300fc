"""What every verb that reads the site begins with: the file, the app, the signals."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from runner.model.errors import UsageError
from runner.tools import called, trust

if TYPE_CHECKING:
    from runner.model.site import Site
    from runner.verbs.app import App, Tell
    from runner.verbs.due import RunRequest

_ALL = os.R_OK | os.W_OK | os.X_OK


# These are asked just when the disk of the controller is full or broken. Some of them also act, with a plan.
_LOOKING = ("status", "snapshots", "find", "diff", "history", "bare-metal")
# What does or foretells something at a live site. Asking, and getting something back, goes on with an old file.
_ACTING = ("plan", "run", "apply", "announce")


@contextmanager
def opened(options: argparse.Namespace, tell: Tell | None = None) -> Iterator[App]:
    """The site of `--file`, open. For a verb that runs something (it gives `tell`) Ctrl-C, TERM and a lost
    terminal end what runs and leave a partial to take up; any other verb just ends.
    """
    # Late: a verb about the file alone needs none of these.
    from runner.config.here import placed
    from runner.engine import machines, planfile
    from runner.hosts.process import keep_memory_closed
    from runner.verbs.app import App
    from runner.verbs.load import load

    keep_memory_closed()
    if out := getattr(options, "out", None):
        # Before anybody waits for a plan that has no place.
        planfile.require_replaceable(Path(out))
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    asking = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # A verb that only reads may wait for a slow host, and nothing is lost with it.
    handlers = {number: ask_to_stop for number in asking} if tell else {signal.SIGINT: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        site = load(site_file(options), acting=options.verb in _ACTING)
        _require_own(site)
        site = placed(site, options.here, partial(machines.own, Path(site.state)))
        _require_closed(site)
        looks = tell is None and options.verb in _LOOKING
        with App(site, tell or (lambda event: None), stop, looks=looks) as app:
            yield app
            if not tell:
                _mention_lost(app)
            if app.spare and app.spare.why:
                _mention_spare(app.spare.why)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def package_option(parser: argparse.ArgumentParser) -> None:
    """The packages that a job of kind `upgrade` shall upgrade, in place of all that are held back."""
    parser.add_argument(
        "--package", action="append", default=[], metavar="NAME", help="upgrade only this (repeat for more)"
    )


def commands_option(parser: argparse.ArgumentParser) -> None:
    """How much of a plan is shown: a line a job, or all of it."""
    parser.add_argument("--commands", action="store_true", help="show every step, with its command word for word")


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
    path = Path(options.file or called.SITE)
    try:
        path = called.site_file(options.file)
        there, whole = path.exists(), path.is_file()
    except PermissionError as error:
        text = f"{path} is in a folder that {_name(os.geteuid())} may not enter"
        raise UsageError(text, do="run it as the user whose it is") from error
    if not whole:
        what = "this is not a file" if there else "no such file"
        raise UsageError(f"{path}: {what}", do="name the site's file: runner VERB --file PATH/jobs.toml")
    trust.require((".", str(path)))
    if not options.file and (beside := called.site_beside()) and not called.is_beside(path):
        from runner.cli.terminal.show import complain

        complain(f"runner: the site is {path.absolute()}, of this folder, and not {beside}")
    return path


def _mention_spare(why: str) -> None:
    from runner.cli.terminal.show import complain

    complain(f"runner: {why}")


def _mention_lost(app: App) -> None:
    """Say of an answer that the journal which it is from knows nothing of before, until a report has said so."""
    for aside in app.journal.asides.untold() if "journal" in vars(app) else ():
        from runner.cli.terminal.show import complain

        complain(
            f"runner: the journal could not be read ({aside.why}); it is now {aside.path}, and a new one has begun"
        )


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _require_own(site: Site) -> None:
    """UsageError where another user keeps this site: its journal and its keys are closed to this one."""
    place, me = Path(site.state), os.geteuid()
    # What is in a folder that is closed to us is not there for us either.
    while not os.path.lexists(place):
        place = place.parent
    owner = place.lstat().st_uid
    if me not in (0, owner) and not os.access(place, _ALL, effective_ids=True):
        text = f"this site is kept by {_name(owner)}, and {_name(me)} may not work in {place}"
        raise UsageError(text, do=f"run it as {_name(owner)}; a checkout of your own has a sandbox of its own")


def _require_closed(site: Site) -> None:
    """Exposed where others may change what the runner keeps for the site, or whom it takes a host for."""
    from runner.tools import ssh

    files = [f"{site.journal}{end}" for end in ("", "-wal", "-shm")]
    files += [f"{site.state}/plan.key", f"{site.state}/spool/kept"]
    files += [site.keepers] * site.two_keepers
    if site.live:
        files += [*map(os.path.expanduser, ssh.known_hosts(site)), *(host.key for host in site.hosts if host.key)]
    trust.require(files, folders=(site.state,) if site.live else (site.state, site.sandbox))
