"""Runs a carried command, and what comes after it, and notes how they ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .. import clock, durable
from ..command import ENVIRONMENT
from ..host import processes
from .output import Output
from .records import Carriage

CARRIED = {
    **ENVIRONMENT,
    "HOME": "/root",
    "TZ": "UTC",
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_MODE": "l",
    "UCF_FORCE_CONFFOLD": "1",
}
NOT_STARTED = 127
LOOK = 0.2


def run_all(place: Carriage, order: Mapping[str, Any]) -> None:
    """Run the command of `order` and what comes after it, one after the other; nothing stops them."""
    output = Output(place.output)
    began = time.monotonic()
    code = _one(place, order["argv"], order, output)
    then = [{"argv": argv, "exit": _one(place, argv, order, output)} for argv in order["then"]]
    # What comes after the command is part of it: a hold that was not set again is no success.
    code = code or next((each["exit"] for each in then if each["exit"]), 0)
    seconds = round(time.monotonic() - began, 3)
    place.room.unlink(missing_ok=True)
    about = {"exit": code, "seconds": seconds, "then": then, **output.close(), "ended": clock.now()}
    durable.write_json(place.child, about, 0o600)


def _one(place: Carriage, argv: Sequence[str], order: Mapping[str, Any], output: Output) -> int:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output.fileno(),
            stderr=subprocess.STDOUT,
            env={**CARRIED, **order["env"]},
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
