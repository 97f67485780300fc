"""`idle`: whether nothing is being written here that a reboot would cut off."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import clock
from ..answer import FAILED, plain, reply
from ..arguments import parse_as
from ..detached import records
from ..host import processes, sessions
from ..packages import families
from ..store import lock
from ..store.layout import open_store
from .contract import AskIdle, Idle

# Anybody can give a process any name. A false one keeps a host from being rebooted, and is reported.
_DATABASE = ("pg_dump", "pg_dumpall", "pg_restore", "pg_basebackup", "pg_upgrade")
_DISK = ("rsync", "e2fsck", "mke2fs", "mkfs.ext3", "mkfs.ext4", "resize2fs", "tune2fs")
# Cut off, these leave a host that does not boot. The kernel keeps 15 characters of a name.
_BOOT = ("update-initramf", "mkinitramfs", "dracut", "grub-install", "grub-mkconfig", "grub2-install", "grub2-mkconfig")
WRITERS = families.PROGRAMS.union(_DATABASE, _DISK, _BOOT)
# Arguments with which these only read, whoever runs them.
READS = {"tune2fs": re.compile(rb"-l"), **families.READS}
RESOURCES = (("dump", "works on the dumps"), ("drill", "runs a restore drill"), ("restore-db", "restores a database"))
SHOWN = 5


def run(argv: Sequence[str]) -> int:
    """Print `{"idle": true}`, or the reasons why a reboot must wait, with exit 1. Reads only."""
    answer = read(argv)
    reply(answer)
    return 0 if answer.idle else FAILED


def read(argv: Sequence[str], root: Path = Path("/")) -> Idle:
    """As `run`, without printing. What could not be seen is not among the reasons."""
    options = parse_as(AskIdle, argv)
    if options.boot and processes.boot_id(root) != options.boot:
        return Idle(error="the host was restarted since the plan was made", do="make a new plan")
    if options.by and time.time_ns() >= clock.nanoseconds(options.by):
        error = f"it is too late by this host's clock: it was to happen before {options.by}"
        return Idle(error=error, do="see that the clock is right, and make a new plan")
    # A plan that is being executed holds these itself by then.
    reasons = list(_taken(root)) if not options.boot else []
    reasons += [*_writing(root), *_locked(root), *_detached(options.state), *_held(options.store), *_inhibited(root)]
    if not reasons:
        return Idle(idle=True)
    more = f", and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
    return Idle(error="; ".join(reasons[:SHOWN]) + more, do="wait until it has ended, or end it")


def _writing(root: Path) -> Iterator[str]:
    for process in processes.processes(root):
        try:
            name = (process / "comm").read_text("utf-8", "backslashreplace").strip()
            words = (process / "cmdline").read_bytes().split(b"\0")
            owner = process.stat().st_uid
        except OSError:
            continue
        # A dead process that nobody has reaped has no words.
        if name not in WRITERS or _reads(name, words[1:]) or _asked(process):
            continue
        if words != [b""] and not (b"--daemon" in words and _waits(process, words)):
            yield f"{plain(name)} (process {process.name} of user {owner}) is at work"


def _reads(name: str, words: Sequence[bytes]) -> bool:
    return name in READS and any(READS[name].fullmatch(word) for word in words)


def _asked(process: Path) -> bool:
    """Whether it is a question of ours, or has ended. What cannot be seen is at work."""
    try:
        return processes.asked(process)
    except OSError:
        return not process.exists()


def _waits(process: Path, words: Sequence[bytes]) -> bool:
    """Whether a daemon only waits for others to call: who serves one is its child, with the same words."""
    try:
        parent = (process / "stat").read_bytes().rpartition(b")")[2].split()[1].decode("ascii")
        return (process.parent / parent / "cmdline").read_bytes().split(b"\0") != words
    except (OSError, IndexError):
        return True


def _locked(root: Path) -> Iterator[str]:
    for name in families.LOCKS:
        holder = _holder(root / name)
        if holder is not None and not (holder and _asked(Path(f"/proc/{holder}"))):
            yield f"process {holder} works on the packages (it holds /{name})"
            return


def _holder(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return lock.held_by(descriptor, 0)
    finally:
        os.close(descriptor)


def _detached(state: str) -> Iterator[str]:
    worker = records.working(state)
    if worker:
        yield f"{plain(str(worker['who']))} works on the packages"


def _taken(root: Path) -> Iterator[str]:
    for name, does in RESOURCES:
        path = root / lock.RUN.lstrip("/") / name
        holder = (lock.holder(path) if path.exists() else None) or lock.former_holder(name, root)
        if holder:
            yield f"{plain(str(holder['who'] or 'another run'))} {does}"


def _held(stores: Sequence[str]) -> Iterator[str]:
    for path in stores:
        holder = lock.holder(open_store(path).lock)
        if holder:
            yield f"{plain(str(holder['who'] or 'another run'))} holds the store {plain(path)}"


def _inhibited(root: Path) -> Iterator[str]:
    for inhibitor in sessions.inhibitors(root):
        yield f"{inhibitor.who} blocks a shutdown: {inhibitor.why}"
    for device in sessions.checking(root):
        yield f"{device} is being checked"
