"""What proves nothing, and what is not ours: no drill says more than it saw, no clearing up takes more than we made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.database import dump_file
from runner.model.run import Verdict
from tests.contract import pg
from tests.contract.drill_parts import DUMPS, World, world

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners and locks of the host")
ONE, TWO, TIME = "2026-11-23T080000Z", "2026-11-24T080000Z", "2026-11-23T070000Z"
ROLES = "--\n-- PostgreSQL database cluster dump complete\n--\n"


@pytest.fixture
def one() -> Iterator[World]:
    """A host with a file and, in its folder of dumps, roles only."""
    with world() as place:
        (place.source / "a").write_text("a")
        folder = place.source / DUMPS.lstrip("/")
        (folder / "globals").mkdir(parents=True)
        (folder / "globals" / f"{TIME}.sql").write_text(ROLES)
        yield place


def home(one: World) -> Path:
    path = one.source / DUMPS.lstrip("/") / "databases/babase"
    path.mkdir(parents=True)
    return path


def wrong(one: World) -> list[str]:
    """What a drill names; it proves nothing of the database and leaves nothing."""
    for name, basis in ((ONE, ""), (TWO, ONE)):
        assert one.house.snapshot(name, basis).code == 0
    told = one.drill(pg.USER, database="dump", files=1)
    assert told.report.verdict == Verdict.FAILED
    assert "database" not in one.proven
    assert list(one.scratch.iterdir()) == []
    return [each["what"] for each in told.result("restore")["wrong"]]


def test_roles_without_any_dump_prove_nothing(one: World) -> None:
    assert wrong(one) == ["there is no dump in the newest snapshot"]


def test_a_database_none_of_whose_dumps_is_whole_is_missed(one: World) -> None:
    (home(one) / f"{TIME}.dump").write_bytes(b"PGDMP torn")
    assert wrong(one) == [f"{TIME}.dump: its record cannot be read"]


def test_a_dump_that_is_a_link_to_another_place_is_not_in_the_snapshot(one: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "moved.dump"
    elsewhere.write_bytes(b"PGDMP")
    (home(one) / f"{TIME}.dump").symlink_to(elsewhere)
    record = {"database": "babase", "dump": f"{TIME}.dump", "bytes": 5, "sha256": "0" * 64, "tables": {}}
    (one.source / DUMPS.lstrip("/") / "databases/babase" / f"{TIME}.json").write_text(json.dumps(record))
    assert wrong(one) == [f"{TIME}.dump: it is a link: the snapshot has no dump there"]


def test_a_database_whose_folder_is_a_link_is_missed(one: World, tmp_path: Path) -> None:
    home(one).rmdir()
    (one.source / DUMPS.lstrip("/") / "databases/babase").symlink_to(tmp_path)
    assert "its folder is a link: the snapshot has none of its dumps" in wrong(one)


def test_what_a_person_restored_stays_where_drills_have_their_scratch_in_the_same_folder(one: World) -> None:
    assert one.house.snapshot(ONE).code == 0
    folder = one.source / "var/restored"
    mine = folder / "20261122T100000.123Z/etc"
    mine.mkdir(parents=True)
    (mine / "passwd").write_text("restored by hand")
    (folder / "20261122T110000.123Z/files/2026-11-23T080000Z").mkdir(parents=True)
    told = one.drill(scratch="/var/restored", files=1)
    assert told.report.verdict == Verdict.DONE
    assert [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))] == [
        "20261122T100000.123Z", "20261122T100000.123Z/etc", "20261122T100000.123Z/etc/passwd",
    ]  # fmt: skip


def test_only_our_own_unfinished_files_are_removed_from_a_folder_of_dumps(tmp_path: Path) -> None:
    for name in ("film.mkv.part", "README.txt.part", f"{TIME}.dump.part"):
        (tmp_path / name).write_text("begun")
    dump_file.publish_text(tmp_path / "README.txt", "how to restore")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.txt", "film.mkv.part"]
