"""A snapshot out of the count and back, and interrupted copies dropped: nothing else changes, and a cut loses nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.store import aside
from runner.agent.store.inspect import inspect_store
from runner.agent.store.layout import StoreFolder, lost
from runner.agent.store.trash import follow
from tests.compare import fingerprint
from tests.contract.retention.test_audit import audit
from tests.contract.retention.test_expire import expire, facts, names, verb
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Storehouse, copied, filled

ONE, TWO, THREE = (f"2026-11-2{day}T010000Z" for day in range(3))
AHEAD = "2098-11-23T010000Z"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Storehouse:
    """Three snapshots in order, and one that a clock named which was ahead; `old` is in all, `new` in the last two."""

    def change(source: Path, name: str) -> None:
        if name == THREE:
            (source / "new").write_text("new")

    return filled(tmp_path_factory.mktemp("ready"), (ONE, TWO, THREE, AHEAD), change)


@pytest.fixture
def house(ready: Storehouse, tmp_path: Path) -> Storehouse:
    return copied(ready, tmp_path / "house")


def test_one_from_the_future_leaves_the_count_whole_and_names_are_in_order_again(house: Storehouse) -> None:
    before = fingerprint(house.root / AHEAD)
    record = (house.root / f".runner/records/{AHEAD}.json").read_bytes()
    # More than the floor: it must be possible in a young store too.
    answer = verb(house, "set-aside", AHEAD, "--min", "30").answer
    assert answer == {"aside": AHEAD, "sealed": 3, "record_only": False, "inherited": 0, "unproven": []}
    known = facts(house)
    assert [each["name"] for each in known["aside"]] == [AHEAD]
    assert ([each["name"] for each in known["sealed"]], known["foreign"], known["open"]) == ([ONE, TWO, THREE], [], [])
    assert str((house.root / "latest").readlink()) == THREE
    assert fingerprint(house.root / ".aside" / AHEAD) == before
    assert (house.root / f".aside/records/{AHEAD}.json").read_bytes() == record
    assert not list((house.root / ".runner/records").glob(f"{AHEAD}*"))
    assert house.snapshot("2026-11-23T010000Z", THREE).code == 0
    assert house.call("newest", str(house.root)).answer["sealed"] == 4


def test_what_lies_aside_is_not_audited_measured_or_expired(house: Storehouse) -> None:
    verb(house, "set-aside", AHEAD)
    assert expire(house, ONE).code == 0
    assert (house.root / f".aside/records/{AHEAD}.sums.gz").is_file()
    audited = audit(house)
    assert (audited["findings"], audited["taken"]) == ([], 2)
    assert [each["name"] for each in house.call("freed", str(house.root)).answer["freed"]] == [TWO]


def test_checksums_of_what_lives_on_go_to_the_next_snapshot(house: Storehouse) -> None:
    assert verb(house, "set-aside", ONE).answer["inherited"] == 1
    old = (house.root / TWO / "old").stat()
    (house.root / TWO / "old").write_text("OLD")
    os.utime(house.root / TWO / "old", ns=(old.st_atime_ns, old.st_mtime_ns))
    if shutil.which("xxhsum"):
        audited = audit(house)
        assert [each["path"] for each in audited["findings"]] == ["old"]


def test_one_that_is_not_from_the_future_leaves_no_fewer_than_the_floor(house: Storehouse) -> None:
    refused = verb(house, "set-aside", TWO, "--min", "4")
    assert refused.code == 1
    assert "would be 3 snapshots without exceptions, and the floor is 4" in refused.answer["error"]
    assert len(names(house)) == 4
    assert verb(house, "set-aside", TWO, "--min", "3").code == 0


def test_it_is_refused_while_it_is_pinned_or_read(house: Storehouse) -> None:
    verb(house, "pin", AHEAD, "--until", "2099-01-01T00:00:00Z", "--why", "the paper")
    assert "is pinned: the paper" in verb(house, "set-aside", AHEAD).answer["error"]
    verb(house, "unpin", AHEAD)
    argv = (*PROGRAM, "reading", str(house.root), AHEAD)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as reader:
        assert reader.stdin and reader.stdout and reader.stdout.readline()
        assert "is being read" in verb(house, "set-aside", AHEAD).answer["error"]
        reader.stdin.close()
    assert verb(house, "set-aside", AHEAD).code == 0


def test_what_a_drill_proved_of_it_proves_nothing_any_more(house: Storehouse) -> None:
    proofs = {
        "files": {"snapshot": AHEAD, "at": "2098-11-23T02:00:00Z"},
        "database": {"snapshot": TWO, "at": "2026-11-21T02:00:00Z"},
    }
    (house.root / ".runner/proven.json").write_text(json.dumps(proofs))
    assert verb(house, "set-aside", AHEAD).answer["unproven"] == ["files"]
    assert facts(house)["proven"] == {"database": {"snapshot": TWO, "at": "2026-11-21T02:00:00Z"}}


def test_it_comes_back_as_it_was_and_not_from_the_future(house: Storehouse) -> None:
    before = fingerprint(house.root / TWO)
    latest = str((house.root / "latest").readlink())
    verb(house, "set-aside", TWO)
    assert names(house) == [ONE, THREE, AHEAD]
    assert verb(house, "bring-back", TWO).answer == {"back": TWO, "sealed": 4}
    assert names(house) == [ONE, TWO, THREE, AHEAD]
    assert str((house.root / "latest").readlink()) == latest
    assert fingerprint(house.root / TWO) == before
    verb(house, "set-aside", AHEAD)
    assert "lies in the future" in verb(house, "bring-back", AHEAD).answer["error"]
    assert "no snapshot" in verb(house, "bring-back", ONE).answer["error"]


def test_it_is_dropped_for_good_by_a_verb_of_its_own(house: Storehouse) -> None:
    assert verb(house, "drop-aside", AHEAD).code == 1
    verb(house, "set-aside", AHEAD)
    assert verb(house, "drop-aside", AHEAD).answer == {"dropped": AHEAD}
    assert verb(house, "reap").code == 0
    assert facts(house)["aside"] == []
    assert not [path for path in house.root.rglob(f"*{AHEAD}*")]
    assert (house.root / THREE / "new").read_text() == "new"


@pytest.mark.parametrize("where", (1, 2, 4))
def test_a_cut_at_any_move_leaves_it_whole_and_the_next_run_finishes(house: Storehouse, where: int) -> None:
    """Killed at its first rename (nothing moved), at the second (the folder is aside), among those of its records."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    before = fingerprint(house.root / AHEAD)
    cut = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject=rename:signal=KILL:when={where}")
    verb(house, "set-aside", AHEAD, around=cut)
    places = [path for path in (house.root / AHEAD, house.root / ".aside" / AHEAD) if path.exists()]
    assert [fingerprint(path) for path in places] == [before]
    if places[0].parent.name == ".aside":
        # Another expires meanwhile; then a snapshot begins.
        assert expire(house, ONE).code == 0
        assert house.snapshot("2026-11-23T010000Z", THREE).code == 0
        assert (house.root / f".aside/records/{AHEAD}.json").is_file()
        assert verb(house, "bring-back", AHEAD).code == 1
    assert verb(house, "reap").code == 0
    assert facts(house)["lost"] == []


def test_what_somebody_removed_is_lost_and_stays_so_until_a_person_sets_it_aside(house: Storehouse) -> None:
    shutil.rmtree(house.root / TWO)
    assert facts(house)["lost"] == [TWO]
    # Neither an expiry nor a reap takes the evidence for a leftover of theirs.
    assert expire(house, ONE).code == 0
    assert facts(house)["lost"] == [TWO]
    assert verb(house, "reap").code == 0
    assert facts(house)["lost"] == [TWO]
    answer = verb(house, "set-aside", TWO).answer
    assert (answer["aside"], answer["record_only"], answer["sealed"]) == (TWO, True, 2)
    known = facts(house)
    assert (known["lost"], known["aside"], known["written_off"]) == ([], [], [TWO])
    assert (house.root / f".aside/records/{TWO}.json").is_file()


def test_interrupted_copies_are_dropped_with_their_halves_and_nothing_sealed_is(house: Storehouse) -> None:
    verb(house, "set-aside", AHEAD)
    half = "2026-11-24T010000Z"
    with house.held():
        assert house.begin(half, THREE).code == 0
        assert house.clone(half, THREE).code == 0
        assert house.send_listed(half, THREE, house.listed(half, THREE)).code == 0
    (house.root / f".incoming/{half}/0/sent").write_text("half")
    (house.root / ".partial/parts/big").write_text("half")
    before = [fingerprint(house.root / name) for name in (ONE, TWO, THREE)]
    # Only under the lock.
    assert house.call("drop-partials", str(house.root), "--plan", house.plan, "--", half).code == 1
    with house.held("another"):
        busy = house.call("drop-partials", str(house.root), "--plan", house.plan, "--", half)
        assert busy.code == 75
    with house.held():
        argv = ("drop-partials", str(house.root), "--plan", house.plan, "--", half)
        assert house.call(*argv).answer == {"dropped": [half], "left": []}
        assert house.call(*argv).answer == {"dropped": [], "left": []}
    assert facts(house)["partials"] == []
    assert verb(house, "reap").code == 0
    assert not any(list((house.root / each).iterdir()) for each in (".trash", ".partial/parts", ".incoming"))
    assert [fingerprint(house.root / name) for name in (ONE, TWO, THREE)] == before
    assert house.snapshot("2026-11-25T010000Z", THREE).code == 0


def test_a_drop_that_was_cut_off_is_finished_by_the_next(house: Storehouse) -> None:
    verb(house, "set-aside", AHEAD)
    first = aside.everything(StoreFolder(house.root), AHEAD)[0]
    (house.root / ".trash").mkdir(exist_ok=True)
    first.rename(house.root / ".trash" / first.name)
    assert verb(house, "drop-aside", AHEAD).answer == {"dropped": AHEAD}
    assert [path.name for path in (house.root / ".aside").rglob("*") if AHEAD in path.name] == []


def test_a_trash_that_cannot_be_read_hides_nothing_else(house: Storehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(house.root / TWO)
    real = Path.iterdir

    def unreadable(path: Path) -> Iterator[Path]:
        if path.name == ".trash":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", unreadable)
    seen = inspect_store({"path": str(house.root)})
    assert [each.name for each in seen.sealed] == [ONE, THREE, AHEAD]
    assert (seen.problem, seen.lost, seen.unread) == ("", (), (str(house.root / ".trash"),))


def test_what_lies_aside_and_cannot_be_read_hides_nothing_else(house: Storehouse) -> None:
    (house.root / ".aside").mkdir(mode=0o700)
    (house.root / ".aside/records").write_text("not a folder")
    known = facts(house)
    assert (known["problem"], known["written_off"]) == ("", [])
    assert (known["odd"], known["unread"]) == ([str(house.root / ".aside/records")], [])


@pytest.mark.parametrize("place", [".trash", ".partial", ".aside"])
def test_where_nobody_can_see_what_is_lost_no_evidence_goes(
    house: Storehouse, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(house.root / TWO)
    records = sorted((house.root / ".runner/records").iterdir())
    (house.root / ".trash").mkdir(exist_ok=True)
    real_list, real_look = Path.iterdir, Path.lstat

    def failing(path: Path) -> None:
        if path == house.root / place or path.parent == house.root / place:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(Path, "iterdir", lambda path: failing(path) or real_list(path))
    monkeypatch.setattr(Path, "lstat", lambda path: failing(path) or real_look(path))
    store = StoreFolder(house.root)
    trash = os.open(house.root / ".trash", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Input/output error"):
            follow(store, trash)
    finally:
        os.close(trash)
    with pytest.raises(OSError, match="Input/output error"):
        lost(store)
    monkeypatch.undo()
    assert sorted((house.root / ".runner/records").iterdir()) == records


def test_a_partial_that_the_plan_does_not_name_stays(house: Storehouse) -> None:
    verb(house, "set-aside", AHEAD)
    half = "2026-11-24T010000Z"
    with house.held():
        assert house.begin(half, THREE).code == 0
        answer = house.call("drop-partials", str(house.root), "--plan", house.plan, "--", "2026-11-01T010000Z").answer
    assert answer == {"dropped": [], "left": [half]}
