"""What rsync has for ssh: a command on a host, over the connection that the runner has to it already.

It is no part of the runner while it runs: `write_ssh_config` puts it beside `ssh_config`, and rsync calls it as
`python3 -IS FILE HOST COMMAND ...`. Standard library only, Python 3.9, quick to start. What it has for standard input,
output and errors it gives to the runner, so not a byte goes through here. Where no runner is there to be asked, as when
a person pastes the rsync of a plan, it is ssh(1).
"""

from __future__ import annotations

import os
import socket
import struct
import sys

VARIABLE = "RUNNER_CONNECTIONS"
# A connection to it that is open already, below 0 for none, where rsync is confined: there nobody else is reached.
CONNECTED = "RUNNER_CONNECTED"
# What ssh(1) ends with where the connection is to blame.
LOST = 255


def peer(connected: socket.socket) -> int:
    """The user whose process is at the other end."""
    _, uid, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


def main() -> int:
    """The exit code of the command, or LOST."""
    words = sys.argv[1:]
    address, connected = os.environ.get(VARIABLE), os.environ.get(CONNECTED, "")
    if connected.startswith("-"):
        os.write(2, b"confined, it is reached by a runner alone: run the plan, or leave out what confines it\n")
        return LOST
    with _open(connected) as runner:
        if not connected and not (address and _reached(runner, address)):
            _become_ssh(words)
        socket.send_fds(runner, [b"\0".join(map(os.fsencode, words))], [0, 1, 2])
        # Whoever reads what the runner writes must see its end, and so the other way round.
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        code = runner.recv(16)
    if code:
        return int(code)
    os.write(2, b"the runner that has the connection is gone\n")
    return LOST


def _open(connected: str) -> socket.socket:
    """A socket that is connected already where that number is one of a descriptor."""
    if connected:
        return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, int(connected))
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _reached(runner: socket.socket, address: str) -> bool:
    try:
        runner.connect(f"\0{address}")
    except OSError:
        return False
    return peer(runner) in (0, os.geteuid())


def _become_ssh(words: list[str]) -> None:
    from pathlib import Path

    config = str(Path(__file__).absolute().with_name("ssh_config"))
    os.execvp("ssh", ("ssh", "-F", config, "-oBatchMode=yes", "--", *words))  # noqa: S606, S607


if __name__ == "__main__":
    sys.exit(main())
