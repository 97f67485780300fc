"""What a snapshot takes up of interrupted ones: what was sent as what is sent, what was cloned as its clone."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.agent.compose.copies import Copy
from runner.agent.snapshots.seal import PartialSnapshot
from runner.agent.store.layout import StoreFolder
from tests.compare import differences, fingerprint
from tests.contract.storehouse import Storehouse

SEALED, NEW = "2026-11-20T010000Z", "2026-11-29T010000Z"
PARTIALS = tuple(f"2026-11-2{day}T010000Z" for day in range(1, 4))
BOTH = ("/", "/data")


@pytest.fixture
def house(tmp_path: Path) -> Storehouse:
    (tmp_path / "source/data").mkdir(parents=True)
    for path in ("known", "data/known"):
        (tmp_path / "source" / path).write_text(f"text of {path}")
    return Storehouse(root=tmp_path / "store", source=tmp_path / "source", points=BOTH)


class LaidOut:
    """A store with partials as they were left; each file holds the name of the partial that it is of."""

    def __init__(self, root: Path, points: Sequence[str]) -> None:
        self.root = root
        self.house = Storehouse(root=root, source=root.parent, points=tuple(points))

    def partial(self, name: str, points: Sequence[str], **begun: Any) -> None:
        """One with something in each place of each filesystem."""
        for folder in (".partial", ".incoming"):
            for number, point in enumerate(points):
                place = self.root / folder / name / str(number)
                place.mkdir(parents=True)
                (place / "file").write_text(f"{folder} {name} {point}")
        about = {"format": 3, "name": name, "plan": "before", "filesystems": points, "whole": [], **begun}
        (self.root / f".partial/{name}.json").write_text(json.dumps(about))

    def begin(self, *resume: str, whole: Sequence[str] = ()) -> None:
        words = (str(self.root), NEW, "--plan=plan-1", "--basis=", *(f"--resume={each}" for each in resume))
        with self.house.held():
            said = self.house.call("begin", *words, *(f"--whole={each}" for each in whole), "--", *self.house.points)
        assert said.code == 0, said.out

    def holds(self, folder: str, number: int) -> str:
        """What the place of that filesystem has now."""
        path = self.root / folder / NEW / str(number) / "file"
        assert path.parent.stat().st_mode & 0o777 in (0o700, 0o755)
        return path.read_text() if path.exists() else ""

    def assert_tidy(self) -> None:
        """Nothing but the new one is there; what was not taken up is in the trash."""
        assert {path.name for path in (self.root / ".partial").iterdir()} == {"parts", NEW, f"{NEW}.json"}
        assert [path.name for path in (self.root / ".incoming").iterdir()] == [NEW]


def test_what_was_sent_and_what_was_cloned_each_go_where_they_belong(tmp_path: Path) -> None:
    store = LaidOut(tmp_path / "store", ("/new", "/data", "/"))
    one = PARTIALS[0]
    store.partial(one, ("/", "/data", "/gone"))
    inode = (store.root / f".incoming/{one}/1/file").stat().st_ino
    store.begin(one)
    held = {
        (folder, number): store.holds(folder, number) for folder in (".partial", ".incoming") for number in (0, 1, 2)
    }
    assert held == {
        (".partial", 0): "", (".partial", 1): f".partial {one} /data", (".partial", 2): f".partial {one} /",
        (".incoming", 0): "", (".incoming", 1): f".incoming {one} /data", (".incoming", 2): f".incoming {one} /",
    }  # fmt: skip
    assert (store.root / f".incoming/{NEW}/1/file").stat().st_ino == inode
    left = sorted(path.read_text() for path in (store.root / ".trash").rglob("file"))
    assert left == [f".incoming {one} /gone", f".partial {one} /gone"]
    store.assert_tidy()


def test_of_several_the_newest_that_has_it_is_taken(tmp_path: Path) -> None:
    """As where a begin was cut off, or an older runner interrupted: it left one for each try."""
    store = LaidOut(tmp_path / "store", BOTH)
    first, second, third = PARTIALS
    store.partial(first, BOTH)
    store.partial(second, BOTH)
    store.partial(third, ("/",))
    store.begin(*PARTIALS)
    assert [store.holds(".incoming", number) for number in (0, 1)] == [
        f".incoming {third} /",
        f".incoming {second} /data",
    ]
    assert [store.holds(".partial", number) for number in (0, 1)] == [f".partial {third} /", f".partial {second} /data"]
    assert len(list((store.root / ".trash").rglob("file"))) == 6
    store.assert_tidy()
    assert store.house.begun(NEW)["resumed"] == list(PARTIALS)


def test_what_was_sent_whole_is_sent_whole_again_wherever_it_was_left(tmp_path: Path) -> None:
    store = LaidOut(tmp_path / "store", BOTH)
    one = PARTIALS[0]
    store.partial(one, BOTH, whole=BOTH, moved=("/",))
    # compose had moved the one to its place, and then was cut off.
    shutil.rmtree(store.root / f".partial/{one}/0")
    (store.root / f".incoming/{one}/0").rename(store.root / f".partial/{one}/0")
    store.begin(one, whole=BOTH)
    assert [store.holds(".incoming", number) for number in (0, 1)] == [f".incoming {one} /", f".incoming {one} /data"]
    assert [store.holds(".partial", number) for number in (0, 1)] == ["", ""]
    store.assert_tidy()


@pytest.mark.parametrize(("moved", "elsewhere"), [((), False), (("/",), True), (("/",), False)])
def test_where_it_is_sent_goes_nothing_that_was_not_received_or_has_a_name_elsewhere(
    tmp_path: Path, moved: tuple[str, ...], elsewhere: bool
) -> None:
    """Whoever receives could have removed what he was sent to, and had a clone made in the other place."""
    store = LaidOut(tmp_path / "store", ("/",))
    one = PARTIALS[0]
    store.partial(one, ("/",), whole=("/",), moved=moved)
    shutil.rmtree(store.root / f".incoming/{one}/0")
    place = store.root / f".partial/{one}/0"
    (place / "twin").hardlink_to(place / "file")
    if elsewhere:
        (store.root / "sealed").hardlink_to(place / "file")
    store.begin(one, whole=("/",))
    taken = bool(moved) and not elsewhere
    assert store.holds(".incoming", 0) == (f".partial {one} /" if taken else "")
    assert store.holds(".partial", 0) == ""
    store.assert_tidy()


def test_what_is_of_no_filesystem_is_not_sealed_and_what_is_left_of_a_sealed_one_stops_nobody(
    house: Storehouse,
) -> None:
    with house.held():
        assert house.begin(SEALED).code == 0
        sent = house.send_all(SEALED)
        (house.root / f".partial/{SEALED}/scratch").mkdir()
        said = house.seal(SEALED, sent)
        assert (said.code, said.answer["again"], "'scratch'" in said.answer["error"]) == (1, True, True)
        assert not (house.root / SEALED).exists()
        (house.root / f".partial/{SEALED}/scratch").rmdir()
        assert house.seal(SEALED, sent).code == 0
        # As an older agent left it, which had named it by then.
        (house.root / f".partial/{SEALED}/scratch").mkdir(parents=True)
        said = house.begin(NEW, SEALED)
    assert said.code == 0, said.out
    assert {path.name for path in (house.root / ".partial").iterdir()} == {"parts", NEW, f"{NEW}.json"}


@pytest.mark.parametrize(
    ("begun", "sent"),
    [
        ({"basis": ""}, True),
        ({"basis": "", "share": [], "resumed": []}, True),
        ({"basis": SEALED}, False),
        ({"basis": "", "share": [SEALED]}, False),
        ({"basis": "", "resumed": [PARTIALS[0]]}, False),
    ],
)
def test_what_an_older_agent_sent_is_taken_as_sent_only_where_it_shares_nothing(
    tmp_path: Path, begun: dict[str, Any], sent: bool
) -> None:
    """It let rsync link what is sealed into the one place that there was."""
    store = LaidOut(tmp_path / "store", ("/",))
    two = PARTIALS[1]
    store.partial(two, ("/",), format=2, **begun)
    shutil.rmtree(store.root / ".incoming")
    store.begin(two, whole=("/",) if sent else ())
    text = f".partial {two} /"
    assert (store.holds(".incoming", 0), store.holds(".partial", 0)) == ((text, "") if sent else ("", text))
    store.assert_tidy()


@pytest.mark.parametrize("begun", ["{torn", '{"format": 3}', '{"format": 3, "filesystems": ["/../x"]}', "[]"])
def test_one_of_which_nothing_is_known_is_superseded(tmp_path: Path, begun: str) -> None:
    store = LaidOut(tmp_path / "store", ("/",))
    store.partial(PARTIALS[0], ("/",))
    (store.root / f".partial/{PARTIALS[0]}.json").write_text(begun)
    store.begin(PARTIALS[0])
    assert (store.holds(".incoming", 0), store.holds(".partial", 0)) == ("", "")
    store.assert_tidy()


def test_what_was_sent_to_nothing_that_is_left_goes_to_the_trash(tmp_path: Path) -> None:
    store = LaidOut(tmp_path / "store", ("/",))
    (store.root / f".incoming/{PARTIALS[0]}/0").mkdir(parents=True)
    (store.root / f".incoming/{PARTIALS[0]}/0/file").write_text("left")
    store.begin()
    store.assert_tidy()
    assert [path.read_text() for path in (store.root / ".trash").rglob("file")] == ["left"]


def test_the_outputs_of_every_try_stay_known_while_the_filesystems_are_the_same(tmp_path: Path) -> None:
    store = LaidOut(tmp_path / "store", ("/",))
    first, second, third = PARTIALS
    store.partial(third, ("/",), kept=[second, first, "../x"])
    store.begin(third)
    assert store.house.begun(NEW)["kept"] == [third, second, first]
    other = LaidOut(tmp_path / "other", BOTH)
    other.partial(third, ("/",), kept=[second])
    other.begin(third)
    assert other.house.begun(NEW)["kept"] == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to cut at a call")
def test_a_begin_that_was_cut_off_is_taken_up_whatever_it_had_moved(tmp_path: Path) -> None:
    ready = LaidOut(tmp_path / "ready/store", BOTH)
    ready.partial(PARTIALS[0], BOTH, whole=("/data",))
    with ready.house.held():
        pass
    words = (PARTIALS[1], "--plan=plan-1", "--basis=", f"--resume={PARTIALS[0]}", "--whole=/data", "--", *BOTH)
    cuts = 0
    for nth in range(1, 20):
        store = LaidOut(tmp_path / f"cut{nth}/store", BOTH)
        shutil.copytree(ready.root, store.root)
        strace = ("strace", "-qq", "-o", "/dev/null", "--trace=rename", f"--inject=rename:signal=KILL:when={nth}")
        with store.house.held():
            cut = store.house.call("begin", str(store.root), *words, around=strace)
        names = [path.name for path in sorted((store.root / ".partial").glob("*.json"))]
        left = sorted({path.removesuffix(".json") for path in names})
        store.begin(*left, whole=("/data",))
        assert [store.holds(".incoming", number) for number in (0, 1)] == [
            f".incoming {PARTIALS[0]} /", f".incoming {PARTIALS[0]} /data"
        ], nth  # fmt: skip
        assert store.holds(".partial", 0) == f".partial {PARTIALS[0]} /", nth
        store.assert_tidy()
        if cut.code == 0:
            break
        cuts += 1
    assert 4 <= cuts < 19


def interrupted(house: Storehouse, name: str, resume: Sequence[str]) -> None:
    with house.held():
        assert house.begin(name, SEALED, resume).code == 0
        for number in range(len(BOTH)):
            assert house.cut_off(name, SEALED, number=number).code == 0


def test_what_changes_between_three_tries_is_as_it_is_at_last_and_nothing_sealed_is_touched(house: Storehouse) -> None:
    source = house.source
    (source / "twin").hardlink_to(source / "known")
    (source / "folder").mkdir()
    (source / "folder/file").write_text("file")
    assert house.snapshot(SEALED).code == 0
    older = fingerprint(house.root / SEALED)
    (source / "comes and goes").write_text("sent once")
    (source / "data/new").write_text("first")
    (source / "folder/file").chmod(0o600)
    interrupted(house, PARTIALS[0], ())
    (source / "comes and goes").unlink()
    (source / "data/new").write_text("other")
    shutil.rmtree(source / "folder")
    (source / "folder").write_text("no folder now")
    interrupted(house, PARTIALS[1], PARTIALS[:1])
    (source / "twin").unlink()
    (source / "twin").symlink_to("data")
    (source / "folder").unlink()
    (source / "folder").mkdir()
    (source / "folder/file").write_text("back")
    said = house.snapshot(NEW, SEALED, PARTIALS[1:2])
    assert said.code == 0, said.out
    assert not differences(source, house.root / NEW)
    assert fingerprint(house.root / SEALED) == older
    new = {each for each in house.root.glob(f"{NEW}/**/*") if is_new(each, house.root / SEALED, house.root / NEW)}
    assert {str(each.relative_to(house.root / NEW)) for each in new} == {"folder/file", "data/new", "twin"}
    assert said.answer["added_bytes"] == len("back") + len("other")
    assert said.answer["unsummed"] == 0


def is_new(path: Path, before: Path, after: Path) -> bool:
    other = before / path.relative_to(after)
    if path.is_dir() and not path.is_symlink():
        return not other.is_dir()
    return not os.path.lexists(other) or other.lstat().st_ino != path.lstat().st_ino


def test_an_older_agents_partial_that_shares_with_what_is_sealed_changes_none_of_it(house: Storehouse) -> None:
    """rsync had linked what was the same: sent into that again, modes and owners would change in history."""
    one = replace(house, points=("/",))
    assert one.snapshot(SEALED).code == 0
    older = fingerprint(one.root / SEALED)
    partial = one.root / f".partial/{PARTIALS[0]}"
    shutil.copytree(one.root / SEALED, partial / "0", copy_function=lambda old, new: Path(new).hardlink_to(old))
    (partial / "0/sent").write_text("sent")
    begun = {"format": 2, "name": PARTIALS[0], "plan": "x", "filesystems": ["/"], "basis": SEALED, "share": [SEALED]}
    partial.with_name(f"{PARTIALS[0]}.json").write_text(json.dumps(begun))
    (one.source / "known").chmod(0o611)
    (one.source / "data/known").write_text("changed")
    assert one.snapshot(NEW, SEALED, PARTIALS[:1]).code == 0
    assert not differences(one.source, one.root / NEW)
    assert fingerprint(one.root / SEALED) == older


def file(root: Path, path: str, *others: str, text: str = "text") -> None:
    """One inode at this path, and at these."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    for other in others:
        (root / other).parent.mkdir(parents=True, exist_ok=True)
        (root / other).hardlink_to(root / path)


def added(root: Path) -> tuple[int, int]:
    """How many inodes are new, and how many bytes of files."""
    with Copy(root / "new", [root / "sealed", root / "gone"], None).opened() as trees:
        found = list(trees.added())
    return len(found), sum(each.st_size for each in found if stat.S_ISREG(each.st_mode))


@pytest.mark.parametrize(
    ("links", "count", "size"),
    [
        ((("new/a",),), 1, 4),
        ((("new/a", "sealed/a"),), 0, 0),
        ((("new/a", "new/b"),), 1, 4),
        ((("new/a", "new/b", "sealed/b"),), 0, 0),
        ((("new/b", "sealed/a"),), 0, 0),
        ((("new/a",), ("sealed/a",)), 1, 4),
        ((("new/folder/a",), ("sealed/folder/b",)), 1, 4),
        ((("new/folder/a",), ("sealed/folder",)), 2, 4),
    ],
)
def test_an_inode_counts_once_and_only_where_no_snapshot_has_it(
    tmp_path: Path, links: tuple[tuple[str, ...], ...], count: int, size: int
) -> None:
    for folder in ("new", "sealed"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "link").symlink_to(f"old in {folder}")
    for first, *others in links:
        file(tmp_path, first, *others)
    assert added(tmp_path) == (count, size)


def test_what_a_link_of_the_host_shows_is_in_no_snapshot(tmp_path: Path) -> None:
    file(tmp_path, "outside/file", "new/current/file")
    (tmp_path / "sealed").mkdir()
    (tmp_path / "sealed/current").symlink_to(tmp_path / "outside")
    # The folder is new; and the file has a name elsewhere, which is no reason to look there.
    assert added(tmp_path) == (1, 0)
    (tmp_path / "new/current/link").symlink_to(tmp_path / "outside")
    assert added(tmp_path) == (2, 0)


BEGUN = {"filesystems": ["/", "/srv", "/new"], "basis": SEALED, "format": 3}


def test_each_mount_is_compared_with_the_snapshots_that_have_it(tmp_path: Path) -> None:
    share = [SEALED, ".partial/2026-11-21T010000Z/0", "2026-11-19T010000Z/srv", f"{SEALED}/srv"]
    store = StoreFolder(tmp_path)
    store.partial.mkdir()
    store.begun(NEW).write_text(json.dumps({**BEGUN, "share": share}))
    copies = PartialSnapshot(store, NEW, {**BEGUN, "share": share, "composed": {"/": 7}}).copies
    assert copies == {
        "/": Copy(store.partial / NEW / "0", [tmp_path / SEALED], 7),
        "/srv": Copy(store.partial / NEW / "1", [tmp_path / "2026-11-19T010000Z/srv", tmp_path / SEALED / "srv"], None),
        "/new": Copy(store.partial / NEW / "2", (), None),
    }
