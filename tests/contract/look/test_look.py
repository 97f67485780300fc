"""`look`: the list is what differs, by a look that is not its own, after every kind of change."""

# Names are bytes here, as the kernel has them; pathlib knows only text.
# ruff: noqa: PTH101, PTH103, PTH104, PTH108, PTH112, PTH114, PTH116, PTH118, PTH120, PTH123, PTH211

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.agent.look import since
from tests import compare as trees
from tests.contract.look.looks import (
    NO_RECORD,
    ONE,
    THREE,
    TWO,
    Looked,
    compare,
    compose,
    copied,
    expected,
    last,
    lstats,
    names,
    send,
)  # fmt: skip
from tests.contract.storehouse import Said, frame
from tests.trees import ACCESS, USER_1001, change_tree, make_tree, set_acl

# No ctime is before the one, or after the other.
FIRST, LAST = "1999-11-23T081500Z", "2099-11-23T081500Z"


@pytest.fixture
def house(tmp_path: Path) -> Looked:
    (tmp_path / "source").mkdir()
    return Looked(source=tmp_path / "source", scans=tmp_path / "state/scans")


def test_a_day_on_a_hard_tree_is_listed_sent_and_put_together(house: Looked, tmp_path: Path) -> None:
    make_tree(house.source, files=60)
    settled = last(house.first())
    entries = trees.walk(house.source)
    assert (settled["names"], settled["listed"]) == (len(entries), 0)
    assert settled["folders"] == sum(entry.kind == "folder" for entry in entries.values())
    assert settled["size"] == sum(entry.size for entry in entries.values() if entry.kind in ("file", "symlink"))
    basis, composed, incoming = (tmp_path / name for name in ("basis", "composed", "incoming"))
    copied(house.source, basis)
    copied(basis, composed)
    before = lstats(house.source)
    change_tree(house.source, seed=1)
    looked = house.look(TWO, ONE)
    assert set(names(looked)) == expected(before, lstats(house.source))
    assert house.settle(TWO, looked).code == 0
    sent = send(looked.out, house.source, basis, incoming)
    assert sent.code == 0, sent
    compose(looked.out, incoming, composed)
    assert [line for line in trees.differences(house.source, composed) if not line.startswith("b'.':")] == []
    assert house.next(THREE, TWO) == []
    assert house.records() == [f"{name}.{kind}" for name in (TWO, THREE) for kind in ("again", "scan")]


def _same_size_and_time(path: Path) -> None:
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


EDITS: dict[str, Callable[[Path], object]] = {
    "mode": lambda path: path.chmod(0o600),
    "acl": lambda path: set_acl(os.fsencode(path), ACCESS, USER_1001),
    "attribute": lambda path: os.setxattr(path, "user.note", b"x"),
    "time": lambda path: os.utime(path, ns=(1, 1)),
    "far future": lambda path: os.utime(path, (2**33 + 2**34 // 4, 2**33 + 2**34 // 4)),
    "same size and time": _same_size_and_time,
    "to a folder": lambda path: (path.unlink(), path.mkdir()),
    "to a link": lambda path: (path.unlink(), path.symlink_to("else")),
    "another link": lambda path: os.link(path, path.with_name("other")),
    "renamed": lambda path: path.rename(path.with_name("other")),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_is_listed_once_and_the_next_day_nothing_is(house: Looked, edit: str) -> None:
    (house.source / "a/b").mkdir(parents=True)
    path = house.source / "a/b/file"
    for each in (path, house.source / "a/b/same", house.source / "a.b"):
        each.write_text("text")
    house.first()
    before = lstats(house.source)
    EDITS[edit](path)
    listed = house.next(TWO, ONE)
    assert listed and set(listed) == expected(before, lstats(house.source))
    assert b"a/b/same" not in listed
    assert house.next(THREE, TWO) == []


NAMES = (ONE, TWO, THREE, "2026-11-26T081500Z", "2026-11-27T081500Z")
ODD = (b"#x", b";y", b"-z", b"a\nb", b"\xff\xfe", b"*", b"a b", b"\\#012")
PLACES = st.sampled_from(
    [b"/".join(parts) for parts in ((b"a",), (b"b",), (b"a", b"c"), (b"a.d", b"e"), *((odd,) for odd in ODD))]
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("write", "link", "folder", "symlink", "remove", "move", "mode", "swap")), PLACES, PLACES
    ),
    max_size=8,
)


def _change(top: bytes, what: str, place: bytes, other: bytes) -> None:
    path, second = os.path.join(top, place), os.path.join(top, other)
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if what == "write":
            with open(path, "ab") as file:
                file.write(b"more")
        elif what == "link":
            os.link(path, second, follow_symlinks=False)
        elif what == "folder":
            os.makedirs(os.path.join(path, b"in", b"side"))
        elif what == "symlink":
            os.symlink(other, path)
        elif what == "remove":
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
        elif what == "move":
            os.rename(path, second)
        elif what == "mode":
            os.chmod(path, 0o750 if os.stat(path).st_mode & 0o1 else 0o755)
        elif what == "swap":
            os.rename(path, path + b"~")
            os.rename(second, path)
            os.rename(path + b"~", second)


def _made(folder: str, changes: list[tuple[str, bytes, bytes]]) -> Looked:
    house = Looked(source=Path(folder, "source"), scans=Path(folder, "scans"))
    house.source.mkdir()
    for change in changes:
        _change(os.fsencode(house.source), *change)
    return house


@given(days=st.lists(CHANGES, min_size=2, max_size=5))
def test_any_history_is_listed_exactly(days: list[list[tuple[str, bytes, bytes]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = _made(folder, days[0])
        house.first()
        for number, changes in enumerate(days[1:]):
            before = lstats(house.source)
            for change in changes:
                _change(os.fsencode(house.source), *change)
            assert set(house.next(NAMES[number + 1], NAMES[number])) == expected(before, lstats(house.source))


@settings(max_examples=max(4, settings().max_examples // 10))
@given(before=CHANGES, after=CHANGES, by_record=st.booleans())
def test_what_is_listed_is_all_that_has_to_be_sent(
    before: list[tuple[str, bytes, bytes]], after: list[tuple[str, bytes, bytes]], by_record: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = _made(folder, before)
        house.first()
        composed, incoming = Path(folder, "composed"), Path(folder, "incoming")
        copied(house.source, composed)
        for change in after:
            _change(os.fsencode(house.source), *change)
        if by_record:
            looked = house.look(TWO, ONE)
        else:
            assert house.look(TWO).code == NO_RECORD
            looked = house.compared(TWO, "", compare(house.source, composed))
        settled = last(house.settle(TWO, looked))
        assert send(looked.out, house.source, composed, incoming).code == 0
        missing = sum(not os.path.lexists(os.path.join(os.fsencode(incoming), path)) for path in names(looked))
        compose(looked.out, incoming, composed)
        assert missing == settled["gone"] and len(trees.walk(composed)) == settled["names"]
        lines = trees.differences(house.source, composed)
        assert [line for line in lines if not line.startswith("b'.':")] == []


def test_a_group_of_links_of_which_one_is_wanted_is_listed_whole(house: Looked, tmp_path: Path) -> None:
    for name in ("a", "z/b", "z/c"):
        (house.source / name).parent.mkdir(exist_ok=True)
        os.link(house.source / "a", house.source / name) if name != "a" else (house.source / name).write_text("text")
    copied(house.source, tmp_path / "copy")
    (tmp_path / "copy/z/b").unlink()
    house.look(ONE)
    looked = house.compared(ONE, "", compare(house.source, tmp_path / "copy"))
    assert set(names(looked)) >= {b"a", b"z/b", b"z/c"}


def test_what_changes_between_first_look_comparison_and_second_is_listed(house: Looked, tmp_path: Path) -> None:
    for name in ("kept", "goes", "changes"):
        (house.source / name).write_text("text")
    copied(house.source, tmp_path / "copy")
    assert house.look(ONE).code == NO_RECORD
    comparison = compare(house.source, tmp_path / "copy")
    (house.source / "goes").unlink()
    _same_size_and_time(house.source / "changes")
    (house.source / "comes").write_text("text")
    looked = house.compared(ONE, "", comparison)
    assert names(looked) == [b"changes", b"comes", b"goes"]
    assert last(house.settle(ONE, looked))["gone"] == 1


@pytest.mark.parametrize("code", [1, 12, 20, None])
def test_a_comparison_that_did_not_end_is_refused(house: Looked, code: int | None) -> None:
    house.look(ONE)
    given_ = frame("compare", compare(house.source, house.source)).replace(
        b'"exit": 0', b'"exit": %s' % (b"null" if code is None else b"%d" % code)
    )
    refused = house.look(ONE, "", "--compared=compare", given=given_)
    assert refused.code == 1 and "did not end" in refused.answer["error"]


def test_a_comparison_without_a_look_before_it_is_refused(house: Looked) -> None:
    refused = house.compared(ONE, "", compare(house.source, house.source))
    assert refused.code == 1 and "no look was made" in refused.answer["error"]


def test_the_others_of_a_group_go_with_one_that_is_listed_again(house: Looked) -> None:
    for name in ("a", "b/c", "b/d"):
        (house.source / name).parent.mkdir(exist_ok=True)
        os.link(house.source / "a", house.source / name) if name != "a" else (house.source / name).write_text("text")
    house.look(ONE)
    assert house.settle(ONE, comparison=Said(code=23, out=b">f+++++++++|b/c//\n")).code == 0
    assert set(house.next(TWO, ONE)) == {b"a", b"b/c", b"b/d"}
    assert house.next(THREE, TWO) == []


def test_what_is_written_through_a_mapping_is_found_though_its_time_stays(tmp_path: Path) -> None:
    house = Looked(source=tmp_path / "source", scans=tmp_path / "scans", recent=60)
    house.source.mkdir()
    path = house.source / "mapped"
    path.write_bytes(bytes(4096))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 4096) as mapping:
        mapping[0] = 1
        house.first()
        before = path.stat()
        mapping[1] = 1
        # Whether the time changes hangs on when the page was written back; the list does not.
        assert path.stat().st_mtime_ns >= before.st_mtime_ns
        assert house.next(TWO, ONE) == [b"mapped"]


def test_of_a_fresh_tree_only_what_changed_since_is_listed_beside_what_the_comparison_names(tmp_path: Path) -> None:
    house = Looked(source=tmp_path / "source", scans=tmp_path / "scans", recent=60)
    house.source.mkdir()
    for name in ("one", "two", "three"):
        (house.source / name).write_text(name)
    copied(house.source, tmp_path / "copy")
    (house.source / "one").write_text("eno")
    assert house.look(TWO, LAST).code == NO_RECORD
    comparison = compare(house.source, tmp_path / "copy")
    (house.source / "two").chmod(0o600)
    assert names(house.compared(TWO, LAST, comparison)) == [b"one", b"two"]


def edited(path: Path) -> None:
    """Change the content, and neither size nor time."""
    before = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(("most", "basis", "seen"), [(4, FIRST, True), (3, FIRST, False), (4, LAST, False)])
def test_without_a_record_what_changed_since_the_basis_was_begun_is_listed_unless_it_is_too_much(
    tmp_path: Path, most: int, basis: str, *, seen: bool
) -> None:
    """As after an upgrade, or on another machine: no comparison sees an edit that keeps size and time."""
    house = Looked(source=tmp_path / "source", scans=tmp_path / "scans")
    (house.source / "folder/empty").mkdir(parents=True)
    for name in ("folder/sly", "linked", "plain"):
        (house.source / name).write_text("text")
    (house.source / "folder/twin").hardlink_to(house.source / "linked")
    copied(house.source, tmp_path / "copy")
    edited(house.source / "folder/sly")
    (house.source / "plain").write_text("longer")
    assert house.look(TWO, basis).code == NO_RECORD
    comparison = compare(house.source, tmp_path / "copy")
    assert b"sly" not in comparison.out
    with mock.patch.object(since, "NAMES", most):
        said = house.compared(TWO, basis, comparison)
    # Folders are compared whole by rsync.
    assert names(said) == ([b"linked", b"plain", b"folder/sly", b"folder/twin"] if seen else [b"plain"])
    text = f"4 of 6 names changed since {basis} was begun, too many to send all of them"
    assert (text in said.err.decode()) == (most == 3)
    assert house.settle(TWO, said).code == 0
    assert house.next(THREE, TWO) == []


def test_where_rsync_is_to_compare_what_differs_from_the_record_is_listed_too(house: Looked, tmp_path: Path) -> None:
    """After an interruption too: no comparison sees an edit that keeps size and time."""
    for name in ("sly", "plain", "same"):
        (house.source / name).write_text("AAAA")
    house.first()
    copied(house.source, tmp_path / "copy")
    edited(house.source / "sly")
    (house.source / "plain").write_text("longer")
    # An attempt that was interrupted leaves the record of the basis as it was.
    for name in (TWO, THREE):
        assert house.look(name, ONE, "--anew").code == NO_RECORD
    comparison = compare(house.source, tmp_path / "copy")
    assert b"sly" not in comparison.out
    assert names(house.compared(THREE, ONE, comparison)) == [b"plain", b"sly"]


def test_what_changed_shortly_before_is_listed_again(tmp_path: Path) -> None:
    house = Looked(source=tmp_path / "source", scans=tmp_path / "scans", recent=60)
    (house.source / "folder").mkdir(parents=True)
    (house.source / "folder/file").write_text("text")
    house.first()
    # Its time did not change, as of a page that was written through a mapping, or within a tick of the clock.
    assert house.next(TWO, ONE) == [b"folder", b"folder/file"]
    sure = Looked(source=house.source, scans=house.scans, recent=-3600)
    assert sure.next(THREE, TWO) == [b"folder", b"folder/file"]
    assert sure.next(ONE, THREE) == []


SHRINK = "--shrink=30"


@pytest.mark.parametrize(("names_left", "code"), [(9, 0), (6, 0), (5, 81), (0, 81)])
def test_a_source_that_has_shrunk_says_so_and_its_list_is_none(house: Looked, names_left: int, code: int) -> None:
    """Nine files and the top are ten names: three of them may go."""
    for number in range(9):
        (house.source / f"{number}").touch()
    house.first()
    for number in range(names_left, 9):
        (house.source / f"{number}").unlink()
    looked = house.look(TWO, ONE, SHRINK)
    assert looked.code == code, looked
    # It is found out where nothing may expire, and what differs is listed by the next look beside a comparison.
    again = house.compared(TWO, ONE, Said(code=0, out=b"", err=b""))
    assert again.code == 0
    assert set(names(again)) == {str(number).encode() for number in range(names_left, 9)}
    settled = house.settle(TWO, again)
    assert (settled.code, last(settled)["names"]) == (0, names_left + 1), settled


@pytest.mark.parametrize("why", ["lost", "unsettled", "damaged"])
def test_where_no_record_says_how_many_names_there_were_it_may_have_shrunk(house: Looked, why: str) -> None:
    (house.source / "a").touch()
    house.first()
    if why == "damaged":
        house.place(ONE).write_bytes(house.place(ONE).read_bytes()[:-1])
    else:
        house.place(ONE, "scan" if why == "lost" else "again").unlink()
    assert house.look(TWO, ONE, SHRINK).code == 82
    assert house.look(TWO, ONE).code == NO_RECORD


@pytest.mark.parametrize("option", ["--anew", "--most=0", "--most=1"])
def test_a_comparison_that_is_due_does_not_hide_that_it_shrank(house: Looked, option: str) -> None:
    for number in range(9):
        (house.source / f"{number}").touch()
    house.first()
    house.next(TWO, ONE)
    assert house.look(THREE, TWO, SHRINK, option).code == (NO_RECORD if option != "--most=0" else 0)
    for number in range(5):
        (house.source / f"{number}").unlink()
    assert house.look(THREE, TWO, SHRINK, option).code == 81
