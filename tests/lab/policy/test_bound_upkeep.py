"""A real Debian that is updated, upgraded and rebooted over a key bound to its policy, and a thief with that key."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.jobs.packages.debian import apt
from runner.model.packages import Update
from runner.tools import detached
from tests.lab.archive import SECURITY, STABLE, Deb
from tests.lab.package_files import KERNEL, META, by_aptitude, by_dpkg
from tests.lab.policy.thief import PROGRAM, TOKEN
from tests.lab.upkeep_site import UPGRADE, Keeper, present, upkept

pytest_plugins = ("tests.lab.debian_fixtures",)

PLAN = "20261123T081500.000Z"
BOOT = "/proc/sys/kernel/random/boot_id"
# What ends a host without systemd; here another boot is told at once.
SHUTDOWN = f"""#!/bin/sh
echo "$*" >>/root/ended
cat /proc/sys/kernel/random/uuid >/root/boot-$$
exec mount --bind /root/boot-$$ {BOOT}
"""


class Bound(Keeper):
    """The keeper, whose runner has nothing but the key that `enrol` made."""

    def enrol(self, *allowed: str) -> str:
        """What `enrol` says; the key of root is taken out there, and ours used from then on."""
        ran = self.runner("enrol", "backup-server1", *(f"--allow={each}" for each in allowed))
        assert ran.code == 0, ran.said
        found = re.search(r'key = "(.*)"', ran.said)
        assert found, ran.said
        keys = self.world.path("/root/.ssh/authorized_keys")
        keys.write_text("".join(line for line in keys.read_text().splitlines(keepends=True) if "serve papio" in line))
        jobs = self.folder / "jobs.toml"
        jobs.write_text(jobs.read_text().replace(f'key = "{self.world.key}"', f'key = "{found[1]}"'))
        self.key = found[1]
        return ran.said

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type it for ssh with that key, as a thief does who knows what the runner says."""
        known = (f"-oUserKnownHostsFile={self.folder}/known_hosts", "-oIdentitiesOnly=yes", "-oBatchMode=yes")
        line = shlex.join(("exec", "sh", "-c", "x", TOKEN, *words))
        argv = ("ssh", "-i", self.key, *known, "-p", str(self.world.port), "root@127.0.0.1", line)
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)

    def refused(self) -> int:
        """How many requests the Debian has noted as refused."""
        said = self.world.run(PROGRAM, "refused").stdout
        return sum(each["times"] for each in json.loads(said)["attempts"])


@pytest.fixture(scope="module")
def bound(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bound]:
    folder = tmp_path_factory.mktemp("bound")
    with upkept(base, folder) as (world, archive):
        world.write("/usr/local/sbin/shutdown", SHUTDOWN, 0o755)
        made = Bound(world, archive, folder / "site")
        made.rebooted()
        jobs = made.folder / "jobs.toml"
        jobs.write_text(jobs.read_text().replace('reboot = "no"', 'reboot = "after"'))
        yield made


def test_what_was_allowed_at_enrolment_is_done_over_the_bound_key(bound: Bound) -> None:
    said = bound.enrol("updates", "upgrade", "reboot")
    assert "has no right to what" not in " ".join(said.split())
    bound.published(Deb(name="demo-lib", version="1.1"), Deb(name="libc-demo", version="1.1"))
    bound.archive.add(Deb(name="demo-feature", version="1.1"), suite=STABLE)
    updated = bound.cron()
    present(updated.said + updated.mail.flat, ["demo-lib 1.0 -> 1.1"])
    assert bound.world.versions("demo-lib", "libc-demo") == {"demo-lib": "ii 1.1", "libc-demo": "hi 1.0"}

    upgraded = bound.runner("run", UPGRADE, "--yes")
    assert upgraded.code == 0, upgraded.said
    assert bound.world.versions("libc-demo", "demo-feature") == {"libc-demo": "hi 1.1", "demo-feature": "ii 1.1"}
    assert by_dpkg(bound.world) == by_aptitude(bound.world) == {KERNEL, META, "libc-demo"}

    assert bound.world.path("/root/ended").read_text() == "-r now\n"
    assert bound.refused() == 0, bound.world.run(PROGRAM, "refused").stdout


def _said(*argv: str, step: str = "thief/install") -> tuple[str, ...]:
    """What the runner asks, where a plan has that go on without its connection."""
    return detached.run(PROGRAM, PLAN, step, argv, packages="dpkg")


def _install(name: str, version: str) -> tuple[str, ...]:
    return apt.install((Update(name=name, arch="", old="", new=version),))


def test_a_thief_installs_nothing_but_what_the_archives_of_the_host_offer(bound: Bound) -> None:
    # An older version, and a package that nobody has here, are in the archive as well.
    bound.archive.add(Deb(name="not-here", version="1.0"), suite=SECURITY)
    bound.archive.add(Deb(name="libc-demo", version="1.2"), suite=SECURITY)
    bound.world.run("apt-get", "-qq", "update")
    before, refused = bound.world.run("dpkg-query", "-W").stdout, bound.refused()
    attempts = (
        _said(*_install("demo-lib", "1.0")),
        _said(*_install("not-here", "1.0")),
        # It is held.
        _said(*_install("libc-demo", "1.2")),
        _said(*_install("demo-lib", "1.0"), "-oDPkg::Pre-Invoke::=id"),
        _said("apt-get", "-y", "install", "not-here"),
        _said("sh", "-c", "id"),
        ("apt-get", "remove", "-y", "demo-lib"),
        ("systemctl", "poweroff"),
        ("systemctl", "restart", "--", "ssh.service"),
        ("umount", "--", "/srv"),
        (PROGRAM, "put-fstab-line", "--new=/x /y ext3 defaults 0 0"),
    )
    for argv in attempts:
        said = bound.ask(*argv)
        assert said.returncode not in (0, 255), (argv, said)
        assert "uid=0" not in said.stdout
        assert "Traceback" not in said.stderr
    assert bound.refused() == refused + len(attempts)
    assert bound.world.run("dpkg-query", "-W").stdout == before
    (began,) = bound.world.path("/var/lib/runner/detached").glob("*upgrade-backup-server1.upgrade")
    plan = json.loads((began / "began.json").read_text())["plan"]
    assert bound.ask(*detached.again(PROGRAM, plan, f"{UPGRADE}/upgrade")).returncode == 0
    record = json.loads((began / "began.json").read_text())
    (began / "began.json").write_text(json.dumps({**record, "by": ""}))
    for argv in (
        detached.again(PROGRAM, plan, f"{UPGRADE}/upgrade"),
        detached.note_seen(PROGRAM, plan, f"{UPGRADE}/upgrade"),
    ):
        assert "what was not begun for it" in bound.ask(*argv).stdout


def test_a_thief_ends_the_host_four_times_a_day_and_no_more(bound: Bound) -> None:
    refused = bound.refused()
    ended = len(bound.world.path("/root/ended").read_text().splitlines())
    codes = [bound.ask("shutdown", "-r", "now").returncode for _ in range(5)]
    assert codes.count(0) == 4 - ended
    assert len(bound.world.path("/root/ended").read_text().splitlines()) == 4
    assert "4 times in the last 24 hours" in bound.ask("shutdown", "-r", "now").stdout
    assert bound.refused() > refused
