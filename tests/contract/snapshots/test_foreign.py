"""What somebody else put into a store is told, waited for by nobody, and left where it is; snapshots go on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.agent import regular
from runner.agent.answer import Refused
from runner.agent.store.inspect import inspect_store
from runner.agent.store.layout import open_store, read_json, require_json
from tests.contract.site import Place, small

CHECK = '[jobs.check-papio]\nkind = "check"\nstore = "papio"\nnewest_within = "26h"\nrunway = "30d"\n'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = small(tmp_path, CHECK)
    assert made.runner("run", "backup-papio").code == 0
    return made


def fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)


def test_foreign_folders_and_a_latest_that_is_one_stay_and_are_told(place: Place) -> None:
    store = place.store
    (store / "latest").unlink()
    # Without a record it is no snapshot, whatever its name: it neither counts nor stands in the way.
    for name in ("latest", "old stuff", "2099-01-01T000000Z"):
        (store / name).mkdir()
        (store / name / "theirs").write_text("theirs")
    said = place.runner("run", "backup-papio", "check-papio")
    assert len(place.sealed) == 2 and said.code == 3, said.out
    told = " ".join(said.out.split())
    assert "latest in store papio is no link" in told
    assert "2099-01-01T000000Z in store papio has no record" in told
    assert "lies what is not the store's: old stuff" in " ".join(place.mails()[-1].split())
    assert all(
        (store / name / "theirs").read_text() == "theirs" for name in ("latest", "old stuff", "2099-01-01T000000Z")
    )
    (store / "latest").rename(store / "old stuff/latest")
    assert place.runner("run", "backup-papio").code == 0
    assert (store / "latest").readlink().name == place.sealed[-1].name


@pytest.mark.parametrize("way", ["a link to where it went", "a link that leads nowhere", "a file"])
def test_what_lies_in_the_place_of_a_sealed_snapshot_is_told_once_and_left_there(place: Place, way: str) -> None:
    assert place.runner("run", "backup-papio").code == 0
    first, last = place.sealed
    first.rename(place.folder / "elsewhere")
    target = place.folder / ("elsewhere" if way == "a link to where it went" else "nowhere")
    first.write_text("theirs") if way == "a file" else first.symlink_to(target)
    said = place.runner("run", "backup-papio", "check-papio")
    assert said.code == 3, said.out
    told = " ".join(said.out.split())
    todo = told.partition("What to do")[2]
    assert todo.count(f"{first.name} in store papio is no folder, so that snapshot counts for nothing") == 1
    assert "put its folder back in that place" in told and "cannot be read" not in told
    assert "something else lies in the place of 1 snapshot" in " ".join(place.runner("status").out.split())
    assert os.path.lexists(first) and place.record_path(first).exists() and last.is_dir()
    # What the advice leads to: without what lies there it is lost; with its folder again all is well.
    first.unlink()
    assert "1 snapshot of store papio is gone" in " ".join(place.runner("run", "check-papio").out.split())
    (place.folder / "elsewhere").rename(first)
    again = place.runner("run", "check-papio")
    assert "no folder" not in again.out and "is gone" not in again.out


def test_a_file_that_is_called_latest_is_not_overwritten(place: Place) -> None:
    (place.store / "latest").unlink()
    (place.store / "latest").write_text("theirs")
    assert place.runner("run", "backup-papio").code == 0
    assert len(place.sealed) == 2 and (place.store / "latest").read_text() == "theirs"


def test_a_fifo_in_place_of_any_file_of_a_store_keeps_nobody_waiting(place: Place) -> None:
    assert place.runner("run", "backup-papio").code == 0
    first, own = place.sealed[0].name, place.store / ".runner"
    names = ("pins.json", "proven.json", "freed.json", "audit.json", "README.txt", "restore.sh", "jobs.toml")
    about = own / "about" / place.sealed[-1].name / "about.json"
    ends = ("json", "sums.gz", "names.gz")
    for path in (*(own / name for name in names), *(own / "records" / f"{first}.{end}" for end in ends), about):
        fifo(path)
    fifo(place.store / ".partial/2026-01-01T000000Z.json")
    said = place.runner("run", "backup-papio", "check-papio")
    assert len(list(place.store.glob("*Z"))) == 3 and said.code == 3, said.out
    told = " ".join(said.out.split())
    for name in ("pins.json", "proven.json", f"records/{first}.json"):
        assert f"{own}/{name}" in told, told
    assert place.runner("snapshots").code == 0
    assert place.runner("find", f"{place.trees[0]}/file").code == 0


def test_a_lock_that_is_no_file_is_a_sentence(place: Place) -> None:
    fifo(place.store / ".runner/lock")
    said = place.runner("run", "backup-papio")
    assert said.code == 3 and "lock is not a file, so nobody can hold it" in " ".join(said.out.split())


@pytest.mark.parametrize("rubbish", ["[" * 100_000, "\0\xff"])
def test_what_somebody_wrote_into_the_lock_holds_nothing(place: Place, rubbish: str) -> None:
    (place.store / ".runner/lock").write_text(rubbish)
    said = place.runner("run", "backup-papio")
    assert said.code == 0 and len(place.sealed) == 2, said.out


def test_only_regular_files_of_a_possible_size_are_read(tmp_path: Path) -> None:
    fifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    (tmp_path / "big").write_text("12345")
    for name in ("fifo", "link", "."):
        with pytest.raises(OSError, match="not a regular file"):
            regular.content(tmp_path / name)
    with pytest.raises(regular.Irregular, match="longer than 4 bytes"):
        regular.content(tmp_path / "big", 4)
    assert regular.content(tmp_path / "big", 5) == b"12345"
    assert read_json(tmp_path / "fifo") == {}
    with pytest.raises(Refused, match="cannot be understood"):
        require_json(tmp_path / "fifo")
    answer = inspect_store({"path": str(open_store(str(tmp_path)).root)})
    assert answer.problem == "" and set(answer.foreign) == {"fifo", "link", "big"}
