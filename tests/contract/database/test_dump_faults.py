"""Everything that can go wrong with a dump ends well: it is named, nothing half stays, no good dump is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.database.stored import MOST_ROLES
from tests.contract import pg
from tests.contract.dump_parts import Dumps, at, folder, programs, small_disk
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Said, execute
from tests.contract.two_hosts import wait_for
from tests.soak import few

pytestmark = pytest.mark.packages


@pytest.fixture(scope="module")
def cluster() -> Iterator[pg.Cluster]:
    with pg.cluster() as one:
        one.run("createdb", "babase")
        one.sql("create table t as select g, md5(g::text) from generate_series(1, 300000) g", "babase")
        yield one


@pytest.fixture
def dumps(cluster: pg.Cluster) -> Iterator[Dumps]:
    """With a good dump of yesterday."""
    with folder(cluster) as one:
        assert one.dump("babase", day=22).code == 0
        yield one


def failed(dumps: Dumps, result: Said) -> str:
    """Why it failed; the good one of yesterday, and nothing else, is there."""
    assert result.code == 1 and result.answer["do"], result
    listed = dumps.listed()
    assert [one["time"] for one in listed["databases"]["babase"]] == [at(22)]
    assert (listed["odd"], dumps.parts()) == ([], [])
    assert dumps.dumped("babase").answer["spared"]
    error: str = result.answer["error"]
    return error


FAULTS = {
    "killed": ("head -c 5000 /dev/zero; kill -9 $$", "killed (signal 9) after 5,000 bytes"),
    "empty": ("exit 0", "the dump is empty"),
    "truncated to a tenth": ('"$REAL" "$@" > "$0.out"; head -c 400000 "$0.out"', "truncated or damaged"),
    "truncated by a byte": ('"$REAL" "$@" > "$0.out"; head -c -1 "$0.out"', "truncated or damaged"),
    "one bit": (
        '"$REAL" "$@" > "$0.out"; printf x | dd of="$0.out" bs=1 seek=2000000 conv=notrunc 2>&-; cat "$0.out"',
        "truncated or damaged",
    ),
    "no dump at all": ("echo hello", "truncated or damaged"),
    "says no": ("echo 'pg_dump: error: x'; echo 'pg_dump: error: y' >&2; exit 1", "pg_dump ended 1: pg_dump: error: y"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_dump_that_is_not_whole_is_named_and_never_replaces_a_good_one(dumps: Dumps, name: str) -> None:
    script, why = FAULTS[name]
    made = programs(dumps.root.parent, pg_dump=script)
    made.chmod(0o777)
    assert why in failed(dumps, dumps.dump("babase", f"--programs={made}"))


def test_a_dump_that_takes_too_long_is_stopped(dumps: Dumps) -> None:
    made = programs(dumps.root.parent, pg_dump="exec sleep 60")
    begun = time.monotonic()
    assert "stopped" in failed(dumps, dumps.dump("babase", f"--programs={made}", "--within=1"))
    assert time.monotonic() - begun < 20


def test_an_older_pg_dump_is_not_tried(dumps: Dumps) -> None:
    made = programs(dumps.root.parent)
    for name in ("pg_dump", "pg_restore"):
        (made / name).unlink()
        (made / name).write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 13.9'\n")
        (made / name).chmod(0o755)
    result = dumps.dump("babase", f"--programs={made}")
    assert "pg_dump 13.9 is older than the server" in failed(dumps, result)
    assert "postgresql-client-" in result.answer["do"]
    asked = execute((*PROGRAM, "databases", *dumps.options, f"--programs={made}"))
    assert asked.code == 0 and "older" in asked.answer["trouble"]["error"]


def test_a_dump_that_pg_restore_here_is_too_old_for_is_no_good(dumps: Dumps) -> None:
    # A version of the format from the future, in the third byte of the version in the header.
    script = '"$REAL" "$@" > "$0.out"; printf \'\\177\' | dd of="$0.out" bs=1 seek=6 conv=notrunc 2>&-; cat "$0.out"'
    made = programs(dumps.root.parent, pg_dump=script)
    made.chmod(0o777)
    assert "unsupported version" in failed(dumps, dumps.dump("babase", f"--programs={made}"))


def test_a_full_disk_is_foretold_from_the_last_dump(cluster: pg.Cluster, tmp_path: Path) -> None:
    with folder(cluster) as near, small_disk(near.root.parent / "disk", 28 << 20) as disk:
        one = Dumps(root=disk / "dumps", cluster=cluster, options=near.options)
        assert one.dump("babase", day=22).code == 0
        (disk / "filler").write_bytes(b"x" * (4 << 20))
        result = one.dump("babase")
        assert "no room for the dump" in failed(one, result) and "free" in result.answer["do"]


def test_a_disk_that_is_full_in_the_middle_is_named_and_freed_again(cluster: pg.Cluster, tmp_path: Path) -> None:
    # A last dump that was small: nothing warns of what comes.
    with folder(cluster) as near, small_disk(near.root.parent / "disk", 18 << 20) as disk:
        one = Dumps(root=disk / "dumps", cluster=cluster, options=near.options)
        cluster.run("createdb", "growing")
        assert one.dump("growing", day=22).code == 0
        cluster.sql("create table t as select g, md5(g::text) from generate_series(1, 900000) g", "growing")
        result = one.dump("growing")
        assert result.code == 1 and "no space left for the dump" in result.answer["error"], result
        assert one.parts() == [] and len(one.listed()["databases"]["growing"]) == 1
        assert os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize > 16 << 20
    cluster.run("dropdb", "growing")


def test_a_pg_dump_that_is_really_killed_leaves_nothing(dumps: Dumps) -> None:
    made = programs(dumps.root.parent, pg_dump='echo $$ > "$0.pid"; sleep 1; exec "$REAL" "$@"')
    made.chmod(0o777)
    process = dumps.start("babase", f"--programs={made}")
    pid = made / "pg_dump.pid"
    wait_for(lambda: pid.exists() and bool(pid.read_text().strip()))
    os.kill(int(pid.read_text()), signal.SIGKILL)
    out, err = process.communicate(timeout=30)
    assert "killed (signal 9)" in failed(dumps, Said(code=process.returncode, out=out, err=err))


def test_a_backend_that_is_terminated_fails_the_dump(dumps: Dumps) -> None:
    made = programs(
        dumps.root.parent,
        pg_dump='"$REAL" "$@" --lock-wait-timeout=9 | (head -c 3000; touch "$0.on"; sleep 1; cat)\nexit 1',
    )
    made.chmod(0o777)
    process = dumps.start("babase", f"--programs={made}")
    wait_for((made / "pg_dump.on").exists)
    dumps.cluster.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'runner 2%'")
    out, err = process.communicate(timeout=30)
    assert "pg_dump ended 1" in failed(dumps, Said(code=process.returncode, out=out, err=err))


@pytest.mark.parametrize("which", few([signal.SIGTERM, signal.SIGHUP, signal.SIGINT], signal.SIGTERM))
def test_one_that_is_ended_takes_pg_dump_and_what_it_wrote_with_it(dumps: Dumps, which: int) -> None:
    made = programs(dumps.root.parent, pg_dump='echo $$ > "$0.pid"; exec sleep 60')
    made.chmod(0o777)
    process = dumps.start("babase", f"--programs={made}")
    pid = made / "pg_dump.pid"
    wait_for(lambda: pid.exists() and bool(pid.read_text().strip()) and len(dumps.parts()) == 1)
    process.send_signal(which)
    process.communicate(timeout=30)
    assert process.returncode == 128 + which
    assert dumps.parts() == [] and not Path(f"/proc/{int(pid.read_text())}").exists()


# Runs the program and sends it a signal when so many programs have been forked and it does not know of the last.
AT_THE_FORK = """
import os, signal, sys, _posixsubprocess, subprocess
left, real = [int(sys.argv.pop(1))], _posixsubprocess.fork_exec
def fork_exec(*words):
    pid = real(*words)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGTERM)
    return pid
_posixsubprocess.fork_exec = subprocess._fork_exec = fork_exec
from runner.agent.__main__ import main
main()
"""


def forked(argv: tuple[str, ...], number: int) -> subprocess.Popen[bytes]:
    """The program of `argv` in a session of its own, ended at that fork."""
    return started(argv, AT_THE_FORK, str(number))


def started(argv: tuple[str, ...], script: str, *first: str) -> subprocess.Popen[bytes]:
    """The program of `argv` as `script` runs it, in a session of its own."""
    python, *_, module = argv[: len(PROGRAM)]
    assert module == "runner.agent"
    words = (python, "-B", "-c", script, *first, *argv[len(PROGRAM) :])
    return subprocess.Popen(
        words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def of_session(number: int) -> list[str]:
    """The processes that still run in that session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(")")
        except OSError:
            continue
        state, _, _, session = rest.split()[:4]
        found += [name] if session == str(number) and state not in "ZX" else []
    return found


@pytest.mark.parametrize("number", few([1, 2, 3, 4, 5], 1, 4))
def test_one_that_is_ended_at_the_very_start_of_a_program_takes_it_with_it(dumps: Dumps, number: int) -> None:
    # psql, pg_dump's version, pg_dump, and pg_restore twice.
    scripts = {"pg_restore": "exec sleep 60", **({"pg_dump": "exec sleep 60"} if number == 3 else {})}
    made = programs(dumps.root.parent, **scripts)
    process = forked(dumps.argv("dump", at(23), "babase", options=(f"--programs={made}",)), number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM, err.decode()
    assert of_session(process.pid) == [] and dumps.parts() == []


# Runs the program and sends it a signal when it begins to work out the checksum of the dump.
AT_THE_DIGEST = """
import hashlib, os, signal
real = hashlib.sha256
def sha256(*words):
    os.kill(os.getpid(), signal.SIGTERM)
    return real(*words)
hashlib.sha256 = sha256
from runner.agent.__main__ import main
main()
"""


def test_one_that_is_ended_while_the_dump_is_read_again_takes_it_and_pg_restore_with_it(dumps: Dumps) -> None:
    made = programs(dumps.root.parent, pg_restore='test "$1" != --list && exec sleep 60; exec "$REAL" "$@"')
    process = started(dumps.argv("dump", at(23), "babase", options=(f"--programs={made}",)), AT_THE_DIGEST)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM, err.decode()
    assert of_session(process.pid) == [] and dumps.parts() == []
    assert [one["time"] for one in dumps.listed()["databases"]["babase"]] == [at(22)]


def test_roles_that_are_ended_at_the_very_start_leave_no_program(dumps: Dumps) -> None:
    made = programs(dumps.root.parent, pg_dumpall="exec sleep 60")
    process = forked(dumps.argv("dump-globals", at(23), options=(f"--programs={made}",)), 3)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert of_session(process.pid) == [] and dumps.parts() == []


def test_one_that_is_ended_at_any_moment_leaves_no_program(dumps: Dumps) -> None:
    made = programs(dumps.root.parent, pg_dump="exec sleep 60")
    chance = random.Random(5)
    for _ in range(12):
        process = dumps.start("babase", f"--programs={made}", session=True)
        time.sleep(chance.uniform(0.1, 0.6))
        process.send_signal(chance.choice((signal.SIGTERM, signal.SIGHUP, signal.SIGINT)))
        process.communicate(timeout=30)
        assert of_session(process.pid) == []


def test_what_a_killed_one_left_is_removed_by_the_next(dumps: Dumps) -> None:
    made = programs(dumps.root.parent, pg_dump='echo $$ > "$0.pid"; exec sleep 60')
    made.chmod(0o777)
    process = dumps.start("babase", f"--programs={made}")
    pid = made / "pg_dump.pid"
    wait_for(lambda: pid.exists() and bool(pid.read_text().strip()) and len(dumps.parts()) == 1)
    process.kill()
    process.communicate(timeout=30)
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert len(dumps.parts()) == 1 and dumps.listed()["odd"] == []
    assert dumps.dump("babase", day=24).code == 0
    assert dumps.parts() == []


def test_two_dumps_at_once_are_one_after_the_other(dumps: Dumps) -> None:
    made = programs(dumps.root.parent, pg_dump='touch "$0.on"; sleep 2; exec "$REAL" "$@"')
    made.chmod(0o777)
    first = dumps.start("babase", f"--programs={made}")
    wait_for((made / "pg_dump.on").exists)
    second = dumps.dump("babase", day=24)
    assert (second.code, second.answer["held"]) == (75, False)
    first.communicate(timeout=30)
    assert first.returncode == 0
    assert dumps.dump("babase", day=24).code == 0


def test_a_table_that_stays_locked_is_named_with_who_holds_it(dumps: Dumps) -> None:
    holder = subprocess.Popen(
        (*pg.as_user(dumps.cluster.user), "psql", "-qXd", "babase"), env=dumps.cluster.environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdin and holder.stdout
    holder.stdin.write(b"begin; lock table t;\n\\echo held\n")
    holder.stdin.flush()
    while b"held" not in holder.stdout.readline():
        pass
    result = dumps.dump("babase", "--lock-wait=1")
    holder.communicate(b"rollback;\n")
    why = failed(dumps, result)
    assert "stayed locked for 1 s" in why and "lock table t" in why and "pid" in why


def test_tables_that_are_altered_meanwhile_neither_hang_nor_fail_a_dump(cluster: pg.Cluster) -> None:
    # Whoever wants to alter a table waits for the session that counts, and pg_dump would wait behind them.
    altering = (
        "create table if not exists p (); select pg_sleep(0.03); truncate p; drop table p; select pg_sleep(0.02);"
    )
    script = 'while echo "$1"; do :; done | psql -qXd altered'
    cluster.run("createdb", "altered")
    with folder(cluster) as dumps:
        made = programs(dumps.root.parent, pg_dump='echo begun >> "$0.begun"; exec "$REAL" "$@"')
        made.chmod(0o777)
        with subprocess.Popen(
            (*pg.as_user(cluster.user), "sh", "-c", script, "sh", altering), env=cluster.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                in_the_way = 0
                for day in range(1, 31):
                    result = dumps.dump("altered", f"--programs={made}", day=day)
                    assert result.code == 0, result
                    in_the_way = (made / "pg_dump.begun").read_text().count("begun") - day
                    if in_the_way >= 3:
                        break
                assert in_the_way >= 3, "none of them had to begin once more"
                assert process.poll() is None, "they were altered until the end"
            finally:
                # psql as well, which would go on altering under the next test.
                os.killpg(process.pid, signal.SIGKILL)
    cluster.run("dropdb", "--force", "altered")


def test_somebody_who_waits_for_our_locks_does_not_hold_up_the_dump(dumps: Dumps) -> None:
    slow = 'touch "$0.on"; sleep 1; exec "$REAL" "$@"'
    made = programs(dumps.root.parent, pg_dump=slow)
    made.chmod(0o777)
    process = dumps.start("babase", f"--programs={made}")
    wait_for((made / "pg_dump.on").exists)
    begun = time.monotonic()
    dumps.cluster.sql("alter table t set (fillfactor = 90)", "babase")
    assert time.monotonic() - begun < 10
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    assert dumps.record()["tables"] == {"public.t": 300000}


def test_roles_that_are_cut_off_are_no_good(dumps: Dumps) -> None:
    assert dumps.globals(day=22).code == 0
    made = programs(dumps.root.parent, pg_dumpall='"$REAL" "$@" | head -c 300')
    result = dumps.globals(f"--programs={made}")
    assert result.code == 1 and "pg_dumpall ended 0 and wrote 300 bytes" in result.answer["error"]
    assert dumps.listed()["globals"] == [at(22)] and dumps.parts() == []


def test_roles_of_which_no_restore_would_read_all_are_no_good(dumps: Dumps) -> None:
    assert dumps.globals(day=22).code == 0
    made = programs(dumps.root.parent, pg_dumpall=f'head -c {MOST_ROLES} /dev/zero; "$REAL" "$@"')
    result = dumps.globals(f"--programs={made}")
    assert result.code == 1 and "bytes, and a restore reads 16,777,216 at most" in result.answer["error"]
    assert dumps.listed()["globals"] == [at(22)] and dumps.parts() == []


def test_a_server_that_is_down_is_named_with_what_to_do() -> None:
    with pg.cluster() as one:
        one.run("createdb", "babase")
        with folder(one) as dumps:
            assert dumps.dump("babase", day=22).code == 0
            one.stop()
            result = dumps.dump("babase")
            assert "does not answer" in failed(dumps, result) and "systemctl status postgresql" in result.answer["do"]
            assert execute((*PROGRAM, "databases", *dumps.options)).code == 1
            told = dumps.dumped("babase", options=("--require", "--all"))
            assert told.code == 1 and "babase" in told.answer["error"]


def test_a_wrong_password_is_named_and_a_right_one_is_nowhere_to_be_seen() -> None:
    with pg.cluster() as one:
        one.run("createdb", "babase")
        one.sql("create role backup superuser login password 'the right one'")
        (one.data / "pg_hba.conf").write_text("local all postgres peer\nlocal all all scram-sha-256\n")
        one.sql("select pg_reload_conf()")
        service, passfile = one.folder / "services", one.folder / "passfile"
        service.write_text(f"[babase]\nhost={one.sockets}\nuser=backup\ndbname=postgres\npassfile={passfile}\n")
        with folder(one) as near:
            by = (f"--user={one.user}", "--service=babase", f"--service-file={service}")
            dumps = Dumps(root=near.root, cluster=one, options=by)
            for word, good in (("the wrong one", False), ("the right one", True)):
                passfile.write_text(f"*:*:*:backup:{word}\n")
                passfile.chmod(0o600)
                os.chown(passfile, *(service.parent.stat().st_uid, -1))
                result = dumps.dump("babase")
                assert result.code == (0 if good else 1), result
                if not good:
                    assert "does not let us in" in result.answer["error"] and "passfile" in result.answer["do"]
                    assert word not in str(result)
            assert dumps.globals().code == 0
            assert execute((*PROGRAM, "databases", *by)).answer["databases"][0]["name"] == "babase"
