"""The connections to the hosts for programs of this machine that want one, such as rsync: see `ssh_through`."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from runner.hosts.bounds import fault
from runner.hosts.connection import Connection
from runner.hosts.line import Unreachable, gone, refused_to_run, shut
from runner.hosts.process import ready
from runner.hosts.ssh_through import LOST, VARIABLE, peer

if TYPE_CHECKING:
    import paramiko  # type: ignore[import-untyped]

_PIECE = 1 << 18
_LONGEST = 128 << 10
_PATIENCE = 10.0
_LOOK = 0.2


class SharedConnections:
    """Runs a command on a host for whichever process of ours asks for it, over the connection that we have to it.

    It listens under a name that the kernel forgets with this process, so nothing is left of it when we are killed.
    Only processes of our own user, or root's, are served.
    """

    def __init__(self, connections: Mapping[str, Connection]) -> None:
        """Listen to nobody yet."""
        self._connections = connections
        self._lock = threading.Lock()
        self._listening: socket.socket | None = None
        self._address = ""

    def environment(self) -> Mapping[str, str]:
        """What a process must have in its environment to be served."""
        with self._lock:
            if self._connections and self._listening is None:
                self._address = f"runner-{os.urandom(16).hex()}"
                self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                self._listening.bind(f"\0{self._address}")
                self._listening.listen()
                threading.Thread(target=self._listen, args=(self._listening,), daemon=True).start()
            return {VARIABLE: self._address} if self._listening else {}

    def close(self) -> None:
        """Serve nobody new; `environment` begins anew."""
        with self._lock:
            listening, self._listening = self._listening, None
        if listening:
            # A thread that waits in accept(2) hears nothing of a mere close.
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def _listen(self, listening: socket.socket) -> None:
        while self._listening is listening:
            try:
                asking, _ = listening.accept()
            except OSError:
                # It is closed, or no file can be opened now: whoever asks waits.
                time.sleep(_LOOK)
                continue
            try:
                threading.Thread(target=self._serve, args=(asking,), daemon=True).start()
            except RuntimeError:
                asking.close()

    def _serve(self, asking: socket.socket) -> None:
        with asking, suppress(OSError):
            asking.settimeout(_PATIENCE)
            if peer(asking) not in (0, os.geteuid()):
                return
            words, files, flags, _ = socket.recv_fds(asking, _LONGEST, 3, socket.MSG_CMSG_CLOEXEC)
            try:
                if len(files) != 3 or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                    return
                code = self._run(asking, words.split(b"\0"), files)
            finally:
                for file in files:
                    os.close(file)
            asking.send(b"%d" % code)

    def _run(self, asking: socket.socket, words: Sequence[bytes], files: Sequence[int]) -> int:
        """Run it as ssh(1) does: the words, with blanks between them, are for the login shell there."""
        host, command = os.fsdecode(words[0]), b" ".join(words[1:])
        *_, errors = files
        connection = self._connections.get(host)
        try:
            if connection is None:
                raise Unreachable(f"{host!a} is no host that is reached from here")
            channel = connection.execute(command)
            try:
                _carry(channel, asking, files)
            finally:
                shut(channel)
            code, ended = int(channel.exit_status), getattr(channel, "killed_by", "")
            why = connection.broken(fault(channel)) if code < 0 and not ended else ""
            why = connection.barred if refused_to_run(channel) else why
        except Unreachable as problem:
            code, why = LOST, str(problem)
        except (MemoryError, OSError, RuntimeError) as problem:
            # No thread, no memory, no open file is left.
            code, why = LOST, f"the runner cannot carry it: {problem}"
        if why:
            with suppress(OSError):
                os.write(errors, f"ssh: {why}\n".encode("utf-8", "backslashreplace"))
        return code if code >= 0 else LOST


def _carry(channel: paramiko.Channel, asking: socket.socket, files: Sequence[int]) -> None:
    """Carry all three streams until the command has ended, or whoever asked for it has."""
    stdin, stdout, errors = files
    _begin(_feed, channel, stdin)
    readers = (_begin(_give, channel, stdout), _begin(_tell, channel, errors))
    for reader in readers:
        while reader.is_alive():
            reader.join(_LOOK)
            # It says nothing more, so that there is something to read is its end.
            if ready(asking.fileno(), select.POLLIN, 0):
                shut(channel)
    channel.status_event.wait(_PATIENCE)


def _begin(work: Callable[[paramiko.Channel, int], None], channel: paramiko.Channel, file: int) -> threading.Thread:
    """Have it done beside us, with the file as its own: it may wait for it a little longer than anybody else."""
    own = os.dup(file)

    def working() -> None:
        try:
            with suppress(*gone()):
                work(channel, own)
        finally:
            os.close(own)

    thread = threading.Thread(target=working, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        os.close(own)
        raise
    return thread


def _feed(channel: paramiko.Channel, stdin: int) -> None:
    while not channel.closed:
        if not ready(stdin, select.POLLIN):
            continue
        data = memoryview(os.read(stdin, _PIECE))
        if not data:
            channel.shutdown_write()
            return
        while data:
            with suppress(TimeoutError):
                data = data[channel.send(data) :]


def _give(channel: paramiko.Channel, stdout: int) -> None:
    _pour(channel, stdout, err=False)


def _tell(channel: paramiko.Channel, errors: int) -> None:
    _pour(channel, errors, err=True)


def _pour(channel: paramiko.Channel, file: int, *, err: bool) -> None:
    while True:
        try:
            data = channel.recv_stderr(_PIECE) if err else channel.recv(_PIECE)
        except TimeoutError:
            continue
        if not data:
            return
        try:
            _write(channel, file, data)
        except OSError:
            # Nobody reads it any more: the command is to know.
            shut(channel)
            return


def _write(channel: paramiko.Channel, file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        if ready(file, select.POLLOUT):
            with suppress(BlockingIOError):
                rest = rest[os.write(file, rest) :]
        elif channel.closed:
            raise BrokenPipeError
