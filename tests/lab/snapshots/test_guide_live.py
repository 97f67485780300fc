"""The guide's way from the sandbox to the real site, typed word by word on two bare hosts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.database_site import Cluster
from tests.lab.guide import Edited, Keeper, Typed, steps
from tests.lab.images import BACKUP, PAPIO, STORE
from tests.lab.machines import CHECKOUT, Lab
from tests.lab.site import MAIL, SENDMAIL

pytestmark = pytest.mark.skipif(shutil.which("psql") is None, reason="needs PostgreSQL")
LIVE = "From the sandbox to the real site"
ORIGIN, RUNNER, BLANK = "/mnt/runner", "/srv/runner", "/mnt/usb/blank.img"
# The hosts of the lab have no packages of their own, no logs and nothing that starts them again.
UNWANTED = (
    "security-updates", "upgrade-backup-server1", "papio-updates", "upgrade-papio", "access-papio",
)  # fmt: skip
DUMPS = "/srv/babase_database/postgres"


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Two hosts that were just installed: no key, no store, a blank disk, and a PostgreSQL at work."""
    wheels, origin = _made(tmp_path)
    del monkeypatch
    with Lab(binds=(wheels, origin), root_mb=2600) as lab:
        for host in (PAPIO, BACKUP):
            shutil.rmtree(lab.path(host, "/root/.ssh"))
            key = "/etc/ssh/ssh_host_ed25519_key"
            lab.run(host, "cp", "-p", "/etc/ssh/host_key", key)
            lab.path(host, f"{key}.pub").write_text(lab.run(host, "ssh-keygen", "-y", "-f", key).stdout)
        lab.disk("umount")
        lab.run(BACKUP, "sed", "-i", "/backups/d", "/etc/fstab")
        lab.run(BACKUP, "rmdir", STORE, "/srv/backups")
        lab.run(BACKUP, "rm", "/mnt/usb/backups.img")
        lab.run(PAPIO, "ln", "-s", str(origin), ORIGIN)
        # What stands for the network: where pip finds its packages.
        config = f"[global]\nno-index = true\nfind-links = {wheels}\n"
        lab.path(PAPIO, "/etc/pip.conf").write_text(config)
        sendmail = lab.path(PAPIO, SENDMAIL)
        sendmail.write_text(f'#!/bin/sh\nexec cat >> "{MAIL}"\n')
        sendmail.chmod(0o755)
        yield lab


def _made(folder: Path) -> tuple[Path, Path]:
    """The packages that the runner needs, and a repository with the files of this checkout as they are now."""
    wheels, origin = folder / "wheels", folder / "origin"
    needs = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    names = (*needs["project"]["dependencies"], *needs["build-system"]["requires"])
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--quiet")
    subprocess.run((*pip, "--wheel-dir", str(wheels), *names), check=True)
    listed = subprocess.run(
        ("git", "-C", str(CHECKOUT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in listed:
        if name and (CHECKOUT / name).is_file() and not (CHECKOUT / name).is_symlink():
            (origin / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, origin / name)
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    for words in (("init", "--quiet"), ("add", "."), (*who, "commit", "--quiet", "-m", "the runner")):
        subprocess.run(("git", "-C", str(origin), *words), check=True, env={**os.environ, "HOME": str(folder)})
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o555 if path.is_dir() else path.stat().st_mode | 0o444)
    return wheels, origin


@pytest.fixture
def cluster(bare: Lab) -> Cluster:
    made = Cluster(lab=bare)
    made.make()
    bare.run(PAPIO, "rm", "-r", DUMPS, "/srv/babase_database")
    made.fill()
    return made


def _answers(command: str) -> tuple[str, str]:
    """Who logs in for the first time is asked about the fingerprint, and has compared it."""
    return ("(yes/no/[fingerprint])? ", "yes") if command.startswith("ssh root@") else ("", "")


def test_the_live_section_leads_bare_hosts_to_a_sealed_drilled_and_mailed_snapshot(bare: Lab, cluster: Cluster) -> None:
    bare.run(BACKUP, "truncate", "--size=1500M", BLANK)
    device = bare.run(BACKUP, "losetup", "--find", "--show", BLANK).stdout.strip()
    own = {
        "<this repository>": ORIGIN,
        '"papio.example.edu"': '"192.168.199.1"',
        'filesystems = "all"': 'filesystems = ["/"]',
        "https://papio.example.edu/": "http://192.168.199.1/",
        "/usr/sbin/sendmail": SENDMAIL,
        "babase-users@example.com": "users@papio",
        "/dev/disk/by-id/usb-Example_Backup_Disk-0:0-part1": device,
    }
    keeper = Keeper(lab=bare, own=own, answers=_answers)
    try:
        for step in steps(LIVE):
            match step:
                case Edited():
                    keeper.edit(PAPIO, f"{RUNNER}/jobs.toml", step)
                    keeper.take_out(PAPIO, f"{RUNNER}/jobs.toml", UNWANTED)
                case Typed():
                    code, printed = keeper.type(step)
                    if step.command.startswith("cat /root/.ssh"):
                        keeper.own["ssh-ed25519 AAAA... root@papio"] = printed.strip()
                    assert code in (0, 3), keeper.told()
    finally:
        Path("/tmp/s4/live.txt").write_text(keeper.told())
        bare.run(BACKUP, "umount", STORE, check=False)
        bare.run(BACKUP, "losetup", "--detach", device)
    Path("/tmp/s4/live-mail.txt").write_text(bare.path(PAPIO, MAIL).read_text())
