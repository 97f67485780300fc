"""A real sshd on loopback: host key, users' key, free port and folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Sshd:
    """A running server; `key` is let in, `stranger` is not."""

    folder: Path
    port: int
    key: Path
    stranger: Path
    known_hosts: Path
    pid: int

    def host_key(self) -> str:
        """The public host key as in a .pub file, without the comment."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    def connections(self) -> list[int]:
        """Process ids of the servers of the connections that are open now."""
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in found.split()]


def new_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def sshd(folder: Path, more: str = "") -> Iterator[Sshd]:
    """Start a server below `folder` (made, mode 0700) and end it by its pid."""
    folder.mkdir(mode=0o700)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    key, stranger = new_key(folder / "key"), new_key(folder / "stranger")
    new_key(folder / "host_key")
    port = free_port()
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {host_key}\n")
    settings = folder / "sshd_config"
    settings.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nPermitRootLogin yes\n{more}MaxSessions 30\n"
    )
    log = (folder / "log").open("wb")
    # It ends with this process, also when that is killed.
    argv = ("setpriv", "--pdeathsig", "TERM", "--", "/usr/sbin/sshd", "-D", "-e", "-f", settings)
    server = subprocess.Popen(argv, stderr=log)
    try:
        _await_port(port)
        yield Sshd(folder=folder, port=port, key=key, stranger=stranger, known_hosts=known_hosts, pid=server.pid)
    finally:
        server.terminate()
        server.wait(10)
        log.close()


def _await_port(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"sshd does not listen on {port} (uid {os.getuid()})")
