"""The database between two real hosts: dumped, copied, proven to come back, and brought back over ssh."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.contract import pg
from tests.lab.database_site import DUMPS, HOME, ODD, STALE, Cluster, Keeper
from tests.lab.images import PAPIO
from tests.lab.machines import Lab
from tests.lab.site import Ran

pytestmark = pytest.mark.skipif(shutil.which("psql") is None, reason="needs PostgreSQL")
DRILL = "drill-papio"
NAMES = ["babase", ODD]


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Cluster:
    made = Cluster(lab=lab)
    made.make()
    made.fill()
    return made


@pytest.fixture(scope="module")
def keeper(lab: Lab, cluster: Cluster) -> Keeper:
    """Two nights: each dumped, then copied; between them a day on which somebody worked."""
    made = Keeper(lab=lab)
    made.settle()
    made.policy("min = 2, max = 400")
    made.told("run")
    made.days_pass()
    cluster.sql("insert into members (name) select 'late ' || g from generate_series(1, 9) g", "babase")
    made.mail()
    made.told("run")
    return made


@pytest.fixture(autouse=True)
def _whole(cluster: Cluster) -> Iterator[None]:
    """What a test made beside the databases of the site is not left to the next."""
    yield
    for name in cluster.names():
        if name not in NAMES:
            cluster.sql(f"drop database {pg.identifier(name)} with (force)")


def new(cluster: Cluster, word: str = "restored") -> str:
    """The one database that was restored, or put aside."""
    (name,) = (name for name in cluster.names() if name.startswith(f"babase_{word}_"))
    return name


def test_a_night_dumps_every_database_and_the_snapshot_has_that_very_dump(keeper: Keeper, cluster: Cluster) -> None:
    keeper.days_pass()
    keeper.mail()
    keeper.told("run")
    letter = keeper.letter()
    rows = sum(sum(cluster.counts(name).values()) for name in (*NAMES, "postgres"))
    assert f"[lab] done: papio/{keeper.sealed()[-1]}, " in letter
    assert f"dumped 3 databases with {rows} rows" in letter
    assert "Done. Nobody has to do anything." in letter
    newest = keeper.sealed()[-1]
    for name in NAMES:
        for end in ("dump", "json"):
            live, kept = keeper.dumped(name, end=end), keeper.dumped(name, newest, end)
            assert (kept.name, kept.read_bytes()) == (live.name, live.read_bytes())
            assert kept.stat().st_mode & 0o777 == 0o600
    assert (keeper.store("papio") / newest / DUMPS[1:] / "README.txt").is_file()
    assert not list((keeper.store("papio") / newest / HOME[1:]).iterdir())


def test_a_drill_brings_files_and_database_back_over_ssh_and_status_and_the_daily_mail_say_so(
    keeper: Keeper, cluster: Cluster
) -> None:
    keeper.mail()
    said = keeper.told("run", DRILL)
    newest = keeper.sealed()[-1]
    tables = cluster.counts("babase")
    assert re.search(r"[0-9]+ files and 2 canaries of [0-9]+ snapshots came back as sealed;", said)
    assert f"database babase: {len(tables)} tables, {sum(tables.values())} rows" in said
    assert f"[lab] done: {DRILL}: " in keeper.letter()
    assert {sort: one["snapshot"] for sort, one in keeper.proven.items()} == dict.fromkeys(
        ("files", "database"), newest
    )
    assert list(keeper.path(PAPIO, "/var/restored/drill").iterdir()) == []
    assert "last proven restore: " in (status := flat_status(keeper))
    assert re.search(r"last proven restore: [^()]+ ago \(files\), [^()]+ ago \(database\)", status)
    keeper.days_pass(2)
    keeper.mail()
    keeper.told("run")
    assert "last proven restore: 2 days ago (files), 2 days ago (database)" in keeper.letter()
    keeper.days_pass(9)
    text = keeper.told("run", "check-papio", code=3)
    for what in ("files", "the database"):
        assert f"a restore of {what} was last proven to work 11 days ago" in text


def test_one_wrong_byte_in_the_store_fails_the_drill_names_what_it_is_in_and_proves_nothing(keeper: Keeper) -> None:
    keeper.told("run", DRILL)
    before, newest = keeper.proven, keeper.sealed()[-1]
    dump, thesis = keeper.dumped("babase", newest), keeper.store("papio") / newest / "home/karl/thesis"
    with keeper.damaged(dump):
        said = keeper.told("run", DRILL, code=1)
        what = f"database 'babase': {dump.name}: it is damaged: its SHA-256 is not the recorded one"
        assert what in said.partition("What to do")[2].partition("same sample again")[0]
        assert f"{DRILL}: " in (letter := keeper.letter())
        assert "refer this message to a Linux administrator" in letter and what in letter
        assert keeper.proven["database"] == before["database"]
    between = keeper.proven
    with keeper.damaged(thesis):
        said = keeper.told("run", DRILL, code=1)
        assert "what came back is not what it was: '/home/karl/thesis' of " in said
        assert keeper.proven["files"] == between["files"]
    assert keeper.proven["database"]["at"] > before["database"]["at"]
    assert list(keeper.path(PAPIO, "/var/restored/drill").iterdir()) == []


def test_a_dropped_table_comes_back_of_yesterday_and_is_swapped_in_and_back(keeper: Keeper, cluster: Cluster) -> None:
    keeper.told("run", "backup-papio")
    yesterday, rows = cluster.text("babase"), cluster.counts("babase")
    assert rows["public.members"] == 509
    keeper.days_pass()
    cluster.sql("drop table members cascade", "babase")
    broken = cluster.text("babase")
    # The accident is in the newest dump by now: told, and still restored as it is.
    assert "babase has become much smaller" in keeper.told("run", "dump-babase", code=3)
    keeper.told("restore-db", "babase", "--into", "look")
    assert cluster.text("look") == broken

    said = keeper.told("restore-db", "babase", "--at", "yesterday")
    back = new(cluster)
    assert f"in snapshot {keeper.sealed()[-1]} of store papio" in said
    assert f"babase is back as {back}, from the dump" in said
    assert (cluster.text(back), cluster.counts(back)) == (yesterday, rows)
    assert not [one for one in keeper.path(PAPIO, "/var/restored").iterdir() if one.name not in ("drill", ".made")]

    swap = ("restore-db", "--swap", back, "babase")
    with cluster.someone("babase") as session:
        asked = keeper.told(*swap, code=4)
        assert "say --yes if you mean it" in asked and "ends 1 session of babase" in asked
        assert (cluster.text("babase"), session.poll()) == (broken, None)
        swapped = keeper.told(*swap, "--yes")
        assert "1 session ended" in swapped
        assert "terminating connection due to administrator command" in session.communicate(timeout=20)[1]
    assert cluster.text("babase") == yesterday
    before = new(cluster, "before")
    assert cluster.text(before) == broken

    undo = re.findall(rf"runner (restore-db --swap {before} babase)", swapped)[0].split()
    keeper.told(*undo, "--yes")
    assert cluster.text("babase") == broken
    keeper.told("restore-db", "--swap", new(cluster, "before"), "babase", "--yes")
    assert cluster.text("babase") == yesterday
    keeper.told("run", "dump-babase")


def test_while_the_server_is_down_the_snapshot_goes_on_and_says_since_when_the_dumps_are_old(
    keeper: Keeper, cluster: Cluster
) -> None:
    keeper.told("run", "backup-papio")
    keeper.days_pass()
    names = keeper.sealed()
    cluster.stop()
    try:
        keeper.mail()
        said = keeper.told("run", code=1)
        letter = keeper.letter()
    finally:
        cluster.start()
    (made,) = set(keeper.sealed()) - set(names)
    for text in (said, letter):
        assert STALE.search(text.partition(f"sealed papio/{made}")[2])
        assert "\\t" not in text
    assert "[lab] failed: dump-babase: " in letter
    # One thing to do is told once.
    assert letter.partition("What happened")[0].count("start it (systemctl status postgresql") == 1
    assert keeper.dumped("babase", made).name == keeper.dumped("babase").name
    # The night is made up as soon as the server is there again.
    assert "dumped 3 databases" in keeper.told("run")


def test_a_prune_to_the_least_leaves_the_snapshot_that_was_proven_and_the_newest(keeper: Keeper) -> None:
    keeper.told("run", DRILL)
    for _ in range(2):
        keeper.days_pass()
        keeper.told("run", "backup-papio")
    proven = keeper.proven["files"]["snapshot"]
    names = keeper.sealed()
    assert proven in names[:-1]
    keeper.policy("min = 1, max = 1")
    try:
        said = keeper.told("run", "purge-papio", code=3)
    finally:
        keeper.policy("min = 2, max = 400")
    assert "in the way: 1 proven to come back" in said
    assert keeper.sealed() == [proven, names[-1]]


def flat_status(keeper: Keeper) -> str:
    """What `runner status` says, in one line. That nothing was ever in a store that no job uses is nothing to tell."""
    ran: Ran = keeper.run("status")
    assert ran.code == 0, ran.said
    return " ".join(ran.said.split())
