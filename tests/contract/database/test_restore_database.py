"""A database back from its dump, and in the old one's place: real server, real dumps, the runner as people start it."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.agent.database import server
from runner.agent.database.contract import DatabaseServer
from tests.contract import pg
from tests.contract.site import Said, as_papio, ended, until
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, REPOSITORY, execute
from tests.contract.storehouse import Said as Answer

pytestmark = [
    pytest.mark.packages,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's server, mounts of its own"),
]

TO = "/srv/postgres"
FIRST = "2026-11-22T070000Z"
SITE = f"""
[site]
name = "babase"
controller = "papio"
live = true
state = "{{state}}"
[people]
admin = ["root@localhost"]
[hosts.papio]
address = "127.0.0.1"
[stores.papio]
host = "papio"
path = "/srv/backups"
[jobs.dump-babase]
kind = "dump"
host = "papio"
to = "{TO}"
socket = "{{socket}}"
[jobs.backup-papio]
kind = "snapshot"
host = "papio"
store = "papio"
filesystems = ["{TO}"]
[hooks.mail]
sendmail = "/bin/true"
"""
# What a restore writes outside its own folders is this world's own: the program, /var/restored, locks, /srv.
WORLD = """
mount -t tmpfs world /mnt && mkdir /mnt/up /mnt/work
mount -t overlay world -o lowerdir=/var,upperdir=/mnt/up,workdir=/mnt/work /var
for each in /usr/local/sbin /run/lock /srv; do mount -t tmpfs -o mode=755 world "$each"; done
mkdir -m 755 /srv/postgres /srv/backups && mount -t tmpfs world /srv/postgres
chown postgres: /srv/postgres && chmod 700 /srv/postgres
echo ready; exec cat
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """papio, with its cluster and a folder of dumps; `into` goes before what is to run in it."""

    cluster: pg.Cluster
    folder: Path
    into: tuple[str, ...]

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        known = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen(
            (*self.into, sys.executable, "-m", "runner", *as_papio(self.folder, argv)), cwd=self.folder, env=known, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def runner(self, *argv: str) -> Said:
        """The runner, where jobs.toml is."""
        return ended(self.start(*argv))

    def store(self, verb: str, *words: str, given: bytes = b"") -> Answer:
        """A verb of the program at the disk, with how the server is reached."""
        options = (f"--user={pg.USER}", f"--socket={self.cluster.sockets}")
        return execute((*self.into, *PROGRAM, verb, *options, *words), given)

    def dump(self, at: str, *databases: str) -> None:
        """Dumps of these databases and of the roles, as the nightly job writes them."""
        assert self.store("dump-globals", TO, at).code == 0
        for name in databases:
            result = self.store("dump", TO, at, "--", name)
            assert result.code == 0, result.out

    def path(self, name: str) -> Path:
        """A file of this world as it is seen from outside."""
        return Path(f"/proc/{self.into[1].rpartition('=')[2].split('/')[2]}/root{name}")

    def dumped(self, database: str, at: str, end: str = "dump") -> Path:
        from runner.agent.database.contract import encoded

        return self.path(f"{TO}/databases/{encoded(database)}/{at}.{end}")

    def new(self, name: str, *words: str) -> str:
        """Restore under a new name; that name."""
        before = set(self.names())
        result = self.runner("restore-db", *words, "--", name)
        assert result.code == 0, result.out + result.err
        (made,) = set(self.names()) - before
        return made

    def names(self) -> list[str]:
        """Every database, templates too."""
        found: list[str] = json.loads(self.cluster.sql("select json_agg(datname order by datname) from pg_database"))
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("site")
    with pg.cluster() as cluster:
        pg.fill(cluster)
        cluster.sql(
            f"""comment on database {pg.identifier(pg.CONNINFO_LIKE)} is 'it''s \\ theirs; -- {{"runner": 1}}';
            revoke connect on database babase from public; grant connect on database babase to editor;
            alter database "Ünïcode db" set "my.words" = E'\\\\ ''; alter database babase rename to gone; --';
            alter database "Ünïcode db" set default_transaction_read_only = on;
            alter role editor in database babase set work_mem = '7MB';
            alter database empty connection limit 7; alter database empty is_template true;
            comment on database {pg.identifier(pg.ODD)} is 'odd'; alter database {pg.identifier(pg.ODD)} set work_mem = '7MB';"""
        )
        (folder / "jobs.toml").write_text(SITE.format(state=folder / "state", socket=cluster.sockets))
        # It ends with its standard input, so also when this process is killed.
        argv = ("unshare", "--mount", "sh", "-ec", WORLD)
        holder = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert holder.stdout and holder.stdout.readline() == b"ready\n"
            into = ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", f"--wd={folder}")
            one = World(cluster=cluster, folder=folder, into=into)
            one.dump(FIRST, *pg.DATABASES)
            yield one
        finally:
            holder.kill()
            holder.communicate()


@pytest.fixture(autouse=True)
def _nothing_left(world: World) -> Iterator[None]:
    """Each test leaves the databases that were there, no copy of a dump, and no file of those who were killed."""
    before, files = world.names(), lists()
    yield
    assert lists() <= files
    assert not [name for name in world.names() if name.startswith("runner_restoring")]
    assert not list(world.path("/var").glob("restored/[!.]*")), "a copy of a dump was left"
    for name in set(world.names()) - set(before):
        world.cluster.sql(f"alter database {pg.identifier(name)} is_template false")
        world.cluster.sql(f"drop database {pg.identifier(name)}")


def lists() -> set[str]:
    """The server's user's files in /tmp itself."""
    found, number = set(), pwd.getpwnam(pg.USER).pw_uid
    for entry in os.scandir("/tmp"):
        # Others come and go there.
        with contextlib.suppress(FileNotFoundError):
            about = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(about.st_mode) and about.st_uid == number:
                found.add(entry.name)
    return found


def properties(cluster: pg.Cluster, name: str) -> Any:
    """What the server says of a database, but for its name."""
    asked = f"""select json_build_object('owner', pg_get_userbyid(datdba), 'encoding', encoding, 'acl', (select json_agg(a::text order by a::text) from unnest(coalesce(datacl, acldefault('d', datdba))) a),
        'limit', datconnlimit, 'template', datistemplate, 'collate', datcollate, 'settings',
        (select json_agg(s order by setrole) from (select setrole, setconfig from pg_db_role_setting
        where setdatabase = d.oid) s)) from pg_database d where datname = {literal(name)}"""
    return json.loads(cluster.sql(asked))


def literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def comment(cluster: pg.Cluster, name: str) -> Any:
    asked = f"select to_json(shobj_description(oid, 'pg_database')) from pg_database where datname = {literal(name)}"
    return json.loads(cluster.sql(asked) or "null")


@pytest.mark.parametrize("name", pg.DATABASES)
def test_a_database_of_any_name_comes_back_beside_itself_equal_in_every_respect(world: World, name: str) -> None:
    made = world.new(name)
    assert made.startswith(name[:20])
    assert "_restored_" in made
    assert world.cluster.contents(made) == world.cluster.contents(name)
    assert properties(world.cluster, made) == properties(world.cluster, name)
    mark = json.loads(comment(world.cluster, made))
    assert (mark["runner"], mark["database"]) == ("restored", name)
    assert mark["comment"] == comment(world.cluster, name)


def test_what_pg_restore_cannot_say_of_a_database_is_said_and_leaves_it_closed(world: World) -> None:
    world.cluster.sql('create database "a\nb"; grant connect on database "a\nb" to editor')
    world.dump(FIRST, "a\nb")
    result = world.runner("restore-db", "a\nb", "--into", "back")
    assert result.code == 3, result.out
    assert "did not come back: its grants, so that only its owner may connect" in result.out
    assert properties(world.cluster, "back")["acl"] == ["postgres=CTc/postgres"]


def test_the_plan_can_be_read_first_and_runs_once(world: World) -> None:
    before = world.cluster.databases()
    result = world.runner("restore-db", "babase", "--into", "back", "--out", "plan.toml")
    assert result.code == 0, result.err
    assert world.cluster.databases() == before
    text = (world.folder / "plan.toml").read_text()
    for word in ("db-restore", "db-verify", "db-publish", "db-drop", FIRST):
        assert word in text
    assert "secret" not in text
    assert world.runner("apply", "plan.toml").code == 0
    assert world.cluster.counts("back") == world.cluster.counts("babase")
    again = world.runner("apply", "plan.toml")
    assert (again.code, "already done" in again.out) == (0, True)


def test_out_of_a_snapshot_it_comes_back_when_the_folder_of_dumps_is_gone(world: World) -> None:
    assert world.runner("run", "backup-papio").code in (0, 3)
    folder = world.path(f"{TO}/databases")
    folder.rename(folder.with_name("away"))
    try:
        result = world.runner("restore-db", "babase", "--into", "back")
        assert result.code == 4
        assert "there is no dump of 'babase'" in result.err + result.out
        assert world.new("babase", "--at", "latest") != "back"
        made = world.new(pg.ODD, "--at", "latest", "--into", "odd back")
        assert world.cluster.contents(made) == world.cluster.contents(pg.ODD)
    finally:
        folder.with_name("away").rename(folder)


@contextlib.contextmanager
def spoiled(path: Path) -> Iterator[Path]:
    """A file that may be spoilt: it is as it was afterwards, whatever became of it."""
    kept = path.with_name("kept")
    shutil.copy2(path, kept)
    try:
        yield path
    finally:
        kept.replace(path)
        shutil.chown(path, pg.USER, pg.USER)


def test_a_dump_with_one_wrong_bit_is_refused_before_anything_is_made(world: World) -> None:
    with spoiled(world.dumped("babase", FIRST)) as path:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        result = world.runner("restore-db", "babase", "--into", "back")
    assert result.code == 1
    assert "look failed: the dump is damaged: its SHA-256" in result.out
    assert "back" not in world.cluster.databases()


@pytest.mark.parametrize("size", [0, 1000])
def test_a_truncated_dump_is_passed_over_for_an_older_one_and_that_is_said(world: World, size: int) -> None:
    later = "2026-11-23T070000Z"
    world.dump(later, "babase")
    os.truncate(world.dumped("babase", later), size)
    try:
        result = world.runner("restore-db", "babase", "--into", "back")
        assert result.code == 3, result.out
        assert f"a newer dump was passed over: {later}: it has {size} bytes" in result.out
        assert json.loads(comment(world.cluster, "back"))["dump"] == f"{FIRST}.dump"
    finally:
        world.dumped("babase", later).unlink()
        world.dumped("babase", later, "json").unlink()


def test_rows_that_are_not_those_of_the_record_leave_no_database(world: World) -> None:
    with spoiled(world.dumped("babase", FIRST, "json")) as path:
        record = json.loads(path.read_text())
        record["tables"]["public.members"] += 1
        record["tables"]["public.lost"] = 3
        path.write_text(json.dumps(record))
        result = world.runner("restore-db", "babase", "--into", "back")
    assert result.code == 1
    assert "'public.members' has 500 rows, 501 rows then" in result.out
    assert "'public.lost' has no such table, 3 rows then" in result.out
    assert "back" not in world.cluster.databases()


def test_a_dump_of_a_newer_server_is_refused_and_so_is_all_that_is_lacking_at_once(world: World) -> None:
    with spoiled(world.dumped("babase", FIRST, "json")) as path:
        record = json.loads(path.read_text())
        more = {"server": "99.1", "roles": ["nobody \"knows'"], "extensions": ["postgis"], "size": 1 << 60}
        path.write_text(json.dumps({**record, **more}))
        result = world.runner("restore-db", "babase", "--into", "postgres")
    assert result.code == 4
    told = result.out + result.err
    for words in (
        "PostgreSQL 99",
        'nobody "knows',
        "--globals",
        "extension 'postgis'",
        "1,152,921,504",
        "is there already",
    ):
        assert words in told, words


def test_roles_that_are_missing_come_back_with_their_passwords_and_no_other_changes(world: World) -> None:
    cluster = world.cluster
    cluster.sql(
        'create role "gone; --" login password \'old secret\' connection limit 3; grant babase_owner to "gone; --"'
    )
    cluster.sql('create table hers (x int); alter table hers owner to "gone; --"', "empty")
    world.dump("2026-11-23T080000Z", "empty")
    kept = "select rolpassword from pg_authid where rolname = 'gone; --'"
    password = cluster.sql(kept)
    cluster.sql("drop table hers", "empty")
    cluster.sql('drop role "gone; --"; alter role editor connection limit 5')
    try:
        result = world.runner("restore-db", "empty", "--into", "back")
        assert result.code == 4
        assert "the server has no role 'gone; --'" in result.out + result.err
        result = world.runner("restore-db", "empty", "--into", "back", "--globals", "--commands")
        assert result.code == 0, result.out
        assert "make gone; --; no role that is there is changed" in result.out
        assert cluster.sql(kept) == password
        assert cluster.sql("select rolconnlimit from pg_roles where rolname = 'gone; --'") == "3"
        assert cluster.sql("select rolconnlimit from pg_roles where rolname = 'editor'") == "5"
        assert cluster.sql("select count(*) from pg_auth_members where member = '\"gone; --\"'::regrole") == "1"
        assert cluster.sql("select tableowner from pg_tables where tablename = 'hers'", "back") == "gone; --"
        assert "old secret" not in result.out
        assert password not in result.out
        assert password not in (cluster.folder / "log").read_text()
    finally:
        cluster.sql(
            'alter database back is_template false; drop database if exists back; drop role "gone; --"; alter role editor connection limit -1'
        )
        for end in ("dump", "json"):
            world.dumped("empty", "2026-11-23T080000Z", end).unlink()


def test_a_restore_that_is_killed_leaves_no_database_of_that_name_and_the_next_one_says_what_it_left(
    world: World,
) -> None:
    cluster = world.cluster

    def making() -> list[str]:
        return [name for name in cluster.databases() if name.startswith("runner_restoring")]

    process = world.start("restore-db", "babase", "--into", "back")
    until(making)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (left,) = until(making)
    assert "back" not in cluster.databases()
    result = world.runner("restore-db", "babase", "--into", "again", "--out", "plan.toml")
    assert f"an earlier restore was cut off and left database {left}" in result.out
    plan = left.removeprefix("runner_restoring_")
    until(lambda: world.store("db-drop", f"--plan={plan}").answer.get("dropped"))
    assert world.store("db-drop", f"--plan={plan}").answer == {"dropped": False}


def test_the_list_of_what_is_restored_is_read_by_the_server_user_and_has_no_name_to_leave() -> None:
    to = DatabaseServer(user=pg.USER)
    with server.listing(to, [b"1; 2 x\n", b"3; 4 y\n"]) as made:
        (descriptor,) = made.keep
        about = os.fstat(descriptor)
        assert (about.st_nlink, about.st_mode & 0o777) == (0, 0o600)
        assert server.run(to, ("cat", "--", made.path), keep=made.keep).out == "1; 2 x\n3; 4 y\n"


def test_a_restore_that_is_stopped_drops_what_it_began(world: World) -> None:
    process = world.start("restore-db", "babase", "--into", "back")
    until(lambda: [name for name in world.cluster.databases() if name.startswith("runner_restoring")])
    os.kill(process.pid, signal.SIGINT)
    result = ended(process)
    assert result.code == 1, result.out
    assert "back" not in world.cluster.databases()


def test_a_restore_is_busy_while_another_is_at_work_and_leaves_what_that_one_is_making(world: World) -> None:
    # Of the same plan, begun at the same moment: neither knew of the other when it looked into the journal.
    assert world.runner("restore-db", "babase", "--into", "back", "--out", "plan.toml").code == 0
    (plan,) = set(re.findall(r"--plan=([0-9TZ.]+)", (world.folder / "plan.toml").read_text()))
    making = f"runner_restoring_{plan}"
    hold = (*world.into, *PROGRAM, "hold-host", "restore-db", f"--plan={plan}", "--who=another")
    with subprocess.Popen(hold, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout and b'"held": true' in first.stdout.readline()
        world.cluster.sql(f"create database {pg.identifier(making)}")
        result = world.runner("apply", "plan.toml")
        assert result.code == 75 and "another" in result.out, result
        assert making in world.names() and "back" not in world.names()
        first.communicate()
    world.cluster.sql(f"drop database {pg.identifier(making)}")


def test_nothing_but_what_a_plan_began_can_be_dropped(world: World) -> None:
    for plan in ("", "x/../babase", "a'; drop database babase", "x" * 41):
        assert world.store("db-drop", f"--plan={plan}").code == 1
    assert world.store("db-drop", "--plan=babase").answer == {"dropped": False}
    assert "babase" in world.cluster.databases()


def test_a_server_that_is_down_is_named(world: World) -> None:
    world.cluster.stop()
    try:
        result = world.runner("restore-db", "babase")
    finally:
        world.cluster.start()
    assert result.code == 4
    assert "the database server does not answer" in result.out + result.err


@contextlib.contextmanager
def connected(cluster: pg.Cluster, database: str, application: str = "a person") -> Iterator[subprocess.Popen[bytes]]:
    """Somebody who is connected to a database and does nothing."""
    words = ("psql", "-XAtq", "-d", f"{pg.conninfo(database)} application_name='{application}'")
    with subprocess.Popen(
        (*pg.as_user(cluster.user), *words), env=cluster.environment, cwd="/",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout
        process.stdin.write(b"select 1;\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"1\n"
        yield process
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()


def test_a_swap_keeps_the_old_one_ends_sessions_and_swaps_back(world: World) -> None:
    cluster, name = world.cluster, pg.CONNINFO_LIKE
    words, then = comment(cluster, name), cluster.contents(name)
    made = world.new(name)
    table = pg.identifier(f"t of {name}"[:60])
    cluster.sql(f"insert into {table} values (12)", name)
    try:
        refused = world.runner("restore-db", "--swap", made, name)
        assert refused.code == 4
        assert "--yes" in refused.out + refused.err
        with connected(cluster, name), connected(cluster, made, "the wiki"):
            result = world.runner("restore-db", "--yes", "--swap", made, name)
        assert result.code == 0, result.out + result.err
        assert "ends the session of postgres with the wiki" in result.out
        assert "2 sessions ended" in result.out
        (old,) = [one for one in cluster.databases() if one.startswith(f"{name}_before_")]
        assert made not in cluster.databases()
        assert cluster.contents(name) == then
        assert cluster.counts(old)[f"public.{table}"] == 12
        assert comment(cluster, name) == words
        assert json.loads(comment(cluster, old))["comment"] == words
        back = world.runner("restore-db", "--yes", "--swap", old, name)
        assert back.code == 0, back.out + back.err
        assert cluster.counts(name)[f"public.{table}"] == 12
        assert comment(cluster, name) == words
    finally:
        cluster.sql(f"delete from {table} where x = 12", name)


def test_what_was_not_restored_and_compared_takes_nobodys_place(world: World) -> None:
    for new, words in (("empty", "was not restored and compared"), ("none", "there is no database 'none'")):
        result = world.runner("restore-db", "--yes", "--swap", new, "babase")
        assert result.code == 4
        assert words in result.out + result.err
    world.cluster.sql('create database mine; comment on database mine is \'{"runner": "mine"}\'')
    assert world.runner("restore-db", "--yes", "--swap", "mine", "babase").code == 4


def test_what_a_restore_is_still_making_takes_nobodys_place_and_is_not_dumped(world: World) -> None:
    name = "runner_restoring_20261122T100000.123Z"
    # As the dump of a database that was restored once brings it: the mark is that one's.
    mark = json.dumps({"runner": "restored", "database": "babase"})
    world.cluster.sql(f'create database "{name}"')
    world.cluster.sql(f"comment on database \"{name}\" is '{mark}'")
    try:
        result = world.runner("restore-db", "--yes", "--swap", name, "babase")
        assert result.code == 4
        assert "was not restored and compared" in result.out + result.err
        told = world.store("databases", f"--user={pg.USER}", f"--socket={world.cluster.sockets}").answer
        listed = [one["name"] for one in told["databases"]]
        assert "babase" in listed
        assert name not in listed
    finally:
        world.cluster.sql(f'drop database "{name}"')


def test_what_was_restored_beside_another_is_marked_as_scratch_until_it_is_given_a_name(world: World) -> None:
    def scratch() -> list[str]:
        told = world.store("databases", f"--user={pg.USER}", f"--socket={world.cluster.sockets}").answer
        return [one["name"] for one in told["databases"] if one["restored"]]

    before = scratch()
    made = world.new("babase")
    assert scratch() == sorted([*before, made])
    world.cluster.sql(f'alter database "{made}" rename to renamed')
    try:
        assert scratch() == before
    finally:
        world.cluster.sql("drop database renamed")


def test_where_the_old_one_is_gone_the_new_one_takes_its_name(world: World) -> None:
    made = world.new("--help")
    world.cluster.sql('alter database "--help" rename to saved')
    try:
        result = world.runner("restore-db", "--yes", "--swap", "--", made, "--help")
        assert result.code == 0, result.out + result.err
        assert world.cluster.contents("--help") == world.cluster.contents("saved")
    finally:
        world.cluster.sql('drop database if exists "--help"; alter database saved rename to "--help"')


def test_a_swap_waits_for_nobody_while_people_connect_again_and_again(world: World) -> None:
    made = world.new("empty", "--into", "fresh")
    stop = f"{pg.conninfo('empty')}"
    script = f'while :; do psql -XAtq -d "{stop}" -c "select pg_sleep(0.05)" >&2 2>&1; done'
    storm = subprocess.Popen(
        (*pg.as_user(world.cluster.user), "sh", "-c", script), env=world.cluster.environment, cwd="/",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        time.sleep(0.3)
        result = world.runner("restore-db", "--yes", "--swap", made, "empty")
    finally:
        os.killpg(storm.pid, signal.SIGKILL)
        storm.wait()
    assert result.code == 0, result.out + result.err
    (old,) = [one for one in world.names() if one.startswith("empty_before")]
    assert world.cluster.contents("empty") == world.cluster.contents(old)


def test_no_password_and_no_digest_of_one_is_in_any_file_of_ours(world: World) -> None:
    hashes = world.cluster.sql("select rolpassword from pg_authid where rolpassword is not null").splitlines()
    kept = b"".join(path.read_bytes() for path in (world.folder / "state").rglob("*") if path.is_file())
    assert hashes
    assert kept
    assert not [one for one in hashes if one.encode() in kept]
    assert b"a secret" not in kept
