"""The databases' part of the bare-metal page, typed line by line on a machine whose server has nothing left.

As printed, but for two things: the disk is "mounted" where the sandbox has it (`STANDS`), and `systemctl` starts
PostgreSQL by pg_ctl. Data folder, sockets and tablespaces have the paths that the page says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract import pg
from tests.contract.dump_parts import Dumps, folder
from tests.contract.site import Place, entered
from tests.soak import few

pytestmark = [pytest.mark.packages, pytest.mark.skipif(os.geteuid() != 0, reason="the page is for root")]
SYSTEMCTL = """#!/bin/sh
case $1 in
stop) [ ! -e {data}/postmaster.pid ] || runuser -u {user} -- {bin}/pg_ctl -D {data} -w -s -m immediate stop ;;
start) runuser -u {user} -- {bin}/pg_ctl -D {data} -w -s -l {folder}/log -o \
"-c listen_addresses= -c unix_socket_directories={sockets} -c fsync=off" start ;;
*) exit 1 ;;
esac
"""
SPACES = {"fast": "fast", 'odd \' "space" z': 'o"d dir $x \\b', "LOCATION": "deep/er/place", "whole": "w"}
FILLS = """
create role "O'Neil; drop ""x"" y" login password 'a secret'; create role "CREATE ROLE postgres;" nologin;
comment on role babase_owner is 'x
CREATE ROLE postgres;
y';
create database apart owner "O'Neil; drop ""x"" y" tablespace whole;
create database careful; alter database careful set default_transaction_read_only = on;
create database pattern is_template true;
alter database postgres set work_mem = '9MB'; revoke connect on database postgres from public;
alter role babase_owner in database babase set statement_timeout = '9s';
"""
BABASE = """
create table quick (x int) tablespace fast; insert into quick select generate_series(1, 21);
create table slow (x int, y int unique using index tablespace "LOCATION") tablespace "odd ' ""space"" z";
insert into slow select g, g from generate_series(1, 22) g;
create index on members (name) tablespace fast; alter table quick owner to babase_owner;
create materialized view kept tablespace fast as select * from quick;
"""
ABOUT = """select json_agg(row_to_json(x)) from (select datname, pg_get_userbyid(datdba), spcname, datistemplate,
    pg_encoding_to_char(encoding), datcollate, datallowconn, datconnlimit,
    (select array_agg(a::text order by a::text) from unnest(coalesce(datacl, acldefault('d', datdba))) a),
    (select array_agg(s::text order by s::text) from pg_db_role_setting r, unnest(setconfig) s where setdatabase = d.oid)
    from pg_database d join pg_tablespace t on t.oid = dattablespace where datname !~ '^template' order by 1) x"""
ROLES = "select json_agg(r order by rolname) from (select rolname, rolsuper, rolcanlogin, rolpassword from pg_authid) r"


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A machine whose database server is gone; what is left of it is in the store of `place`."""

    place: Place
    cluster: pg.Cluster
    dumps: Dumps
    stands: Path

    @property
    def page(self) -> str:
        ran = self.place.runner("bare-metal", "papio")
        assert ran.code == 0, ran.err
        return ran.out

    def lines(self) -> list[str]:
        """What the page says to type for the databases, with the sandbox's store in place of the disk."""
        part = re.split(r"^[0-9]+\. ", self.page, flags=re.MULTILINE)
        (text,) = (each for each in part if each.startswith("THE DATABASES"))
        typed = [line[4:] for line in text.splitlines() if line.startswith("    ")]
        kept = [line for line in typed if not line.startswith(("mount -o ro ", "store="))]
        return [f"store={self.place.store}", *kept]

    def type(self, lines: list[str], shell: str = "bash") -> list[tuple[str, int, str]]:
        """Type them into one shell, going on whatever happens; each with its exit and what was printed."""
        mark = "~~~ "
        script = "".join(f"{line}\nprintf '\\n{mark}%s\\n' $?\n" for line in lines)
        path = f"{self.stands}:{os.environ['PATH']}"
        done = subprocess.run(
            (shell,), check=False, input=script, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={"PATH": path, "HOME": "/root", "LC_ALL": "C"}, cwd="/root", timeout=300,
        )  # fmt: skip
        parts = re.split(rf"^{mark}([0-9]+)\n", done.stdout, flags=re.MULTILINE)
        return [
            (line, int(code), text.strip()) for line, text, code in zip(lines, parts[::2], parts[1::2], strict=False)
        ]


@contextmanager
def site(tmp_path: Path) -> Iterator[tuple[pg.Cluster, Dumps, Path, Place]]:
    """A running cluster, its folder of dumps, a folder for tablespaces, and a site that takes snapshots of all."""
    with entered(prefix="spaces-") as tree, pg.cluster() as cluster, folder(cluster) as dumps:
        place = Place(folder=tmp_path / "site", trees=(tree, dumps.root.parent))
        place.declare(
            f'[jobs.dump-babase]\nkind = "dump"\nhost = "papio"\nto = "{dumps.root}"\n'
            f'user = "{cluster.user}"\nsocket = "{cluster.sockets}"\n'
        )
        yield cluster, dumps, tree, place


def lose(cluster: pg.Cluster, dumps: Dumps, place: Place) -> Lost:
    """Take the snapshot, and let the server die: its files stay as they would come back in step 6."""
    ran = place.runner("run", "backup-papio")
    assert ran.code in (0, 3), ran.err + ran.out
    cluster.stop()
    stands = place.folder / "stands"
    stands.mkdir()
    text = SYSTEMCTL.format(
        data=cluster.data, user=cluster.user, bin=cluster.bin, folder=cluster.folder, sockets=cluster.sockets
    )
    (stands / "systemctl").write_text(text)
    (stands / "systemctl").chmod(0o755)
    return Lost(place=place, cluster=cluster, dumps=dumps, stands=stands)


def spaces(cluster: pg.Cluster, tree: Path) -> None:
    for name, path in SPACES.items():
        (tree / path).mkdir(parents=True, mode=0o755)
        shutil.chown(tree / path, cluster.user)
        escaped = str(tree / path).replace("\\", "\\\\")
        cluster.sql(f"create tablespace {pg.identifier(name)} location E'{escaped}'")


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lost, dict[str, object], Path]]:
    with site(tmp_path_factory.mktemp("metal")) as (cluster, dumps, tree, place):
        pg.fill(cluster)
        spaces(cluster, tree)
        cluster.sql(FILLS)
        cluster.sql(BABASE, "babase")
        cluster.sql("create table t (x int) tablespace fast; insert into t values (1), (2)", "postgres")
        cluster.sql("set default_transaction_read_only = off; create table t as select 1 as x", "careful")
        for name in cluster.databases() + ["pattern"]:
            assert dumps.dump(name).code == 0
        assert dumps.globals().code == 0
        before = seen(cluster)
        yield lose(cluster, dumps, place), before, tree


def seen(cluster: pg.Cluster) -> dict[str, object]:
    """All of a server that is to come back."""
    names = [*cluster.databases(), "pattern"]
    return {
        "databases": json.loads(cluster.sql(ABOUT)), "roles": json.loads(cluster.sql(ROLES)),
        "counts": {name: cluster.counts(name) for name in names},
        "contents": {name: cluster.contents(name) for name in names},
    }  # fmt: skip


@pytest.mark.parametrize("shell", few(["bash", "dash"], "dash"))
def test_every_line_of_the_page_works_and_every_row_is_there(
    lost: tuple[Lost, dict[str, object], Path], shell: str
) -> None:
    machine, before, tree = lost
    if shell == "dash":
        # Another machine, on which the disks of the tablespaces have nothing on them.
        for path in tree.iterdir():
            shutil.rmtree(path)
    typed = machine.type(machine.lines(), shell)
    assert [each for each in typed if each[1] or "ERROR" in each[2] or "WARNING" in each[2]] == []
    after = seen(machine.cluster)
    for what in before:
        assert after[what] == before[what], what
    machine.cluster.stop()


def test_a_row_that_lacks_is_told_by_the_last_step(lost: tuple[Lost, dict[str, object], Path]) -> None:
    machine, _, _ = lost
    lines = machine.lines()
    machine.type(lines)
    machine.cluster.sql("delete from quick where x = 3; drop table animals cascade; select lo_unlink(max(oid)) "
                        "from pg_largeobject_metadata", "babase")  # fmt: skip
    counting = [line for line in lines if not re.match(r"systemctl|\[ |mkdir|for one|runuser|sed|\(cd", line)]
    machine.cluster.sql("delete from t", "postgres")
    typed = {line: (code, said) for line, code, said in machine.type(counting) if line.startswith("count ")}
    told = {line: said for line, (code, said) in typed.items() if code}
    assert [line.split()[1] for line in told] == ["babase", "postgres"]
    assert "public.animals" in "".join(told.values())
    assert "public.t: 0 rows, 2 in its dump" in "".join(told.values())
    machine.cluster.stop()


def without(typed: list[tuple[str, int, str]]) -> list[str]:
    """The lines that failed."""
    return [line for line, code, _ in typed if code]


@pytest.mark.soak
def test_a_dump_that_was_cut_off_and_a_second_folder_of_the_same_server(tmp_path: Path) -> None:
    with site(tmp_path) as (cluster, dumps, tree, place):
        second = Dumps(root=dumps.root.with_name("se'cond"), cluster=cluster, options=dumps.options)
        server = f'user = "{cluster.user}"\nsocket = "{cluster.sockets}"\n'
        place.declare(
            f'[jobs.first]\nkind = "dump"\nhost = "papio"\nto = "{dumps.root}"\n{server}'
            f'[jobs.second]\nkind = "dump"\nhost = "papio"\nto = "{second.root}"\n{server}'
        )
        cluster.sql("create role late; create database cut; create database good; create database old")
        for name in ("cut", "good", "old"):
            cluster.sql("create table t as select generate_series(1, 5) as x", name)
        assert dumps.globals(day=22).code == 0
        assert dumps.dump("cut", day=22).code == 0 and dumps.dump("old", day=22).code == 0
        cluster.sql("alter table t owner to late", "good")
        # Of two dumps the newer one counts, in whichever folder, and one server is begun once.
        assert dumps.dump("good", day=22).code == 0
        cluster.sql("insert into t values (6)", "good")
        assert second.dump("good", day=23).code == 0 and second.globals(day=23).code == 0
        # Cut off: one of a database that has an older one, and the only one of another.
        assert dumps.dump("old", day=23).code == 0
        os.truncate(dumps.file("old", 23), 100)
        os.truncate(dumps.file("cut", 22), 100)
        machine = lose(cluster, dumps, place)
        page = machine.page
        assert "! no dump of the database cut comes back: no dump of 'cut' is whole" in page
        assert "! a newer dump of the database old does not count: 2026-11-23T070000Z: it has 100 bytes" in page
        lines = machine.lines()
        assert sum("initdb --auth" in line for line in lines) == 1
        assert [line.rpartition("/")[2] for line in lines if "role.postgres" in line or line.startswith("sed ")]
        assert without(machine.type(lines)) == []
        assert cluster.databases() == ["good", "old", "postgres"]
        assert (cluster.counts("good"), cluster.counts("old")) == ({"public.t": 6}, {"public.t": 5})
        # Its bytes changed after the page was made, and nobody but the sum can tell.
        file = next(place.store.glob(f"*Z{second.file('good', 23)}"))
        with file.open("r+b") as stream:
            stream.seek(-1, os.SEEK_END)
            stream.write(b"!")
        assert [
            line.split("databases/")[1][:5] for line in without(machine.type(machine.lines())) if "sha256sum" in line
        ] == ["good/"]


def test_roles_and_tablespaces_that_nothing_makes_are_asked_for(tmp_path: Path) -> None:
    with site(tmp_path) as (cluster, dumps, tree, place):
        spaces(cluster, tree)
        cluster.sql("create role owner_of_it; create database x owner owner_of_it tablespace fast")
        assert dumps.dump("x").code == 0
        page = lose(cluster, dumps, place).page
        assert "! There is no whole dump of its roles. Make them first, as superuser (CREATE ROLE): owner_of_it" in page
        assert "! Nothing here makes these tablespaces. Make them first (CREATE TABLESPACE): fast" in page
