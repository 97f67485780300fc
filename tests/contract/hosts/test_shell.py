"""A login shell that prints, before or afterwards, on either stream, or that runs nothing at all."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.engine import probe
from runner.hosts.reach import write_ssh_config
from runner.jobs.snapshots import shell
from runner.model.facts import HostFacts
from runner.tools import rsync
from runner.tools.ssh import call, rsh
from tests.contract.sshd import Sshd, sshd
from tests.contract.ways import site, ssh

RC = """
echo 'Welcome to the backup server'
printf '{"error": "an answer of nobody", "name": "backup"}\\n{"half'
echo 'stty: standard input: Inappropriate ioctl for device' >&2
trap 'echo; echo "{\\"held\\": true}"' EXIT
"""


def noisy(folder: Path, rc: str) -> str:
    """The settings of an sshd whose login shell, a real bash, reads `rc` as the .bashrc of its user."""
    (folder / ".bashrc").write_text(rc)
    # bash reads it where it is the first shell of a connection.
    (folder / "shell").write_text(f'#!/bin/sh\nHOME={folder} SHLVL=0 exec bash -c "$SSH_ORIGINAL_COMMAND"\n')
    (folder / "shell").chmod(0o755)
    return f"ForceCommand {folder}/shell\n"


def facts(server: Sshd, folder: Path) -> HostFacts:
    """What the probe of host `backup` finds."""
    live, way = site(server), ssh(server, folder)
    try:
        known = probe.gather(live, ("backup",), (), {"backup": way}, at=datetime.now(UTC), program=probe.runner_agent())
        return known.hosts["backup"]
    finally:
        way.close()


def test_what_a_shell_prints_is_no_answer(tmp_path: Path) -> None:
    with sshd(tmp_path / "server", noisy(tmp_path, RC)) as server:
        way, came = ssh(server, tmp_path), []
        try:
            result = way.run(("printf", "mine"), timeout=30, sink=came.append)
            assert (result.exit, result.out, b"".join(came), result.error) == (0, b"mine", b"mine", "")
            assert result.shell.startswith(b"Welcome") and result.shell.endswith(b'{"half')
            assert way.run(("sh", "-c", "exit 7"), timeout=30).exit == 7
            assert way.run(("sleep", "600"), timeout=1).exit == -15
            assert way.run(("no-such-program",), timeout=30).error.endswith("it is not installed there")
            assert way.put(str(tmp_path / "placed"), b"content", 0o600).exit == 0
            held = way.start(("sh", "-c", "echo up; cat >/dev/null"))
            assert held.first_line(20) == b"up" and held.close().out == b"up\n"
        finally:
            way.close()


def test_a_shell_that_prints_very_much_hides_nothing(tmp_path: Path) -> None:
    with sshd(tmp_path / "server", noisy(tmp_path, "seq 100000; seq 100000 >&2\n")) as server:
        way = ssh(server, tmp_path)
        try:
            result = way.run(("printf", "mine"), timeout=30)
            assert (result.exit, result.out, result.error) == (0, b"mine", "")
        finally:
            way.close()


def test_the_probe_reads_the_host_and_rsync_is_not_tried(tmp_path: Path) -> None:
    with sshd(tmp_path / "server", noisy(tmp_path, RC)) as server:
        known = facts(server, tmp_path)
        assert known.error == "" and known.boot_id and known.shell.startswith("Welcome to the backup server")
        finding = shell.in_the_way(site(server), "backup-papio", (HostFacts(name="papio"), known))
        assert finding and "root@backup prints 'Welcome to the backup server" in finding.text
        assert ".bashrc" in finding.do
        assert shell.in_the_way(site(server), "backup-backup", (known, known)) is None
        # What the finding keeps from people, and the command that it gives them.
        config = tmp_path / "ssh_config"
        write_ssh_config(site(server), config)
        ends = rsync.Ends(source=f"{tmp_path}/.bashrc", target=f"backup:{tmp_path}/there/", rsh=rsh(str(tmp_path)))
        tried = subprocess.run(rsync.send(ends, exclude=()), capture_output=True, check=False)
        assert b"is your shell clean?" in tried.stderr
        asked = subprocess.run((*call(str(config)), "backup", "true"), capture_output=True, check=False)
        assert asked.stdout.startswith(b"Welcome")


def test_a_silent_shell_is_in_nobodys_way(tmp_path: Path) -> None:
    with sshd(tmp_path / "server", noisy(tmp_path, "echo errors are no matter >&2\n")) as server:
        known = facts(server, tmp_path)
        assert (known.error, known.shell) == ("", "")
        assert shell.in_the_way(site(server), "backup-papio", (HostFacts(name="papio"), known)) is None


@pytest.mark.parametrize(
    "account, said",
    [
        ("/usr/sbin/nologin", "said: This account is currently not available."),
        ("echo 'sftp only' >&2; false", "said: sftp only: the command was not run"),
        ("true", "ended without a word: the command was not run"),
        ("echo '{\"held\": true}'", 'said: {"held": true}'),
    ],
)
def test_a_shell_that_runs_nothing_is_quoted(tmp_path: Path, account: str, said: str) -> None:
    with sshd(tmp_path / "server", f"ForceCommand {account}\n") as server:
        way = ssh(server, tmp_path)
        try:
            result = way.run(("true",), timeout=30)
            assert (result.exit, result.out) == (None, b"")
            assert result.error.startswith("the login shell of root@backup ") and said in result.error
            held = way.start(("true",))
            assert held.first_line(20) == b"" and said in held.close().error
        finally:
            way.close()
        assert said in facts(server, tmp_path).error
