"""An sshd in the hands of somebody hostile costs its own host's commands, and neither memory nor time without bound."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko  # type: ignore[import-untyped]
import pytest
from paramiko import common
from pytest_mock import MockerFixture

from runner.hosts import ssh as ssh_module
from runner.hosts.connection import Connection
from runner.hosts.line import Unreachable
from runner.hosts.ssh import Ssh
from tests.contract.hosts.admitting import Admitting
from tests.contract.sshd import Sshd
from tests.contract.ways import server, ssh

__all__ = ["server"]

PIECE = b"\0" * 30_000
MOST = 64 << 20
FLOOD = 4 * MOST
OUT, ERRORS = common.cMSG_CHANNEL_DATA, common.cMSG_CHANNEL_EXTENDED_DATA

Deed = Callable[["Evil", Any, bytes], None]


class Evil(Admitting):
    """A server that lets everybody in, and does `deed` when a command is asked for."""

    def __init__(self, transport: paramiko.Transport, deed: Deed) -> None:
        self.transport, self._deed = transport, deed

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """It is run, in a way."""
        told = re.search(rb"\b[0-9a-f]{32}\b", command)

        def work() -> None:
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                self._deed(self, channel, told[0] if told else b"")

        threading.Thread(target=work, daemon=True).start()
        return True

    def send(self, *parts: bytes | int) -> None:
        """A packet of these, whatever was agreed on."""
        message = paramiko.Message()
        for part in parts:
            message.add_int(part) if isinstance(part, int) else message.add_bytes(part)
        self.transport._send_user_message(message)


def begun(channel: paramiko.Channel, token: bytes, group: bytes = b"77") -> None:
    """As a login shell that has begun the command."""
    channel.sendall(token + b"\n")
    channel.sendall_stderr(token + b" " + group + b"\n")


@contextlib.contextmanager
def served(real: Sshd, folder: Path, serve: Callable[[socket.socket], None]) -> Iterator[Ssh]:
    """A way to a host where `serve` has every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listening.accept()[0])
                    threading.Thread(target=serve, args=(taken[-1],), daemon=True).start()

        threading.Thread(target=take, daemon=True).start()
        port = listening.getsockname()[1]
        known = folder / "known"
        known.write_text(real.known_hosts.read_text().replace(str(real.port), str(port)))
        way = ssh(real, folder, known=known, port=port)
        try:
            yield way
        finally:
            way.close()
            listening.shutdown(socket.SHUT_RDWR)
            for each in taken:
                each.close()


@contextlib.contextmanager
def evil(real: Sshd, folder: Path, deed: Deed) -> Iterator[Ssh]:
    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            transport = paramiko.Transport(connection)
            transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(real.folder / "host_key")))
            transport.start_server(server=Evil(transport, deed))

    with served(real, folder, serve) as way:
        yield way


def flood(kind: bytes, *, ahead: bool) -> Deed:
    """More than anybody allowed, for the command, or for the session that was opened for the one after it."""

    def deed(host: Evil, channel: Any, token: bytes) -> None:
        begun(channel, token)
        sessions, at = host.transport._channels, channel
        while ahead and at is channel and host.transport.is_active():
            at = next((each for each in sessions.values() if each is not channel), channel)
        more = (1,) if kind == ERRORS else ()
        for _ in range(FLOOD // len(PIECE)):
            if not host.transport.is_active():
                return
            host.send(kind, at.remote_chanid, *more, len(PIECE), PIECE)

    return deed


def grown(act: Callable[[], object]) -> int:
    """How much more memory this process ever had while it did so, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    first = peak()
    act()
    return peak() - first


def peak() -> int:
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) << 10


@pytest.mark.parametrize("kind", [OUT, ERRORS])
@pytest.mark.parametrize("ahead", [True, False])
def test_what_is_sent_beyond_the_window_ends_the_line_and_fills_no_memory(
    server: Sshd, tmp_path: Path, mocker: MockerFixture, kind: bytes, ahead: bool
) -> None:
    if not ahead:
        # As while rsync is slow to take it.
        mocker.patch("paramiko.Channel.recv", autospec=True, side_effect=TimeoutError)
        mocker.patch("paramiko.Channel.recv_stderr", autospec=True, side_effect=TimeoutError)
        mocker.patch("runner.hosts.ssh._RemoteCommand.linger", 0.0)
    with evil(server, tmp_path, flood(kind, ahead=ahead)) as way:
        results = []
        assert grown(lambda: results.append(way.run(("true",), timeout=30))) < MOST
    (result,) = results
    assert (result.exit, result.lost, result.timed_out) == (255, True, False)
    assert "was ended: it sent more than it was allowed to" in result.error


def test_extensions_are_not_counted_beyond_those_that_are_there(server: Sshd, tmp_path: Path) -> None:
    def deed(host: Evil, channel: Any, token: bytes) -> None:
        begun(channel, token)
        host.send(bytes((common.MSG_EXT_INFO,)), 2**32 - 1)

    with evil(server, tmp_path, deed) as way:
        result = way.run(("true",), timeout=30)
    assert (result.exit, result.lost, result.timed_out) == (255, True, False)
    assert "was ended: it said that it has 4294967295 extensions" in result.error


@pytest.mark.parametrize(
    "group", [b"1" * 5000, b"1", b"0", b"-1", "\u0967\u0968".encode(), "\u00b2".encode(), b"", b"7 8"]
)
def test_a_process_group_that_is_none_is_never_signalled(server: Sshd, tmp_path: Path, group: bytes) -> None:
    with evil(server, tmp_path, lambda host, channel, token: begun(channel, token, group)) as way:
        result = way.run(("true",), timeout=0.5)
    assert result.timed_out and "it never said which processes it has" in result.error


def test_no_memory_is_taken_for_a_packet_that_cannot_be_so_long(server: Sshd, tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n" + struct.pack(">I", 0xFFFFFFF4))
            for _ in range(FLOOD // len(PIECE)):
                connection.sendall(PIECE)

    with served(server, tmp_path, serve) as way:
        results = []
        assert grown(lambda: results.append(way.run(("true",), timeout=30))) < MOST
    (result,) = results
    assert (result.exit, result.lost) == (None, True) and "a packet that cannot be" in result.error


def test_a_greeting_has_an_end(server: Sshd, tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(PIECE)

    with served(server, tmp_path, serve) as way:
        result = way.run(("true",), timeout=30)
    assert (result.exit, result.lost) == (None, True) and "it greets without an end" in result.error


def test_a_host_that_takes_no_word_any_more_is_not_waited_for(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_module, "OPEN_TIMEOUT", 0.2)
    monkeypatch.setattr(ssh_module, "_BRIEFLY", 0.1)
    execute, over = Connection.execute, threading.Event()

    def hangs(self: Connection, command: bytes) -> paramiko.Channel:
        if command.startswith(b"kill "):
            over.wait(60)
            raise Unreachable("it was never there")
        return execute(self, command)

    monkeypatch.setattr(Connection, "execute", hangs)
    way = ssh(server, tmp_path)
    try:
        result = way.run(("sleep", "5"), timeout=0.5)
        assert not over.is_set() and result.timed_out and "backup does not answer" in result.error
    finally:
        over.set()
        way.close()


def test_a_command_that_ends_while_keys_are_made_anew_breaks_no_line(server: Sshd, tmp_path: Path) -> None:
    asked = threading.Event()

    def deed(host: Evil, channel: Any, token: bytes) -> None:
        begun(channel, token)
        table = host.transport._handler_table
        negotiate = table[common.MSG_KEXINIT]

        def close_first(theirs: paramiko.Message) -> None:
            closed = paramiko.Message()
            closed.add_byte(common.cMSG_CHANNEL_CLOSE)
            closed.add_int(channel.remote_chanid)
            host.transport._send_message(closed)
            negotiate(theirs)

        table[common.MSG_KEXINIT] = close_first
        asked.set()

    with evil(server, tmp_path, deed) as way:
        running = threading.Thread(target=way.run, args=(("true",),), kwargs={"timeout": 60})
        running.start()
        assert asked.wait(30)
        (line,) = way.connection._lines
        line.transport.renegotiate_keys()
        running.join()
        assert line.transport.is_active()
