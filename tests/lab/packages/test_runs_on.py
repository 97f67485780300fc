"""A host that starts a job by itself: it does so while the tunnel is away, and says which host it is."""

from __future__ import annotations

import datetime

import pytest

from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.site import FILE, JOBS, MAIL, SENDMAIL, STATE, Ran, Runner

JOB = """
[jobs.access-backup]
kind = "access"
host = "backup-server1"
runs_on = "backup-server1"
schedule = "* * * * *"
"""


@pytest.fixture(scope="module")
def runner(lab: Lab) -> Runner:
    made = Runner(lab=lab)
    made.settle(files=20)
    for host in (PAPIO, BACKUP):
        lab.run(host, "mkdir", "-p", "/etc/runner", "/var/log")
        lab.path(host, FILE).write_text(JOBS + JOB)
    sendmail = lab.path(BACKUP, SENDMAIL)
    sendmail.parent.mkdir(parents=True, exist_ok=True)
    sendmail.write_text(f'#!/bin/sh\nexec cat >> "{MAIL}"\n')
    sendmail.chmod(0o755)
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    line = f"{at.isoformat(timespec='microseconds')} {BACKUP} sshd[77]: Accepted publickey for karl from 192.0.2.7 port 4022 ssh2: ED25519 SHA256:x"
    lab.path(BACKUP, "/var/log/auth.log").write_text(f"{line}\n")
    return made


def on_backup(runner: Runner, *argv: str) -> Ran:
    done = runner.lab.run(BACKUP, *runner.argv(*argv), check=False, timeout=120)
    return Ran(code=done.returncode, said=done.stdout + done.stderr)


def test_it_runs_without_the_tunnel_and_tells_which_host_it_is(runner: Runner) -> None:
    lab = runner.lab
    lab.link("down")
    try:
        ran = on_backup(runner, "run")
    finally:
        lab.link("up")
    assert "karl" in ran.said and ran.code in (0, 3), ran.said
    assert "backup-papio" not in ran.said, "the controller's jobs are not this machine's"
    mail = lab.path(BACKUP, MAIL).read_text()
    assert "[lab on backup-server1]" in mail and "karl" in mail
    assert lab.path(BACKUP, f"{STATE}/journal.sqlite").exists()


def test_the_controller_leaves_it_alone_and_says_where_it_is_started(runner: Runner) -> None:
    planned = runner.good("plan")
    assert "access-backup" not in planned.said
    named = runner.run("run", "access-backup")
    assert named.code == 2 and "started on backup-server1" in named.said, named.said
    status = runner.run("status")
    assert "access-backup" in status.said and "on backup-server1" in status.said, status.said
    other = on_backup(runner, "run", "backup-papio")
    assert other.code == 2 and "started on papio" in other.said, other.said


def test_a_machine_of_another_name_is_told_which_host_it_is(runner: Runner) -> None:
    assert "access-backup" in runner.good("plan", "--here", "backup-server1").said
    wrong = runner.run("plan", "--here", "backup-server")
    assert wrong.code == 2 and "did you mean 'backup-server1'?" in wrong.said, wrong.said


def test_a_machine_that_starts_nothing_is_not_taken_for_the_controller(runner: Runner) -> None:
    runner.path(BACKUP, "/etc/runner/alone.toml").write_text(JOBS)
    argv = (*runner.argv("run")[:-1], "/etc/runner/alone.toml")  # the file is the last word
    done = runner.lab.run(BACKUP, *argv, check=False)
    assert done.returncode == 2, done.stdout
    assert "this machine is backup-server1" in done.stdout and "run it on papio" in done.stdout
    assert runner.sealed() == [] and runner.sealed("backup-server1") == []
