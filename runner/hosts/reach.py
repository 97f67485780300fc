"""Which transport reaches which host of a site, and the ssh configuration that all of them share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from runner.hosts.ssh import Ssh
from runner.hosts.transport import Local, Transport
from runner.model.site import Site
from runner.tools import ssh


def write_ssh_config(site: Site, config_path: Path) -> None:
    """Write the generated configuration to `config_path` at once, readable by its owner only."""
    config_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = config_path.with_name(f".{secrets.token_hex(8)}.ssh")
    fresh.touch(mode=0o600, exist_ok=False)
    fresh.write_text(ssh.config(site, str(config_path)), encoding="utf-8")
    fresh.rename(config_path)


def transports(site: Site, config_path: Path) -> Mapping[str, Transport]:
    """Give the way to every host, by name: in the sandbox, and to the controller, this machine's own.

    Nothing is connected before it is used. `write_ssh_config` must have written `config_path`.
    """
    return {
        host.name: Local(host.name)
        if not site.live or host.name == site.controller
        else Ssh(host.name, str(config_path), ssh.known_hosts(site))
        for host in site.hosts
    }


def make(site: Site) -> None:
    """Make the folder of every host and the parents of every store; what is there stays."""
    Path(site.sandbox).mkdir(mode=0o700, parents=True, exist_ok=True)
    for host in site.hosts:
        Path(host.root).mkdir(parents=True, exist_ok=True)
    for store in site.stores:
        Path(site.host(store.host).at(store.path)).parent.mkdir(parents=True, exist_ok=True)
