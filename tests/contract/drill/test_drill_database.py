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
from tests.soak import few

pytestmark = [
    pytest.mark.packages,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("psql") is None, reason="needs root and PostgreSQL"),
]
ONE, TWO = "2026-11-23T080000Z", "2026-11-24T080000Z"
HOME = f"{DUMPS.lstrip('/')}/databases"


@pytest.fixture(scope="module")
def ready() -> Iterator[World]:
    """A host whose newest snapshot holds the dumps of a server with all sorts of databases, `postgres` too."""
    with world() as here, pg.cluster() as cluster:
        pg.fill(cluster)
        place = here.base / "space"
        place.mkdir(mode=0o700)
        shutil.chown(place, pg.USER)
        cluster.sql(f"create tablespace \"odd ' space\" location '{place}'")
        cluster.sql('create table apart (x int) tablespace "odd \' space"; insert into apart values (1)', "babase")
        cluster.sql("create table here (x int)")
        # It keeps its database from being dropped.
        subscription = "create subscription s connection 'host=192.0.2.1 dbname=x' publication p"
        cluster.sql(f"{subscription} with (connect = false)", "babase")
        root = here.source / DUMPS.lstrip("/")
        root.parent.mkdir(parents=True)
        dumps = Dumps(root=root, cluster=cluster, options=(f"--user={pg.USER}", f"--socket={cluster.sockets}"))
        for name in ("babase", pg.ODD, pg.CONNINFO_LIKE, "postgres"):
            assert dumps.dump(name).code == 0
        assert dumps.globals().code == 0
        assert here.house.snapshot(ONE).code == 0
        assert here.house.snapshot(TWO, ONE).code == 0
        yield here


@pytest.fixture
def here(ready: World) -> Iterator[World]:
    """The same, to be damaged."""
    with world() as place:
        yield copied(ready, place.base)


def drill(here: World) -> Drilled:
    drilled = here.drill(pg.USER, database="dump", files=4)
    assert servers(here.base) == []
    assert list(here.scratch.iterdir()) == []
    return drilled


def record(here: World, **changes: Any) -> None:
    """Change what the record of babase's dump says, in the store."""
    path = here.at(TWO, f"{HOME}/babase/{AT}.json")
    before = json.loads(path.read_text())
    path.unlink()
    path.write_text(json.dumps({**before, **changes}))


def failed(drilled: Drilled) -> str:
    """What the restore says; nothing must be proven by it."""
    assert (drilled.states["restore"], drilled.states["proven-database"]) == ("failed", "not reached")
    assert drilled.report.verdict == Verdict.FAILED
    return next(outcome.note for outcome in drilled.outcomes if outcome.step == "drill/restore")


def test_every_database_comes_back_with_the_rows_that_were_counted_and_is_proven(here: World) -> None:
    space = sorted((here.base / "space").rglob("*"))
    drilled = drill(here)
    assert set(drilled.states.values()) == {"done"}, [(each.step, each.note) for each in drilled.outcomes]
    known = {each["database"]: each for each in drilled.result("restore")["databases"]}
    assert set(known) == {"babase", pg.ODD, pg.CONNINFO_LIKE, "postgres"}
    tables = json.loads(here.at(TWO, f"{HOME}/babase/{AT}.json").read_text())["tables"]
    assert (known["babase"]["tables"], known["babase"]["rows"]) == (len(tables), sum(tables.values()))
    every = known.values()
    came_back = f"4 databases came back with {sum(each['tables'] for each in every)} tables and "
    assert f"{came_back}{sum(each['rows'] for each in every):,} rows" in drilled.report.headline
    proven = here.proven["database"]
    assert (proven["snapshot"], proven["dump"]) == (TWO, f"{AT}.dump")
    assert "babase" in proven["database"]
    # The tablespace of the live server is not written to by the restore.
    assert sorted((here.base / "space").rglob("*")) == space


def test_a_damaged_dump_is_named_and_the_others_are_tried_all_the_same(here: World) -> None:
    flip(here.at(TWO, f"{HOME}/babase/{AT}.dump"))
    drilled = drill(here)
    assert failed(drilled).startswith(f"database 'babase': {AT}.dump: it is damaged: its SHA-256")
    assert len(drilled.result("restore")["databases"]) == 3
    assert drilled.states["proven-files"] in ("done", "not reached")


def test_a_truncated_dump_is_named(here: World) -> None:
    path = here.at(TWO, f"{HOME}/babase/{AT}.dump")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    assert f"it has {len(content) // 2} bytes, and its record says {len(content)}" in failed(drill(here))


def test_a_dump_that_was_truncated_before_it_was_recorded_is_named(here: World) -> None:
    path = here.at(TWO, f"{HOME}/babase/{AT}.dump")
    content = path.read_bytes()[:-2000]
    path.unlink()
    path.write_bytes(content)
    record(here, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    assert "pg_restore ended 1" in failed(drill(here))


def test_other_rows_than_were_counted_are_named_by_their_table(here: World) -> None:
    path = here.at(TWO, f"{HOME}/babase/{AT}.json")
    tables = json.loads(path.read_text())["tables"]
    record(here, tables={**tables, "public.members": 501, "public.gone": 1})
    error = failed(drill(here))
    assert "table public.gone is missing, but had 1 rows when it was dumped; tables that differ: 2" in error


def test_a_record_that_cannot_be_read_is_named(here: World) -> None:
    path = here.at(TWO, f"{HOME}/babase/{AT}.json")
    path.unlink()
    path.write_text('{"tables": ')
    assert "its record cannot be read" in failed(drill(here))


def test_roles_that_are_cut_off_are_named(here: World) -> None:
    path = here.at(TWO, f"{DUMPS.lstrip('/')}/globals/{AT}.sql")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-100])
    assert "the dump of the roles is missing, or cut off" in failed(drill(here))


def test_a_dump_of_a_version_that_is_not_here_cannot_be_tried_and_is_no_failure(here: World) -> None:
    for path in here.at(TWO, HOME).glob("*/*.json"):
        before = json.loads(path.read_text())
        path.unlink()
        path.write_text(json.dumps({**before, "server": "9.6.24"}))
    drilled = drill(here)
    assert (drilled.states["restore"], drilled.states["proven-database"]) == ("done", "not needed")
    assert drilled.report.verdict == Verdict.ATTENTION
    error = "but no database was tried: the dump is of PostgreSQL 9, but this host has no server of that version"
    assert error in drilled.report.headline and "install postgresql-9 " in drilled.report.headline
    assert "database" not in here.proven


def test_a_snapshot_without_dumps_is_a_failure(here: World) -> None:
    shutil.rmtree(here.at(TWO, DUMPS.lstrip("/")))
    assert "there is no dump in the newest snapshot" in failed(drill(here))


def test_the_dump_comes_from_the_store_and_not_from_the_hosts_own_disk(here: World) -> None:
    shutil.rmtree(here.source / DUMPS.lstrip("/"))
    drilled = drill(here)
    assert drilled.states["proven-database"] == "done"


def test_a_dump_without_its_record_does_not_count_and_the_one_before_is_taken(here: World) -> None:
    home = here.at(TWO, f"{HOME}/babase")
    (home / "2026-11-24T070000Z.dump").write_bytes(b"half")
    drilled = drill(here)
    assert drilled.states["restore"] == "done"
    (passed,) = drilled.result("restore")["passed"]
    assert (passed["database"], passed["dump"]) == ("babase", "2026-11-24T070000Z.dump")
    assert drilled.report.verdict == Verdict.ATTENTION
    assert "a newer dump was passed over: database babase: 2026-11-24T070000Z.dump" in drilled.report.headline


def test_the_database_is_tried_although_files_are_wrong(here: World) -> None:
    path = here.source / "data"
    path.write_text("data")
    assert here.house.snapshot("2026-11-25T080000Z", TWO).code == 0
    flip(here.at("2026-11-25T080000Z", "data"))
    drilled = here.drill(pg.USER, database="dump", files=4, canaries=("/data",))
    assert (drilled.states["compare"], drilled.states["proven-files"]) == ("failed", "not reached")
    assert (drilled.states["restore"], drilled.states["proven-database"]) == ("done", "done")
    assert drilled.report.verdict == Verdict.FAILED
    assert "/data" in drilled.report.headline
    assert any("4 databases came back" in each for each in drilled.report.details), drilled.report.details


@pytest.mark.parametrize("by", few([signal.SIGTERM, signal.SIGKILL], signal.SIGKILL), ids=lambda each: each.name)
def test_a_restore_that_is_killed_leaves_no_server_and_the_next_drill_goes_well(
    here: World, by: signal.Signals
) -> None:
    plan = here.plan(pg.USER, database="dump", files=4)
    done: list[Drilled] = []
    thread = threading.Thread(target=lambda: done.append(here.run(plan)))
    thread.start()
    until(lambda: list(here.scratch.glob("*/cluster/data/postmaster.pid")))
    pgrep = subprocess.run(("pgrep", "-f", f"try-dumps {here.scratch}"), capture_output=True, text=True, check=False)
    for pid in pgrep.stdout.split():
        os.kill(int(pid), by)
    thread.join()
    (drilled,) = done
    assert drilled.states["restore"] in (State.FAILED.value, State.INTERRUPTED.value)
    until(lambda: servers(here.base) == [])
    assert (drilled.states["clear"], list(here.scratch.iterdir())) == ("done", [])
    assert drill(here).states["proven-database"] == "done"


def test_the_scratch_server_listens_to_no_network_and_lets_only_its_owner_in(here: World) -> None:
    plan = here.plan(pg.USER, database="dump", files=4)
    thread = threading.Thread(target=lambda: here.run(plan))
    seen: dict[str, Any] = {}
    thread.start()
    (socket,) = until(lambda: list(here.scratch.glob("*/cluster/.s.PGSQL.5432")))
    seen["mode"] = socket.parent.stat().st_mode & 0o777
    pids = servers(here.base)
    inodes = {
        match[1]
        for pid in pids
        for each in Path(f"/proc/{pid}/fd").glob("*")
        if (match := re.fullmatch(r"socket:\[(\d+)\]", _link(each)))
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
