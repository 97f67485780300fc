"""The guide's way from the sandbox to the real site, typed word by word on two bare hosts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.database.contract import encoded
from tests import lock
from tests.lab.database_site import Cluster
from tests.lab.guide import Edited, Keeper, Typed, steps
from tests.lab.images import BACKUP, PAPIO, STORE
from tests.lab.machines import CHECKOUT, Lab
from tests.lab.site import MAIL, NAME, SENDMAIL, Runner
from tests.mounts import borrowed

pytestmark = [pytest.mark.packages, pytest.mark.skipif(shutil.which("psql") is None, reason="needs PostgreSQL")]
LIVE = "From the sandbox to the real site"
ORIGIN, RUNNER, BLANK = "/mnt/runner", "/srv/runner", "/mnt/usb/blank.img"
# The hosts of the lab have no packages of their own, no logs and nothing that starts them again.
UNWANTED = (
    "security-updates", "upgrade-backup-server1", "papio-updates", "upgrade-papio", "access-papio",
)  # fmt: skip
# What a reader has in place of the guide's examples.
OWN = {
    "<this repository>": ORIGIN,
    '"papio.example.edu"': '"192.168.199.1"',
    'filesystems = "all"': 'filesystems = ["/"]',
    "https://papio.example.edu/": "http://192.168.199.1/",
    "/usr/sbin/sendmail": SENDMAIL,
    "babase-users@example.com": "users@papio",
}
DUMPS = "/srv/babase_database/postgres"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Lab]:
    """Two hosts that were just installed: no key, no store, a blank disk, and a PostgreSQL at work."""
    wheels, origin = _made(tmp_path)
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
        Runner(lab=lab).settle_mail()
        yield lab


def _made(folder: Path) -> tuple[Path, Path]:
    """The packages that the runner needs, and a repository with the files of this checkout as they are now."""
    wheels, origin = folder / "wheels", folder / "origin"
    pip = (sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--quiet")
    which = ("--no-deps", "--require-hashes", "--only-binary=:all:", f"--requirement={CHECKOUT / lock.RUN}")
    subprocess.run((*pip, f"--dest={wheels}", *which), check=True)
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
    keeper = Keeper(
        lab=bare, own={**OWN, "/dev/disk/by-id/usb-Example_Backup_Disk-0:0-part1": device}, answers=_answers
    )
    with borrowed(device):
        try:
            _play(keeper)
            _sealed_drilled_and_mailed(bare, cluster)
        except AssertionError as error:
            raise AssertionError(keeper.told()) from error
        finally:
            bare.run(BACKUP, "umount", STORE, check=False)


def _play(keeper: Keeper) -> None:
    """Do all that the section says; nothing fails, and only what the lab's hosts are is for a person."""
    for step in steps(LIVE):
        match step:
            case Edited():
                keeper.edit(PAPIO, f"{RUNNER}/jobs.toml", step)
                keeper.take_out(PAPIO, f"{RUNNER}/jobs.toml", UNWANTED)
            case Typed():
                code, printed = keeper.type(step)
                if step.command.startswith("cat /root/.ssh"):
                    keeper.own["ssh-ed25519 AAAA... root@papio"] = printed.strip()
                if code == 3 and step.command.endswith("runner run"):
                    # The lab lends its hosts folders of this machine, which the checks of the stores miss.
                    todo = _to_do(printed)
                    assert todo and all("no job copies" in item for item in todo), todo
                else:
                    assert code == 0, f"{step.command}: exit {code}"


def _to_do(printed: str) -> list[str]:
    """The items of What to do in the report of a run."""
    listed = printed.partition("\nWhat to do\n")[2].partition("\n\n")[0]
    return [" ".join(item.split()) for item in listed.split("  * ")[1:]]


def _sealed_drilled_and_mailed(lab: Lab, cluster: Cluster) -> None:
    store = lab.path(BACKUP, STORE)
    (name,) = (path.name for path in store.iterdir() if NAME.fullmatch(path.name))
    assert (store / "latest").readlink() == Path(name)
    assert (store / name / "etc/hostname").read_text() == "papio\n"
    kept = [path.parent.name for path in (store / name / DUMPS[1:]).rglob("*.dump")]
    assert sorted(kept) == sorted(encoded(database) for database in (*cluster.names(), "postgres"))
    proven = json.loads((store / ".runner/proven.json").read_text())
    assert {sort: one["snapshot"] for sort, one in proven.items()} == {"files": name, "database": name}
    mails = lab.path(PAPIO, MAIL).read_text()
    assert re.findall(r"^Subject: \[babase\] (done|attention needed|failed): (?:\S+: )?", mails, re.MULTILINE) == [
        "done", "done", "attention needed", "done",
    ]  # fmt: skip
    assert "runner-agent serve papio" in lab.path(BACKUP, "/root/.ssh/authorized_keys").read_text()
    (other,) = (path for path in lab.path(PAPIO, "/srv/backups/backup-server1").iterdir() if NAME.fullmatch(path.name))
    assert (other / "etc/hostname").read_text() == "backup-server1\n"
    lines = lab.path(PAPIO, "/etc/cron.d/runner").read_text().splitlines()
    assert len(lines) == 3 and all(re.match(r"(@reboot|[\d,]+ [\d,]+ \* \* \*) +root +cd ", line) for line in lines)
