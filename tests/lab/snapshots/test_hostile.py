"""A machine that somebody has taken over, on either side: a backup server that lies, papio, and another user."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.compare import fingerprint
from tests.lab.images import BACKUP, PAPIO, STORE
from tests.lab.machines import Lab
from tests.lab.site import DATA, FILE, LOCAL, REVERSE, Ran, Runner
from tests.soak import few

LIAR = """#!/bin/sh
# The first transfer finds a link where the mount is, the others find the mount, and so does who only compares.
case "$1 $3" in "--server -"*n*) exec /usr/bin/rsync "$@" ;; esac
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
# What it answers goes through a program, whatever is asked.
RUBBISH = """#!/bin/sh
# Whoever looks for python3 finds this.
%s "$@" > /run/said
code=$?
%s
exit $code
"""
SORTS = {
    "nested": "printf '%0100000d' 0 | tr 0 '['",
    "years": "sed -E 's/20[0-9]{2}-[0-9]{2}-[0-9]{2}T/9999-12-31T/g' /run/said",
    "options": """sed -E 's/"path": "[^"]*"/"path": "--help"/g; s/"uuid": "[^"]*"/"uuid": "x --evil"/g' /run/said""",
    "paths": """sed -E 's/"(partials|sealed)": \\[/&"..\\/..\\/etc", /g; s/"name": "[^"]*"/"name": "..\\/..\\/etc"/g' /run/said""",
}
PURGE = """[jobs.purge-papio]
kind = "prune"
store = "papio"
"""
CHECK = PURGE.replace("purge", "check").replace("prune", "check")
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
    made.good("run", "copy-data")
    yield made
    lab.run(BACKUP, "umount", "/exchange", check=False)


def outside(runner: Runner) -> dict[str, object]:
    """All of papio that matters to an attacker: what is not the store of that host, and not what moves."""
    below = ("/root", "/etc", "/home", LOCAL, "/opt", "/usr/local/sbin")
    return {path: fingerprint(runner.path(PAPIO, path)) for path in below if runner.path(PAPIO, path).is_dir()}


def test_a_link_where_the_host_says_that_something_is_mounted_writes_nothing_outside_the_store(runner: Runner) -> None:
    runner.path(PAPIO, "/root/.ssh/authorized_keys").write_text("papio's own\n")
    before = outside(runner)
    ran = lied_to(runner)
    assert ran.code == 1, ran.said
    assert "backup-server1 says that '/exchange' is mounted there" in ran.said
    assert outside(runner) == before
    assert runner.sealed("backup-server1") == []
    # It lied once: what is right goes on, with what was sent.
    runner.good("run", "backup-backup-server1")
    (whole,) = runner.sealed("backup-server1")
    assert (runner.path(PAPIO, REVERSE) / whole / "exchange/authorized_keys").read_text() == KEYS
    assert outside(runner) == before
    # Now what differs is sent by its names, and a link that nobody asked for is in no list.
    snapshot = fingerprint(runner.path(PAPIO, REVERSE) / whole)
    runner.path(BACKUP, "/exchange/new").write_text("since then\n")
    ran = lied_to(runner)
    # Or that point is listed, since it was doubtful the day before: then nothing is sealed before it is right again.
    assert ran.code in (0, 3) or f"says that {'/exchange'!a} is mounted there" in ran.said, ran.said
    assert outside(runner) == before
    if ran.code == 1:
        runner.good("run", "backup-backup-server1")
    assert fingerprint(runner.path(PAPIO, REVERSE) / whole) == snapshot
    second = runner.path(PAPIO, REVERSE) / runner.sealed("backup-server1")[-1]
    assert second.name != whole
    assert {each.name: each.read_text() for each in (second / "exchange").iterdir() if each.is_file()} == {
        "authorized_keys": KEYS, "new": "since then\n"
    }  # fmt: skip


def lied_to(runner: Runner) -> Ran:
    """A run in which the backup server's rsync lies once."""
    runner.path(BACKUP, "/run/lied").unlink(missing_ok=True)
    liar = runner.path(BACKUP, "/usr/local/sbin/rsync")
    liar.write_text(LIAR)
    liar.chmod(0o755)
    try:
        ran = runner.run("run", "backup-backup-server1")
    finally:
        liar.unlink()
    assert runner.path(BACKUP, "/run/lied").exists()
    return ran


@pytest.mark.parametrize("sort", few(SORTS, "options", "paths"))
def test_rubbish_from_one_machine_costs_what_needs_it_and_nothing_else(runner: Runner, sort: str) -> None:
    before, here, there = outside(runner), runner.sealed("local"), runner.sealed("papio")
    del before[LOCAL]
    program = runner.path(BACKUP, "/usr/local/sbin/python3")
    program.write_text(RUBBISH % (runner.lab.python, SORTS[sort]))
    program.chmod(0o755)
    try:
        ran = runner.run("run", "backup-papio", "copy-data")
    finally:
        program.unlink()
    assert ran.code in (1, 3), ran.said
    assert "Traceback" not in ran.said and "unexpected" not in ran.said
    assert "backup-server1" in ran.said and max(map(len, ran.said.splitlines())) < 3000
    assert len(runner.sealed("local")) == len(here) + 1
    assert runner.sealed("papio") == there
    after = outside(runner)
    assert [path for path, known in before.items() if after[path] != known] == []


def test_other_users_of_the_backup_server_get_at_nothing_of_papio(runner: Runner) -> None:
    secret = runner.data / "of 1000"
    secret.write_text("for user 1000 of papio alone")
    os.chown(secret, 1000, 1000)
    secret.chmod(0o600)
    shell = runner.data / "shell"
    shell.write_bytes(b"\x7fELF")
    shell.chmod(0o4755)
    runner.good("run", "backup-papio")
    copy = f"{STORE}/{runner.sealed()[-1]}{DATA}"
    assert runner.lab.run(BACKUP, "stat", "-c", "%u %a", f"{copy}/of 1000").stdout == "1000 600\n"
    for user in ("1000", "42"):
        become = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--")
        for what in (("cat", f"{copy}/of 1000"), ("stat", f"{copy}/shell"), ("ls", STORE), ("ls", f"{STORE}/.runner")):
            assert runner.lab.run(BACKUP, *become, *what, check=False).returncode != 0
    # The lab mounted its disk without nosuid, and that is told.
    file = runner.path(PAPIO, FILE)
    jobs = file.read_text()
    file.write_text(jobs.replace("[hooks.mail]", f"{CHECK}[hooks.mail]"))
    try:
        checked = runner.run("run", "check-papio")
    finally:
        file.write_text(jobs)
    assert checked.code == 3 and "nosuid" in checked.said, checked.said


@pytest.mark.soak
def test_many_snapshots_of_one_day_by_whoever_has_papio_take_none_of_the_days_before(runner: Runner) -> None:
    for _ in range(4):
        runner.good("run", "backup-papio")
        runner.days_pass()
    old = runner.sealed()[-4:]
    file = runner.path(PAPIO, FILE)
    jobs = file.read_text()
    file.write_text(
        jobs.replace("{ min = 30, max = 400 }", "{ min = 2, max = 6 }").replace("[hooks.mail]", f"{PURGE}[hooks.mail]")
    )
    try:
        for _ in range(8):
            runner.good("run", "backup-papio")
        runner.good("run", "purge-papio")
        left = runner.sealed()
        # One by schedule, and two by hand: no more of a day count.
        assert [name for name in left if name in old] == old[-3:] and len(left) == 6
    finally:
        file.write_text(jobs)
