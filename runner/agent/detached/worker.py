"""The process that looks after a detached command: a session of its own that no lost connection reaches.

Everything it needs is imported before it is forked: its own file, and Python itself, may be replaced by
the very command that it runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from .. import clock, durable
from ..answer import Refused
from ..command import ENVIRONMENT, ask
from ..host import processes
from ..packages.installed import listed
from ..store import lock
from . import outcome
from .outcome import Output, conffiles
from .records import AT_WORK, DetachedFolder

ROOM = 1024 * 1024
LOOK = 0.2

# Where a package manager may write what happens, for programs to read.
EVENTS = "RUNNER_EVENTS"
UNATTENDED = {
    **ENVIRONMENT,
    "HOME": "/root",
    "TZ": "UTC",
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_MODE": "l",
    "UCF_FORCE_CONFFOLD": "1",
}
NOT_STARTED = 127

PATIENCE = 10
SCOPE_EVERY = 0.02
# systemd.kill(5): at a shutdown, too, the command is left alone (SIGCONT changes nothing) until this is
# over: a package manager that is ended in the middle leaves packages half installed.
LEFT_ALONE = 18
MICROSECONDS = 600 * 10**6


class DetachOrder(NamedTuple):
    """What is to be run, and what after it; see Detach. `run` is the folder of the locks, `by` the key that asked."""

    plan: str
    step: str
    argv: list[str]
    then: list[list[str]]
    packages: str
    env: Mapping[str, str]
    run: str
    root: str
    by: str = ""


def start(place: DetachedFolder, order: DetachOrder) -> None:
    """Have `order` begun by a process of its own, unless it was begun already; returns once it was.

    Raises Refused where it could not be: then nothing was.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _leave(place, order, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as report:
        refusal = report.read()
    os.waitpid(child, 0)
    if refusal:
        refused = json.loads(refusal)
        raise Refused(refused["error"], refused["do"], code=refused["code"], holder=refused["holder"])


def _leave(place: DetachedFolder, order: DetachOrder, report: int) -> NoReturn:
    # _exit everywhere: what the caller has open, and wants flushed at its end, is the caller's.
    try:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            # A handler, since what is ignored stays ignored in the command. At a shutdown the worker is
            # to outlive the command by as much as it takes to write down how it ended.
            signal.signal(each, lambda *_: None)
        _detach(report)
        _work(place, order, report)
    finally:
        os._exit(0)


def _detach(report: int) -> None:
    os.chdir("/")
    os.umask(0o022)
    nothing = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nothing, each)
    # A connection closes when the last process has closed its pipes.
    for entry in list(Path("/proc/self/fd").iterdir()):
        descriptor = int(entry.name)
        if descriptor > 2 and descriptor != report:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _work(place: DetachedFolder, order: DetachOrder, report: int) -> None:
    try:
        held = _claim(place, order)
    except (Refused, OSError) as problem:
        _report(report, problem)
        return
    finally:
        os.close(report)
    if held is None:
        return
    leave(os.getpid())
    run_all(place, order)
    outcome.conclude(place)
    for descriptor in held:
        # Only then may the caller see that we are gone, so that its next step gets the lock.
        os.close(descriptor)


def _report(report: int, problem: Refused | OSError) -> None:
    refused = problem if isinstance(problem, Refused) else Refused(str(problem), "look at /var/lib/runner")
    about = {"error": refused.error, "do": refused.do, "code": refused.code, "holder": refused.holder}
    with contextlib.suppress(OSError):
        os.write(report, json.dumps(about).encode())


def _claim(place: DetachedFolder, order: DetachOrder) -> Sequence[int] | None:
    """Take the place, from here on it counts as begun; None if somebody has begun it already."""
    place.folder.parent.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    durable.make_folder(place.folder.parent, 0o700)
    durable.make_folder(place.folder, 0o700)
    own = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    while not lock.take(own, AT_WORK):
        # Another caller is just beginning the same: it will have begun, or have been refused.
        if place.began.exists():
            return None
        time.sleep(LOOK)
    if place.began.exists():
        return None
    family = order.packages
    held = [lock.work(order.run, "packages", order.plan)] if family else []
    durable.write_file(place.room, b"\xff" * ROOM, 0o600)
    before = {"packages": listed(family, order.env), "conffiles": conffiles(order.root)}
    durable.write_json(place.before, before, 0o600)
    pid = os.getpid()
    about = {"started": clock.now(), "boot_id": processes.boot_id(), "pid": pid}
    durable.write_json(place.began, {**order._asdict(), **about}, 0o600)
    return [*held, own]


def run_all(place: DetachedFolder, order: DetachOrder) -> None:
    """Run the command of `order` and what comes after it, one after the other; nothing stops them."""
    output = Output(place.output)
    began = time.monotonic()
    codes = [_run(place, argv, order, output) for argv in (order.argv, *order.then)]
    # What comes after the command is part of it: a hold that was not set again is no success.
    code = next((code for code in codes if code), 0)
    then = [{"argv": argv, "exit": code} for argv, code in zip(order.then, codes[1:])]  # noqa: B905
    seconds = round(time.monotonic() - began, 3)
    place.room.unlink(missing_ok=True)
    about = {"exit": code, "seconds": seconds, "then": then, **output.close()._asdict(), "ended": clock.now()}
    durable.write_json(place.child, about, 0o600)


def _run(place: DetachedFolder, argv: Sequence[str], order: DetachOrder, output: Output) -> int:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output.fileno(),
            stderr=subprocess.STDOUT,
            env={**UNATTENDED, EVENTS: str(place.events), **order.env},
            cwd="/",
            start_new_session=True,
        )
    except (OSError, ValueError) as problem:
        os.write(output.fileno(), f"{argv[0]} could not be started: {problem}\n".encode("utf-8", "replace"))
        return NOT_STARTED
    about = {"pid": process.pid, "since": processes.started(process.pid), "boot_id": processes.boot_id()}
    with contextlib.suppress(OSError):
        durable.write_json(place.child, about, 0o600)
    while True:
        output.follow()
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(LOOK)
            return code if code >= 0 else 128 - code


def leave(pid: int) -> None:
    """Move process `pid`, and what it will start, out of its unit; nothing where systemd does not run.

    A unit's end (`systemctl stop`, a timer's job, a session that logind ends) kills all it ever started.
    """
    if not Path("/run/systemd/system").is_dir():
        return
    scope = f"runner-detached-{pid}.scope"
    about = ("Description", "s", "begun by a plan of runner, goes on without it", "PIDs", "au", "1", str(pid))
    ends = ("KillSignal", "i", str(LEFT_ALONE), "TimeoutStopUSec", "t", str(MICROSECONDS))
    systemd = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
    call = ("busctl", "--quiet", "call", *systemd, "StartTransientUnit", "ssa(sv)a(sa(sv))", scope, "fail")
    answer = ask((*call, "4", *about, *ends, "0"), timeout=PATIENCE)
    # Where that fails it goes on in the unit in which it is: as it would have without us. The answer only
    # says that it will be moved, and what is started before it was stays behind.
    until = time.monotonic() + (PATIENCE if answer.exit == 0 else 0)
    while scope not in _group(pid) and time.monotonic() < until:
        time.sleep(SCOPE_EVERY)


def _group(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text("utf-8", "replace")
    except OSError:
        return ""
