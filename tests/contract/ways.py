"""A site with hosts behind a real sshd, the ways to them, and commands to try there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.hosts.reach import write_ssh_config
from runner.hosts.ssh import Ssh
from runner.hosts.transport import Local, Transport
from runner.model.site import Host, Site
from tests.contract.sshd import Sshd, sshd


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


def ssh(server: Sshd, folder: Path, *, name: str = "backup", known: Path | None = None, **host: object) -> Ssh:
    """A way to `name`, with anything about `backup` said differently in `host`."""
    config = folder / "ssh_config"
    write_ssh_config(site(server, **host), config)
    return Ssh(name, str(config), (str(known or server.known_hosts),))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd") / "server") as running:
        yield running


@pytest.fixture(scope="module", params=["local", "ssh"])
def way(request: pytest.FixtureRequest, server: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transport]:
    folder = tmp_path_factory.mktemp("config")
    ways: dict[str, Transport] = {"local": Local("papio"), "ssh": ssh(server, folder)}
    yield ways[request.param]
    ways[request.param].close()


def sh(script: str, *words: str) -> tuple[str, ...]:
    return ("sh", "-c", script, "sh", *words)


def gone(pid: int, seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False
