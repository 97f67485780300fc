"""Which transport reaches which host of a site, and the ssh configuration that all of them share."""

from __future__ import annotations

import functools
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from runner.hosts import ssh_through
from runner.hosts.shared import SharedConnections
from runner.hosts.ssh import Ssh
from runner.hosts.transport import Local, Transport
from runner.model.errors import RunnerError, remedy
from runner.model.site import Site
from runner.tools import agent, private, ssh, trust


def write_ssh_config(site: Site, config_path: Path) -> None:
    """Write the generated configuration to `config_path`, and what rsync calls beside it, both for their owner only.

    RunnerError.
    """
    try:
        private.put(config_path, ssh.config(site, str(config_path)))
        private.put(ssh.through(config_path.parent), _through())
    except OSError as error:
        raise RunnerError(f"{config_path} cannot be written: {error.strerror}", do=remedy(error)) from error


def transports(site: Site, config_path: Path) -> Mapping[str, Transport]:
    """Give the way to every host, by name: in the sandbox, and to the controller, this machine's own.

    Nothing is connected before it is used. `write_ssh_config` must have written `config_path`.
    """
    far = {
        host.name: Ssh(host.name, str(config_path), ssh.known_hosts(site), agent.program(host))
        for host in site.hosts
        if site.live and host.name != site.controller
    }
    shared = SharedConnections({name: way.connection for name, way in far.items()})
    near = {host.name: Local(host.name, agent.program(host), shared) for host in site.hosts if host.name not in far}
    return {host.name: {**far, **near}[host.name] for host in site.hosts}


@functools.cache
def _through() -> str:
    path = Path(ssh_through.__file__)
    trust.require_modules((str(path),))
    return path.read_text("utf-8")


def make(site: Site) -> None:
    """Make the folder of every host and the parents of every store; what is there stays."""
    Path(site.sandbox).mkdir(mode=0o700, parents=True, exist_ok=True)
    for host in site.hosts:
        Path(host.root).mkdir(parents=True, exist_ok=True)
    for store in site.stores:
        Path(site.host(store.host).at(store.path)).parent.mkdir(parents=True, exist_ok=True)


def own_address(address: str, port: int) -> str:
    """The address that this machine has on the way there, "" where that is not known. Nothing is sent."""
    with suppress(OSError):
        family, kind, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as way:
            way.connect(place)
            return str(way.getsockname()[0])
    return ""
