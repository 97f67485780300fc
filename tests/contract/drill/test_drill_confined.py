"""What a dump holds is code: in a drill it runs as nobody that is known, and reaches nothing but the drill's folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.agent.answer import Refused
from runner.agent.database.contract import DatabaseServer
from runner.agent.drill import scratch_server
from runner.agent.drill.confined import memory
from runner.agent.drill.scratch_server import ScratchServer
from runner.model.run import Verdict
from runner.model.site import Amount
from tests.contract import pg
from tests.contract.drill_parts import DUMPS, Drilled, World, copied, servers, world
from tests.contract.dump_parts import Dumps
from tests.contract.site import entered, until

pytestmark = [
    pytest.mark.packages,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("psql") is None, reason="needs root and PostgreSQL"),
]
ONE = "2026-11-23T080000Z"
ASLEEP = f"4711.{os.getpid()}"
# Nothing of it happens before the role is there, which is after the dump.
TRAP = """create function public.closed() returns boolean language sql
    as $$ select exists (select from pg_catalog.pg_roles where rolname = 'closed') $$;
create function public.deed(i int) returns boolean language plpgsql as $f$ begin
    if public.closed() then DEED end if;
    return true;
end $f$;
create table public.t (i int check (public.deed(i))); insert into public.t values (1);
"""
# A superuser's code runs as one, and can start programs. When the test has looked at it, it hides the server's folder,
# makes folders that are too deep for most, and takes for itself what root would mount upon.
OF_SUPERUSER = f"""copy (select 1) to program $deed$
    setsid sleep {ASLEEP} & for f in SPOT /etc/x /x; do touch $f; done; while [ ! -e go ]; do sleep 0.05; done
    for f in root passwd view ../view ../view/root; do mv ../$f ../$f.away; ln -s /etc ../$f; done
    mv ../data ../data2; ln -s data2 ../data
    python3 -c 'import os; [(os.mkdir("d"), os.chdir("d")) for _ in range(3000)]' $deed$;"""
# Somebody else's code that could start one would stop the restore.
OF_OWNER = """begin
    copy (select 1) to program 'true';
    raise 'the code of mallory runs as a superuser' using errcode = 'P0099';
exception when insufficient_privilege then null; end;"""
GIVEN = "alter table public.t owner to mallory; alter function public.deed(int) owner to mallory;"
# Only a superuser can make it, whose ever it is.
NEEDS_ONE = """create function public.length_of(text) returns int language internal immutable strict as 'textlen';
alter function public.length_of(text) owner to mallory; create table public.t as select 1 as i;"""


@pytest.fixture(scope="module")
def spot() -> Iterator[Path]:
    """A folder on the host that everybody may write to."""
    place = Path("/tmp") / f"everybodys-{os.getpid()}"
    place.mkdir()
    place.chmod(0o777)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def ready(spot: Path) -> Iterator[World]:
    """A host whose newest snapshot holds the dumps of three databases with traps."""
    with world() as here, pg.cluster() as cluster:
        cluster.sql("create role mallory")
        for name, sql in (
            ("of_superuser", TRAP.replace("DEED", OF_SUPERUSER.replace("SPOT", str(spot / "written")))),
            ("of_owner", TRAP.replace("DEED", OF_OWNER) + GIVEN),
            ("needs_one", NEEDS_ONE),
        ):
            cluster.sql(f"create database {name}")
            cluster.sql(sql, name)
        root = here.source / DUMPS.lstrip("/")
        root.parent.mkdir(parents=True)
        dumps = Dumps(root=root, cluster=cluster, options=(f"--user={pg.USER}", f"--socket={cluster.sockets}"))
        for name in ("of_superuser", "of_owner", "needs_one"):
            assert dumps.dump(name).code == 0
        cluster.sql("create role closed")
        assert dumps.globals().code == 0
        assert here.house.snapshot(ONE).code == 0
        yield here


@pytest.fixture
def here(ready: World) -> Iterator[World]:
    with world() as place:
        yield copied(ready, place.base)


def asleep() -> list[Path]:
    """The program that a dump has started."""
    found = []
    for each in Path("/proc").glob("[1-9]*"):
        try:
            if (each / "cmdline").read_bytes() == f"sleep\0{ASLEEP}\0".encode():
                found.append(each)
        except OSError:
            continue
    return found


def drilled(here: World) -> tuple[Drilled, dict[str, Any]]:
    """A drill, and what the program in a dump was like meanwhile."""
    plan, done, seen = here.plan(pg.USER, database="dump", files=1), [], {}
    thread = threading.Thread(target=lambda: done.append(here.run(plan)))
    thread.start()
    (process,) = until(asleep)
    seen["status"] = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    seen["root"] = sorted(each.name for each in (process / "root").iterdir())
    seen["users"] = [line.split(":")[0] for line in (process / "root/etc/passwd").read_text().splitlines()]
    seen["tmp"] = [each.name for each in (process / "root/tmp").iterdir()]
    seen["networks"] = (process / "net/dev").read_text().splitlines()[2:]
    for space in ("net", "ipc", "pid", "mnt", "uts"):
        seen[space] = (process / f"ns/{space}").readlink() != Path(f"/proc/self/ns/{space}").readlink()
    (cluster,) = here.scratch.glob("*/cluster/data")
    ours = cluster.parents[1]
    seen["ours"] = {each.name: each.stat().st_uid for each in (ours, ours / "view", *(ours / "view").iterdir())}
    uid = str(cluster.stat().st_uid)
    # As what has made itself free of the server would: nothing ends it but its user id.
    stray = subprocess.Popen(("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "sleep", "1000"))
    (cluster / "go").touch()
    thread.join()
    seen["stray"] = stray.wait(20)
    return done[0], seen


def test_code_in_a_dump_reaches_nothing_and_is_nobody_even_as_a_superuser(here: World, spot: Path) -> None:
    drill, seen = drilled(here)
    assert set(drill.states.values()) == {"done"}, [(each.step, each.note) for each in drill.outcomes]
    status = seen["status"]
    uids = set(status["Uid"].split())
    assert len(uids) == 1 and 61000 <= int(uids.pop()) <= 61183
    assert status["Groups"].strip() in ("", status["Gid"].split()[0])
    assert status["NoNewPrivs"] == "1"
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert all(seen[space] for space in ("net", "ipc", "pid", "mnt", "uts"))
    assert [line.split(":")[0].strip() for line in seen["networks"]] == ["lo"]
    assert not {"home", "root", "run", "srv", "sys", "var"} & {*seen["root"]}
    assert seen["users"] == ["root", pg.USER]
    assert seen["tmp"] == [here.base.name]
    assert list(spot.iterdir()) == [] and not Path("/etc/x").exists() and not Path("/x").exists()
    assert set(seen["ours"].values()) == {0} and len(seen["ours"]) == 4
    # It ends with the drill, although it left its session.
    assert seen["stray"] == -signal.SIGKILL
    assert asleep() == [] and servers(here.base) == []
    # Each owner's code has the owner's rights, and which database needs more is said.
    known = {each["database"]: each for each in drill.result("restore")["databases"]}
    assert (known["of_owner"]["superuser"], known["of_owner"]["rows"], known["of_superuser"]["superuser"]) == (
        "",
        1,
        "",
    )
    assert "with the rights of 'mallory'" in known["needs_one"]["superuser"]
    assert drill.report.verdict == Verdict.DONE
    (said,) = (line for line in drill.report.details if "--as-superuser" in line)
    assert said.startswith("database needs_one: restore-db will need --as-superuser for it: ")


def test_a_host_that_cannot_confine_it_runs_nothing_of_a_dump(here: World) -> None:
    program = here.source / "usr/local/sbin/runner-agent"
    bare = program.with_name("bare")
    program.rename(bare)
    # A container whose root may not mount, for one.
    program.write_text(f'#!/bin/sh\nexec setpriv --bounding-set=-sys_admin -- {bare} "$@"\n')
    program.chmod(0o755)
    drill = here.run(here.plan(pg.USER, database="dump", files=1))
    # That says nothing of the dump.
    assert (drill.states["restore"], drill.states["proven-database"]) == ("done", "not needed")
    assert drill.report.verdict == Verdict.ATTENTION
    note = drill.result("restore")["error"]
    assert note.startswith("this host cannot confine the scratch server: ")
    assert "outside of a container" in drill.report.headline
    assert "database" not in here.proven and asleep() == []


def test_the_server_is_ended_before_it_fills_the_disk(here: World) -> None:
    here.scratch.mkdir(parents=True)
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=200m,mode=711", "tmpfs", here.scratch), check=True)
    try:
        plan = here.plan(pg.USER, database="dump", files=1, most=Amount(bytes=5000))
        done: list[Drilled] = []
        thread = threading.Thread(target=lambda: done.append(here.run(plan)))
        thread.start()
        until(asleep)
        (cluster,) = here.scratch.glob("*/cluster/data")
        with (cluster / "more").open("wb") as more:
            space = os.statvfs(here.scratch)
            more.write(bytes(space.f_bavail * space.f_frsize - (1 << 20)))
        thread.join()
        (what,) = (each["what"] for each in done[0].result("restore")["wrong"])
        assert "the disk of the scratch folder is nearly full" in what
        assert list(here.scratch.iterdir()) == []
    finally:
        subprocess.run(("umount", here.scratch), check=True)


@pytest.fixture
def server() -> Iterator[ScratchServer]:
    """A scratch server of its own."""
    with entered(prefix="drill-") as base:
        to = DatabaseServer(user=pg.USER)
        (base / "cluster").mkdir(mode=0o700)
        known = next(path.parent for path in sorted(Path("/usr").glob("lib/postgresql/*/bin/initdb")))
        with ScratchServer(to, known, base / "cluster") as scratch:
            yield scratch


def test_what_takes_the_memory_of_the_host_is_ended(server: ScratchServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < memory(server.server.uid) < 200 << 20
    monkeypatch.setattr(scratch_server, "MOST_MEMORY", 300 << 20)
    code = "import time; taken = bytearray(400 << 20); time.sleep(1000)"
    words = ("--no-psqlrc", f"--dbname={server.server.conninfo()}")
    with pytest.raises(Refused) as refused:
        server.run("psql", *words, f'--command=copy (select 1) to program $$python3 -c "{code}"$$')
    assert "more than half of this host's memory" in server.trouble(refused.value.error)


def test_where_memory_ends_it_goes_first_and_psql_runs_no_command_of_a_dump(server: ScratchServer) -> None:
    adjusted = set()
    for each in Path("/proc").glob("[1-9]*"):
        # Others end meanwhile.
        with contextlib.suppress(OSError):
            if each.stat().st_uid == server.server.uid:
                adjusted.add((each / "oom_score_adj").read_text().strip())
    assert adjusted == {"1000"}
    assert server.globals("\\! touch x\nCREATE ROLE a;\n").splitlines()[1:] == ["CREATE ROLE a;"]
    for text in ("COPY t TO PROGRAM 'x';", "CREATE ROLE a; \\! touch x\n;", "SET a = 1; DO 'x';"):
        with pytest.raises(Refused):
            server.globals(text)
