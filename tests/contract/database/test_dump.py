"""A database in the folder of dumps: whole, with its rows counted, and back with PostgreSQL's own programs."""

from __future__ import annotations

import hashlib
import re
import stat
import subprocess
from collections.abc import Iterator

import pytest

from tests.contract import pg
from tests.contract.dump_parts import AT, Dumps, at, folder, give
from tests.contract.storehouse import PROGRAM, execute

pytestmark = pytest.mark.packages


@pytest.fixture(scope="module")
def cluster() -> Iterator[pg.Cluster]:
    with pg.cluster() as one:
        pg.fill(one)
        yield one


@pytest.fixture
def dumps(cluster: pg.Cluster) -> Iterator[Dumps]:
    with folder(cluster) as one:
        yield one


def test_the_record_says_what_the_dump_holds(dumps: Dumps) -> None:
    result = dumps.dump("babase")
    assert result.code == 0, result
    record, content = dumps.record(), dumps.file().read_bytes()
    assert record["tables"] == dumps.cluster.counts("babase")
    assert (record["bytes"], record["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert (record["database"], record["owner"], record["encoding"]) == ("babase", "babase_owner", "UTF8")
    assert {"hstore", "pgcrypto"} <= set(record["extensions"])
    assert set(record["roles"]) == {"babase_owner", "Reader's role", dumps.cluster.user}
    assert record["large_objects"] == 5 and record["doubts"] == []
    assert record["server"].partition(".")[0] == record["pg_dump"].partition(".")[0]
    assert result.answer["rows"] == sum(record["tables"].values()) and "tables" not in str(result.answer["complaint"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", record["at"])
    listed = dumps.listed()["databases"]["babase"]
    assert [(one["time"], one["rows"], one["objects"]) for one in listed] == [
        (AT, result.answer["rows"], record["objects"])
    ]


@pytest.mark.parametrize("database", pg.DATABASES)
def test_a_database_of_any_name_is_dumped_as_itself_and_comes_back(dumps: Dumps, database: str) -> None:
    result = dumps.dump(database)
    assert (result.code, result.answer["database"]) == (0, database)
    listed = dumps.listed()
    assert list(listed["databases"]) == [database] and listed["odd"] == []
    (home,) = (dumps.root / "databases").iterdir()
    assert re.fullmatch(r"[A-Za-z0-9_.%-]+", home.name)
    with pg.cluster() as other, (home / f"{AT}.dump").open("rb") as given:
        other.sql(pg.ROLES)
        other.run("pg_restore", "--create", "--exit-on-error", "-d", "postgres", given=given.read())
        assert other.counts(database) == dumps.cluster.counts(database)
        assert other.contents(database) == dumps.cluster.contents(database)


def test_dumps_and_roles_can_be_read_by_their_owner_only(dumps: Dumps) -> None:
    assert dumps.dump("babase").code == 0
    result = dumps.globals()
    assert (result.code, result.answer["passwords"]) == (0, True)
    for path in dumps.root.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o644 if path.name == "README.txt" else 0o600), path
        assert path.owner() == dumps.cluster.user
    assert "a secret" not in (dumps.root / "globals" / f"{AT}.sql").read_text()


def test_the_readme_beside_the_dumps_brings_a_database_back(dumps: Dumps) -> None:
    place, cluster = dumps.root.parent / "my space", dumps.cluster
    place.mkdir()
    give(place, cluster.user)
    cluster.sql(f"create tablespace \"it's odd\" location '{place}'")
    cluster.sql('create table apart tablespace "it\'s odd" as select 1 as x', "babase")
    assert (dumps.dump("babase").code, dumps.globals().code) == (0, 0)
    # On a new machine there is nothing of it.
    cluster.sql("drop table apart", "babase")
    cluster.sql('drop tablespace "it\'s odd"')
    place.rmdir()
    text = (dumps.root / "README.txt").read_text()
    commands = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    words = {
        "DUMP": f"databases/babase/{AT}.dump",
        "GLOBALS": f"globals/{AT}.sql",
        "NEWNAME": "beside",
        "TABLE": "members",
    }
    chosen = [one for one in commands if "rename" not in one and "NAME" not in one.replace("NEWNAME", "")]
    assert len(chosen) == 7
    with pg.cluster() as other:
        for command in chosen:
            meant = re.sub("|".join(words), lambda found: words[found[0]], command)
            done = subprocess.run(
                ("sh", "-c", meant), check=False, cwd=dumps.root, env=other.environment, capture_output=True, text=True
            )
            assert done.returncode == 0 and "ERROR" not in done.stderr, (command, done.stderr)
        for name in ("babase", "beside"):
            assert other.counts(name) == dumps.record()["tables"]


def test_rows_are_counted_in_the_snapshot_that_is_dumped(dumps: Dumps) -> None:
    cluster = dumps.cluster
    cluster.run("psql", "-qc", "create database moving")
    cluster.run("pgbench", "-i", "-q", "-s", "2", "moving")
    load = ("pgbench", "-c", "2", "-T", "4", "-n", "moving")
    with subprocess.Popen(
        (*pg.as_user(cluster.user), *load), env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        codes = [dumps.dump("moving", day=day).code for day in (20, 21, 22)]
        process.communicate()
    assert codes == [0, 0, 0]
    history = []
    for day in (20, 21, 22):
        record = dumps.record("moving", day)
        content = dumps.file("moving", day).read_bytes()
        text = cluster.run("pg_restore", "--data-only", "-t", "pgbench_history", "-f", "-", given=content).stdout
        rows = text.decode().partition("FROM stdin;\n")[2].partition("\\.\n")[0].splitlines()
        assert record["tables"]["public.pgbench_history"] == len(rows)
        history.append(len(rows))
    assert history[0] < history[2]
    cluster.run("psql", "-qc", "drop database moving")


def test_the_same_dump_again_is_the_one_that_is_there(dumps: Dumps) -> None:
    first = dumps.dump("babase").answer
    before = dumps.file().stat()
    assert dumps.dump("babase").answer == first
    assert dumps.file().stat() == before


def test_a_database_that_was_dropped_meanwhile_is_said_to_be_gone(dumps: Dumps) -> None:
    result = dumps.dump("dropped")
    assert (result.code, result.answer) == (0, {"database": "dropped", "gone": True})
    assert dumps.dump("babase").code == dumps.globals().code == 0
    told = dumps.dumped("babase", "dropped", options=("--require", "--all", "--globals"))
    assert told.code == 0
    assert told.answer["gone"] == ["dropped"] and "empty" in told.answer["new"]
    assert not told.answer["spared"]


def test_a_database_without_its_dump_is_missed_by_name(dumps: Dumps) -> None:
    assert dumps.dump("babase", day=22).code == 0
    told = dumps.dumped("babase", "empty", options=("--require",))
    assert told.code == 1
    assert [one["database"] for one in told.answer["missing"]] == ["babase", "empty"]
    assert told.answer["missing"][0]["last"] == dumps.record(day=22)["at"]
    assert "babase" in told.answer["error"]


def test_old_dumps_go_only_when_enough_newer_ones_stay(dumps: Dumps) -> None:
    for day in (20, 21, 22):
        assert dumps.dump("empty", day=day).code == dumps.globals(day=day).code == 0
    assert "no good dump of" in dumps.expire("empty", 20, after=23).answer["error"]
    assert dumps.expire("empty", 22, after=22).code == 1
    assert "3 must" in dumps.expire("empty", 20, after=22, keep=3).answer["error"]
    assert len(dumps.listed()["databases"]["empty"]) == 3
    assert dumps.expire("empty", 20, after=22, keep=2).answer == {
        "expired_dump": at(20), "database": "empty", "left": 2,
    }  # fmt: skip
    assert sorted(path.name for path in dumps.home("empty").iterdir()) == [
        f"{at(day)}.{end}" for day in (21, 22) for end in ("dump", "json")
    ]
    roles = (*PROGRAM, "expire-dump", str(dumps.root), at(20), dumps.options[0], "--keep=1", f"--after={at(22)}")
    assert execute((*roles, "--globals")).answer["left"] == 2
    assert dumps.listed()["globals"] == [at(21), at(22)]


def test_a_dump_that_lost_its_size_or_its_record_does_not_count(dumps: Dumps) -> None:
    for day in (20, 21, 22):
        assert dumps.dump("empty", day=day).code == 0
    dumps.file("empty", 21).write_bytes(dumps.file("empty", 21).read_bytes()[:-1])
    (dumps.home("empty") / f"{at(22)}.json").unlink()
    listed = dumps.listed()
    assert [one["time"] for one in listed["databases"]["empty"]] == [at(20)]
    assert listed["odd"] == [f"empty/{at(21)}.dump", f"empty/{at(21)}.json", f"empty/{at(22)}.dump"]
    # Neither is a reason to let the good one go.
    assert dumps.expire("empty", 20, after=22).code == 1
    assert dumps.dumped("empty", day=21).answer["spared"]


def test_a_database_that_shrank_is_dumped_doubted_and_spares_its_older_dumps(dumps: Dumps) -> None:
    cluster = dumps.cluster
    cluster.run("psql", "-qc", "create database shrinking")
    cluster.sql("create table t as select g, md5(g::text) from generate_series(1, 2000) g", "shrinking")
    assert dumps.dump("shrinking", day=20).answer["doubts"] == []
    cluster.sql("delete from t where g > 1200", "shrinking")
    assert dumps.dump("shrinking", "--max-shrink=50", day=21).answer["doubts"] == []
    cluster.sql("delete from t where g > 700", "shrinking")
    doubts = dumps.dump("shrinking", "--max-shrink=50", day=22).answer["doubts"]
    assert "700 rows, 2,000 before" in doubts
    told = dumps.dumped("shrinking", day=22).answer
    assert told["spared"] and "700 rows" in told["why"]
    assert not dumps.dumped("shrinking", day=21).answer["spared"]
    cluster.run("psql", "-qc", "drop database shrinking")


def test_a_folder_that_is_not_the_database_users_own_is_refused(dumps: Dumps) -> None:
    dumps.root.mkdir(mode=0o700)
    give(dumps.root, "nobody")
    result = dumps.dump("empty")
    assert result.code == 1 and "chown" in result.answer["do"]
    give(dumps.root, dumps.cluster.user)
    dumps.root.chmod(0o777)
    assert "others may write" in dumps.dump("empty").answer["error"]


def test_a_folder_of_roots_gets_dumps_of_roots(dumps: Dumps) -> None:
    dumps.root.mkdir(mode=0o755)
    assert dumps.dump("babase").code == dumps.globals().code == 0
    assert dumps.file().owner() == "root" and stat.S_IMODE(dumps.file().stat().st_mode) == 0o600
    assert dumps.record()["tables"] == dumps.cluster.counts("babase")
    assert dumps.expire("babase", 22, after=23).code == 0


def test_a_folder_that_is_a_link_is_said_to_be_elsewhere(dumps: Dumps) -> None:
    assert dumps.listed()["real"] == str(dumps.root)
    real = dumps.root.with_name("real")
    real.mkdir(mode=0o700)
    dumps.root.symlink_to(real)
    assert dumps.dump("empty").code == 0
    assert dumps.listed()["real"] == str(real) and (real / "databases/empty").is_dir()


def test_what_is_missing_above_the_folder_is_made_so_that_its_owner_gets_through(dumps: Dumps) -> None:
    dumps.root.parent.chmod(0o755)
    deep = Dumps(root=dumps.root / "a/deep", cluster=dumps.cluster, options=dumps.options)
    assert deep.dump("empty").code == 0
    assert [(path.owner(), path.stat().st_mode & 0o777) for path in (dumps.root, deep.root.parent, deep.root)] == [
        ("root", 0o711), ("root", 0o711), (pg.USER, 0o700),
    ]  # fmt: skip
