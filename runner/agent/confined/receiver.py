"""What receives from a stranger: begun with the way to the other end in its hands, and nothing else of ours."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..answer import Refused
from . import enter
from .view import View

# As in the runner's ssh_through.py, which rsync calls for its ssh: where the runner listens, and the connection to it.
_ADDRESS, _CONNECTED = "RUNNER_CONNECTIONS", "RUNNER_CONNECTED"
# Above people's and packages' own, below those that systemd gives to services and a drill to its servers. What receives
# at the same time may share one: neither sees the other. It hardly ever does: what is bounded for one user, such as its
# processes, one stranger cannot take from all.
_IDS = range(60900, 61000)
# All that it has in its environment.
_NEEDED = ("PATH", "LC_ALL", "LANG", "LANGUAGE", "TZ")
# A name costs rsync 3.5.0 72 bytes (4,224,000 names: 300 MiB), and what it is called and has beside that.
_LEAST = 2 << 30


class Receiver(NamedTuple):
    """A view to be entered, by whom, and the connection to the runner, -1 for none."""

    view: View
    uid: int
    environment: Mapping[str, str]
    connected: int = -1
    # rsync(1), EXIT VALUES.
    no_memory: int = 22

    def enter(self) -> None:
        """Confine this process, for what it executes next. Raises Refused."""
        inherit(0, 1, 2, self.connected)
        enter.confine(self.view, self.uid)

    def too_much(self, program: str) -> str:
        """What is said of one that ended for memory."""
        return f"{program} wanted more than {self.view.memory:,} bytes of memory: the other end names too many files"


def inherit(*files: int) -> None:
    """Let what is executed next have these open files, and no other of ours."""
    for number in [int(each.name) for each in Path("/proc/self/fd").iterdir()]:
        # The one that lists them is gone.
        with contextlib.suppress(OSError):
            os.set_inheritable(number, number in files)


def prepared(writes: Sequence[str], reads: Sequence[str], hidden: Sequence[str] = ()) -> Receiver:
    """The one that is begun next; only once in a process. Raises Refused where this host cannot confine it.

    Of what is in the folders `hidden` it sees only what else is named here.
    """
    if os.geteuid() != 0:
        raise Refused("only root can confine what receives", "run it as root, or leave out what confines it")
    environment = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    connected = _connection(os.environ.get(_ADDRESS, ""))
    environment[_CONNECTED] = str(connected)
    enter.new_processes()
    return Receiver(View(tuple(writes), tuple(reads), memory(), tuple(hidden)), nobody(), environment, connected)


def receives(uid: int) -> bool:
    """Whether that is the id of one that receives, and nobody else's."""
    if uid not in _IDS:
        return False
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return True
    return False


def nobody() -> int:
    """The id of a user whom this host does not know."""
    own = os.getpid()
    for each in _IDS:
        number = _IDS[(each + own) % len(_IDS)]
        try:
            pwd.getpwuid(number)
        except KeyError:
            return number
    raise Refused(f"all user ids from {_IDS[0]} to {_IDS[-1]} are taken", "free one: what receives needs it")


def _connection(address: str) -> int:
    """Connected to the runner while we are root: nobody else is served, and its name is in another namespace of nets.

    It carries one command, which is given before a word of the other end is heard.
    """
    if not address:
        return -1
    import socket  # noqa: PLC0415  (slow to load, and only a pull wants it)
    import struct  # noqa: PLC0415

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as runner:
        try:
            runner.connect(f"\0{address}")
        except OSError as problem:
            raise Refused(f"the runner cannot be reached: {problem.strerror}", "run the plan again") from None
        _, uid, _ = struct.unpack("3i", runner.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != 0:
            raise Refused("what listens for the runner is not root's", "run the plan again as root")
        return runner.detach()


def memory() -> int:
    """What each process may have: half of the machine's, and never so little that a day of a large site has no room."""
    return max(_LEAST, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
