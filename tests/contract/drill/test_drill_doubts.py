"""What proves nothing, and what is not ours: no drill says more than it saw, no clearing up takes more than we made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.database import dump_file
from runner.agent.database.contract import DatabaseServer
from runner.agent.database.folder import Folder
from runner.model.run import Verdict
from tests.contract import pg
from tests.contract.drill_parts import DUMPS, World, world

pytestmark = [
    pytest.mark.packages,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners and locks of the host"),
]
ONE, TWO, TIME = "2026-11-23T080000Z", "2026-11-24T080000Z", "2026-11-23T070000Z"
ROLES = "--\n-- PostgreSQL database cluster dump complete\n--\n"


@pytest.fixture
def here() -> Iterator[World]:
    """A host with a file and, in its folder of dumps, roles only."""
    with world() as place:
        (place.source / "a").write_text("a")
        folder = place.source / DUMPS.lstrip("/")
        (folder / "globals").mkdir(parents=True)
        (folder / "globals" / f"{TIME}.sql").write_text(ROLES)
        yield place


def home(here: World) -> Path:
    path = here.source / DUMPS.lstrip("/") / "databases/babase"
    path.mkdir(parents=True)
    return path


def wrong(here: World) -> list[str]:
    """What a drill names; it proves nothing of the database and leaves nothing."""
    for name, basis in ((ONE, ""), (TWO, ONE)):
        assert here.house.snapshot(name, basis).code == 0
    drilled = here.drill(pg.USER, database="dump", files=1)
    assert drilled.report.verdict == Verdict.FAILED
    assert "database" not in here.proven
    assert list(here.scratch.iterdir()) == []
    return [each["what"] for each in drilled.result("restore")["wrong"]]


def test_roles_without_any_dump_prove_nothing(here: World) -> None:
    # A site that has not dumped yet: nothing is wrong.
    for name, basis in ((ONE, ""), (TWO, ONE)):
        assert here.house.snapshot(name, basis).code == 0
    drilled = here.drill(pg.USER, database="dump", files=1)
    assert drilled.report.verdict == Verdict.ATTENTION
    assert drilled.report.headline == (
        "1 file of 2 snapshots came back as sealed; but no database was tried: no snapshot has a dump yet; "
        "run the job that dumps, then the backup, and then this drill"
    )
    assert drilled.states["proven-database"] == "not needed" and list(here.proven) == ["files"]
    assert list(here.scratch.iterdir()) == []


def test_a_dump_that_only_an_older_snapshot_has_is_missed(here: World) -> None:
    folder = home(here)
    (folder / f"{TIME}.dump").write_bytes(b"PGDMP")
    assert here.house.snapshot(ONE).code == 0
    (folder / f"{TIME}.dump").unlink()
    folder.rmdir()
    assert here.house.snapshot(TWO, ONE).code == 0
    drilled = here.drill(pg.USER, database="dump", files=1)
    assert drilled.report.verdict == Verdict.FAILED
    assert [each["what"] for each in drilled.result("restore")["wrong"]] == ["there is no dump in the newest snapshot"]


def test_a_database_none_of_whose_dumps_is_whole_is_missed(here: World) -> None:
    (home(here) / f"{TIME}.dump").write_bytes(b"PGDMP torn")
    assert wrong(here) == [f"{TIME}.dump: its record cannot be read"]


def test_a_dump_that_is_a_link_to_another_place_is_not_in_the_snapshot(here: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "moved.dump"
    elsewhere.write_bytes(b"PGDMP")
    (home(here) / f"{TIME}.dump").symlink_to(elsewhere)
    record = {"database": "babase", "dump": f"{TIME}.dump", "bytes": 5, "sha256": "0" * 64, "tables": {}}
    (here.source / DUMPS.lstrip("/") / "databases/babase" / f"{TIME}.json").write_text(json.dumps(record))
    assert wrong(here) == [f"{TIME}.dump: it is a link: the snapshot has no dump there"]


def test_a_database_whose_folder_is_a_link_is_missed(here: World, tmp_path: Path) -> None:
    home(here).rmdir()
    (here.source / DUMPS.lstrip("/") / "databases/babase").symlink_to(tmp_path)
    assert "its folder is a link: the snapshot has none of its dumps" in wrong(here)


def test_what_a_person_restored_stays_where_drills_have_their_scratch_in_the_same_folder(here: World) -> None:
    assert here.house.snapshot(ONE).code == 0
    folder = here.source / "var/restored"
    mine = folder / "20261122T100000.123Z/etc"
    mine.mkdir(parents=True)
    (mine / "passwd").write_text("restored by hand")
    (folder / "20261122T110000.123Z/files/2026-11-23T080000Z").mkdir(parents=True)
    drilled = here.drill(scratch="/var/restored", files=1)
    assert drilled.report.verdict == Verdict.DONE
    assert [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))] == [
        "20261122T100000.123Z", "20261122T100000.123Z/etc", "20261122T100000.123Z/etc/passwd",
    ]  # fmt: skip


def test_only_our_own_unfinished_files_are_removed_from_a_folder_of_dumps(tmp_path: Path) -> None:
    for name in ("film.mkv.part", "README.txt.part", f"{TIME}.dump.part"):
        (tmp_path / name).write_text("begun")
    dump_file.publish_text(tmp_path / "README.txt", "how to restore")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.txt", "film.mkv.part"]


def test_what_is_in_the_place_of_the_readme_stops_no_dump(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "README.txt")
    dump_file.write(Folder(tmp_path), DatabaseServer())
    assert "pg_restore" in (tmp_path / "README.txt").read_text()
