"""A store on a host's root filesystem, and a source that is larger than what is free there: the host stays alive."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from runner.agent.host.room import free, last
from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.site import DATA, FILE, JOBS, MIB, Runner
from tests.lowest import Lowest

AWAY = "/srv/backups/away"
MORE = f"""
[stores.away]
host = "backup-server1"
path = "{AWAY}"
retention = {{ min = 1, max = 9 }}
[jobs.copy-away]
kind = "snapshot"
host = "papio"
store = "away"
filesystems = ["{DATA}"]
"""
LOOSE = f'exclude = ["{DATA}/none"]\n'


@pytest.fixture
def runner(lab: Lab) -> Iterator[Runner]:
    made = Runner(lab=lab)
    for folder in ("/etc/runner", "/srv/backups", DATA):
        lab.run(PAPIO, "mkdir", "-p", folder)
    made.settle_mail()
    made.make_room()
    lab.run(PAPIO, "truncate", "--size=160M", "/run/images/data.img")
    lab.run(PAPIO, "mke2fs", "-q", "-t", "ext4", "-b", "4096", "/run/images/data.img")
    made.mount_data()
    made.fill("many", 96, pieces=24)
    yield made
    lab.run(BACKUP, "rm", "-rf", AWAY, "/ballast")


def test_a_root_filesystem_is_not_filled_and_the_message_is_right(runner: Runner) -> None:
    lab, root = runner.lab, runner.path(BACKUP, "/")
    there = os.statvfs(root)
    left = free(there).bytes - last(there, system=True).bytes
    with (root / "ballast").open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, left - 40 * MIB)

    # All of it is copied, and it is known that it does not fit: nothing is begun.
    runner.path(PAPIO, FILE).write_text(JOBS + MORE)
    refused = runner.run("run", "copy-away")
    said = " ".join(refused.said.split())
    assert refused.code == 3, refused.said
    assert "the next snapshot does not fit into store away: it needs about " in said
    assert "on backup-server1, where it shares the filesystem of / and the last " in said
    assert not any((root / AWAY[1:] / each).exists() for each in (".partial", ".incoming"))

    # Something is left out, nobody knows how much: it is tried, and ended while there is room for the system.
    runner.path(PAPIO, FILE).write_text(JOBS + MORE + LOOSE)
    floor = last(os.statvfs(root), system=True)
    with Lowest(root) as lowest:
        filled = runner.run("run", "copy-away")
    assert lowest.seen.bytes >= floor.bytes
    assert lowest.seen.inodes >= floor.inodes
    said = " ".join(filled.said.split())
    assert filled.code == 1, filled.said
    assert "no space left for store away on backup-server1: " in said, filled.said
    assert "stay free for its system, which is on the same filesystem (/)" in said
    (todo,) = re.findall("What to do(.*?); what was sent", said)
    assert "Broken pipe" not in todo, filled.said
    assert "runner snapshots away --drop-partials" in said
    df = lab.run(BACKUP, "df", "--output=avail", "-B1", "/").stdout.split()
    assert int(df[-1]) >= 16 * MIB, "its users, logs and database go on"
    status = runner.run("status").said
    (about,) = re.findall(r"^  away +0 snapshots .*\n +(.*)$", status, re.MULTILINE)
    assert about.startswith("full; 1 interrupted snapshot of about "), status

    # Room is made, and what was sent is used.
    (root / "ballast").unlink()
    runner.good("run", "copy-away")
    names = [one.name for one in (root / AWAY[1:]).iterdir() if one.name.startswith("20")]
    assert len(names) == 1
    assert runner.rsync_silent(f"{BACKUP}:{AWAY}/{names[0]}{DATA}") == ""
