"""Somebody who has an account: what he can read and write on a host, what he sees of processes, links that he plants.

The scripts run there with the system's own Python: no environment of ours is open to others.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tests.lab.machines import Lab

PYTHON = ("/usr/bin/python3", "-IS")
# What belongs to this machine, and is neither host's; the file that plays the disk; processes are looked at apart.
NOT_OURS = ("/usr", "/sys", "/dev/pts", "/run/outside", "/mnt/usb", "/proc")
# Its input is JSON, {"words": [...], "apart": [...]}; it says where one of the words is read, and which places of others can be changed.
WALK = r"""
import json, os, stat, sys
asked = json.load(sys.stdin)
words, apart = [word.encode() for word in asked["words"]], {path.encode() for path in asked["apart"]}
read, changes, files, own = [], [], 0, os.getuid()
def look(path, content):
    global files
    files += 1
    read.extend([os.fsdecode(path), word.decode()] for word in words if word in content)
def take(path):
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as stream:
        rest = b""
        while data := stream.read(1 << 20):
            look(path, rest + data)
            rest = data[-200:]
todo = [b"/"]
while todo:
    folder = todo.pop()
    try:
        entries = list(os.scandir(folder))
    except OSError:
        continue
    for entry in entries:
        look(folder, entry.name)
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            look(entry.path, os.readlink(entry.path))
            continue
        if entry.path in apart:
            continue
        if stat.S_ISSOCK(status.st_mode):
            continue
        shared = status.st_mode & stat.S_ISVTX and stat.S_ISDIR(status.st_mode)
        if status.st_uid != own and not shared and not stat.S_ISCHR(status.st_mode) and os.access(entry.path, os.W_OK):
            changes.append(os.fsdecode(entry.path))
        if stat.S_ISDIR(status.st_mode):
            todo.append(entry.path)
        elif stat.S_ISREG(status.st_mode):
            try:
                take(entry.path)
            except OSError:
                pass
for folder, names in (("/proc", [each for each in os.listdir("/proc") if each.isdigit()]), ("/proc/net", [""])):
    for each in names:
        for file in ("cmdline", "environ", "status", "mountinfo") if each else ("unix", "tcp", "tcp6"):
            try:
                take(os.path.join(folder, each, file).encode())
            except OSError:
                pass
print(json.dumps({"read": read, "changes": changes, "files": files}))
"""
# Prints once that it looks; when its input ends: every command line and environment that it saw, each once.
WATCH = r"""
import json, os, select, sys
seen, looks = set(), 0
os.nice(19)
print("looking", flush=True)
while not select.select((sys.stdin,), (), (), 0.002)[0]:
    looks += 1
    for each in os.listdir("/proc"):
        for file in ("cmdline", "environ") if each.isdigit() else ():
            try:
                with open("/proc/" + each + "/" + file, "rb") as stream:
                    seen.add(stream.read().replace(b"\0", b" ").decode("utf-8", "backslashreplace"))
            except OSError:
                pass
print(json.dumps({"looks": looks, "seen": sorted(seen)}))
"""
# Arguments: a seed, then places; in those he puts links and FIFOs where something is or could be, and takes them away.
PLANT = r"""
import json, os, random, select, sys
dice, places, rounds = random.Random(int(sys.argv[1])), sys.argv[2:], 0
ends = ("/etc/shadow", "/root/.ssh/authorized_keys", "/root", "/etc", "/srv/backups", "")
usual = ("runner", "x", "home", "karl", "thesis", "databases", "globals", "postgres", "babase", ".tmp", "rsync")
away, planted = [], []
print("planting", flush=True)
while not select.select((sys.stdin,), (), (), 0)[0]:
    rounds += 1
    place = dice.choice(places)
    try:
        for _ in range(dice.randrange(3)):
            inner = [each.path for each in os.scandir(place) if each.is_dir(follow_symlinks=False)]
            place = dice.choice(inner) if inner else place
        name = os.path.join(place, dice.choice([*os.listdir(place), *usual]))
        hidden = "%s.away%d" % (name, rounds)
        if os.path.lexists(name):
            os.rename(name, hidden)
            away.append((hidden, name))
        end = dice.choice(ends)
        os.symlink(end, name) if end else os.mkfifo(name)
        planted.append(name)
        if dice.random() < 0.9:
            os.unlink(name)
            if away and away[-1][1] == name:
                os.rename(*away.pop())
    except OSError:
        pass
def undo(act, *names):
    try:
        act(*names)
    except OSError:
        pass
for name in reversed(planted):
    undo(os.unlink, name)
for hidden, name in reversed(away):
    undo(os.rename, hidden, name)
print(json.dumps({"rounds": rounds}))
"""


class Neighbour:
    """A user of a host by his number: he has no group and no right but his own."""

    def __init__(self, lab: Lab, host: str, uid: int) -> None:
        """He does nothing yet."""
        self._lab, self._host, self.uid = lab, host, uid

    def argv(self, *argv: str) -> tuple[str, ...]:
        """The words with which he runs a command."""
        return (
            "setpriv",
            f"--reuid={self.uid}",
            f"--regid={self.uid}",
            "--clear-groups",
            "--no-new-privs",
            "--",
            *argv,
        )

    def run(self, *argv: str, given: str = "") -> str:
        """Let him run a command, which must end well."""
        return self._lab.run(self._host, *self.argv(*argv), input=given).stdout

    def walk(self, *words: str, apart: tuple[str, ...]) -> dict[str, Any]:
        """Let him read the whole host: where he has `read` one of the words, what of others he `changes`, how many `files`."""
        asked = json.dumps({"words": words, "apart": [*NOT_OURS, *apart]})
        found: dict[str, Any] = json.loads(self.run(*PYTHON, "-c", WALK, given=asked))
        return found

    @contextlib.contextmanager
    def doing(self, script: str, *words: str) -> Iterator[dict[str, Any]]:
        """Let him run a script while the block does; afterwards the value has what it says."""
        process = self._lab.popen(self._host, *self.argv(*PYTHON, "-c", script, *words), stdin=-1)
        said: dict[str, Any] = {}
        assert process.stdout is not None and process.stdout.readline()
        try:
            yield said
        finally:
            out, err = process.communicate("\n", timeout=60)
        assert process.returncode == 0, err
        said.update(json.loads(out))
