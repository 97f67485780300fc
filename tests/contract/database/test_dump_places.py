"""Where dumps go: whoever has a folder on the way, the server's own user too, leads root nowhere else by it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import pg
from tests.contract.dump_parts import Dumps, folder, give
from tests.contract.site import children, running, until
from tests.contract.storehouse import ENVIRONMENT

pytestmark = [pytest.mark.packages, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user's server")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[pg.Cluster]:
    with pg.cluster() as one:
        yield one


@pytest.fixture
def dumps(cluster: pg.Cluster, tmp_path: Path) -> Iterator[Dumps]:
    """A folder that is not there yet, in one that belongs to the server's user; `roots` beside it is root's."""
    with folder(cluster) as place:
        home, roots = place.root.parent / "home", place.root.parent / "roots"
        home.mkdir(mode=0o755)
        roots.mkdir(mode=0o700)
        give(home, cluster.user)
        yield Dumps(root=home / "a/dumps", cluster=cluster, options=place.options)


def roots(dumps: Dumps) -> Path:
    return dumps.root.parents[2] / "roots"


def as_postgres(*argv: str) -> None:
    subprocess.run((*pg.as_user(pg.USER), *argv), check=True, cwd="/")


def stopped(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in b"Tt"
    return False


def test_a_link_in_place_of_what_was_just_made_gives_nothing_of_roots_away(dumps: Dumps, tmp_path: Path) -> None:
    """It is stopped behind each folder that it makes, and the server's user puts a link there."""
    before, planted = roots(dumps).stat(), set[Path]()
    stop = ("strace", "-qq", "-o", "/dev/null", "--trace=mkdir", "--inject=mkdir:signal=STOP")
    argv = (*stop, *dumps.argv("dump", "2026-11-23T070000Z", "postgres"))
    with running(subprocess.Popen(argv, env=ENVIRONMENT, stdout=subprocess.PIPE)) as process:
        while process.poll() is None:
            until(lambda: process.poll() is not None or any(stopped(child) for child, _ in children(process.pid)))
            for place in (dumps.root.parent, dumps.root):
                if place.is_dir() and not place.is_symlink() and place not in planted:
                    as_postgres("mv", str(place), f"{place}.away")
                    as_postgres("ln", "-s", str(roots(dumps)), str(place))
                    planted.add(place)
            for child, _ in children(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGCONT)
        # Whether it is refused, or done in what was moved away, is whoever was quicker.
        assert process.stdout and process.stdout.read().startswith(b"{")
    now = roots(dumps).stat()
    assert planted and (now.st_uid, now.st_mode, now.st_mtime_ns) == (before.st_uid, before.st_mode, before.st_mtime_ns)


def test_below_a_folder_of_the_servers_user_all_is_made_as_that_user(dumps: Dumps) -> None:
    assert dumps.dump("postgres").code == dumps.globals().code == 0
    assert {
        path.owner() for path in (dumps.root.parent, dumps.root, dumps.file("postgres"), dumps.root / "globals")
    } == {pg.USER}


def test_a_link_of_the_servers_user_to_a_folder_of_roots_is_not_followed_with_roots_rights(dumps: Dumps) -> None:
    as_postgres("mkdir", str(dumps.root.parent))
    as_postgres("ln", "-s", str(roots(dumps)), str(dumps.root))
    assert dumps.dump("postgres").code == dumps.globals().code == 1
    assert list(roots(dumps).iterdir()) == []


def test_a_folder_of_a_third_on_the_way_is_refused_with_its_name(dumps: Dumps) -> None:
    assert dumps.globals(day=22).code == 0
    give(dumps.root.parent, "nobody")
    for refused in (dumps.dump("postgres"), dumps.globals(), dumps.expire("postgres", 22, after=23)):
        assert refused.code == 1 and f"{dumps.root.parent}: it belongs to user nobody" in refused.answer["error"]
