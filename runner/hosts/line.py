"""One ssh line to a host, as fabric makes it: whom it trusts, which key of ours it shows, how its death is noticed."""

from __future__ import annotations

import base64
import hashlib
import shlex
import socket
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from runner.hosts.bounds import bound
from runner.hosts.keys_anew import answer_beside
from runner.hosts.process import Proxy
from runner.tools import secret

if TYPE_CHECKING:
    import paramiko  # type: ignore[import-untyped]

KEEPALIVE = 15.0
SILENCES = 4
DEAD_AFTER_MS = 60_000
_MOMENT = 1.0
# Of the keys that ssh takes by itself; the first is the one to make.
_KEY_KINDS = ("ed25519", "ecdsa", "rsa", "dsa")


class Unreachable(Exception):
    """The host cannot be reached: `why`, what to `do` beside switching it on, and `brief` for who waits."""

    def __init__(self, why: str, do: str = "", brief: str = "") -> None:
        """`brief` is "" where it is not another text."""
        super().__init__(f"{why}: {do}" if do else why)
        self.why, self.do = why, do
        self.brief = brief or str(self)


class Line:
    """One fabric connection, and the ssh to a jump host that carries it, if any."""

    def __init__(self, host: str, config_path: str) -> None:
        import fabric  # type: ignore[import-untyped]

        # Lazy: no file of fabric's own may change what the generated configuration says.
        settings = fabric.Config(lazy=True, runtime_ssh_path=config_path)
        settings.load_ssh_config()
        keys = {"allow_agent": False, "banner_timeout": 15, "auth_timeout": 30, "transport_factory": _swift_transport}
        self._fabric = fabric.Connection(host, config=settings, gateway=False, connect_kwargs=keys)
        self._proxy: Proxy | None = None
        self._was_asked = False
        self.user: str = self._fabric.user
        self.place = f"{self.user}@{self._fabric.host} port {self._fabric.port}"

    @property
    def transport(self) -> paramiko.Transport:
        """The transport that channels are opened on."""
        return self._fabric.transport

    @property
    def authorized(self) -> str:
        """Where the host keeps the keys of those that it lets in as our user."""
        home = "/root" if self.user == "root" else f"/home/{self.user}"
        return f"{home}/.ssh/authorized_keys"

    @property
    def lacked(self) -> str:
        """The `missing_key` where the host asked who we are; "" otherwise."""
        return self.missing_key if self._was_asked else ""

    def how_to_make(self, key: str) -> str:
        """What gives the host a key of ours that is to be in this file."""
        make = shlex.join(("ssh-keygen", "-t", "ed25519", "-N", "", "-f", key))
        return f"make one with `{make}`, and add the line in {key}.pub to {self.authorized} there"

    @property
    def missing_key(self) -> str:
        """The key file to make, where there is no key of ours; "" otherwise."""
        keys = self._keys()
        return "" if any(path.exists() for path in keys) else str(keys[0])

    def _keys(self) -> list[Path]:
        """The files that may hold a key of ours: those that are named, or those that ssh takes by itself."""
        named = [str(path) for path in self._fabric.connect_kwargs.get("key_filename", ())]
        return [expanded(path) for path in named or [f"~/.ssh/id_{kind}" for kind in _KEY_KINDS]]

    def open(self, known_hosts: list[Path]) -> None:
        """Connect; raises whatever stands in the way."""
        # paramiko shows a host any key, ssh none that others know.
        if fault := next(filter(None, (secret.unfit(str(path)) for path in self._keys())), None):
            raise Unreachable(f"is not asked, since {fault.why}", fault.command)
        kwargs = self._fabric.connect_kwargs
        kwargs["look_for_keys"] = "key_filename" not in kwargs
        revoked = _learn(self._fabric.client.get_host_keys(), known_hosts)
        self._fabric.client.set_missing_host_key_policy(Refuse())
        # paramiko's own ProxyCommand never notices that the command has died.
        if through := self._fabric.ssh_config.get("proxycommand"):
            self._proxy = Proxy(tuple(shlex.split(through)))
            kwargs["sock"] = self._proxy.socket
        try:
            self._fabric.open()
        except Exception:
            transport = self._fabric.client.get_transport()
            self._was_asked = bool(transport and transport.initial_kex_done)
            raise
        # Whose private half a stranger has is nobody's. Nothing was asked or given yet.
        key = self.transport.get_remote_server_key()
        if key.get_base64() in revoked:
            raise Unreachable(
                f"has a host key that known_hosts revokes, {fingerprint(key)}",
                "ask its keeper for its new key, and put that into known_hosts",
            )
        _watch_the_line(self.transport)

    def close(self) -> str:
        """Disconnect; give what the jump host's ssh said last."""
        with suppress(Exception):
            self._fabric.client.close()
        return self._proxy.close() if self._proxy else ""


class Refuse:
    """What paramiko asks about a host without a known key: always no, with the fingerprint to check."""

    def missing_host_key(self, _client: object, _name: str, key: paramiko.PKey) -> None:
        """Refuse."""
        raise Unreachable(
            "is not in known_hosts", f"check with its keeper that {fingerprint(key)} is its fingerprint, then add it"
        )


def fingerprint(key: paramiko.PKey) -> str:
    """Give the fingerprint as ssh-keygen -l prints it."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def run(channel: paramiko.Channel, command: bytes) -> None:
    """Ask for the command, and wait for nothing: what it is given may be sent at once."""
    from paramiko import Message, common

    message = Message()
    message.add_byte(common.cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("exec")
    message.add_boolean(True)
    message.add_string(command)
    channel.transport._send_user_message(message)


def gone() -> tuple[type[Exception], ...]:
    """What paramiko raises, in whatever is asked of a line or a channel, where the host is gone or does not go on."""
    from paramiko import SSHException

    return (OSError, EOFError, SSHException)


def shut(channel: paramiko.Channel) -> None:
    """Close it for us, and tell the host; whether it hears that is waited for no longer than a moment."""

    def tell() -> None:
        with suppress(*gone()):
            channel.close()

    telling = threading.Thread(target=tell, daemon=True)
    with suppress(RuntimeError):  # no thread is left: the end of its line, or of us, closes it
        telling.start()
        telling.join(_MOMENT)


def refused_to_run(channel: paramiko.Channel) -> bool:
    """Whether the host has answered that it does not run the command."""
    return bool(getattr(channel, "refused", False))


def heard(transport: paramiko.Transport) -> float:
    """When the host last said something, by the monotonic clock."""
    return float(getattr(transport, "heard", 0.0))


def expanded(path: str) -> Path:
    """The path of a file that may be in our home."""
    return Path(path).expanduser()


def _learn(keys: paramiko.HostKeys, known_hosts: list[Path]) -> set[str]:
    """Put the keys that these files trust into `keys`; give those that they revoke, of whichever host.

    sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. paramiko takes a mark for a host, and stops at a line that it cannot read.
    """
    from paramiko.hostkeys import HostKeyEntry  # type: ignore[import-untyped]

    revoked = set()
    for line in (line for path in known_hosts for line in path.read_text("utf-8", "replace").split("\n")):
        words = line.split()
        if words[:1] == ["@revoked"]:
            revoked.update(words[3:4])
        elif len(words) > 2 and words[0][0] not in "@#":
            # What is no key is nobody's, as for ssh.
            with suppress(Exception):
                entry = HostKeyEntry.from_line(" ".join(words))
                for name in entry.hostnames:
                    if entry.key.get_name() not in (keys.lookup(name) or ()):
                        keys.add(name, entry.key.get_name(), entry.key)
    return revoked


def _swift_transport(*given: object, **more: object) -> paramiko.Transport:
    """A transport that takes no more than it must, and prefers ciphers which check in the same pass: a third of the
    work of paramiko's first ones."""
    import paramiko

    transport = paramiko.Transport(*given, **more)
    bound(transport)
    answer_beside(transport)
    options = transport.get_security_options()
    options.ciphers = sorted(options.ciphers, key=lambda name: "-gcm" not in name)
    return transport


def _ask_whether_it_lives(transport: paramiko.Transport) -> None:
    """Ask now and then, as ssh(1) does with ServerAliveInterval, and close a line on which nothing is said any more.

    The kernel of a host may answer although no sshd there ever will.
    """
    from paramiko import Message, common

    silent = 0
    read = transport.packetizer.read_message

    def listen() -> tuple[int, paramiko.Message]:
        nonlocal silent
        message: tuple[int, paramiko.Message] = read()
        silent, transport.heard = 0, monotonic()
        return message

    def ask() -> None:
        nonlocal silent
        silent += 1
        if silent > SILENCES:
            transport.packetizer.close()
            return
        message = Message()
        message.add_byte(common.cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(True)
        transport._send_user_message(message)

    transport.packetizer.read_message = listen
    transport.packetizer.set_keepalive(KEEPALIVE, ask)


def _watch_the_line(transport: paramiko.Transport) -> None:
    """Have a dead line noticed within some 75 seconds, signals that end commands noted, and that one never began."""
    from paramiko import common

    _ask_whether_it_lives(transport)
    if transport.sock.family != socket.AF_UNIX:
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    table = transport._channel_handler_table
    known, failed = table[common.MSG_CHANNEL_REQUEST], table[common.MSG_CHANNEL_FAILURE]

    def note_signal(channel: paramiko.Channel, message: paramiko.Message) -> None:
        # paramiko knows exit-status only; RFC 4254 6.10 has exit-signal for what a signal ended.
        at = message.packet.tell()
        if message.get_text() == "exit-signal":
            message.get_boolean()
            channel.killed_by = message.get_text()
            channel.status_event.set()
        message.packet.seek(at)
        known(channel, message)

    def note_refusal(channel: paramiko.Channel, message: paramiko.Message) -> None:
        channel.refused = True
        failed(channel, message)

    transport._channel_handler_table = {
        **table,
        common.MSG_CHANNEL_REQUEST: note_signal,
        common.MSG_CHANNEL_FAILURE: note_refusal,
    }
