"""Our rsync commands between two machines: what one machine alone cannot show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.tools import rsync
from tests.compare import differences, fingerprint, shared
from tests.lab.images import BACKUP, PAPIO, STORE
from tests.lab.machines import Lab
from tests.trees import change_tree, make_tree

RSH = ("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes")


@pytest.fixture
def data(lab: Lab) -> Iterator[Path]:
    make_tree(lab.path(PAPIO, "/srv/data"), files=100)
    yield lab.path(PAPIO, "/srv/data")
    lab.run(PAPIO, "rm", "-rf", "/srv/data")
    lab.run(BACKUP, "sh", "-c", f"rm -rf {STORE}/day*")


def ends(source: str, name: str) -> rsync.Ends:
    return rsync.Ends(source=f"{source}/", target=f"{BACKUP}:{STORE}/{name}/", rsh=RSH)


def push(lab: Lab, source: str, name: str, exclude: tuple[str, ...] = ()) -> Path:
    lab.run(BACKUP, "mkdir", f"{STORE}/{name}")
    lab.run(PAPIO, *rsync.send(ends(source, name), exclude=exclude))
    return lab.path(BACKUP, f"{STORE}/{name}")


def push_listed(lab: Lab, source: str, name: str, basis: str) -> Path:
    """Every name of the source, as if all had changed since `basis`."""
    lab.run(BACKUP, "mkdir", f"{STORE}/{name}")
    lab.run(PAPIO, "sh", "-c", f"cd {source} && find . -mindepth 1 -print0 >/tmp/names")
    for argv in (
        rsync.send_listed(ends(source, name), bases=[f"{STORE}/{basis}"], exclude=()),
        rsync.send_again(ends(source, name), exclude=()),
    ):
        lab.run(PAPIO, "sh", "-c", '"$@" </tmp/names', "sh", *argv)
    told = lab.run(PAPIO, "sh", "-c", '"$@" </tmp/names', "sh", *rsync.look_listed(ends(source, name), exclude=()))
    assert told.stdout == ""
    return lab.path(BACKUP, f"{STORE}/{name}")


def test_a_push_to_ext3_is_faithful_and_leaves_the_day_before_alone(lab: Lab, data: Path) -> None:
    first = push(lab, "/srv/data", "day1")
    assert differences(data, first) == []
    before = fingerprint(first)
    change_tree(data, seed=1)
    second = push_listed(lab, "/srv/data", "day2", "day1")
    # The top itself is not sent.
    assert [line for line in differences(data, second) if not line.startswith("b'.': ")] == []
    assert fingerprint(first) == before
    assert shared(first, second) == set()


def test_owners_stay_numbers_where_names_mean_somebody_else(lab: Lab, data: Path) -> None:
    lab.run(PAPIO, "sh", "-c", "touch /srv/data/of-karl; chown karl:karl /srv/data/of-karl")
    lab.run(BACKUP, "mkdir", f"{STORE}/day-naive")
    lab.run(PAPIO, "rsync", "-a", "/srv/data/of-karl", f"{BACKUP}:{STORE}/day-naive/")
    assert lab.path(BACKUP, f"{STORE}/day-naive/of-karl").stat().st_uid == 1500
    assert (push(lab, "/srv/data", "day1") / "of-karl").stat().st_uid == 1000
    assert (data / "of-karl").stat().st_uid == 1000


def test_a_whole_machine_is_its_own_filesystem_with_empty_places_for_the_others(lab: Lab, data: Path) -> None:
    store = "/srv/backups/backup-server1"
    lab.run(PAPIO, "mkdir", "-p", f"{store}/.partial", f"{store}/2026-11-23T081500Z")
    copy = push(lab, "", "day1", exclude=(rsync.below("/", store),))
    assert differences(lab.path(PAPIO, "/"), copy, below=(store,)) == []
    for name in ("proc", "sys", "dev", "run", "usr", store[1:]):
        assert list((copy / name).iterdir()) == [], name
    assert data.exists()
