"""What a day costs the network between two hosts: bytes, connections, and time on a slow line; the lab's hosts (root)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import tree
from tests.bench.meters.measure import Failed
from tests.bench.meters.wire import DEVICE, Counts, Wire
from tests.bench.peers.bare import FAITHFUL
from tests.bench.peers.contenders import BARE, OURS
from tests.bench.running import Say
from tests.lab.images import ADDRESS, BACKUP, PAPIO, STORE
from tests.lab.machines import CHECKOUT, Lab

DATA, COPIES, SITE_FILE = "/srv/data", "/srv/copies", "/etc/runner/jobs.toml"
DELAY, BITS = 0.040, 1e6
FEW = 300
ASKED = f"unchanged day, {FEW} files"
UNCHANGED, CHANGED, SLOW = "unchanged day", "1% day", "unchanged day, 80 ms and 1 Mbit/s"
SITE = f"""[site]
name = "bench"
controller = "papio"
live = true
state = "/var/lib/runner"
unattended = "expire"
[people]
admin = ["root@localhost"]
[hosts.papio]
address = "{ADDRESS[PAPIO]}"
filesystems = ["{DATA}"]
[hosts.backup-server1]
address = "{ADDRESS[BACKUP]}"
[stores.papio]
host = "backup-server1"
path = "{STORE}"
retention = {{ min = 1, max = 3 }}
[jobs.backup-papio]
kind = "snapshot"
host = "papio"
store = "papio"
ownership = "numeric"
[jobs.purge-papio]
kind = "prune"
store = "papio"
[jobs.check-papio]
kind = "check"
store = "papio"
after = ["purge-papio"]
[hooks.mail]
sendmail = "/usr/local/sbin/sendmail"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossed:
    """What a day took of the line."""

    seconds: float
    counts: Counts


@dataclass(kw_only=True, slots=True)
class _Pair:
    """Both hosts, and who copies from the one to the other."""

    lab: Lab
    wire: Wire
    say: Say
    found: dict[str, dict[str, Crossed]] = field(default_factory=dict)
    number: int = 0

    def both(self, what: str, *, delay: float = 0.0, bits: float = 0.0) -> None:
        """A day of each."""
        for name, argv in ((BARE, self._bare()), (OURS, self._ours())):
            self.wire.shape(delay, bits)
            began = time.monotonic()
            done = self.lab.run(PAPIO, *argv, check=False, timeout=3600)
            seconds = time.monotonic() - began
            if done.returncode not in (0, 3):
                raise Failed(
                    "\n".join((f"{name} ended {done.returncode}:", *(done.stdout + done.stderr).splitlines()[-20:]))
                )
            crossed = Crossed(seconds=seconds, counts=self.wire.shape())
            self.found.setdefault(what, {})[name] = crossed
            told = crossed.counts
            self.say(
                f"  {what}: {name}: {seconds:.1f} s, {told.bytes} bytes, {told.connections} connections, {told.turns} turns"
            )

    def _bare(self) -> Sequence[str]:
        shared = (f"--link-dest={COPIES}/{self.number}{DATA}",) if self.number else ()
        self.number += 1
        folder = f"{COPIES}/{self.number}{DATA}"
        self.lab.run(BACKUP, "mkdir", "-p", folder)
        return ("rsync", *FAITHFUL, *shared, "-e", "ssh", "--", f"{DATA}/", f"{BACKUP}:{folder}/")

    def _ours(self) -> Sequence[str]:
        # Snapshots are named by the second.
        time.sleep(1)
        jobs = ("backup-papio", "purge-papio", "check-papio") if self.number > 1 else ("backup-papio",)
        program = ("env", f"PYTHONPATH={CHECKOUT}", self.lab.python, "-m", "runner")
        return (*program, "run", *jobs, "-f", SITE_FILE)


def lacking() -> str:
    """Why two hosts cannot be had here; "" if they can."""
    if os.geteuid() != 0:
        return "two hosts need root"
    return "" if Path("/dev/net/tun").exists() else "this machine has no /dev/net/tun"


def crossings(files: int, say: Say) -> Mapping[str, Mapping[str, Crossed]]:
    """What days take of the network, by day and contender; the last on a slow line.

    One of them is of a small tree: how often the talk turns round while a large one's list is sent hangs on the window
    of ssh, and is not a number of questions.
    """
    with _hosts(FEW, say) as (_, pair):
        # On an unchanged day after these the host has the program, and knows the tree.
        for what in ("first", "day after it", ASKED):
            pair.both(what)
        asked = pair.found[ASKED]
    with _hosts(files, say) as (source, pair):
        for what in ("first", "day after it", UNCHANGED):
            pair.both(what)
        tree.day(source)
        for what in (CHANGED, "day after that"):
            pair.both(what)
        pair.both(SLOW, delay=DELAY, bits=BITS)
        return {**pair.found, ASKED: asked}


@contextmanager
def _hosts(files: int, say: Say) -> Iterator[tuple[tree.Tree, _Pair]]:
    say(f"two hosts, {files} files")
    room = 1024 + files // 40
    with Lab(root_mb=room * 2, disk_mb=room) as lab:
        source = _settled(lab, files, room)
        with _wired(lab) as wire:
            yield source, _Pair(lab=lab, wire=wire, say=say)


def _settled(lab: Lab, files: int, room: int) -> tree.Tree:
    """The site's file, a sendmail, and a filesystem with a tree on papio."""
    for folder in ("/etc/runner", DATA):
        lab.run(PAPIO, "mkdir", "-p", folder)
    lab.path(PAPIO, SITE_FILE).write_text(SITE, "utf-8")
    sendmail = lab.path(PAPIO, "/usr/local/sbin/sendmail")
    sendmail.write_text("#!/bin/sh\nexec cat > /dev/null\n", "ascii")
    sendmail.chmod(0o755)
    image = "/srv/data.img"
    lab.run(PAPIO, "truncate", f"--size={room}M", image)
    lab.run(PAPIO, "mke2fs", "-q", "-t", "ext4", "-i", "4096", image)
    lab.run(PAPIO, "mount", "-o", "loop", image, DATA)
    lab.run(PAPIO, "rmdir", f"{DATA}/lost+found")
    return tree.make(Path(lab.path(PAPIO, DATA)), files=files, median=tree.SMALL_SIZE)


@contextmanager
def _wired(lab: Lab) -> Iterator[Wire]:
    """Put the slow line in the place of the cable, addresses and all."""
    with Wire(lab.pid(PAPIO), lab.pid(BACKUP)) as wire:
        for host, other in ((PAPIO, BACKUP), (BACKUP, PAPIO)):
            lab.run(host, "ip", "link", "set", "eth0", "down")
            lab.run(host, "ip", "addr", "flush", "dev", "eth0")
            lab.run(host, "ip", "addr", "add", ADDRESS[host], "peer", ADDRESS[other], "dev", DEVICE)
            lab.run(host, "ip", "link", "set", DEVICE, "up")
        yield wire
