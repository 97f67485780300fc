"""`keep-room`: run a program that writes much, and end it before it takes the last of the disk; `room`: was that so."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import clock, durable
from ..answer import FAILED, NO_ROOM, Refused, reply
from ..arguments import parse_as
from ..confined import starting
from ..host import noted
from ..host import room as rooms
from ..host.contract.room import KeepRoom, LookAtRoom, RoomThere
from ..host.room import Guard, Room
from ..policy import hidden, limits
from ..store import receivers
from ..store.layout import open_store, read_json

if TYPE_CHECKING:
    from ..confined.receiver import Receiver

GRACE, PARTING, EAGER = 10.0, 5.0, -10
# prctl(2)
SET_CHILD_SUBREAPER = 36
HEARD = (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def keep_room(argv: Sequence[str]) -> int:
    """Run ARGV with our own standard input, output and errors, and end as it ends; or 78, where it was ended for room.

    It is ended, by TERM, before less is free than the last (`rooms.last`) where FOLDER is or anything else that it
    `writes`. How it ended is noted with the partial, if one is named and it did not end well. Nothing of ours goes to
    standard output: rsync speaks there.
    One that is `confined` runs in a view of its own, as nobody: see `confined.enter`.
    """
    try:
        options = parse_as(KeepRoom, argv)
        if not options.argv:
            raise Refused("no command is named", "see docs/store.md")
        guards = rooms.guards(Path(options.folder), options.writes, by_hand=options.by_hand)
        # An open folder stays where it is, whatever is mounted over it or moved meanwhile.
        opened = [each._replace(folder=os.open(str(each.folder), os.O_RDONLY | os.O_DIRECTORY)) for each in guards]
        ended = _run(options, opened)
    except (Refused, OSError) as problem:
        _say(f"{problem.error}; {problem.do}" if isinstance(problem, Refused) else str(problem))
        return FAILED
    if ended < 0:
        # As whoever waits for it would see it end without us.
        if -ended not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-ended, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.kill(os.getpid(), -ended)
    return ended


def _say(text: str) -> None:
    print(f"runner-agent keep-room: {text}", file=sys.stderr)


def _run(options: KeepRoom, guards: Sequence[Guard]) -> int:
    before, name = rooms.tightest(guards)
    receiver = _receiver(options) if before.left else None
    # Ours until this process ends: the descriptor is never closed.
    lock = receivers.share(open_store(options.folder), options.partial) if options.partial else -1
    ended = _watched(options, guards, receiver, lock) if before.left else _GuardedEnd(0, before.free, name)
    if ended.full or ended.code:
        _note(options, ended, guards[0].look().free)
    if not ended.full:
        return ended.code
    bytes_free, inodes_free = ended.full
    _say(
        f"no space left for {ended.name!a}: {bytes_free:,} bytes and {inodes_free:,} inodes were free, "
        f"and {options.argv[0]} may not go on"
    )
    return NO_ROOM


def _receiver(options: KeepRoom) -> Receiver | None:
    """The one that hears a stranger, None where there is none."""
    if not options.confined:
        return None
    from ..confined import programs, receiver  # noqa: PLC0415  (few want it)

    # As it is named, also behind a link: so it is in what the program is told.
    received = (f"{options.folder}/.incoming/{options.partial}",) if options.partial else ()
    # Whoever has a key has another rsync hear him, and nothing else.
    beyond = programs.beyond(options.argv[0], ()) if limits.is_bound() else ()
    return receiver.prepared((*received, *options.writes), options.reads, (*hidden.places(), *beyond))


class _GuardedEnd(NamedTuple):
    """How the program ended, a signal negative; `full`: what was free when we ended it for room, None where we did not.

    `name` is where.

    That is less than afterwards: the draft of a file that rsync does not keep goes with it.
    """

    code: int
    full: Room | None
    name: str = ""


def _watched(options: KeepRoom, guards: Sequence[Guard], receiver: Receiver | None, lock: int) -> _GuardedEnd:
    """Run it to its end, or until nothing is left. `lock` is the descriptor of the store's, -1 without a partial."""
    argv, prctl = options.argv, _prctl()
    # What rsync has forked is ours when rsync is gone, so that nobody writes any more when we say that it failed.
    prctl(SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, HEARD))
    pid, go = starting.confined(argv, prctl, mask, receiver) if receiver else starting.plain(argv, prctl, mask)
    note = _noted(options, lock, pid, go)
    with contextlib.suppress(OSError):
        # Who is to end it must not wait for a processor behind it.
        os.nice(EAGER)
    deadline, full, name = math.inf, None, ""
    while True:
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            break
        seen, where = (None, "") if full else rooms.tightest(guards)
        left = seen.left if seen else None
        if seen and not left:
            deadline, full, name = time.monotonic() + GRACE, seen.free, where
            _end(signal.SIGTERM, pid)
        elif time.monotonic() > deadline:
            deadline = math.inf
            _end(signal.SIGKILL, pid)
        number = _heard(rooms.pause(left) if left else rooms.SELDOM)
        if number and number != signal.SIGCHLD:
            os.kill(pid, number)
            # The first process of a namespace hears only what it asked for. And for a partial somebody waits.
            if receiver or options.partial:
                deadline = min(deadline, time.monotonic() + GRACE)
    _part(ended_well=not status and not full)
    if note:
        noted.forget(note)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    if receiver and code == receiver.no_memory:
        _say(receiver.too_much(argv[0]))
    return _GuardedEnd(code, full, name)


def _noted(options: KeepRoom, lock: int, pid: int, go: int) -> str:
    """Note what receives, then let it, which waits at `go`; what is not confined does not, and need not be noted."""
    try:
        name = receivers.note(lock, options.partial, pid) if options.partial else ""
    except Refused:
        if go < 0:
            return ""
        # It ends where it is told nothing.
        os.close(go)
        os.waitpid(pid, 0)
        raise
    # One that is gone has said why.
    with contextlib.suppress(BrokenPipeError):
        if go >= 0:
            os.write(go, b".")
    return name


def _heard(patience: float) -> int:
    """The number of the signal that came within so many seconds; 0 where none did."""
    heard = signal.sigtimedwait(HEARD, patience)
    # Stopped beyond its deadline and continued, a wait of Python gives what nobody has filled in (CPython 3.11).
    return heard.si_signo if heard and heard.si_signo in HEARD else 0


def _prctl() -> Callable[[int, int], int]:
    import ctypes  # noqa: PLC0415  (slow to load, and few want it)

    # Looked up before any fork.
    prctl: Callable[[int, int], int] = ctypes.PyDLL(None).prctl
    return prctl


def _end(number: int, *known: int) -> None:
    """Send it to all that runs below us, those that were started last first: they are the ones that write.

    To those `known` also where the kernel does not say who is below whom.
    """
    everybody = [os.getpid()]
    for each in everybody:
        with contextlib.suppress(OSError):
            everybody += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
    for each in reversed(everybody[1:] or known):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, number)


def _part(*, ended_well: bool) -> None:
    """Wait for what it left behind, but not for ever, then kill it: an ssh, say, whose other end does not answer.

    What one that ended well leaves behind is meant to stay, such as an ssh that keeps its connection for the next.
    """
    deadline = time.monotonic() + PARTING
    until = deadline if ended_well else deadline + PARTING
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
            if time.monotonic() >= deadline:
                _end(signal.SIGKILL)
            signal.sigtimedwait(HEARD[:1], rooms.SELDOM)


def _note(options: KeepRoom, end: _GuardedEnd, free: Room) -> None:
    """Write down with the partial how its transfer ended and what it takes; where that cannot be, nobody knows."""
    if not options.partial:
        return
    path = open_store(options.folder).begun(options.partial)
    begun = read_json(path)
    if begun:
        sent = _sent(begun, free)
        # What is free now is what the next plan goes by: with no more than that it would end the same.
        ended = {"at": clock.now(), "full": bool(end.full), "free": free._asdict(), "sent": sent._asdict()}
        ended["seen"] = end.full._asdict() if end.full else None
        with contextlib.suppress(OSError):
            durable.write_json(path, {**begun, "ended": ended})


def _sent(begun: Mapping[str, object], free: Room) -> Room:
    """What has gone of the free room since the partial was begun: others write to a disk too, so it is about that."""
    before = rooms.read(begun.get("free"))
    return Room(max(0, before.bytes - free.bytes), max(0, before.inodes - free.inodes)) if before else Room(0, 0)


def room(argv: Sequence[str]) -> int:
    """Print what is free where FOLDER is; exit 1 where a transfer was ended for room, or nothing may be sent now."""
    options = parse_as(LookAtRoom, argv)
    store = open_store(options.folder)
    guard = rooms.guard(store.root, by_hand=options.by_hand)
    folder, system = guard.folder, guard.system
    seen, ended = guard.look(), rooms.NotedEnd()
    if options.partial:
        ended = rooms.ended(read_json(store.begun(options.partial)))
    # What was free when it was ended is why; some was given back then, and some may have been since.
    free = (ended.seen or ended.free if ended.full else None) or seen.free
    there = RoomThere(*free, *seen.last, system, sent=ended.sent.bytes if ended.sent else None)
    if ended.full or not seen.left:
        why = f", since {system} is on that disk too" if system else ""
        are = "were" if ended.full else "are"
        there = there._replace(
            error=f"no space left for {str(folder)!a}: {there.free_bytes:,} bytes and {there.free_inodes:,} inodes "
            f"{are} free, and the last {there.last_bytes:,} bytes and {there.last_inodes:,} inodes must stay free{why}",
            do="see what else fills the disk and remove it, or take a larger disk",
            again=True,
            cause="full",
        )
    reply(there)
    return FAILED if there.error else 0
