"""What ssh wants: one configuration for every connection, rsync's and ours, and how rsync calls it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from runner.model.site import Host, Site

_DEFAULT_KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
_NEEDS_QUOTES = re.compile(r"[\s#=]")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f"%\\]')


def known_hosts(site: Site) -> tuple[str, ...]:
    """Name the files whose host keys are trusted: the site's own, or those that ssh uses by itself."""
    return (site.known_hosts,) if site.known_hosts else _DEFAULT_KNOWN_HOSTS


def call(config_path: str) -> tuple[str, ...]:
    """Call ssh with the generated configuration."""
    return ("ssh", "-F", config_path, "-oBatchMode=yes")


def through(state: Path) -> Path:
    """Where the program is that rsync calls for ssh: it runs commands over the connections of the runner."""
    return state / "ssh.py"


def rsh(state: str) -> tuple[str, ...]:
    """What rsync calls as its remote shell."""
    return ("python3", "-IS", str(through(Path(state))))


def config(site: Site, config_path: str) -> str:
    """Write the text of ssh_config(5) for every host but the controller; it will be at `config_path`.

    Only hosts with a known key are talked to, nothing is ever asked, no agent is used or forwarded.
    A dead line is noticed after a minute. ValueError for a value that ssh and fabric read differently
    (control characters, quotes, backslash, percent sign).
    """
    blocks = [_block(host, config_path) for host in site.hosts if host.name != site.controller]
    return "\n".join((*blocks, _everywhere(site)))


def _block(host: Host, config_path: str) -> str:
    lines = [
        f"Host {_value(host.name)}",
        f"HostName {_value(host.address)}",
        f"Port {host.port}",
        f"User {_value(host.user)}",
    ]
    if host.key:
        lines += [f"IdentityFile {_value(host.key)}", "IdentitiesOnly yes"]
    if host.jump:
        through = shlex.join(("ssh", "-F", _plain(config_path)))
        lines.append(f"ProxyCommand {through} -W '[%h]:%p' -- {shlex.quote(_plain(host.jump))}")
    return "\n    ".join(lines) + "\n"


def _everywhere(site: Site) -> str:
    own, everyones = (*known_hosts(site), "/dev/null")[:2]
    lines = (
        "Host *",
        "BatchMode yes",
        "StrictHostKeyChecking yes",
        f"UserKnownHostsFile {_value(own)}",
        f"GlobalKnownHostsFile {_value(everyones)}",
        "UpdateHostKeys no",
        "CheckHostIP no",
        "IdentityAgent none",
        "ForwardAgent no",
        "ConnectTimeout 10",
        "ServerAliveInterval 15",
        "ServerAliveCountMax 4",
    )
    return "\n    ".join(lines) + "\n"


def _value(text: str) -> str:
    return f'"{text}"' if _NEEDS_QUOTES.search(_plain(text)) else text


def _plain(text: str) -> str:
    if not text or _FORBIDDEN.search(text):
        raise ValueError(f"{text!a} cannot stand in an ssh configuration: use plain characters")
    return text
