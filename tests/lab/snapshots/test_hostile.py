"""A backup server that somebody has taken over, while papio keeps its snapshots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.compare import fingerprint
from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.site import FILE, REVERSE, Runner

LIAR = """#!/bin/sh
# The first transfer finds a link where the mount is, the others find the mount.
if [ "$1" != --server ] || [ -e /run/lied ]; then exec /usr/bin/rsync "$@"; fi
: > /run/lied
mkdir -p /run/hidden
mount --make-rprivate /
mount --move /exchange /run/hidden && rmdir /exchange && ln -s /root/.ssh /exchange
/usr/bin/rsync "$@"
code=$?
rm /exchange && mkdir /exchange && mount --move /run/hidden /exchange
exit $code
"""
KEYS = "ssh-ed25519 AAAA the-attacker\n"


@pytest.fixture(scope="module")
def runner(lab: Lab) -> Iterator[Runner]:
    made = Runner(lab=lab)
    made.settle(files=10)
    file = made.path(PAPIO, FILE)
    file.write_text(file.read_text().replace('filesystems = ["/"]', 'filesystems = ["/", "/exchange"]'))
    lab.run(BACKUP, "mkdir", "/exchange")
    lab.run(BACKUP, "truncate", "--size=8M", "/run/exchange.img")
    lab.run(BACKUP, "mke2fs", "-q", "-t", "ext4", "/run/exchange.img")
    lab.run(BACKUP, "mount", "-o", "loop", "/run/exchange.img", "/exchange")
    made.path(BACKUP, "/exchange/authorized_keys").write_text(KEYS)
    yield made
    lab.run(BACKUP, "umount", "/exchange", check=False)


def outside(runner: Runner) -> dict[str, object]:
    """All of papio that matters to an attacker: what is not the store of that host, and not what moves."""
    below = ("/root", "/etc", "/home", "/srv/backups/local", "/opt", "/usr/local/sbin")
    return {path: fingerprint(runner.path(PAPIO, path)) for path in below if runner.path(PAPIO, path).is_dir()}


def test_a_link_where_the_host_says_that_something_is_mounted_writes_nothing_outside_the_store(runner: Runner) -> None:
    runner.good("run", "backup-backup-server1")
    (whole,) = runner.sealed("backup-server1")
    assert (runner.path(PAPIO, REVERSE) / whole / "exchange/authorized_keys").read_text() == KEYS
    runner.path(PAPIO, "/root/.ssh/authorized_keys").write_text("papio's own\n")
    before, snapshot = outside(runner), fingerprint(runner.path(PAPIO, REVERSE) / whole)
    liar = runner.path(BACKUP, "/usr/local/sbin/rsync")
    liar.write_text(LIAR)
    liar.chmod(0o755)
    ran = runner.run("run", "backup-backup-server1")
    assert runner.path(BACKUP, "/run/lied").exists()
    assert ran.code == 1, ran.said
    assert "backup-server1 says that '/exchange' is mounted there" in ran.said
    assert outside(runner) == before
    assert runner.sealed("backup-server1") == [whole]
    assert fingerprint(runner.path(PAPIO, REVERSE) / whole) == snapshot
    # It lied once: what is right goes on, with what was sent.
    runner.good("run", "backup-backup-server1")
    assert len(runner.sealed("backup-server1")) == 2
    assert outside(runner) == before
