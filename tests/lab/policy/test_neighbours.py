"""Other users of both hosts: they read nothing of anybody else, and no link of theirs leads root anywhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess

import pytest

from tests.compare import fingerprint
from tests.contract import pg
from tests.lab.database_site import DUMPS, OTHERS, POSTGRES, Cluster, Keeper
from tests.lab.images import BACKUP, PAPIO
from tests.lab.machines import Lab
from tests.lab.policy.neighbour import PLANT, WATCH, Neighbour
from tests.lab.site import SENDMAIL, STATE
from tests.soak import few

pytestmark = [pytest.mark.packages, pytest.mark.skipif(shutil.which("psql") is None, reason="needs PostgreSQL")]
KARL, JAKE = 1000, 1001
NAME, CONTENT, ROW, SECRET = "canary-of-name", "canary-of-content\n", "canary-of-row", "canary-of-secret"
PRIVATE = f"/home/karl/private/{NAME}"
WATCHED = ("/etc", "/root", "/opt", "/var/spool", "/home/jake")
TELLS = ("Traceback", "unexpected error")


def sums() -> tuple[str, ...]:
    """What the content is known by in lists of checksums."""
    done = subprocess.run(("xxhsum", "-H2", "-q"), input=CONTENT.encode(), capture_output=True, check=True)
    return (
        done.stdout.split()[0].decode(),
        *(hashlib.new(each, CONTENT.encode()).hexdigest() for each in ("md5", "sha256")),
    )


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Cluster:
    made = Cluster(lab=lab)
    made.make()
    made.sql(pg.ROLES)
    made.sql("create database babase owner babase_owner")
    made.sql(f"create table members as select 1 as id, '{ROW}'::text as name", "babase")
    return made


@pytest.fixture(scope="module")
def keeper(lab: Lab, cluster: Cluster) -> Keeper:
    """A site whose papio has a user with something to hide, and one night that was good."""
    made = Keeper(lab=lab)
    made.settle()
    made.policy("min = 2, max = 400")
    for place, text in ((f"/root/private/{NAME}", CONTENT), ("/etc/runner/secret", SECRET)):
        made.path(PAPIO, place).parent.mkdir(exist_ok=True)
        made.path(PAPIO, place).write_text(text)
        made.path(PAPIO, place).chmod(0o600)
    return made


@pytest.fixture(autouse=True)
def _good_night(keeper: Keeper) -> None:
    """Before each test karl has his home as it was, the folder of dumps is empty, and all of it was copied once more."""
    home, dumps = keeper.path(PAPIO, "/home/karl"), keeper.path(PAPIO, DUMPS)
    for inner in (*home.iterdir(), *dumps.iterdir()):
        shutil.rmtree(inner) if inner.is_dir() and not inner.is_symlink() else inner.unlink()
    home.chmod(0o700)
    (home / "private").mkdir(mode=0o700)
    (home / "thesis").write_text("a year of work\n")
    keeper.path(PAPIO, PRIVATE).write_text(CONTENT)
    keeper.path(PAPIO, PRIVATE).chmod(0o600)
    for each in (home / "private", home / "thesis", keeper.path(PAPIO, PRIVATE)):
        os.chown(each, KARL, KARL)
    # What came of the test before is told once.
    keeper.run("run", "backup-papio")
    keeper.told("run", "backup-papio")


def day(keeper: Keeper) -> None:
    """Dump, snapshots of both, prune, check, drill, restore, a plan, a job that fails, a mail that does not go."""
    keeper.days_pass()
    keeper.told("run")
    keeper.told("run", "backup-backup-server1", "purge-papio", "drill-papio")
    keeper.told("run", "check-papio")
    keeper.told("restore", "papio", "/home/karl")
    keeper.lab.run(
        PAPIO,
        "sh",
        "-c",
        'umask 022; cd /srv && exec "$@"',
        "sh",
        *keeper.argv("plan", "backup-papio", "--out", "plan.toml"),
    )
    program = keeper.path(PAPIO, SENDMAIL)
    before = program.read_text()
    program.write_text("#!/bin/sh\nexit 75\n")
    try:
        assert keeper.run("run", "copy-data").code != 0
    finally:
        program.write_text(before)


@pytest.mark.soak
def test_after_a_day_nobody_else_reads_or_changes_anything_and_nothing_of_it_was_in_a_command(keeper: Keeper) -> None:
    lab = keeper.lab
    words = (NAME, CONTENT.strip(), ROW, SECRET, *sums())
    users = [Neighbour(lab, host, uid) for host in (PAPIO, BACKUP) for uid in (JAKE, 65534)]
    with users[0].doing(WATCH) as here, users[2].doing(WATCH) as there:
        day(keeper)
    for seen in (here, there):
        assert seen["looks"] > 10 and len(seen["seen"]) > 20
        assert [line for line in seen["seen"] if any(word in line for word in words)] == []
    for user in users:
        found = user.walk(*words, apart=tuple(OTHERS))
        assert found["files"] > 100
        assert found["read"] == []
        assert found["changes"] == []
    # He would have found it.
    assert Neighbour(lab, PAPIO, KARL).walk(*words, apart=tuple(OTHERS))["read"]
    assert lab.path(PAPIO, STATE).stat().st_mode & 0o077 == 0


def outside(keeper: Keeper) -> dict[str, object]:
    """What of papio and of the backup server is neither karl's nor the database's."""
    found = {path: fingerprint(keeper.path(PAPIO, path)) for path in WATCHED}
    return {
        **found,
        "there": fingerprint(keeper.path(BACKUP, "/etc")),
        "keys": fingerprint(keeper.path(BACKUP, "/root")),
    }


@pytest.mark.parametrize("seed", few(range(6), 0))
def test_links_and_pipes_that_come_and_go_lead_nowhere_and_nothing_waits_for_them(keeper: Keeper, seed: int) -> None:
    keeper.days_pass()
    lab, before, old = keeper.lab, outside(keeper), keeper.sealed()
    karl, postgres = Neighbour(lab, PAPIO, KARL), Neighbour(lab, PAPIO, POSTGRES)
    homeowner = Neighbour(lab, BACKUP, KARL)
    kept = fingerprint(keeper.store("papio") / old[-1])
    with (
        karl.doing(PLANT, str(seed), "/tmp", "/var/tmp", "/home/karl", "/dev/shm") as his,
        postgres.doing(PLANT, str(seed), "/tmp", DUMPS) as servers,
        homeowner.doing(PLANT, str(seed), "/tmp", "/home/homeowner", "/var/tmp") as homeowners,
    ):
        ran = [
            keeper.run("run", "backup-papio", "backup-backup-server1", timeout=100),
            keeper.run("run", "dump-babase"),
        ]
        ran.append(keeper.run("restore", "papio", "/home/karl", "--to", "/", "--yes"))
        ran.append(keeper.run("restore", "papio", "/home/karl", "--to", "/home/karl", "--yes"))
    assert min(each["rounds"] for each in (his, servers, homeowners)) > 100
    assert outside(keeper) == before
    for each in ran:
        assert each.code in (0, 1, 3) and not any(word in each.said for word in TELLS), each.said
    assert fingerprint(keeper.store("papio") / old[-1]) == kept
    assert len(keeper.sealed()) > len(old) or ran[0].code == 1


def test_no_file_of_his_gets_more_rights_by_coming_back(keeper: Keeper) -> None:
    home = keeper.path(PAPIO, "/home/karl")
    (home / "shell").write_bytes(b"#!/bin/sh\n")
    os.chown(home / "shell", KARL, KARL)
    (home / "shell").chmod(0o6755)
    keeper.told("run", "backup-papio")
    (home / "shell").unlink()
    keeper.told("restore", "papio", "/home/karl/shell", "--to", "/", "--yes")
    status = (home / "shell").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (KARL, KARL, 0o6755)
    (home / "shell").unlink()


PLANTED = ("/home/karl/back", "/home/karl/private")


@pytest.mark.parametrize("to", few(["/home/karl/back", "/home/karl/back/deeper", "/"], "/home/karl/back/deeper"))
def test_a_restore_goes_through_no_link_that_he_put_in_its_way(keeper: Keeper, to: str) -> None:
    karl, before = Neighbour(keeper.lab, PAPIO, KARL), outside(keeper)
    karl.run("mv", "/home/karl/private", "/home/karl/away")
    for link in PLANTED:
        karl.run("ln", "-sfT", "/etc", link)
    try:
        ran = keeper.run("restore", "papio", PRIVATE, "--to", to, "--yes")
    finally:
        karl.run("rm", *PLANTED)
        karl.run("mv", "/home/karl/away", "/home/karl/private")
    assert ran.code == 1 and ("others may change" in ran.said or "is a link of user" in ran.said), ran.said
    assert outside(keeper) == before
