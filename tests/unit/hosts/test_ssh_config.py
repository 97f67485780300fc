"""The generated ssh configuration, word for word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner.model.site import Host, Site
from runner.tools import ssh

SITE = Site(
    name="babase",
    controller="papio",
    folder="/site",
    state="/site/state",
    sandbox="/site/sandbox",
    digest="",
    hosts=(
        Host(name="papio", address="papio.example.edu"),
        Host(name="backup-server1", address="192.168.199.2", key="~/.ssh/runner"),
        Host(name="attic", address="10.0.0.7", user="saver", port=2222, jump="backup-server1"),
    ),
)

GOLDEN = """\
Host backup-server1
    HostName 192.168.199.2
    Port 22
    User root
    IdentityFile ~/.ssh/runner
    IdentitiesOnly yes

Host attic
    HostName 10.0.0.7
    Port 2222
    User saver
    ProxyCommand ssh -F /site/state/ssh_config -W '[%h]:%p' -- backup-server1

Host *
    BatchMode yes
    StrictHostKeyChecking yes
    UserKnownHostsFile ~/.ssh/known_hosts
    GlobalKnownHostsFile /etc/ssh/ssh_known_hosts
    UpdateHostKeys no
    CheckHostIP no
    IdentityAgent none
    ForwardAgent no
    ConnectTimeout 10
    ServerAliveInterval 15
    ServerAliveCountMax 4
"""


def test_every_host_but_the_controller_has_its_block() -> None:
    assert ssh.config(SITE, "/site/state/ssh_config") == GOLDEN


def test_a_sites_own_known_hosts_are_the_only_ones() -> None:
    text = ssh.config(replace(SITE, known_hosts="/site/known hosts"), "/c")
    assert '    UserKnownHostsFile "/site/known hosts"\n    GlobalKnownHostsFile /dev/null\n' in text
    assert ssh.known_hosts(replace(SITE, known_hosts="/site/known hosts")) == ("/site/known hosts",)


@pytest.mark.parametrize("bad", ["x\nProxyCommand touch /tmp/x", 'a"b', "%h", "back\\slash", "", "nul\0"])
@pytest.mark.parametrize("field", ["address", "user"])
def test_a_value_that_could_say_something_else_is_refused(field: str, bad: str) -> None:
    host = replace(SITE.hosts[1], **{field: bad})
    with pytest.raises(ValueError, match="cannot stand in an ssh configuration"):
        ssh.config(replace(SITE, hosts=(host,)), "/c")


def test_rsync_calls_what_lies_beside_the_configuration() -> None:
    assert ssh.rsh("/state") == ("python3", "-IS", "/state/ssh.py")
    assert ssh.call("/state/ssh_config") == ("ssh", "-F", "/state/ssh_config", "-oBatchMode=yes")
