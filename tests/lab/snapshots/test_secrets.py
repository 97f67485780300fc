"""A secret is in its file and nowhere else: not after a day, and not after one on which everything about it is wrong."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from urllib.parse import quote

import pytest

from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import CHECKOUT, Lab
from tests.lab.site import FILE, LOCAL, MAIL, REVERSE, SENDMAIL, STATE, STORE, Ran, Runner

# In no file of this machine, as a secret in these lines would be.
PASSWORD, ANOTHER, OURS = (f"{word}-{secrets.token_hex(8)}" for word in ("good", "wrong", "ours"))
PASSWORD_FILE, KEY, SEEN = "/etc/runner/password", "/etc/runner/key", "/run/seen"
PORT = "2525"
# Stands before a program on a host: what it was called with and was given is kept, then it runs.
WITNESS = f"""#!/bin/sh
{{ tr '\\0' '\\n' </proc/$$/cmdline; tr '\\0' '\\n' </proc/$$/environ; }} >>{SEEN}.$$
exec /usr/bin/{{program}} "$@"
"""
WATCHED = ("rsync", "ssh", "python3")
GIVEN = {"PATH", "HOME", "LC_ALL", "LANGUAGE", "TZ", "RUNNER_CONNECTIONS"}
# What a shell, sshd or rsync adds for its own children.
ADDED = {"PWD", "OLDPWD", "SHLVL", "_", "USER", "LOGNAME", "SHELL", "SSH_CLIENT", "SSH_CONNECTION", "MAIL", "LS_COLORS",
         "RSYNC_PID", "RSYNC_HOST_NAME", "RSYNC_ARG0", "RUNNER_ASKS", "LC_CTYPE"}  # fmt: skip


class Site:
    """The lab's site with a mail server that wants a password; `said` is all that the runner printed."""

    def __init__(self, runner: Runner) -> None:
        self.runner, self.lab, self.said = runner, runner.lab, ""
        self.password = runner.path(PAPIO, PASSWORD_FILE)

    def run(self, *argv: str) -> Ran:
        command = ("env", f"RUNNER_CANARY={OURS}", *self.runner.argv(*argv))
        done = self.lab.run(PAPIO, *command, check=False, timeout=120)
        self.said += done.stdout + done.stderr
        return Ran(code=done.returncode, said=done.stdout + done.stderr)

    def give(self, password: str, mode: int = 0o600) -> None:
        self.password.write_text(f"{password}\n")
        self.password.chmod(mode)

    def canaries(self) -> dict[str, bytes]:
        """Every secret that there is, in each of the ways in which it might be written."""
        plan_key = self.runner.path(PAPIO, f"{STATE}/plan.key").read_bytes()
        lines = self.runner.path(PAPIO, KEY).read_bytes().split(b"\n")
        login = base64.b64encode(f"\0runner\0{PASSWORD}".encode())
        return {
            "mail": PASSWORD.encode(), "mail in base64": base64.b64encode(PASSWORD.encode()), "login": login,
            "mail quoted": quote(PASSWORD, safe="").replace("-", "%2D").encode(), "wrong mail": ANOTHER.encode(),
            "wrong in base64": base64.b64encode(ANOTHER.encode()), "ssh": lines[len(lines) // 2],
            "plan": plan_key, "plan in hex": plan_key.hex().encode(), "plan in base64": base64.b64encode(plan_key)[:-2],
        }  # fmt: skip

    def files(self) -> Iterator[Path]:
        """Whatever the runner, or what it started, may have written on either host; the copies that it made are the
        source's own.
        """
        below = {
            PAPIO: ("/etc/runner", STATE, "/run", "/tmp", "/var/tmp", "/var/log", "/root", f"{LOCAL}/.runner",
                    f"{REVERSE}/.runner"),
            BACKUP: ("/run", "/tmp", "/var/tmp", "/var/log", "/var/lib/runner", "/root", f"{STORE}/.runner"),
        }  # fmt: skip
        own = {
            self.runner.path(PAPIO, path) for path in (PASSWORD_FILE, KEY, "/root/.ssh/id_ed25519", f"{STATE}/plan.key")
        }
        for host, folders in below.items():
            for folder in folders:
                for top, inner, names in os.walk(self.runner.path(host, folder)):
                    # What is mounted there is this machine's: the checkout, Python.
                    inner[:] = [name for name in inner if not os.path.ismount(f"{top}/{name}")]
                    places = (Path(top, name) for name in names)
                    yield from (path for path in places if path.is_file() and not path.is_symlink() and path not in own)

    def leaks(self) -> list[str]:
        """Each place that has a secret besides its own."""
        canaries = self.canaries()
        texts = [("what it said", self.said.encode("utf-8", "surrogateescape"))]
        texts += ((str(path), path.read_bytes()) for path in self.files())
        return [f"{place}: {name}" for place, text in texts for name, canary in canaries.items() if canary in text]

    def seen(self) -> list[str]:
        """What the witnesses saw, a text a process."""
        return [
            path.read_text("utf-8", "surrogateescape")
            for host in (PAPIO, BACKUP) for path in self.runner.path(host, "/run").glob("seen.*")
        ]  # fmt: skip


@pytest.fixture
def site(fresh_lab: Lab) -> Iterator[Site]:
    runner = Runner(lab=fresh_lab)
    runner.settle(files=10)
    file = runner.path(PAPIO, FILE)
    smtp = f'smtp = {{ host = "127.0.0.1", port = {PORT}, user = "runner", password_file = "{PASSWORD_FILE}" }}'
    text = file.read_text().replace(f'sendmail = "{SENDMAIL}"', smtp)
    address = 'address = "192.168.199.2"\n'
    file.write_text(text.replace(address, f'{address}key = "{KEY}"\n'))
    fresh_lab.run(PAPIO, "cp", "-p", "/root/.ssh/id_ed25519", KEY)
    made = Site(runner)
    made.give(PASSWORD)
    for host in (PAPIO, BACKUP):
        for program in WATCHED:
            witness = runner.path(host, f"/usr/local/sbin/{program}")
            witness.write_text(WITNESS.replace("{program}", program))
            witness.chmod(0o755)
    argv = ("env", f"PYTHONPATH={CHECKOUT}", fresh_lab.python, "-m", "tests.lab.mail_server", PASSWORD_FILE, PORT, MAIL)
    server = fresh_lab.popen(PAPIO, *argv, stdin=PIPE)
    assert server.stdout and server.stdin
    assert server.stdout.readline() == "ready\n"
    yield made
    server.stdin.close()
    assert server.wait(20) == 0


def test_secrets_stay_in_their_files(site: Site) -> None:
    ran = site.run("run", "backup-papio", "backup-backup-server1", "copy-data")
    assert ran.code == 0 and "Subject: [lab] done" in site.runner.mail(), ran.said
    for verb in ("status", "history", "config", "validate", "snapshots"):
        assert site.run(verb).code == 0
    assert site.run("plan", "copy-data", "--commands", "--out", "/etc/runner/plan.toml").code == 0
    assert site.run("apply", "/etc/runner/plan.toml").code == 0
    assert "Subject: [lab] done" in site.runner.mail()

    # A password that the server does not take, and repeats.
    site.give(ANOTHER)
    ran = site.run("run", "copy-data")
    assert ran.code == 6 and "535 5.7.8 wrong: ***" in ran.said
    site.give(f"{PASSWORD}\nnobody reads a second line")
    ran = site.run("run", "copy-data")
    assert ran.code == 0 and "Subject: [lab] " in site.runner.mail(), ran.said

    # Nobody was told, and nothing was done, with a secret that others know.
    site.password.chmod(0o644)
    site.runner.path(PAPIO, KEY).chmod(0o640)
    before = site.runner.sealed("local")
    for verb in ("validate", "plan", "run"):
        ran = site.run(verb)
        assert ran.code == 2 and "jobs.toml: 2 problems" in ran.said, ran.said
        assert f"chmod 600 {PASSWORD_FILE}" in ran.said and f"chmod 600 {KEY}" in ran.said
    assert site.runner.sealed("local") == before and not site.runner.mail()
    # Who only asks goes on, but for the host that such a key would open.
    ran = site.run("snapshots")
    assert f"chmod 600 {KEY}" in ran.said and "local" in ran.said, ran.said
    site.runner.path(PAPIO, KEY).chmod(0o600)
    site.give(PASSWORD)

    assert site.leaks() == []
    seen = site.seen()
    assert len(seen) > 10 and any("rsync\n" in text and "--server" in text for text in seen)
    for text in seen:
        assert not [
            name for name, canary in site.canaries().items() if canary.decode("utf-8", "surrogateescape") in text
        ]
        assert OURS not in text, text
        names = {line.partition("=")[0] for line in text.splitlines() if line.partition("=")[0].isidentifier()}
        assert {name for name in names if name.isupper()} <= GIVEN | ADDED, text
    # It can be seen at all: a secret that is somewhere else is found.
    stray = site.runner.path(PAPIO, "/var/log/stray")
    stray.write_text(f"password={PASSWORD}\n")
    assert site.leaks() == [f"{stray}: mail"]
