"""The database of a drill: dumps out of a snapshot, into a real server made for it, and gone again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.model.run import State, Verdict
from tests.contract import pg
from tests.contract.drill_parts import DUMPS, Drilled, World, copied, servers, world
from tests.contract.dump_parts import AT, Dumps
from tests.contract.retention.test_audit import flip
from tests.contract.site import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("psql") is None, reason="needs root and PostgreSQL")
ONE, TWO = "2026-11-23T080000Z", "2026-11-24T080000Z"
HOME = f"{DUMPS.lstrip('/')}/databases"


@pytest.fixture(scope="module")
def ready() -> Iterator[World]:
    """A host whose newest snapshot holds the dumps of a server with all sorts of databases, `postgres` too."""
    with world() as one, pg.cluster() as cluster:
        pg.fill(cluster)
        place = one.base / "space"
        place.mkdir(mode=0o700)
        shutil.chown(place, pg.USER)
        cluster.sql(f"create tablespace \"odd ' space\" location '{place}'")
        cluster.sql('create table apart (x int) tablespace "odd \' space"; insert into apart values (1)', "babase")
        cluster.sql("create table here (x int)")
        root = one.source / DUMPS.lstrip("/")
        root.parent.mkdir(parents=True)
        dumps = Dumps(root=root, cluster=cluster, options=(f"--user={pg.USER}", f"--socket={cluster.sockets}"))
        for name in ("babase", pg.ODD, pg.CONNINFO_LIKE, "postgres"):
            assert dumps.dump(name).code == 0
        assert dumps.globals().code == 0
        assert one.house.snapshot(ONE).code == 0
        assert one.house.snapshot(TWO, ONE).code == 0
        yield one


@pytest.fixture
def one(ready: World) -> Iterator[World]:
    """The same, to be damaged."""
    with world() as place:
        yield copied(ready, place.base)


def drill(one: World) -> Drilled:
    told = one.drill(pg.USER, database="dump", files=4)
    assert servers(one.base) == []
    assert list(one.scratch.iterdir()) == []
    return told


def record(one: World, **changes: Any) -> None:
    """Change what the record of babase's dump says, in the store."""
    path = one.at(TWO, f"{HOME}/babase/{AT}.json")
    found = json.loads(path.read_text())
    path.unlink()
    path.write_text(json.dumps({**found, **changes}))


def failed(told: Drilled) -> str:
    """What the restore says; nothing must be proven by it."""
    assert (told.states["restore"], told.states["proven-database"]) == ("failed", "not reached")
    assert told.report.verdict == Verdict.FAILED
    return next(one.note for one in told.outcomes if one.step == "drill/restore")


def test_every_database_comes_back_with_the_rows_that_were_counted_and_is_proven(one: World) -> None:
    space = sorted((one.base / "space").rglob("*"))
    told = drill(one)
    assert set(told.states.values()) == {"done"}, [(each.step, each.note) for each in told.outcomes]
    known = {each["database"]: each for each in told.result("restore")["databases"]}
    assert set(known) == {"babase", pg.ODD, pg.CONNINFO_LIKE, "postgres"}
    wanted = json.loads(one.at(TWO, f"{HOME}/babase/{AT}.json").read_text())["tables"]
    assert (known["babase"]["tables"], known["babase"]["rows"]) == (len(wanted), sum(wanted.values()))
    assert f"database babase: {len(wanted)} tables, {sum(wanted.values()):,} rows" in told.report.headline
    proven = one.proven["database"]
    assert (proven["snapshot"], proven["dump"]) == (TWO, f"{AT}.dump")
    assert "babase" in proven["database"]
    # The tablespace of the live server is not written to by the restore.
    assert sorted((one.base / "space").rglob("*")) == space


def test_a_damaged_dump_is_named_and_the_others_are_tried_all_the_same(one: World) -> None:
    flip(one.at(TWO, f"{HOME}/babase/{AT}.dump"))
    told = drill(one)
    assert failed(told).startswith(f"database 'babase': {AT}.dump: it is damaged: its SHA-256")
    assert len(told.result("restore")["databases"]) == 3
    assert told.states["proven-files"] in ("done", "not reached")


def test_a_truncated_dump_is_named(one: World) -> None:
    path = one.at(TWO, f"{HOME}/babase/{AT}.dump")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    assert f"it has {len(content) // 2} bytes, and its record says {len(content)}" in failed(drill(one))


def test_a_dump_that_was_truncated_before_it_was_recorded_is_named(one: World) -> None:
    path = one.at(TWO, f"{HOME}/babase/{AT}.dump")
    content = path.read_bytes()[:-2000]
    path.unlink()
    path.write_bytes(content)
    record(one, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    assert "pg_restore ended 1" in failed(drill(one))


def test_other_rows_than_were_counted_are_named_by_their_table(one: World) -> None:
    path = one.at(TWO, f"{HOME}/babase/{AT}.json")
    tables = json.loads(path.read_text())["tables"]
    record(one, tables={**tables, "public.members": 501, "public.gone": 1})
    said = failed(drill(one))
    assert "table public.gone is missing, but had 1 rows when it was dumped; tables that differ: 2" in said


def test_a_record_that_cannot_be_read_is_named(one: World) -> None:
    path = one.at(TWO, f"{HOME}/babase/{AT}.json")
    path.unlink()
    path.write_text('{"tables": ')
    assert "its record cannot be read" in failed(drill(one))


def test_roles_that_are_cut_off_are_named(one: World) -> None:
    path = one.at(TWO, f"{DUMPS.lstrip('/')}/globals/{AT}.sql")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-100])
    assert "the dump of the roles is missing, or cut off" in failed(drill(one))


def test_a_dump_of_a_version_that_is_not_here_is_refused_in_words(one: World) -> None:
    for path in one.at(TWO, HOME).glob("*/*.json"):
        found = json.loads(path.read_text())
        path.unlink()
        path.write_text(json.dumps({**found, "server": "9.6.24"}))
    said = failed(drill(one))
    assert "the dump is of PostgreSQL 9, but this host has no server of that version" in said


def test_a_snapshot_without_dumps_is_a_failure(one: World) -> None:
    shutil.rmtree(one.at(TWO, DUMPS.lstrip("/")))
    assert "there is no dump in the newest snapshot" in failed(drill(one))


def test_the_dump_comes_from_the_store_and_not_from_the_hosts_own_disk(one: World) -> None:
    shutil.rmtree(one.source / DUMPS.lstrip("/"))
    told = drill(one)
    assert told.states["proven-database"] == "done"


def test_a_dump_without_its_record_does_not_count_and_the_one_before_is_taken(one: World) -> None:
    home = one.at(TWO, f"{HOME}/babase")
    (home / "2026-11-24T070000Z.dump").write_bytes(b"half")
    told = drill(one)
    assert told.states["restore"] == "done"


def test_the_database_is_tried_although_files_are_wrong(one: World) -> None:
    path = one.source / "data"
    path.write_text("data")
    assert one.house.snapshot("2026-11-25T080000Z", TWO).code == 0
    flip(one.at("2026-11-25T080000Z", "data"))
    told = one.drill(pg.USER, database="dump", files=4, canaries=("/data",))
    assert (told.states["compare"], told.states["proven-files"]) == ("failed", "not reached")
    assert (told.states["restore"], told.states["proven-database"]) == ("done", "done")
    assert told.report.verdict == Verdict.FAILED
    assert "/data" in told.report.headline
    assert any("database babase" in each for each in told.report.details)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name)
def test_a_restore_that_is_killed_leaves_no_server_and_the_next_drill_goes_well(one: World, by: signal.Signals) -> None:
    plan = one.plan(pg.USER, database="dump", files=4)
    done: list[Drilled] = []
    thread = threading.Thread(target=lambda: done.append(one.run(plan)))
    thread.start()
    until(lambda: list(one.scratch.glob("*/cluster/data/postmaster.pid")))
    found = subprocess.run(("pgrep", "-f", f"try-dumps {one.scratch}"), capture_output=True, text=True, check=False)
    for pid in found.stdout.split():
        os.kill(int(pid), by)
    thread.join()
    (told,) = done
    assert told.states["restore"] in (State.FAILED.value, State.INTERRUPTED.value)
    until(lambda: servers(one.base) == [])
    assert (told.states["clear"], list(one.scratch.iterdir())) == ("done", [])
    assert drill(one).states["proven-database"] == "done"


def test_the_scratch_server_listens_to_no_network_and_lets_only_its_owner_in(one: World) -> None:
    plan = one.plan(pg.USER, database="dump", files=4)
    thread = threading.Thread(target=lambda: one.run(plan))
    seen: dict[str, Any] = {}
    thread.start()
    (socket,) = until(lambda: list(one.scratch.glob("*/cluster/.s.PGSQL.5432")))
    seen["mode"] = socket.parent.stat().st_mode & 0o777
    pids = servers(one.base)
    inodes = {
        found[1]
        for pid in pids
        for each in Path(f"/proc/{pid}/fd").glob("*")
        if (found := re.fullmatch(r"socket:\[(\d+)\]", _link(each)))
    }
    tcp = "".join(Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6"))
    seen["tcp"] = [line for line in tcp.splitlines() if line.split()[9] in inodes and line.split()[3] == "0A"]
    thread.join()
    assert pids and seen == {"mode": 0o700, "tcp": []}


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
