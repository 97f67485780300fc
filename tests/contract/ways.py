"""Sites with one host behind a real sshd, and the ways to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.edge.reach import write_ssh_config
from runner.edge.ssh import Ssh
from runner.model.site import Host, Site
from tests.contract.sshd import Sshd


def site(server: Sshd, **host: object) -> Site:
    """A live site: controller `papio`, `backup` behind `server`, `hidden` behind `backup`."""
    backup = Host(name="backup", address="127.0.0.1", port=server.port, key=str(server.key))
    backup = replace(backup, **host)  # type: ignore[arg-type]
    hidden = Host(name="hidden", address="127.0.0.1", port=server.port, key=str(server.key), jump="backup")
    return Site(
        name="test",
        controller="papio",
        folder="/nowhere",
        state="/nowhere",
        sandbox="/nowhere",
        digest="",
        live=True,
        known_hosts=str(server.known_hosts),
        hosts=(Host(name="papio", address="127.0.0.1"), backup, hidden),
    )


def ssh(
    server: Sshd, folder: Path, *, name: str = "backup", known: Path | None = None, **host: object
) -> Ssh:
    """A way to `name`, with anything about `backup` said differently in `host`."""
    config = folder / "ssh_config"
    write_ssh_config(site(server, **host), config)
    return Ssh(name, str(config), (str(known or server.known_hosts),))
