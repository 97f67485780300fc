"""What a server may have us take of it: paramiko believes lengths, counts and windows, whoever says them."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import paramiko  # type: ignore[import-untyped]

# No packet of OpenSSH is longer. RFC 4253 asks for 35,000 bytes.
PACKET = 256 << 10
# All that comes before the keys: the name of the server, and what it says first.
GREETING = 64 << 10
GREETED = 30.0
# How long an extension of RFC 8308 is at least: two lengths.
_EXTENSION = 8

Feed = Callable[["paramiko.Channel", "paramiko.Message"], None]


def bound(transport: paramiko.Transport) -> None:
    """Have the line end where the server goes beyond one of these; `fault` says which. Call it before it begins."""
    _bound_packets(transport)
    _bound_greeting(transport)
    _bound_extensions(transport)
    _bound_windows(transport)


def fault(channel: paramiko.Channel) -> str:
    """For which fault of the server its line was ended; "" for none."""
    return str(getattr(channel.get_transport(), "fault", ""))


def _end(transport: paramiko.Transport, why: str) -> None:
    from paramiko import SSHException

    transport.fault = why
    raise SSHException(why)


def _bound_packets(transport: paramiko.Transport) -> None:
    """Its length is the first that is read of a packet, before any key is known, and memory is taken for it."""
    packetizer = transport.packetizer
    read: Callable[[int, bool], bytes] = packetizer.read_all

    def bounded(length: int, check_rekey: bool = False) -> bytes:
        if length > PACKET or length < 0:
            _end(transport, f"it sent a packet that cannot be {length} bytes long")
        return read(length, check_rekey)

    packetizer.read_all = bounded


def _bound_greeting(transport: paramiko.Transport) -> None:
    packetizer = transport.packetizer
    read: Callable[[float], bytes] = packetizer._read_timeout
    left, begun = GREETING, 0.0

    def bounded(timeout: float) -> bytes:
        nonlocal left, begun
        begun = begun or monotonic()
        data = read(timeout)
        left -= len(data)
        if left < 0 or monotonic() - begun > GREETED:
            _end(transport, "it greets without an end")
        return data

    packetizer._read_timeout = bounded


def _bound_extensions(transport: paramiko.Transport) -> None:
    """It says how many follow: that is gone through, up to 2^32, whether they are there or not."""
    from paramiko import common

    parse: Callable[[Any], None] = transport._handler_table[common.MSG_EXT_INFO]

    def bounded(message: paramiko.Message) -> None:
        at = message.packet.tell()
        count = message.get_int()
        if count * _EXTENSION > len(message.get_remainder()):
            _end(transport, f"it said that it has {count} extensions, and named fewer")
        message.packet.seek(at)
        parse(message)

    transport._handler_table[common.MSG_EXT_INFO] = bounded


def _bound_windows(transport: paramiko.Transport) -> None:
    """What waits to be read of a channel is never more than the window, where the server keeps to that."""
    from paramiko import common

    def bounded(feed: Feed) -> Feed:
        def take(channel: paramiko.Channel, message: paramiko.Message) -> None:
            feed(channel, message)
            # Every packet comes by here: a length needs none of the locks that paramiko takes for it.
            if len(channel.in_buffer._buffer) + len(channel.in_stderr_buffer._buffer) > channel.in_window_size:
                _end(transport, "it sent more than it was allowed to")

        return take

    table = transport._channel_handler_table
    data, extended = common.MSG_CHANNEL_DATA, common.MSG_CHANNEL_EXTENDED_DATA
    transport._channel_handler_table = {**table, data: bounded(table[data]), extended: bounded(table[extended])}
