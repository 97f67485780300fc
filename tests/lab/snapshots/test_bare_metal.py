"""The disk alone, in a system that has no Python: files and databases come back by what its README says."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.agent.database.folder import Folder
from tests.compare import differences, rsync_silent
from tests.contract import pg
from tests.contract.storehouse import Said, Storehouse, frame
from tests.lab.rescue import Rescue
from tests.mounts import attached
from tests.trees import make_tree

NAME, TIME = "2026-11-23T081500Z", "2026-11-23T070000Z"
DUMPS = "srv/babase_database/postgres"


@dataclass(frozen=True, kw_only=True)
class World:
    """What there was, and the block device that is left of it."""

    source: Path
    cluster: pg.Cluster
    device: str


def dump(cluster: pg.Cluster, folder: Folder) -> None:
    """Every database in the folder, as the tool leaves them, by PostgreSQL's own programs."""
    folder.globals.mkdir(parents=True)
    folder.roles(TIME).write_bytes(cluster.run("pg_dumpall", "--globals-only").stdout)
    for name in cluster.databases():
        folder.home(name).mkdir(parents=True)
        content = cluster.run("pg_dump", "--format=custom", "--create", "-d", pg.conninfo(name)).stdout
        folder.dump(name, TIME).write_bytes(content)
        about = {"database": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        folder.record(name, TIME).write_text(json.dumps({**about, "tables": cluster.counts(name)}))
    # Begun and not finished: nobody may take it for the newest.
    (folder.home("babase") / "2026-11-24T070000Z.dump").write_bytes(b"PGDMP torn")
    (folder.home("babase") / "2026-11-24T080000Z.dump.part").write_bytes(b"PGDMP torn")


def seal(house: Storehouse) -> None:
    """One snapshot, with what its host was beside it."""
    assert house.snapshot(NAME, "", (), "--host", "papio").code == 0
    site = b'[site]\nname = "babase"\n'
    told = frame("about", Said(code=0, out=house.call("about").out)) + frame("site", Said(code=0, out=site))
    words = ("--about=about", "--site=site", f"--site-sha256={hashlib.sha256(site).hexdigest()}")
    with house.held():
        said = house.call(
            "keep-about", str(house.root), NAME, f"--plan={house.plan}", *words, f"--dumps=/{DUMPS}", given=told
        )
    assert said.code == 0, said.out


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("bare")
    source, image, mounted = folder / "source", folder / "disk.img", folder / "mounted"
    make_tree(source, files=60)
    for name in ("passwd", "group"):
        (source / "etc").mkdir(exist_ok=True)
        shutil.copy2(f"/etc/{name}", source / "etc")
    with image.open("wb") as stream:
        stream.truncate(256 << 20)
    subprocess.run(("mke2fs", "-q", "-t", "ext3", "-b", "4096", "-I", "256", "-i", "4096", image), check=True)
    mounted.mkdir()
    with pg.cluster() as cluster:
        pg.fill(cluster)
        place = cluster.folder / "my space"
        place.mkdir()
        shutil.chown(place, pg.USER)
        cluster.sql(f"create tablespace \"it's odd\" location '{place}'")
        cluster.sql('create table apart tablespace "it\'s odd" as select generate_series(1, 9) as x', "babase")
        dump(cluster, Folder(source / DUMPS))
        with attached(image) as device:
            subprocess.run(("mount", device, mounted), check=True)
            try:
                seal(Storehouse(root=mounted / "papio", source=source))
                subprocess.run(("sync", "--file-system", mounted), check=True)
            finally:
                subprocess.run(("umount", mounted), check=True)
            yield World(source=source, cluster=cluster, device=device)


def commands(text: str) -> str:
    """The commands of a README: the lines that it says are some, in their order."""
    return "".join(f"{line[4:]}\n" for line in text.splitlines() if line.startswith("    "))


def test_the_disk_alone_gives_files_and_databases_back_by_what_its_readme_says(world: World, tmp_path: Path) -> None:
    server = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    fresh, restored = tmp_path / "fresh", tmp_path / "restored"
    for path in (fresh, restored):
        path.mkdir()
    try:
        server.chmod(0o755)
        for path in (server, server / "s"):
            path.mkdir(exist_ok=True)
            shutil.chown(path, pg.USER)
        given = ((server, "/pg"), (fresh, "/mnt/newroot"), (restored, "/root/restored"))
        with Rescue(tmp_path, world.device, given) as rescue:
            assert rescue.sh("command -v python3 python perl").stdout == ""
            assert rescue.sh("find / -name 'python*' -type f -perm -1 2>/dev/null | grep -v ^/proc").stdout == ""
            text = _readme(rescue)
            _start_server(rescue)
            said = rescue.sh(f"set -eu\n{commands(text)}")
            assert said.returncode == 0, said.stdout + said.stderr
            assert differences(world.source, fresh) == []
            assert rsync_silent(world.source, fresh) == ""
            assert differences(world.source / "etc", restored / "etc") == []
            _compare(world.cluster, pg.Cluster(folder=server))
            rescue.sh("pg_ctl -D /pg/data -s -m immediate stop", user="postgres")
    finally:
        shutil.rmtree(server, ignore_errors=True)


def _readme(rescue: Rescue) -> str:
    """As a person finds it: the disk looked at once, to read what it says."""
    found = rescue.sh(
        "mkdir -p /tmp/look; mount -o ro /dev/loop* /tmp/look; cat /tmp/look/papio/.runner/README.txt; umount /tmp/look"
    )
    assert "Lines below that begin with four spaces are commands" in found.stdout, found.stderr
    return found.stdout


def _start_server(rescue: Rescue) -> None:
    for script in (
        "initdb -D /pg/data -U postgres --no-sync --auth=peer --encoding=UTF8 --locale=C",
        "pg_ctl -D /pg/data -w -s -l /pg/log -o '-c listen_addresses= -c fsync=off "
        "-c unix_socket_directories=/pg/s,/run/postgresql' start",
    ):
        done = rescue.sh(script, user="postgres")
        assert done.returncode == 0, done.stdout + done.stderr


def _compare(before: pg.Cluster, after: pg.Cluster) -> None:
    assert after.databases() == before.databases()
    for name in before.databases():
        assert after.counts(name) == before.counts(name)
        assert after.contents(name) == before.contents(name)
    roles = "select rolname, rolcanlogin, rolpassword from pg_authid where rolname !~ '^pg_' order by 1"
    assert after.sql(roles) == before.sql(roles)
