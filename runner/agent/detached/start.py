"""`detach`: run a command so that it comes to its end, and is known to have, whoever goes away meanwhile."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .. import durable
from ..answer import Refused, emit, reply
from ..arguments import parse_as
from ..packages.families import FAMILIES
from ..policy import limits
from ..store import lock
from ..store.layout import read_json
from . import records, worker
from .contract import Detach, SeenNoted
from .outcome import code_of, conclude
from .records import AT_WORK, DetachedFolder
from .worker import DetachOrder

LOOK = 0.1


def run(argv: Sequence[str]) -> int:
    """Start `-- ARGV...` unless this step of this plan was begun before, wait for its end, print the answer.

    Ends with the exit code of ARGV, 1 where nobody saw its end, or when `--within` seconds have passed: the
    command is never stopped. `--again` only waits for, or repeats, an answer; `--seen` notes that a person
    has read it. The answer is described in docs/store.md.
    """
    options = parse_as(Detach, argv)
    place = records.place_of(options.state, options.plan, options.step)
    # A caller that was ended is to end quietly: what it began goes on.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if options.again or options.seen:
        if options.argv or (options.again and options.seen):
            raise Refused("--again and --seen stand alone", "see docs/store.md")
        if not place.began.exists():
            raise Refused("nothing of that plan and step was begun here", "`detached` lists what was")
        if options.seen:
            durable.write_file(place.seen, b"", 0o600)
            reply(SeenNoted(seen=True))
            return 0
    else:
        order = _order(options)
        if not place.began.exists():
            records.keep_few(options.state)
            worker.start(place, order)
        _same(place, order)
    return _answer(place, options.within)


def _order(options: Detach) -> DetachOrder:
    if not options.argv:
        raise Refused("there is no command to run", "name the command after --")
    if options.packages and options.packages not in FAMILIES:
        raise Refused(f"--packages is one of {', '.join(FAMILIES)}", "see docs/store.md")
    environment = dict(each.partition("=")[::2] for each in options.env)
    if "" in environment or any("=" not in each for each in options.env):
        raise Refused("--env wants NAME=VALUE", "see docs/store.md")
    return DetachOrder(
        plan=options.plan,
        step=options.step,
        argv=list(options.argv),
        then=[_command(each) for each in options.then],
        packages=options.packages,
        env=environment,
        run=options.run,
        root=options.root or "/",
        by=limits.key(),
    )


def _command(text: str) -> list[str]:
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise Refused("--then wants a command as a JSON list of words", "see docs/store.md")
    return words


def _same(place: DetachedFolder, order: DetachOrder) -> None:
    began = read_json(place.began)
    if not began:
        raise Refused("the command could not be started", "look at /var/lib/runner and at the memory")
    if any(began.get(key) != getattr(order, key) for key in ("plan", "step", "argv", "then")):
        raise Refused("that step was begun with another command", "make a new plan")


def _answer(place: DetachedFolder, within: int) -> int:
    until = time.monotonic() + within if within else None
    while records.alive(place):
        if until is not None and time.monotonic() >= until:
            raise Refused(
                f"the command still runs after {within} s; it was not stopped",
                "wait: `runner-agent detach --again` tells how it ends",
            )
        time.sleep(LOOK)
    answer = records.answer(place) or _unseen(place)
    emit(answer)
    return code_of(answer)


def _unseen(place: DetachedFolder) -> Mapping[str, Any]:
    """The answer that the worker did not come to write."""
    own = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        while not lock.take(own, AT_WORK):
            time.sleep(LOOK)
        return records.answer(place) or conclude(place)
    finally:
        os.close(own)
